"""The composition root: the one place where the parts are built and put together, and closed in reverse."""

import os
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from uuid import uuid4

import aiohttp
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from adapters.base import Clock
from bot.answer import Answerer
from bot.building.model import fleet_of, make_generator, make_judge, make_keeper, make_writer
from bot.building.persona import make_persona, make_personas
from bot.connections import Connections
from bot.context import Context
from bot.generator import Generator
from bot.judge import Judge
from bot.keyring import Keyring
from bot.looking import Looking
from bot.loop import Loop
from bot.metrics import Metrics
from bot.nights import Nights
from bot.notifier import Notifier, target_of
from bot.pictures import Pictures
from bot.policy import Thresholds, TriageRules
from bot.poller import Poller
from bot.responder import Responder
from bot.retrieval import make_dense, make_embedder, make_reranker
from bot.schedule import at_night, make_beat
from bot.sender import Sender
from bot.service import Parts, Service
from bot.settings import Settings
from bot.signals import Signals
from bot.sorter import Sorter
from bot.stock.intake import open_intake
from bot.stock.uploads import FOLDER as UPLOADS
from bot.stock.uploads import Uploads
from bot.store import shadow
from bot.store.ledger import Ledger, connect
from bot.store.migrate import upgrade
from bot.vault import LedgerVaults
from bot.voices.keeper import VoiceOf, no_voice, voice_of
from bot.web.glance import Watcher
from bot.web.server import PageParts, serve_pages
from knowledge.ingest import Library

if TYPE_CHECKING:
    from bot.serving.fleet import Fleet

Role = Literal["poll", "respond", "send", "web"]
WORK: frozenset[Role] = frozenset({"poll", "respond", "send"})
ALL_ROLES: frozenset[Role] = WORK | {"web"}


def utc_now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def open_ledger(settings: Settings) -> Iterator[Ledger]:
    """The ledger, of this version's shape. Raises LedgerError, SettingsError."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    ledger = connect(settings.database_url)
    try:
        upgrade(ledger)
        yield ledger
    finally:
        ledger.close()


@contextmanager
def open_library(settings: Settings, path: Path | None = None) -> Iterator[Library]:
    """The documents, at `path` or where the settings say. Raises LibraryError, SettingsError."""
    given = settings.knowledge
    with ExitStack() as stack:
        embedder, reranker = make_embedder(given), make_reranker(given)
        for part in (embedder, reranker):
            if part is not None:
                stack.callback(part.close)
        library = Library(
            path or settings.data_dir / "knowledge",
            passage_size=given.passage_size,
            overlap=given.overlap,
            drop_phrases=given.drop_phrases,
            dense=make_dense(given, embedder) if embedder is not None else None,
            reranker=reranker,
        )
        stack.callback(library.close)
        yield library


@asynccontextmanager
async def open_http() -> AsyncIterator[aiohttp.ClientSession]:
    """The HTTP session that all adapters share; it keeps no cookies."""
    connector = aiohttp.TCPConnector(limit=200)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


def make_connections(
    settings: Settings,
    ledger: Ledger,
    http: aiohttp.ClientSession,
    *,
    clock: Clock = utc_now,
    shadow: bool = False,
) -> Connections:
    """For the channels of the ledger; close it."""
    return Connections(
        http=http,
        vaults=LedgerVaults(ledger, make_keyring(settings), clock),
        clock=clock,
        timeout_s=settings.service.call_timeout_s,
        shadow=shadow,
        ledger=ledger,
    )


def make_keyring(settings: Settings) -> Keyring:
    return Keyring(settings.data_dir)


def make_answerer(
    settings: Settings, library: Library, generator: Generator, judge: Judge | None = None
) -> Answerer:
    return Answerer(
        retriever=library.retriever(),
        generator=generator,
        persona=make_persona(settings.persona),
        personas=make_personas(settings),
        thresholds=Thresholds(settings.policy.min_support),
        triage_rules=TriageRules(settings.policy.max_comment_chars),
        judge=judge,
        banned=settings.policy.banned_words,
        top_k=settings.knowledge.top_k,
        candidates=settings.generator.candidates,
        looking=Looking(generator, Pictures(settings.policy.picture_hosts), settings.policy.post_pictures),
        deadline_s=settings.generator.deadline_s,
    )


@dataclass(frozen=True, slots=True)
class Answering:
    """What answers comments."""

    answerer: Answerer
    generator: Generator
    fleet: "Fleet | None"
    """The model servers that the generator asks; None where it asks none."""


@asynccontextmanager
async def open_answering(
    settings: Settings, library: Library, generator: Generator | None = None
) -> AsyncIterator[Answering]:
    """What was opened is closed in reverse; `generator` replaces the settings' own. Raises GeneratorMisconfigured,
    SettingsError.
    """
    async with AsyncExitStack() as stack:
        writer = generator if generator is not None else make_generator(settings)
        stack.push_async_callback(writer.aclose)
        fleet = fleet_of(settings, writer)
        judge = make_judge(settings, fleet)
        if judge is not None:
            stack.push_async_callback(judge.aclose)
        yield Answering(make_answerer(settings, library, writer, judge), writer, fleet)


@dataclass(frozen=True, slots=True)
class Running:
    """An assembled service, with the parts that the pages and the command line look at."""

    settings: Settings
    service: Service
    ledger: Ledger
    library: Library
    connections: Connections
    metrics: Metrics
    owner: str
    page: str | None = None
    """Address of the status page, where this process serves it."""


@asynccontextmanager
async def assemble(
    settings: Settings,
    *,
    roles: frozenset[Role] = WORK,
    generator: Generator | None = None,
    clock: Clock = utc_now,
    night_options: Sequence[str] | None = None,
) -> AsyncIterator[Running]:
    """Build the service for `roles`; what was opened is closed in reverse. `generator` replaces the settings' own.
    `night_options`: what the command line says of settings, which a night that this process starts has to know; None:
    it starts none.

    Raises LedgerError, SettingsError, GeneratorMisconfigured, LibraryError, and CannotListen.
    """
    async with AsyncExitStack() as stack:
        ledger = stack.enter_context(open_ledger(settings))
        library = stack.enter_context(open_library(settings))
        http = await stack.enter_async_context(open_http())
        connections = make_connections(settings, ledger, http, clock=clock, shadow=settings.service.shadow)
        stack.push_async_callback(connections.aclose)
        answering = await stack.enter_async_context(open_answering(settings, library, generator))
        fleet = answering.fleet
        owner, metrics = process_name(), Metrics()
        if fleet is not None:
            metrics.show_servers(fleet.uses)

        wakes: dict[str, Loop] = {}

        def waker(name: str) -> None:
            if name in wakes:
                wakes[name].wake()

        context = Context(ledger, connections, clock, owner, settings.service, metrics)
        poller = Poller(context, on_new=lambda: waker("responder"))
        who: VoiceOf = no_voice if fleet is None else partial(voice_of, ledger, settings.data_dir)
        responder = Responder(
            context,
            answerer=answering.answerer,
            generator_name=settings.generator.kind,
            on_ready=lambda: waker("sender"),
            voice_of=who,
        )
        if "poll" in roles:
            wakes |= {
                one.name: one for one in (Loop("poller", poller.tick), Loop("signals", Signals(context).tick))
            }
        if "respond" in roles:
            wakes["responder"] = Loop("responder", responder.tick)
            wakes["sorter"] = Loop("sorter", Sorter(ledger).tick)
        keeper = None
        if "respond" in roles and fleet is not None:
            keeper = make_keeper(settings, ledger, fleet, clock)
            wakes["keeper"] = Loop("keeper", keeper.tick)
        sender = None
        if "send" in roles and settings.service.shadow:
            wakes["sender"] = Loop("shadow", partial(hold_back, ledger, clock, clock()))
        elif "send" in roles:
            sender = Sender(context, on_progress=lambda: waker("sender"))
            wakes["sender"] = Loop("sender", sender.tick)
        notifier = None
        if "web" in roles and settings.webhooks:
            notifier = Notifier(
                ledger=ledger,
                http=http,
                targets=[target_of(hook) for hook in settings.webhooks],
                desk=settings.web.public_url,
                owner=owner,
                clock=clock,
            )
            wakes["notifier"] = Loop("notifier", notifier.tick)
        beat = make_beat(wakes.values(), settings.service.beat_s)
        service = Service(
            ledger=ledger,
            parts=Parts(
                poller if "poll" in roles else None,
                responder if "respond" in roles else None,
                sender,
                keeper,
                notifier,
                make_nights(settings, beat, clock, night_options) if "respond" in roles else None,
            ),
            loops=wakes.values(),
            beat=beat,
            owner=owner,
            clock=clock,
            shutdown_s=settings.service.shutdown_s,
        )
        page = None
        if "web" in roles:
            watcher = Watcher(
                ledger=ledger,
                library=library,
                generator=answering.generator,
                generator_kind=settings.generator.kind,
                service=service,
                servers=fleet.uses if fleet is not None else tuple,
            )
            prose = make_writer(settings, fleet)
            uploads = Uploads(settings.data_dir / UPLOADS, settings.web.max_upload_mb * 1_000_000)
            intake = await stack.enter_async_context(
                open_intake(library, uploads, allow_private=settings.knowledge.allow_private_addresses)
            )
            pages = serve_pages(
                PageParts(
                    settings=settings,
                    watcher=watcher,
                    metrics=metrics,
                    ledger=ledger,
                    library=library,
                    answerer=answering.answerer,
                    voice_of=who,
                    writer=prose,
                    servers=fleet,
                    intake=intake,
                    connections=connections,
                    works=bool(roles & WORK),
                    clock=clock,
                    on_new=lambda: waker("responder"),
                )
            )
            page = await stack.enter_async_context(pages)
        yield Running(settings, service, ledger, library, connections, metrics, owner, page)


def make_nights(
    settings: Settings, beat: AsyncIOScheduler, clock: Clock, options: Sequence[str] | None
) -> Nights | None:
    """None where no night is to begin by itself."""
    if not settings.training.cron or options is None:
        return None
    nights = Nights(options, settings.data_dir, clock)
    at_night(beat, settings.training.cron, settings.training.time_zone, nights.start)
    return nights


async def hold_back(ledger: Ledger, clock: Clock, began: datetime) -> None:
    """In the sender's place under `service.shadow`: takes what is ready, from before or from elsewhere."""
    await ledger.awrite(shadow.hold_back, now=clock(), began=began)


def process_name() -> str:
    """A name for this process that no other ever has; it marks the leases that are ours."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
