"""What a page module hands to the site: its routes, each with the least role that may use it."""

from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler

from bot.access.visitor import Visitor
from bot.models import Role

VISITOR = web.RequestKey("visitor", Visitor)


@dataclass(frozen=True, slots=True)
class Route:
    """One address and what answers there."""

    method: str
    path: str
    handler: Handler
    needs: Role | None = Role.VIEWER
    """None: anybody, without logging in."""
    page: bool = True
    """For a browser: who is not logged in is led to the log-in page, and refusals are pages. Else both are JSON."""
    signed: bool = False
    """For programs that prove themselves by a signature over what they send: nobody's sitting counts here."""


def visitor_of(request: web.Request) -> Visitor | None:
    """None where nobody has logged in."""
    return request.get(VISITOR)


def known_visitor(request: web.Request) -> Visitor:
    """For handlers of routes that need a role: the gate lets nobody else in."""
    return request[VISITOR]
