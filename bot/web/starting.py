"""What the links that work once lead to.

    GET  /start    of a link that makes a person
    POST /start    `code`, `name`, `password`
    GET  /renew    of a link that replaces a password
    POST /renew    `code`, `password`

The link's secret stands behind the # of its address, and browsers keep that to themselves: it comes into no proxy's
log, no Referer, and no preview of a chat that the link was sent by. A script moves it into the form; without scripts it
is pasted there. Looking at the page uses nothing up.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from aiohttp import web
from sqlmodel import Session

from adapters.base import Clock
from bot.access.names import name_fault, tidy
from bot.access.passwords import LEAST_CHARS, MOST_CHARS, Passwords, TooBusy, password_fault
from bot.access.visitor import Visitor
from bot.models import Person
from bot.store import access, audit, links, tries
from bot.store.access import AccessRefused
from bot.store.ledger import Ledger
from bot.web.forms import form_of, text_of
from bot.web.gate import slow_down
from bot.web.guard import DESK
from bot.web.problems import Problem
from bot.web.rendering import Renderer
from bot.web.routes import Route
from bot.web.sitter import Caller, Sitter
from bot.web.words import WORDS

START: Final = "start"
RENEW: Final = "renew"
Use = Callable[..., Person]
"""Uses a link up: `links.use_for_person` or `links.use_for_password`."""


class StartingPages:
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
            Route("GET", f"/{START}", self.start_page, needs=None),
            Route("POST", f"/{START}", self.start, needs=None),
            Route("GET", f"/{RENEW}", self.renew_page, needs=None),
            Route("POST", f"/{RENEW}", self.renew, needs=None),
        ]

    async def start_page(self, request: web.Request) -> web.StreamResponse:
        return self._form(request, START, {})

    async def renew_page(self, request: web.Request) -> web.StreamResponse:
        return self._form(request, RENEW, {})

    async def start(self, request: web.Request) -> web.StreamResponse:
        form = await form_of(request)
        code, name = text_of(form, "code").strip(), tidy(text_of(form, "name")[:MOST_CHARS])
        # Looked at first: nobody is to make this machine hash passwords with links that are none.
        if not await self._ledger.aread(links.makes_person, code, now=self._clock()):
            raise await self._refusal(request)
        fault = name_fault(name) or password_fault(text_of(form, "password"), name)
        if not fault and await self._ledger.aread(access.person_named, name) is not None:
            fault = "access_name_taken"
        if fault:
            return self._form(request, START, {"code": code, "name": name, "fault": fault}, 422)
        hashed = await self._hashed(text_of(form, "password"))
        return await self._came(request, partial(links.use_for_person, name=name), code, hashed)

    async def renew(self, request: web.Request) -> web.StreamResponse:
        form = await form_of(request)
        code = text_of(form, "code").strip()
        person = await self._ledger.aread(links.whose, code, now=self._clock())
        if person is None:
            raise await self._refusal(request)
        fault = password_fault(text_of(form, "password"), person.name)
        if fault:
            return self._form(request, RENEW, {"code": code, "fault": fault}, 422)
        hashed = await self._hashed(text_of(form, "password"))
        return await self._came(request, links.use_for_password, code, hashed)

    async def _came(self, request: web.Request, use: Use, code: str, hashed: str) -> web.StreamResponse:
        """Uses the link up and lets its reader in."""
        caller = self._sitter.caller(request)
        try:
            token = await self._ledger.awrite(self._use, use, code, hashed, caller=caller, now=self._clock())
        except AccessRefused as error:  # somebody was faster
            raise self._gone(request) from error
        self._sitter.go(request, token, DESK)

    def _use(
        self, session: Session, use: Use, code: str, hashed: str, *, caller: Caller, now: datetime
    ) -> str:
        person = use(session, code, password_hash=hashed, now=now)
        who = Visitor(person.name, person.role, "page", person_id=person.id or 0, address=caller.address)
        audit.note(session, who, "use_link", person.name, now=now, detail={"role": person.role})
        tries.note_log_in(session, person.name, caller.address, now=now)
        return self._sitter.sit(session, person, caller, now)

    async def _refusal(self, request: web.Request) -> Problem:
        caller = self._sitter.caller(request)
        wait_s = await self._ledger.awrite(tries.wrong_link, caller.address, now=self._clock())
        return slow_down(wait_s) if wait_s else self._gone(request)

    def _gone(self, request: web.Request) -> Problem:
        return Problem(410, "link", WORDS[self._render.language(request)]["access_link_gone"])

    async def _hashed(self, password: str) -> str:
        try:
            return await self._passwords.hashed(password)
        except TooBusy as error:
            raise Problem(503, "busy", "too many are logging in; wait a few seconds and try again") from error

    def _form(
        self, request: web.Request, page: str, given: dict[str, str], status: int = 200
    ) -> web.Response:
        words = WORDS[self._render.language(request)]
        fault = words[given["fault"]] if "fault" in given else ""
        context = {"page": page, "code": "", "name": "", **given, "notice": fault, "least": LEAST_CHARS}
        return self._render.page(request, "start.html", context, status)
