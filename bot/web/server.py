"""The routes of the status page, and serving them.

    GET /          the page, in English or Chinese: `?lang=en|zh`, else Accept-Language, else `settings.language`
    GET /healthz   JSON; 200, or 503 while a loop fails or the database cannot be read
    GET /metrics   for Prometheus
    GET /static/…  the page's style sheet and script

There is no password. Bound to a loopback address, the page shows what people wrote and answers only to loopback names,
so that no foreign web site can read it through a rebound DNS name. Bound elsewhere, it shows no texts.
"""

import asyncio
import ipaddress
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import jinja2
from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CONTENT_TYPE_LATEST

from bot.metrics import Metrics
from bot.settings import Language
from bot.store.ledger import LedgerError
from bot.web.glance import Glance, Watcher
from bot.web.view import page_context
from bot.web.words import choose_language
from knowledge.store import LibraryError

_TEMPLATES: Final = Path(__file__).parent / "templates"
_STATIC: Final = {"status.js": "text/javascript", "status.css": "text/css"}
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_DATABASE_WAIT_S: Final = 5.0


def host_name(header: str) -> str:
    """The name in a Host header; empty for one that is no host."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


class CannotListen(Exception):
    """The port is taken or the address is not ours; the message is one line with the cure."""


def cannot_listen(host: str, port: int, cure: str, error: OSError) -> CannotListen:
    """`cure` names what to set to get another port."""
    # asyncio puts a sentence of its own in place of the system's.
    reason = os.strerror(error.errno) if error.errno is not None else str(error)
    return CannotListen(
        f"cannot listen on {host} port {port} ({reason}); stop what uses it, or choose with {cure}"
    )


class StatusPages:
    """Handlers."""

    def __init__(self, *, watcher: Watcher, metrics: Metrics, language: Language, private: bool) -> None:
        self._watcher = watcher
        self._metrics = metrics
        self._language = language
        self._private = private
        loader = jinja2.FileSystemLoader(_TEMPLATES)
        environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
        self._page = environment.get_template("status.html")

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._guard])
        app.add_routes(
            [
                web.get("/", self.page),
                web.get("/healthz", self.health),
                web.get("/metrics", self.metrics),
                web.get("/static/{name}", self.static),
            ]
        )
        app.on_response_prepare.append(_add_headers)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self._private and not is_loopback(host_name(request.headers.get("Host", ""))):
            raise web.HTTPForbidden(text="this page answers to its loopback address only")
        return await handler(request)

    async def page(self, request: web.Request) -> web.StreamResponse:
        language = choose_language(
            request.query.get("lang"), request.headers.get("Accept-Language", ""), self._language
        )
        try:
            glance = await self._watcher.glance()
        except (LedgerError, LibraryError) as error:
            return self._render(language, None, {"database": str(error)}, 503)
        return self._render(language, glance, self._watcher.troubles, 200)

    def _render(
        self, language: Language, glance: Glance | None, troubles: dict[str, str], status: int
    ) -> web.StreamResponse:
        text = self._page.render(page_context(glance, troubles, language, with_texts=self._private))
        # A lone surrogate in a comment has no UTF-8 form.
        body = text.encode("utf-8", "replace")
        return web.Response(body=body, status=status, content_type="text/html", charset="utf-8")

    async def health(self, _: web.Request) -> web.StreamResponse:
        troubles = self._watcher.troubles
        failing: set[str] = set(self._watcher.failing_loops)
        try:
            async with asyncio.timeout(_DATABASE_WAIT_S):
                await self._watcher.reach_database()
        except (LedgerError, TimeoutError) as error:
            troubles["database"] = str(error) or f"no answer within {_DATABASE_WAIT_S:g} s"
            failing.add("database")
        shown = troubles if self._private else dict.fromkeys(troubles, "see the log")
        # A generator that is away is no reason to restart this process: comments wait for it.
        answer = {"ok": not failing, "troubles": shown}
        return web.json_response(answer, status=503 if failing else 200)

    async def metrics(self, _: web.Request) -> web.StreamResponse:
        try:
            text = self._metrics.render(await self._watcher.counts())
        except LedgerError as error:
            raise web.HTTPServiceUnavailable(text=str(error) if self._private else "no database") from error
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def static(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in _STATIC:
            raise web.HTTPNotFound
        return web.FileResponse(
            _TEMPLATES / name, headers={"Content-Type": f"{_STATIC[name]}; charset=utf-8"}
        )


@asynccontextmanager
async def serve_pages(
    *, watcher: Watcher, metrics: Metrics, host: str, port: int, language: Language
) -> AsyncIterator[str]:
    """Serve the pages while the context is open; gives their address. Raises CannotListen."""
    pages = StatusPages(watcher=watcher, metrics=metrics, language=language, private=is_loopback(host))
    runner = web.AppRunner(pages.app(), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise cannot_listen(host, port, "web.port, REJOINDER__WEB__PORT or --port N", error) from error
        yield f"http://{f'[{host}]' if ':' in host else host}:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address, can only be this machine."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


def require_free(host: str, port: int, cure: str) -> None:
    """Raises CannotListen when something listens on the port already; for a check before anything is changed."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise cannot_listen(host, port, cure, error) from error
