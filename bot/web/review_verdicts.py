"""What a person does with one comment: verdicts, holds, a translation.

    POST /review/ID/verdict     `act`, `version`, `key`, `candidate`, `text`, `took_s`, `over`
    POST /review/ID/hold        `act`: take, over, release; `leave`: another one that is given back
    POST /review/ID/translate   has the comment translated

With `Accept: application/json` they answer in JSON, else by leading to the next page.
"""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, cast, get_args

from aiohttp import web
from sqlmodel import Session

from adapters.base import Clock
from bot.access.visitor import Visitor
from bot.models import Comment, Role, State
from bot.review import Act, Wish, decide
from bot.settings import ReviewSettings
from bot.store import holds, queue
from bot.store.cases import NoSuchComment
from bot.store.deciding import Sign, VerdictRefused
from bot.store.ledger import Ledger
from bot.translate import Translator
from bot.web.forms import form_of, lines_of, row_number, text_of
from bot.web.guard import Busy, Turns
from bot.web.problems import Problem
from bot.web.rendering import Renderer
from bot.web.review import ReviewPages, wanted_id
from bot.web.review_asked import Asked
from bot.web.routes import Route, known_visitor
from bot.web.words import WORDS, state_word

JSON: Final = "application/json"
MOST_TOOK_S: Final = 3600.0
"""Who took longer did something else meanwhile."""
MAX_KEY: Final = 100


class VerdictPages:
    """Handlers."""

    def __init__(
        self,
        *,
        pages: ReviewPages,
        render: Renderer,
        ledger: Ledger,
        settings: ReviewSettings,
        translator: Translator | None,
        clock: Clock,
    ) -> None:
        self._pages = pages
        self._render = render
        self._ledger = ledger
        self._settings = settings
        self._translator = translator
        self._clock = clock
        self._turns = Turns()

    def routes(self) -> Sequence[Route]:
        made = [
            Route("POST", r"/review/{id:\d+}/verdict", self.verdict, Role.REVIEWER),
            Route("POST", r"/review/{id:\d+}/hold", self.hold, Role.REVIEWER, page=False),
        ]
        translate = Route("POST", r"/review/{id:\d+}/translate", self.translate, Role.REVIEWER)
        return [*made, translate] if self._translator is not None else made

    async def verdict(self, request: web.Request) -> web.StreamResponse:
        form, visitor = await form_of(request), known_visitor(request)
        wish, sign = wish_of(form, wanted_id(request)), sign_of(form, visitor)
        asked, now = Asked.read(request.query), self._clock()
        as_json = JSON in request.headers.get("Accept", "")
        behind = (
            None if as_json else await self._ledger.aread(_next, wish.comment_id, asked, now, visitor.name)
        )
        try:
            await decide(self._ledger, wish, sign, now=now, undo_s=self._settings.undo_s)
        except VerdictRefused as error:
            if as_json:
                return web.json_response(await self._refused(request, wish, error), status=409)
            return await self._refused_page(request, wish, error)
        if as_json:
            sends = wish.act in ("approve", "edit")
            return web.json_response({"ok": True, "undo_s": self._settings.undo_s if sends else 0})
        stays = wish.act in ("redraft", "undo", "retry")
        path = f"/review/{wish.comment_id if stays else behind}" if stays or behind else "/review"
        raise web.HTTPSeeOther(asked.link(path, did=wish.act, done=wish.comment_id))

    async def _refused(self, request: web.Request, wish: Wish, error: VerdictRefused) -> dict[str, Any]:
        language = self._render.language(request)
        state = await self._ledger.aread(_state, wish.comment_id)
        told = WORDS[language][f"review_no_{error.why}"].format(
            state=state_word(state, language) if state is not None else ""
        )
        return {
            "why": error.why,
            "told": told,
            "detail": str(error),
            "version": error.version,
            "state": state,
        }

    async def _refused_page(
        self, request: web.Request, wish: Wish, error: VerdictRefused
    ) -> web.StreamResponse:
        """The comment as it is now, with the reason and what was written."""
        told = await self._refused(request, wish, error)
        if error.why == "gone":
            raise Problem(404, "no_comment", told["told"])
        written = wish.text if wish.act == "edit" else ""
        return await self._pages.shown(
            request, opened=wish.comment_id, notice=told["told"], written=written, status=409
        )

    async def hold(self, request: web.Request) -> web.StreamResponse:
        """`leave` names the comment that was on the screen before; it is given back."""
        form, visitor, comment_id = await form_of(request), known_visitor(request), wanted_id(request)
        act, leave = text_of(form, "act"), row_number(text_of(form, "leave"))
        if act not in ("take", "over", "release"):
            raise Problem(400, "act", "act is take, over or release")
        try:
            told = await self._ledger.awrite(
                _hold,
                comment_id,
                reader=visitor.name,
                act=act,
                leave=leave,
                now=self._clock(),
                lasts=timedelta(seconds=self._settings.hold_s),
            )
        except NoSuchComment as error:
            raise Problem(404, "no_comment", str(error)) from error
        if act == "over" and JSON not in request.headers.get("Accept", ""):
            raise web.HTTPSeeOther(Asked.read(request.query).link(f"/review/{comment_id}"))
        return web.json_response(told)

    async def translate(self, request: web.Request) -> web.StreamResponse:
        language, comment_id = self._render.language(request), wanted_id(request)
        if self._translator is None:
            raise web.HTTPNotFound
        try:
            with self._turns.turn():
                text = await self._translator.translated(comment_id, language)
        except Busy as error:
            raise Problem(429, "busy", WORDS[language]["busy"]) from error
        except NoSuchComment as error:
            raise Problem(404, "no_comment", str(error)) from error
        if JSON in request.headers.get("Accept", ""):
            return web.json_response({"text": text})
        raise web.HTTPSeeOther(Asked.read(request.query).link(f"/review/{comment_id}"))


def wish_of(form: Any, comment_id: int) -> Wish:
    """Raises Problem."""
    act, candidate = text_of(form, "act"), text_of(form, "candidate")
    if act not in get_args(Act):
        raise Problem(400, "act", f"{act[:40]!r} is nothing to do with a comment; use the page's buttons")
    text = lines_of(form, "text")
    if act == "reject":
        text = ": ".join(part for part in (text_of(form, "quick").strip(), text.strip()) if part)
    chosen = int(candidate) if candidate.isascii() and candidate.isdigit() and len(candidate) < 4 else None
    return Wish(cast(Act, act), comment_id, text if act in ("edit", "reject", "redraft") else "", chosen)


def sign_of(form: Any, visitor: Visitor) -> Sign:
    """Raises Problem."""
    version = text_of(form, "version")
    if version and not (version.isascii() and version.isdigit() and len(version) < 10):
        raise Problem(400, "version", "the form names no version; reload the page")
    return Sign(
        by=visitor.name,
        via="page",
        version=int(version) if version else None,
        key=text_of(form, "key")[:MAX_KEY] or None,
        took_s=took_of(text_of(form, "took_s")),
        over_hold=text_of(form, "over") == "1",
    )


def took_of(given: str) -> float | None:
    """Seconds as the page measured them, from 0 to `MOST_TOOK_S`; None for what is no number."""
    try:
        seconds = float(given)
    except ValueError:
        return None
    return min(max(seconds, 0.0), MOST_TOOK_S) if math.isfinite(seconds) else None


def _next(session: Session, comment_id: int, asked: Asked, now: datetime, reader: str) -> int | None:
    """The comment behind this one in the queue that nobody else has open, else the first such one."""
    comment = session.get(Comment, comment_id)
    filters = asked.filters(now, free_for=reader)
    after = queue.place(comment) if comment is not None else None
    for start in (after, None):
        for item in queue.queue(session, filters, sort=asked.sort, after=start, limit=2).items:
            if item.comment.id != comment_id:
                return item.comment.id
    return None


def _state(session: Session, comment_id: int) -> State | None:
    comment = session.get(Comment, comment_id)
    return State(comment.state) if comment is not None else None


def _hold(
    session: Session,
    comment_id: int,
    *,
    reader: str,
    act: str,
    leave: int | None,
    now: datetime,
    lasts: timedelta,
) -> dict[str, Any]:
    if leave is not None:
        holds.release(session, by=reader, comment_id=leave)
    if act == "release":
        holds.release(session, by=reader, comment_id=comment_id)
        return {"by": ""}
    hold = holds.take(session, comment_id, by=reader, now=now, lasts=lasts, over=act == "over")
    comment = session.get_one(Comment, comment_id)
    return {"by": hold.by, "mine": hold.by == reader, "version": comment.version, "state": comment.state}
