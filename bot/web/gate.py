"""Lets a request in, or says why not: whose it is, what its role may do, and that no other web site made it."""

import hmac
import ipaddress
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote, urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler
from sqlmodel import Session

from adapters.base import Clock
from bot.access.secrets import known_by
from bot.access.visitor import Visitor
from bot.models import Person, Role, Sitting
from bot.settings import WebSettings
from bot.store import access, audit, tokens, tries
from bot.store.ledger import Ledger
from bot.web.forms import form_of, text_of
from bot.web.guard import client_address, from_browser, same_origin
from bot.web.problems import Problem
from bot.web.routes import VISITOR, Route

COOKIE: Final = "rejoinder"
CSRF_HEADER: Final = "X-CSRF-Token"
CSRF_FIELD: Final = "csrf"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Gate:
    """Checks of every request."""

    def __init__(self, *, ledger: Ledger, clock: Clock, settings: WebSettings) -> None:
        self._ledger = ledger
        self._clock = clock
        self._settings = settings
        self._idle = timedelta(hours=settings.idle_hours)

    async def enter(self, request: web.Request, route: Route, handler: Handler) -> web.StreamResponse:
        """Raises Problem, or HTTPSeeOther to the log-in page."""
        self._check_host(request)
        if "%00" in request.raw_path and not route.path.startswith("/api"):
            # No text of ours has a NUL, and PostgreSQL takes none; the API says itself where it stands.
            raise Problem(400, "nul", "the address holds a NUL character; use the page's own links")
        # What needs nobody is to answer even while the ledger cannot be read.
        visitor = await self._visitor(request) if route.needs is not None else None
        if visitor is not None:
            request[VISITOR] = visitor
        if request.method not in _SAFE:
            await self._check_origin(request, route, visitor)
        if route.needs is not None:
            _check_role(request, route, visitor)
        return await handler(request)

    def _check_host(self, request: web.Request) -> None:
        """With a public address, or on a loopback one, the site answers to no other name: a rebound DNS name is none
        of ours. Loopback names are never rebound, and a container's own health check uses one.
        """
        public = host_name(urlsplit(self._settings.public_url).netloc)
        if not public and not is_loopback(self._settings.host):
            return
        asked = host_name(request.headers.get("Host", ""))
        if not is_loopback(asked) and (not public or asked != public):
            raise Problem(
                403,
                "foreign_host",
                f"this page answers to {public or 'its loopback address'} only; see web.public_url",
            )

    async def _visitor(self, request: web.Request) -> Visitor | None:
        address = address_of(request, self._settings)
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        # Another scheme is for a proxy in front.
        if scheme.lower() == "bearer":
            return await self._program(token.strip(), address)
        cookie = request.cookies.get(cookie_name(request, self._settings))
        found = await self._ledger.aread(access.sitting_of, cookie) if cookie else None
        if found is None:
            return None
        return await self._reader(*found, request.headers.get("User-Agent", ""), address)

    async def _reader(self, sitting: Sitting, person: Person, agent: str, address: str) -> Visitor | None:
        """Whoever sits there; None where the sitting is over, which forgets it."""
        now = self._clock()
        visitor = Visitor(
            name=person.name,
            role=Role(person.role),
            via="page",
            person_id=person.id or 0,
            sitting_id=sitting.id,
            csrf=sitting.csrf,
            address=address,
        )
        sitting_id = sitting.id or 0
        if access.has_ended(sitting, self._idle, now) or person.disabled_at is not None:
            await self._ledger.awrite(access.end_sitting, sitting_id, person_id=sitting.person_id)
            return None
        if not hmac.compare_digest(sitting.agent_hash, known_by(agent)):
            await self._ledger.awrite(_end_stolen, visitor, now=now)
            return None
        if not access.is_seen(sitting, now):
            await self._ledger.awrite(access.see, sitting_id, now=now)
        return visitor

    async def _program(self, secret: str, address: str) -> Visitor:
        """Raises Problem where the token is none that works."""
        now = self._clock()
        found = await self._ledger.aread(tokens.of_secret, secret)
        if found is None or not tokens.works(*found, now):
            wait_s = await self._ledger.awrite(tries.wrong_token, address, now=now)
            if wait_s:
                raise slow_down(wait_s)
            raise Problem(
                401,
                "bad_token",
                "this token is unknown, revoked or has ended; make one: 'rejoinder people token'",
            )
        token, person = found
        if token.seen_at is None or abs(now - token.seen_at) >= access.SEEN_EVERY:
            await self._ledger.awrite(tokens.see, token.id or 0, now=now)
        role = tokens.lesser(Role(token.role), person.role)
        return Visitor(name=person.name, role=role, via="api", person_id=person.id or 0, address=address)

    async def _check_origin(self, request: web.Request, route: Route, visitor: Visitor | None) -> None:
        if visitor is not None and visitor.via != "page":
            return
        if route.signed and not from_browser(request.headers):
            return
        if not same_origin(request.headers, self._settings.public_url):
            raise Problem(
                403, "foreign_site", "this page does nothing for other web sites; use its own buttons"
            )
        if visitor is not None and not hmac.compare_digest(
            (await _csrf_of(request)).encode("utf-8", "replace"), visitor.csrf.encode()
        ):
            raise Problem(403, "csrf", "this form is of another log-in; reload the page and try again")


def _check_role(request: web.Request, route: Route, visitor: Visitor | None) -> None:
    if route.needs is None:
        return
    if visitor is None:
        if route.page and request.method in _SAFE:
            raise web.HTTPSeeOther(f"/login?next={quote(request.path_qs, safe='')}")
        raise Problem(401, "not_logged_in", "log in first; programs send a token: 'rejoinder people token'")
    if not visitor.may(route.needs):
        raise Problem(403, "role", f"this needs the role {route.needs}; you are {visitor.role}")


def _end_stolen(session: Session, visitor: Visitor, *, now: datetime) -> None:
    """Somebody has the cookie of another browser. Nobody knows who of the two is the person: the sitting ends."""
    if access.end_sitting(session, visitor.sitting_id or 0, person_id=visitor.person_id):
        audit.note(session, visitor, "stolen_session", visitor.name, now=now)


def slow_down(wait_s: int) -> Problem:
    return Problem(
        429, "slow_down", f"too many failed tries; wait {wait_s} s, then try again", retry_after_s=wait_s
    )


async def _csrf_of(request: web.Request) -> str:
    """From the header, else from the form's field; an upload has the header only: its body is read piece by piece."""
    given = request.headers.get(CSRF_HEADER)
    if given is not None:
        return given
    if request.content_type != "application/x-www-form-urlencoded":
        return ""
    return text_of(await form_of(request), CSRF_FIELD)


def address_of(request: web.Request, settings: WebSettings) -> str:
    """Who asks, by the trusted proxies."""
    return client_address(settings, request.headers.getall("X-Forwarded-For", []), request.remote or "")


def cookie_name(request: web.Request, settings: WebSettings) -> str:
    """Behind TLS a name that browsers let no other host, path or plain connection set."""
    return f"__Host-{COOKIE}" if is_secure(request, settings) else COOKIE


def is_secure(request: web.Request, settings: WebSettings) -> bool:
    return behind_tls(settings, request.headers, request.remote or "")


def host_name(header: str) -> str:
    """The name in a Host header; empty for one that is no host."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address, can only be this machine."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def behind_tls(settings: WebSettings, headers: Mapping[str, str], peer: str) -> bool:
    """Whether the reader's browser speaks TLS: by `web.public_url`, or as a trusted proxy says."""
    if settings.public_url.startswith("https:"):
        return True
    # Of several proxies in a row the first one heard the browser.
    told = headers.get("X-Forwarded-Proto", "").partition(",")[0]
    return settings.trusts(peer) and told.strip().lower() == "https"
