"""Verdicts on many comments at once: first what would happen, comment by comment, then that and nothing else.

POST /review/bulk        `act`: approve or skip; `ids`: ID:VERSION of each, or `all`: what the filters let through
POST /review/bulk/do     `act`, `key`, `ids`: ID:VERSION of each that the preview showed
POST /review/bulk/undo   `ids`: ID of each
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex
from typing import Any, Final

from aiohttp import web
from sqlmodel import Session, col

from adapters.base import Clock
from bot.models import Comment, Role, State
from bot.plain import excerpt, plain
from bot.review import Act, Told, Wish, decide_each
from bot.settings import Language, ReviewSettings
from bot.store import holds, queue
from bot.store.cases import Item, select_items, with_replies
from bot.store.deciding import MOST_CHARS, Sign, candidates, room
from bot.store.ledger import Ledger
from bot.web.forms import form_of, row_number, text_of
from bot.web.problems import Problem
from bot.web.rendering import Renderer
from bot.web.review_asked import Asked
from bot.web.review_verdicts import MAX_KEY
from bot.web.routes import Route, known_visitor
from bot.web.words import WORDS, state_word

MOST: Final = 200
"""Comments that are decided at once."""
COMMENT_CHARS: Final = 300


@dataclass(frozen=True, slots=True)
class Chosen:
    """A comment as it was when a person chose it."""

    comment_id: int
    version: int | None


class BulkPages:
    """Handlers."""

    def __init__(self, *, render: Renderer, ledger: Ledger, settings: ReviewSettings, clock: Clock) -> None:
        self._render = render
        self._ledger = ledger
        self._settings = settings
        self._clock = clock

    def routes(self) -> Sequence[Route]:
        return [
            Route("POST", "/review/bulk", self.preview, Role.REVIEWER),
            Route("POST", "/review/bulk/do", self.do, Role.REVIEWER),
            Route("POST", "/review/bulk/undo", self.undo, Role.REVIEWER),
        ]

    async def preview(self, request: web.Request) -> web.StreamResponse:
        form, visitor = await form_of(request), known_visitor(request)
        act, asked, now = _act(form), Asked.read(request.query), self._clock()
        chosen = (
            await self._ledger.aread(_all, asked, now, visitor.name)
            if text_of(form, "all")
            else chosen_of(form)
        )
        language = self._render.language(request)
        if not chosen:
            raise Problem(400, "none", WORDS[language]["review_bulk_none"])
        found, held = await self._ledger.aread(_items, [one.comment_id for one in chosen], now)
        held = {number: name for number, name in held.items() if name != visitor.name}
        lines = [
            _line(
                one,
                found.get(one.comment_id),
                holder=held.get(one.comment_id, ""),
                act=act,
                language=language,
            )
            for one in chosen
        ]
        context = {
            "act": act,
            "key": token_hex(12),
            "will": [line for line in lines if not line["why"]],
            "cannot": [line for line in lines if line["why"]],
            "query": asked.link(""),
        }
        return self._render.page(request, _template(request, "review_bulk"), context)

    async def do(self, request: web.Request) -> web.StreamResponse:
        form, visitor = await form_of(request), known_visitor(request)
        act, key = _act(form), text_of(form, "key")[: MAX_KEY - 20]
        chosen = chosen_of(form)
        if not key or not chosen:
            raise Problem(400, "form", "the form names no comments; go back to the queue and choose again")
        wishes = [
            (
                Wish(act, one.comment_id, candidate=0),
                Sign(visitor.name, "page", one.version, f"{key}-{one.comment_id}"),
            )
            for one in chosen
        ]
        return await self._told(request, await self._decide(wishes), act)

    async def undo(self, request: web.Request) -> web.StreamResponse:
        form, visitor = await form_of(request), known_visitor(request)
        wishes = [(Wish("undo", one.comment_id), Sign(visitor.name, "page")) for one in chosen_of(form)]
        if not wishes:
            raise Problem(400, "form", "the form names no comments; go back to the queue and choose again")
        return await self._told(request, await self._decide(wishes), "undo")

    async def _decide(self, wishes: list[tuple[Wish, Sign]]) -> list[Told]:
        return await decide_each(self._ledger, wishes, now=self._clock(), undo_s=self._settings.undo_s)

    async def _told(self, request: web.Request, told: list[Told], act: Act) -> web.StreamResponse:
        words = WORDS[self._render.language(request)]
        found, _ = await self._ledger.aread(_items, [one.comment_id for one in told], self._clock())
        refused = []
        for one in told:
            if one.refusal is not None:
                item = found.get(one.comment_id)
                state = state_word(State(item.comment.state), self._render.language(request)) if item else ""
                why = words[f"review_no_{one.refusal.why}"].format(state=state)
                refused.append({"id": one.comment_id, "why": why, "version": one.refusal.version or 0})
        context = {
            "act": act,
            "done": [one.comment_id for one in told if one.refusal is None],
            "refused": refused,
            "query": Asked.read(request.query).link(""),
        }
        return self._render.page(request, _template(request, "review_told"), context)


def _template(request: web.Request, name: str) -> str:
    """The script shows the part alone."""
    return f"{name}.html" if "part" in request.query else f"{name}_page.html"


def _act(form: Any) -> Act:
    """Raises Problem."""
    act = text_of(form, "act")
    if act == "approve":
        return "approve"
    if act == "skip":
        return "skip"
    raise Problem(400, "act", "many comments at once can be approved or skipped; use the page's buttons")


def chosen_of(form: Any) -> list[Chosen]:
    """The comments that the form names, each once. Raises Problem."""
    found: dict[int, Chosen] = {}
    for given in form.getall("ids", []):
        comment_id, _, version = str(given).partition(":")
        known = row_number(comment_id)
        if known is None or (version and row_number(version) is None and version != "0"):
            raise Problem(400, "form", "the form names a comment that cannot be; reload the page")
        found[known] = Chosen(known, int(version) if version else None)
    if len(found) > MOST:
        raise Problem(400, "many", f"at most {MOST} comments at a time; {len(found)} were chosen")
    return list(found.values())


def _all(session: Session, asked: Asked, now: datetime, reader: str) -> list[Chosen]:
    filters = asked.filters(now, free_for=reader)
    items = queue.queue(session, filters, sort=asked.sort, limit=MOST).items
    return [Chosen(item.comment.id or 0, item.comment.version) for item in items]


def _items(session: Session, ids: list[int], now: datetime) -> tuple[dict[int, Item], dict[int, str]]:
    items = with_replies(session, select_items().where(col(Comment.id).in_(ids)))
    return {item.comment.id or 0: item for item in items}, holds.held(session, ids, now=now)


def _line(chosen: Chosen, item: Item | None, *, holder: str, act: Act, language: Language) -> dict[str, Any]:
    """What would happen to one comment; `why` says why nothing will."""
    words = WORDS[language]
    if item is None:
        return {
            "id": chosen.comment_id,
            "version": 0,
            "author": "",
            "text": "",
            "reply": "",
            "why": words["review_no_gone"],
        }
    shown = candidates(item.draft)
    reply = shown[0] if shown and act == "approve" else ""
    return {
        "id": chosen.comment_id,
        "version": item.comment.version,
        "author": excerpt(item.comment.author_name, 40),
        "text": excerpt(item.comment.text, COMMENT_CHARS),
        "reply": plain(reply[:MOST_CHARS]),
        "why": _why_not(chosen, item, holder=holder, act=act, reply=reply, language=language),
    }


def _why_not(chosen: Chosen, item: Item, *, holder: str, act: Act, reply: str, language: Language) -> str:
    """Empty where it can be done."""
    words, state = WORDS[language], State(item.comment.state)
    allowed = (State.REVIEW,) if act == "approve" else (State.REVIEW, State.FAILED)
    longest = room(item.channel, reply)
    if state not in allowed:
        return words["review_no_state"].format(state=state_word(state, language))
    if chosen.version is not None and chosen.version != item.comment.version:
        return words["review_no_stale"]
    if holder:
        return words["review_held"].format(name=excerpt(holder, 40))
    if act == "approve" and not reply.strip():
        return words["review_no_no_draft"]
    return words["review_no_long"] if len(reply) > longest else ""
