"""The routes of the status page, and serving them.

    GET /          the page, in English or Chinese: `?lang=en|zh`, else Accept-Language, else `settings.language`
    GET /healthz   JSON; 200, or 503 while a loop fails or the database cannot be read
    GET /metrics   for Prometheus
    GET /static/…  the pages' style sheets and scripts

On a loopback address also those of `bot.web.reading` and `bot.web.trial`.

There is no password. Bound to a loopback address, the page shows what people wrote and answers only to loopback names,
so that no foreign web site can read it through a rebound DNS name; and it does nothing for a foreign web site, see
`bot.web.guard`. Bound elsewhere, it shows no texts.
"""

import asyncio
import ipaddress
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CONTENT_TYPE_LATEST

from adapters.base import Clock
from bot.answer import Answerer
from bot.metrics import Metrics
from bot.settings import Language
from bot.store.ledger import Ledger, LedgerError
from bot.voices.keeper import VoiceOf
from bot.web.glance import Glance, Watcher
from bot.web.guard import same_origin
from bot.web.reading import ReadingPages
from bot.web.rendering import HEADERS, TEMPLATES, environment, html
from bot.web.trial import TrialPages
from bot.web.view import page_context
from bot.web.words import choose_language
from bot.writer import Writer
from knowledge.store import LibraryError

_STATIC: Final = {
    "status.js": "text/javascript",
    "status.css": "text/css",
    "pages.css": "text/css",
    "try.js": "text/javascript",
}
_MOST_BYTES: Final = 256 * 1024
"""Of one request's body."""
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


@dataclass(frozen=True, slots=True)
class PageParts:
    """What the pages look at, and ask."""

    watcher: Watcher
    metrics: Metrics
    ledger: Ledger
    answerer: Answerer
    voice_of: VoiceOf
    writer: Writer | None
    """None where no model is set up."""
    clock: Clock


class StatusPages:
    """Handlers."""

    def __init__(self, *, parts: PageParts, language: Language, private: bool) -> None:
        self._watcher = parts.watcher
        self._metrics = parts.metrics
        self._language = language
        self._private = private
        self._translates = private and parts.writer is not None
        templates = environment()
        self._page = templates.get_template("status.html")
        self._reading = ReadingPages(
            templates=templates,
            ledger=parts.ledger,
            writer=parts.writer,
            clock=parts.clock,
            language_of=self._language_of,
            on_change=parts.watcher.forget,
        )
        self._trial = TrialPages(
            templates=templates,
            answerer=parts.answerer,
            voice_of=parts.voice_of,
            has_model=parts.writer is not None,
            language_of=self._language_of,
        )

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._guard], client_max_size=_MOST_BYTES)
        app.add_routes(
            [
                web.get("/", self.page),
                web.get("/healthz", self.health),
                web.get("/metrics", self.metrics),
                web.get("/static/{name}", self.static),
            ]
        )
        if self._private:
            app.add_routes([*self._reading.routes(), *self._trial.routes()])
        app.on_response_prepare.append(_add_headers)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self._private and not is_loopback(host_name(request.headers.get("Host", ""))):
            raise web.HTTPForbidden(text="this page answers to its loopback address only")
        asks = request.method not in ("GET", "HEAD") and request.match_info.http_exception is None
        if asks and not same_origin(request.headers):
            raise web.HTTPForbidden(text="this page does nothing for other web sites; use its own buttons")
        return await handler(request)

    def _language_of(self, request: web.Request, asked: str | None) -> Language:
        return choose_language(asked, request.headers.get("Accept-Language", ""), self._language)

    async def page(self, request: web.Request) -> web.StreamResponse:
        language = self._language_of(request, request.query.get("lang"))
        try:
            glance = await self._watcher.glance()
        except (LedgerError, LibraryError) as error:
            return self._render(language, None, {"database": str(error)}, 503)
        return self._render(language, glance, self._watcher.troubles, 200)

    def _render(
        self, language: Language, glance: Glance | None, troubles: dict[str, str], status: int
    ) -> web.StreamResponse:
        context = page_context(
            glance, troubles, language, with_texts=self._private, translates=self._translates
        )
        return html(self._page.render(context), status, forms=self._translates)

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
        return web.FileResponse(TEMPLATES / name, headers={"Content-Type": f"{_STATIC[name]}; charset=utf-8"})


@asynccontextmanager
async def serve_pages(parts: PageParts, *, host: str, port: int, language: Language) -> AsyncIterator[str]:
    """Serve the pages while the context is open; gives their address. Raises CannotListen."""
    pages = StatusPages(parts=parts, language=language, private=is_loopback(host))
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
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)


def require_free(host: str, port: int, cure: str) -> None:
    """Raises CannotListen when something listens on the port already; for a check before anything is changed."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise cannot_listen(host, port, cure, error) from error
