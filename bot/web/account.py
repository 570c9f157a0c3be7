"""What everybody may see and change of their own: password, sittings, tokens.

GET  /account
POST /password                 `old`, `password`: ends the person's other sittings
POST /account/sittings/end     `id`
POST /account/tokens           `name`, `role`, `days` (empty: no end); the page that shows the token, once
POST /account/tokens/revoke    `id`
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from aiohttp import web
from sqlmodel import Session

from adapters.base import Clock
from bot.access.passwords import LEAST_CHARS, Passwords, TooBusy, password_fault
from bot.access.visitor import Visitor
from bot.models import Role
from bot.store import access, audit, tokens, tries
from bot.store.ledger import Ledger
from bot.store.managing import add_token, revoke_token
from bot.store.tries import Try
from bot.web.forms import form_of, from_page, number_of, role_of, text_of, tried
from bot.web.problems import Problem
from bot.web.rendering import Renderer
from bot.web.routes import Route
from bot.web.sitter import BUSY_S, Sitter
from bot.web.words import WORDS

MOST_DAYS: Final = 3650


class AccountPages:
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
            Route("GET", "/account", self.page),
            Route("POST", "/password", self.change_password),
            Route("POST", "/account/sittings/end", self.end_sitting),
            Route("POST", "/account/tokens", self.add_token),
            Route("POST", "/account/tokens/revoke", self.revoke_token),
        ]

    async def page(self, request: web.Request) -> web.StreamResponse:
        return await self._shown(request, from_page(request))

    async def change_password(self, request: web.Request) -> web.StreamResponse:
        visitor, form = from_page(request), await form_of(request)
        fault = password_fault(text_of(form, "password"), visitor.name)
        if fault:
            return await self._shown(request, visitor, fault, status=422)
        begun = await self._ledger.awrite(tries.begin, visitor.name, visitor.address, now=self._clock())
        if isinstance(begun, int):
            return await self._shown(request, visitor, "access_wait", status=429, wait_s=begun)
        try:
            changed = await self._change(visitor, begun, text_of(form, "old"), text_of(form, "password"))
        except TooBusy:
            return await self._shown(request, visitor, "access_busy", status=503, wait_s=BUSY_S)
        if not changed:
            return await self._shown(request, visitor, "access_wrong_old", status=401)
        return await self._shown(request, visitor, "access_password_changed")

    async def _change(self, visitor: Visitor, begun: Try, old: str, new: str) -> bool:
        """The old one is asked for: a browser that somebody left open is not to give the account away."""
        kept = begun.person.password_hash if begun.person is not None else None
        if not await self._passwords.fits(old, kept):
            return False
        hashed = await self._passwords.hashed(new)
        await self._ledger.awrite(_change_password, visitor, begun.entry_id, hashed, now=self._clock())
        return True

    async def end_sitting(self, request: web.Request) -> web.StreamResponse:
        visitor, number = from_page(request), number_of(text_of(await form_of(request), "id"))
        await self._ledger.awrite(_end_sitting, visitor, number, now=self._clock())
        raise web.HTTPSeeOther("/account")

    async def add_token(self, request: web.Request) -> web.StreamResponse:
        visitor, form, now = from_page(request), await form_of(request), self._clock()
        name, role, days = text_of(form, "name").strip(), role_of(form), _days(text_of(form, "days").strip())
        ends_at = now + timedelta(days=days) if days is not None else None
        secret = await tried(
            self._ledger,
            add_token,
            visitor,
            visitor.person_id,
            name=name,
            role=role,
            ends_at=ends_at,
            now=now,
        )
        return await self._shown(request, visitor, secret=secret)

    async def revoke_token(self, request: web.Request) -> web.StreamResponse:
        visitor, number = from_page(request), number_of(text_of(await form_of(request), "id"))
        await tried(
            self._ledger, revoke_token, visitor, number, person_id=visitor.person_id, now=self._clock()
        )
        raise web.HTTPSeeOther("/account")

    async def _shown(
        self,
        request: web.Request,
        visitor: Visitor,
        notice: str = "",
        *,
        status: int = 200,
        wait_s: int = 0,
        secret: str = "",
    ) -> web.Response:
        words = WORDS[self._render.language(request)]
        own = await self._ledger.aread(_own, visitor, self._sitter.idle, self._clock())
        context = {
            **own,
            "roles": [role for role in Role if visitor.may(role)],
            "notice": words[notice].format(seconds=wait_s) if notice else "",
            "secret": secret,
            "least": LEAST_CHARS,
            "here": "/account?",
        }
        return self._render.page(request, "account.html", context, status)


def _days(text: str) -> int | None:
    """None: for ever. Raises Problem."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) <= MOST_DAYS):
        raise Problem(422, "days", f"a token lasts 1 to {MOST_DAYS} days, or for ever where nothing is given")
    return int(text)


def _own(session: Session, visitor: Visitor, idle: timedelta, now: datetime) -> dict[str, Any]:
    return {
        "sittings": access.sittings_of(session, visitor.person_id, idle, now),
        "tokens": [token for token, _ in tokens.listed(session, visitor.person_id)],
    }


def _change_password(
    session: Session, visitor: Visitor, entry_id: int, hashed: str, *, now: datetime
) -> None:
    access.in_turn(session)
    person = access.person_of(session, visitor.person_id)
    access.set_password(session, person, hashed, now=now, but=visitor.sitting_id or 0)
    tries.succeed(session, entry_id, "change_password")


def _end_sitting(session: Session, visitor: Visitor, number: int, *, now: datetime) -> None:
    if access.end_sitting(session, number, person_id=visitor.person_id):
        audit.note(session, visitor, "end_sittings", visitor.name, now=now)
