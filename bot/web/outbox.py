"""Replies that a person brings out: taken, copied, and told what came of them.

GET  /inbox/outbox                    what is ready, and what somebody has taken
POST /inbox/outbox/{comment}/take     from now on it is mine, until the channel's lease ends
POST /inbox/outbox/{reply}/sent       with `lease`, as is /not-sent
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from aiohttp import web
from sqlmodel import Session

from adapters.base import Clock
from adapters.inbox_options import PLATFORM
from adapters.registry import BadOptions
from bot import outbox
from bot.inbox import NotAnInbox, options_of
from bot.models import Channel, Comment, Reply, Role
from bot.outbox import NotHandedOut, NotSent, Outcome, Sent
from bot.store import channels, inbox
from bot.store.ledger import Ledger
from bot.web.forms import form_of, number_of, text_of
from bot.web.inbox_view import waiting_context
from bot.web.problems import Problem
from bot.web.refusing import refusal
from bot.web.rendering import Renderer
from bot.web.routes import Route, known_visitor

SHOWN: Final = 100
_ID: Final = r"{id:[0-9]{1,19}}"


class OutboxPages:
    """Handlers; in `shadow` nothing is handed out."""

    def __init__(self, *, render: Renderer, ledger: Ledger, clock: Clock, shadow: bool) -> None:
        self._render = render
        self._ledger = ledger
        self._clock = clock
        self._shadow = shadow

    def routes(self) -> Sequence[Route]:
        one = f"/inbox/outbox/{_ID}"
        return [
            Route("GET", "/inbox/outbox", self.show, Role.REVIEWER),
            Route("POST", f"{one}/take", self.take, Role.REVIEWER),
            Route("POST", f"{one}/sent", self.sent, Role.REVIEWER),
            Route("POST", f"{one}/not-sent", self.not_sent, Role.REVIEWER),
        ]

    async def show(self, request: web.Request) -> web.StreamResponse:
        now = self._clock()
        found = await self._ledger.awrite(_by_person, now)
        rows = await self._ledger.aread(inbox.waiting, list(found), limit=SHOWN)
        context = {
            "waiting": waiting_context(rows, found, self._render.language(request), now),
            "shadow": self._shadow,
        }
        return self._render.page(request, "outbox.html", context)

    async def take(self, request: web.Request) -> web.StreamResponse:
        language, number = self._render.language(request), number_of(request.match_info["id"])
        if self._shadow:
            raise refusal(language, 409, "shadow", "out_shadow")
        try:
            leased = await self._ledger.awrite(_take, number, known_visitor(request).name, self._clock())
        except (NotHandedOut, NotAnInbox, BadOptions) as error:
            raise Problem(409, "delivery", str(error)) from error
        if not leased:
            raise refusal(language, 409, "not_now", "out_not_now")
        raise web.HTTPSeeOther(f"/inbox/outbox#c{number}")

    async def sent(self, request: web.Request) -> web.StreamResponse:
        return await self._acknowledge(request, Sent())

    async def not_sent(self, request: web.Request) -> web.StreamResponse:
        return await self._acknowledge(request, NotSent())

    async def _acknowledge(self, request: web.Request, outcome: Outcome) -> web.StreamResponse:
        number, lease = number_of(request.match_info["id"]), text_of(await form_of(request), "lease")
        who = known_visitor(request).name
        try:
            await self._ledger.awrite(_acknowledge, number, lease, outcome, who=who, now=self._clock())
        except NotHandedOut as error:
            raise refusal(self._render.language(request), 409, "lease", "out_lease") from error
        raise web.HTTPSeeOther("/inbox/outbox")


def _by_person(session: Session, now: datetime) -> dict[int, str]:
    """Names of the channels whose replies a person brings out, where lost ones have come to review."""
    found = {}
    for channel in channels.every(session):
        if channel.platform == PLATFORM and _delivery(channel) == "person":
            outbox.settle_lost(session, channel.id or 0, now=now)
            found[channel.id or 0] = channel.name
    return found


def _delivery(channel: Channel) -> str:
    try:
        return options_of(channel).delivery
    except BadOptions:
        return ""


def _take(session: Session, comment_id: int, who: str, now: datetime) -> list[outbox.Leased]:
    comment = session.get(Comment, comment_id)
    if comment is None:
        raise NotHandedOut(f"there is no comment {comment_id}; reload the page")
    return outbox.lease(session, comment.channel_id, delivery="person", who=who, now=now, only=comment_id)


def _acknowledge(
    session: Session, reply_id: int, lease: str, outcome: Outcome, *, who: str, now: datetime
) -> None:
    reply = session.get(Reply, reply_id)
    channel = channels.with_id(session, reply.channel_id) if reply is not None else None
    if channel is None:
        raise NotHandedOut(f"there is no reply {reply_id}; reload the page")
    outbox.acknowledge(session, channel, reply_id, lease=lease, outcome=outcome, who=who, now=now)
