"""Who may come in; for owners.

GET  /people
POST /people/invite            `role`; the page that shows the link, once
POST /people/invite/end        `id` of the invitation
POST /people/role              `id`, `role`
POST /people/disable           `id`
POST /people/enable            `id`
POST /people/link              `id`; the page that shows a link for a new password, once
POST /people/sittings/end      `id`: all of that person's
POST /people/tokens/revoke     `id` of the token
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol, TypeVar

from aiohttp import web
from aiohttp.typedefs import Handler
from sqlmodel import Session

from adapters.base import Clock
from bot.access.visitor import Visitor
from bot.models import Person, Role
from bot.settings import WebSettings
from bot.store import access, links, managing, tokens
from bot.store.ledger import Ledger
from bot.web.forms import form_of, from_page, number_of, role_of, text_of, tried
from bot.web.gate import is_secure
from bot.web.rendering import Renderer
from bot.web.routes import Route
from bot.web.starting import RENEW, START

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Act(Protocol[T_co]):
    """One of `bot.store.managing` that is done to a person."""

    def __call__(self, session: Session, who: Visitor, person: Person, *, now: datetime) -> T_co: ...


class PeoplePages:
    """Handlers."""

    def __init__(self, *, render: Renderer, ledger: Ledger, clock: Clock, settings: WebSettings) -> None:
        self._render = render
        self._ledger = ledger
        self._clock = clock
        self._settings = settings
        self._idle = timedelta(hours=settings.idle_hours)

    def routes(self) -> Sequence[Route]:
        acts: dict[str, Handler] = {
            "invite": self.invite,
            "invite/end": self.end_invitation,
            "role": self.change_role,
            "disable": partial(self._do, managing.disable),
            "enable": partial(self._do, managing.enable),
            "link": self.link,
            "sittings/end": partial(self._do, managing.end_sittings),
            "tokens/revoke": self.revoke_token,
        }
        posts = [Route("POST", f"/people/{path}", act, Role.OWNER) for path, act in acts.items()]
        return [Route("GET", "/people", self.page, Role.OWNER), *posts]

    async def page(self, request: web.Request) -> web.StreamResponse:
        from_page(request)
        return await self._shown(request)

    async def invite(self, request: web.Request) -> web.StreamResponse:
        visitor, role = from_page(request), role_of(await form_of(request))
        secret = await tried(self._ledger, managing.invite, visitor, role, now=self._clock())
        return await self._shown(request, self._address(request, START, secret))

    async def end_invitation(self, request: web.Request) -> web.StreamResponse:
        visitor, number = await _asked(request)
        await tried(self._ledger, managing.end_invitation, visitor, number, now=self._clock())
        raise web.HTTPSeeOther("/people")

    async def change_role(self, request: web.Request) -> web.StreamResponse:
        role = role_of(await form_of(request))
        return await self._do(partial(managing.change_role, role=role), request)

    async def link(self, request: web.Request) -> web.StreamResponse:
        visitor, number = await _asked(request)
        secret = await tried(self._ledger, _on, managing.password_link, visitor, number, now=self._clock())
        return await self._shown(request, self._address(request, RENEW, secret))

    async def revoke_token(self, request: web.Request) -> web.StreamResponse:
        visitor, number = await _asked(request)
        await tried(self._ledger, managing.revoke_token, visitor, number, now=self._clock())
        raise web.HTTPSeeOther("/people")

    async def _do(self, act: Act[None], request: web.Request) -> web.StreamResponse:
        visitor, number = await _asked(request)
        await tried(self._ledger, _on, act, visitor, number, now=self._clock())
        raise web.HTTPSeeOther("/people")

    def _address(self, request: web.Request, page: str, secret: str) -> str:
        scheme = "https" if is_secure(request, self._settings) else "http"
        return link_address(self._settings.public_url or f"{scheme}://{request.host}", page, secret)

    async def _shown(self, request: web.Request, link: str = "") -> web.Response:
        found = await self._ledger.aread(_everybody, self._idle, self._clock())
        context = {**found, "roles": list(Role), "link": link, "here": "/people?"}
        return self._render.page(request, "people.html", context)


def link_address(site: str, page: str, secret: str) -> str:
    """What to open; behind the # it stays between the browser and us."""
    return f"{site.rstrip('/')}/{page}#{secret}"


async def _asked(request: web.Request) -> tuple[Visitor, int]:
    return from_page(request), number_of(text_of(await form_of(request), "id"))


def _on(session: Session, act: Act[T], who: Visitor, person_id: int, *, now: datetime) -> T:
    return act(session, who, access.person_of(session, person_id), now=now)


def _everybody(session: Session, idle: timedelta, now: datetime) -> dict[str, Any]:
    rows = [
        {"person": person, "sittings": access.sittings_of(session, person.id or 0, idle, now)}
        for person in access.people(session)
    ]
    return {"rows": rows, "links": links.unused(session, now=now), "tokens": tokens.listed(session)}
