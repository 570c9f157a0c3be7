"""The site: every page on one server, behind one gate."""

import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from adapters.base import Clock
from bot.access.passwords import Passwords
from bot.answer import Answerer
from bot.api.site import ApiParts, api_routes
from bot.connections import Connections
from bot.generator import GeneratorError
from bot.metrics import Metrics
from bot.planning import PollShare
from bot.settings import Settings
from bot.stock.intake import Intake
from bot.store.ledger import Ledger, LedgerError
from bot.voices.keeper import VoiceOf, VoiceServers
from bot.web.account import AccountPages
from bot.web.audit import AuditPages
from bot.web.channels import ChannelPages
from bot.web.documents import DocumentPages
from bot.web.entry import EntryPages
from bot.web.figures import FiguresReader
from bot.web.gate import Gate, is_loopback, is_secure
from bot.web.glance import Watcher
from bot.web.hooks import Hooks
from bot.web.inbox import InboxPages
from bot.web.nights import NightPages
from bot.web.outbox import OutboxPages
from bot.web.people import PeoplePages
from bot.web.problems import Problem, problem_response
from bot.web.reading import ReadingPages
from bot.web.rendering import HEADERS, TEMPLATES, Renderer
from bot.web.review_routes import review_routes
from bot.web.routes import Route
from bot.web.searching import SearchPages
from bot.web.sitter import Sitter
from bot.web.starting import StartingPages
from bot.web.status import StatusPages
from bot.web.trial import TrialPages
from bot.web.uploading import UploadPages
from bot.web.voices import VoicePages
from bot.web.words import WORDS
from bot.writer import Writer
from knowledge.ingest import Library
from knowledge.store import LibraryError

log = structlog.get_logger()

_TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_STATIC: Final = frozenset(path.name for path in TEMPLATES.iterdir() if path.suffix in _TYPES)
TLS_ONLY: Final = "max-age=31536000"
"""For a year, browsers that came by TLS come by nothing else."""
_MOST_BYTES: Final = 256 * 1024
"""Of one request's body, but for uploads."""
_BROKEN_BODY: Final = "the body is cut off, or not encoded as its headers say; send it again"
_DEFECT: Final = (
    "this failed through a fault of the program, whose log has the reason; look what was done, then try again"
)


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

    settings: Settings
    watcher: Watcher
    metrics: Metrics
    ledger: Ledger
    library: Library
    answerer: Answerer
    voice_of: VoiceOf
    writer: Writer | None
    """None where no model is set up."""
    servers: VoiceServers | None
    """The model servers; None where no model is set up."""
    intake: Intake
    connections: Connections
    works: bool
    """Whether this process answers comments, too; else it only serves pages."""
    clock: Clock
    on_new: Callable[[], None]
    """Called when comments were brought in."""


def routes_of(parts: PageParts, render: Renderer) -> list[Route]:
    """Every route of the site."""
    status = StatusPages(
        render=render,
        watcher=parts.watcher,
        figures=FiguresReader(parts.ledger, parts.clock),
        metrics=parts.metrics,
        translates=parts.writer is not None,
        private=is_loopback(parts.settings.web.host),
        shadow=parts.settings.service.shadow,
    )
    reading = ReadingPages(
        render=render,
        ledger=parts.ledger,
        writer=parts.writer,
        clock=parts.clock,
        on_change=parts.watcher.forget,
    )
    trial = TrialPages(
        render=render,
        answerer=parts.answerer,
        voice_of=parts.voice_of,
        has_model=parts.writer is not None,
    )
    channels = ChannelPages(
        render=render,
        ledger=parts.ledger,
        settings=parts.settings,
        clock=parts.clock,
        on_change=parts.watcher.forget,
    )
    return [
        *status.routes(),
        *channels.routes(),
        *Hooks(ledger=parts.ledger, connections=parts.connections, clock=parts.clock).routes(),
        *reading.routes(),
        *trial.routes(),
        *access_routes(parts, render),
        *stock_routes(parts, render),
        *inbox_routes(parts, render),
        *api_routes(
            ApiParts(
                parts.settings, parts.ledger, parts.library, parts.servers, parts.clock, on_new=parts.on_new
            )
        ),
        *review_routes(
            render=render,
            ledger=parts.ledger,
            watcher=parts.watcher,
            settings=parts.settings.review,
            fixed=parts.answerer.fixed,
            writer=parts.writer,
            clock=parts.clock,
            polls=PollShare(parts.settings.service.poll_share, parts.settings.service.metered_poll_s),
        ),
        Route("GET", "/static/{name}", static, needs=None, page=False),
    ]


def access_routes(parts: PageParts, render: Renderer) -> list[Route]:
    """Logging in, people and what they did."""
    ledger, clock, settings = parts.ledger, parts.clock, parts.settings.web
    sitter, passwords = Sitter(settings), Passwords()
    entry = EntryPages(render=render, ledger=ledger, clock=clock, sitter=sitter, passwords=passwords)
    starting = StartingPages(render=render, ledger=ledger, clock=clock, sitter=sitter, passwords=passwords)
    account = AccountPages(render=render, ledger=ledger, clock=clock, sitter=sitter, passwords=passwords)
    people = PeoplePages(render=render, ledger=ledger, clock=clock, settings=settings)
    audit = AuditPages(render=render, ledger=ledger)
    return [
        *entry.routes(),
        *starting.routes(),
        *account.routes(),
        *people.routes(),
        *audit.routes(),
    ]


def inbox_routes(parts: PageParts, render: Renderer) -> list[Route]:
    """Those of what is brought in by hand, and brought out."""
    ledger, clock = parts.ledger, parts.clock
    inbox = InboxPages(
        render=render,
        ledger=ledger,
        clock=clock,
        on_new=parts.on_new,
        most_bytes=parts.settings.web.max_upload_mb * 1_000_000,
    )
    outbox = OutboxPages(render=render, ledger=ledger, clock=clock, shadow=parts.settings.service.shadow)
    return [*inbox.routes(), *outbox.routes()]


def stock_routes(parts: PageParts, render: Renderer) -> list[Route]:
    """Those of the documents, of the voices and of the nights."""
    given, ledger, clock = parts.settings, parts.ledger, parts.clock
    documents = DocumentPages(
        render=render,
        library=parts.library,
        ledger=ledger,
        intake=parts.intake,
        settings=given,
        works=parts.works,
        clock=clock,
    )
    uploads = UploadPages(render=render, ledger=ledger, intake=parts.intake, clock=clock)
    search = SearchPages(render=render, library=parts.library, ledger=ledger, settings=given)
    voices = VoicePages(
        render=render,
        ledger=ledger,
        servers=parts.servers,
        answerer=parts.answerer,
        settings=given,
        works=parts.works,
        clock=clock,
        on_change=parts.watcher.forget,
    )
    nights = NightPages(render=render, ledger=ledger, settings=given, clock=clock)
    return [*documents.routes(), *uploads.routes(), *search.routes(), *voices.routes(), *nights.routes()]


class Site:
    """Leads each request through the gate to its handler, and tells what goes wrong in the asker's form."""

    def __init__(self, parts: PageParts) -> None:
        self._settings = parts.settings.web
        self._gate = Gate(ledger=parts.ledger, clock=parts.clock, settings=parts.settings.web)
        self._render = Renderer(parts.settings.language)
        self.routes = routes_of(parts, self._render)

    def app(self) -> web.Application:
        app = web.Application(client_max_size=_MOST_BYTES, middlewares=[self._lost])
        app.add_routes(web.route(route.method, route.path, self._guarded(route)) for route in self.routes)
        app.on_response_prepare.append(self._add_headers)
        return app

    @web.middleware
    async def _lost(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """An address that leads nowhere is told as a page, too."""
        if isinstance(request.match_info.http_exception, web.HTTPNotFound):
            line = WORDS[self._render.language(request)]["no_such_page"]
            return self._render.notice(request, line, 404)
        return await handler(request)

    def _guarded(self, route: Route) -> Handler:
        async def answered(request: web.Request) -> web.StreamResponse:
            try:
                return await self._gate.enter(request, route, route.handler)
            except Problem as problem:
                return self._told(request, route, problem)
            except (GeneratorError, LedgerError, LibraryError) as error:
                return self._told(request, route, Problem(503, "unavailable", str(error)))
            except web.RequestPayloadError:
                answer = self._told(request, route, Problem(400, "broken_body", _BROKEN_BODY))
                answer.force_close()  # where the next request begins is not known
                return answer
            except web.HTTPClientError as error:
                return self._told(request, route, Problem(error.status, "http", error.text or error.reason))
            except (ConnectionError, web.HTTPException):
                raise
            except Exception as error:
                # A defect: told to the asker without its inside, which the log has.
                log.error("a request failed", method=route.method, path=route.path, exc_info=error)
                return self._told(request, route, Problem(500, "defect", _DEFECT))

        return answered

    def _told(self, request: web.Request, route: Route, problem: Problem) -> web.Response:
        answer = (
            self._render.notice(request, str(problem), problem.status)
            if route.page
            else problem_response(problem)
        )
        if "retry_after_s" in problem.more:
            answer.headers["Retry-After"] = str(problem.more["retry_after_s"])
        return answer

    async def _add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if is_secure(request, self._settings):
            response.headers.setdefault("Strict-Transport-Security", TLS_ONLY)


async def static(request: web.Request) -> web.StreamResponse:
    """A style sheet, a script or the icon."""
    name = request.match_info["name"]
    if name not in _STATIC:
        raise web.HTTPNotFound
    path = TEMPLATES / name
    return web.FileResponse(path, headers={"Content-Type": f"{_TYPES[path.suffix]}; charset=utf-8"})


@asynccontextmanager
async def serve_pages(parts: PageParts) -> AsyncIterator[str]:
    """Serve the pages while the context is open; gives their address. Raises CannotListen."""
    host, port = parts.settings.web.host, parts.settings.web.port
    runner = web.AppRunner(Site(parts).app(), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise cannot_listen(host, port, "web.port, REJOINDER__WEB__PORT or --port N", error) from error
        yield f"http://{f'[{host}]' if ':' in host else host}:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


def require_free(host: str, port: int, cure: str) -> None:
    """Raises CannotListen when something listens on the port already; for a check before anything is changed."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise cannot_listen(host, port, cure, error) from error
