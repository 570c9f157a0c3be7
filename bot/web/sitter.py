"""Begins the sittings of those who may come in, and gives browsers their cookie."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NoReturn

from aiohttp import web
from sqlmodel import Session

from bot.models import Person
from bot.settings import WebSettings
from bot.store import access
from bot.web.gate import address_of, cookie_name, is_secure

BUSY_S: Final = 5
"""How long to wait where too many passwords are being looked at."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The browser that a sitting is begun for."""

    agent: str
    address: str
    cookie: str
    """Of the sitting that it has so far; empty where it has none."""


class Sitter:
    """Begins sittings as long as the settings allow."""

    def __init__(self, settings: WebSettings) -> None:
        self._settings = settings
        self._lasts = timedelta(hours=settings.session_hours)
        self.idle = timedelta(hours=settings.idle_hours)

    def caller(self, request: web.Request) -> Caller:
        return Caller(
            agent=request.headers.get("User-Agent", ""),
            address=address_of(request, self._settings),
            cookie=request.cookies.get(cookie_name(request, self._settings), ""),
        )

    def sit(self, session: Session, person: Person, caller: Caller, now: datetime) -> str:
        """The cookie's value of a new sitting; a cookie from before, whoever put it there, is worth nothing then."""
        access.delete_ended(session, self.idle, now=now)
        access.end_sitting_of(session, caller.cookie)
        _, token = access.begin_sitting(
            session,
            person_id=person.id or 0,
            agent=caller.agent,
            address=caller.address,
            now=now,
            lasts=self._lasts,
        )
        return token

    def go(self, request: web.Request, token: str, path: str) -> NoReturn:
        """To `path`, with the cookie."""
        there = web.HTTPSeeOther(path)
        there.set_cookie(
            cookie_name(request, self._settings),
            token,
            max_age=int(self._lasts.total_seconds()),
            path="/",
            httponly=True,
            samesite="Lax",
            secure=is_secure(request, self._settings),
        )
        raise there

    def leave(self, request: web.Request) -> NoReturn:
        """To the log-in page, without a cookie."""
        away = web.HTTPSeeOther("/login")
        away.del_cookie(
            cookie_name(request, self._settings), path="/", secure=is_secure(request, self._settings)
        )
        raise away
