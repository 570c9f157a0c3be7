"""Lets a request in, or says why not: whose it is, what its role may do, and that no other web site made it."""

import hmac
import ipaddress
from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from urllib.parse import quote, urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from adapters.base import Clock
from bot.access.secrets import known_by
from bot.access.visitor import Visitor
from bot.settings import WebSettings
from bot.store import access
from bot.store.ledger import Ledger
from bot.web.guard import same_origin
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

    async def enter(self, request: web.Request, route: Route, handler: Handler) -> web.StreamResponse:
        """Raises Problem, or HTTPSeeOther to the log-in page."""
        self._check_host(request)
        # What needs nobody is to answer even while the ledger cannot be read.
        visitor = await self._visitor(request) if route.needs is not None else None
        if visitor is not None:
            request[VISITOR] = visitor
        if request.method not in _SAFE:
            await self._check_origin(request, visitor)
        if route.needs is not None:
            self._check_role(request, route, visitor)
        return await handler(request)

    def _check_host(self, request: web.Request) -> None:
        """A page on a loopback address answers to loopback names only: a rebound DNS name is no such."""
        if not is_loopback(self._settings.host) or self._settings.public_url:
            return
        if not is_loopback(host_name(request.headers.get("Host", ""))):
            raise Problem(
                403, "foreign_host", "this page answers to its loopback address only; see web.public_url"
            )

    async def _visitor(self, request: web.Request) -> Visitor | None:
        token = request.cookies.get(COOKIE)
        if not token:
            return None
        found = await self._ledger.aread(access.sitting_of, token)
        if found is None:
            return None
        sitting, person = found
        now = self._clock()
        idle = timedelta(hours=self._settings.idle_hours)
        ended = sitting.ends_at <= now or sitting.seen_at + idle <= now or person.disabled_at is not None
        if ended or sitting.agent_hash != known_by(request.headers.get("User-Agent", "")):
            return None
        return Visitor(
            name=person.name,
            role=person.role,
            via="page",
            person_id=person.id or 0,
            sitting_id=sitting.id,
            csrf=sitting.csrf,
            address=request.remote or "",
        )

    async def _check_origin(self, request: web.Request, visitor: Visitor | None) -> None:
        if visitor is not None and visitor.via != "page":
            return
        if not same_origin(request.headers):
            raise Problem(
                403, "foreign_site", "this page does nothing for other web sites; use its own buttons"
            )
        if visitor is not None and not hmac.compare_digest(
            (await _csrf_of(request)).encode(), visitor.csrf.encode()
        ):
            raise Problem(403, "csrf", "this form is of another log-in; reload the page and try again")

    def _check_role(self, request: web.Request, route: Route, visitor: Visitor | None) -> None:
        if route.needs is None:
            return
        if visitor is None:
            if route.page and request.method in _SAFE:
                raise web.HTTPSeeOther(f"/login?next={quote(request.path_qs, safe='')}")
            raise Problem(
                401, "not_logged_in", "log in first; programs send a token: 'rejoinder people token'"
            )
        if not visitor.may(route.needs):
            raise Problem(403, "role", f"this needs the role {route.needs}; you are {visitor.role}")


async def _csrf_of(request: web.Request) -> str:
    """From the header, else from the form's field; an upload has the header only: its body is read piece by piece."""
    given = request.headers.get(CSRF_HEADER)
    if given is not None:
        return given
    if request.content_type != "application/x-www-form-urlencoded":
        return ""
    field = (await request.post()).get(CSRF_FIELD, "")
    return field if isinstance(field, str) else ""


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
    return settings.trusts(peer) and headers.get("X-Forwarded-Proto", "").strip().lower() == "https"
