"""Logging in and out.

    GET  /login    `?next=`: where to afterwards, on this site only
    POST /login    `name`, `password`, `next`
    POST /logout

The form has no sitting yet that a secret of its own could belong to. That no other site makes a browser log in, be it
as somebody else, is seen to by the origin, which the gate asks of every POST; by the cookie's `__Host-` name behind
TLS, which no neighbouring host can set; and by the new sitting that every log-in begins.
"""

from collections.abc import Sequence
from datetime import datetime

from aiohttp import web
from sqlmodel import Session

from adapters.base import Clock
from bot.access.passwords import Passwords, TooBusy
from bot.access.visitor import Visitor
from bot.models import Person, Role
from bot.store import access, audit, tries
from bot.store.ledger import Ledger
from bot.store.tries import Try
from bot.web.forms import form_of, from_page, text_of
from bot.web.guard import own_path
from bot.web.rendering import Renderer
from bot.web.routes import Route
from bot.web.sitter import BUSY_S, Caller, Sitter
from bot.web.words import WORDS


class EntryPages:
    """Handlers."""

    def __init__(
        self, *, render: Renderer, ledger: Ledger, clock: Clock, sitter: Sitter, passwords: Passwords
    ) -> None:
        self._render = render
        self._ledger = ledger
        self._clock = clock
        self._sitter = sitter
        self._passwords = passwords

    def routes(self) -> Sequence[Route]:
        return [
            Route("GET", "/login", self.page, needs=None),
            Route("POST", "/login", self.log_in, needs=None),
            Route("POST", "/logout", self.log_out, Role.VIEWER),
        ]

    async def page(self, request: web.Request) -> web.StreamResponse:
        return self._form(request, {"next": request.query.get("next", "")})

    async def log_in(self, request: web.Request) -> web.StreamResponse:
        form = await form_of(request)
        typed = {"name": text_of(form, "name"), "next": text_of(form, "next")}
        caller, now = self._sitter.caller(request), self._clock()
        begun = await self._ledger.awrite(tries.begin, typed["name"], caller.address, now=now)
        if isinstance(begun, int):
            return self._refused(request, typed, "access_wait", status=429, wait_s=begun)
        try:
            token = await self._token(begun, text_of(form, "password"), caller, now)
        except TooBusy:
            return self._refused(request, typed, "access_busy", status=503, wait_s=BUSY_S)
        if token is None:
            return self._refused(request, typed, "access_wrong", status=401)
        self._sitter.go(request, token, own_path(typed["next"]))

    async def _token(self, begun: Try, password: str, caller: Caller, now: datetime) -> str | None:
        """The cookie's value of a new sitting; None where the password does not fit. Raises TooBusy."""
        person = begun.person
        kept = person.password_hash if person is not None else None
        if not await self._passwords.fits(password, kept) or person is None or kept is None:
            return None
        renewed = await self._passwords.hashed(password) if self._passwords.is_outdated(kept) else kept
        return await self._ledger.awrite(
            self._let_in, begun.entry_id, person, renewed, caller=caller, now=now
        )

    def _let_in(
        self, session: Session, entry_id: int, checked: Person, renewed: str, *, caller: Caller, now: datetime
    ) -> str | None:
        access.in_turn(session)
        person = session.get_one(Person, checked.id)
        # Disabled, or given another password, while this one was looked at.
        if person.disabled_at is not None or person.password_hash != checked.password_hash:
            return None
        person.password_hash = renewed
        tries.succeed(session, entry_id)
        return self._sitter.sit(session, person, caller, now)

    async def log_out(self, request: web.Request) -> web.StreamResponse:
        await self._ledger.awrite(_leave, from_page(request), now=self._clock())
        self._sitter.leave(request)

    def _refused(
        self, request: web.Request, typed: dict[str, str], key: str, *, status: int, wait_s: int = 0
    ) -> web.Response:
        words = WORDS[self._render.language(request)]
        answer = self._form(request, {**typed, "notice": words[key].format(seconds=wait_s)}, status)
        if wait_s:
            answer.headers["Retry-After"] = str(wait_s)
        return answer

    def _form(self, request: web.Request, context: dict[str, str], status: int = 200) -> web.Response:
        return self._render.page(request, "login.html", {"notice": "", "name": "", **context}, status)


def _leave(session: Session, visitor: Visitor, *, now: datetime) -> None:
    access.end_sitting(session, visitor.sitting_id or 0, person_id=visitor.person_id)
    audit.note(session, visitor, "log_out", "", now=now)
