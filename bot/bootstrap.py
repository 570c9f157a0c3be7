"""The composition root: the one place where the parts are built and put together, and closed in reverse."""

import os
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from uuid import uuid4

import aiohttp

from adapters.base import Clock
from bot.answer import Answerer
from bot.connections import Connections
from bot.context import Context
from bot.extractive import ExtractiveGenerator
from bot.generator import Generator
from bot.judge import Judge, LLMJudge
from bot.loop import Loop
from bot.metrics import Metrics
from bot.persona import PRESETS, Example, Persona
from bot.pictures import Pictures
from bot.policy import Thresholds, TriageRules
from bot.poller import Poller
from bot.responder import Responder
from bot.retrieval import make_dense, make_embedder, make_reranker
from bot.schedule import make_beat
from bot.sender import Sender
from bot.service import Parts, Service
from bot.settings import GeneratorSettings, Language, PersonaSettings, Settings, resolve
from bot.store.ledger import Ledger, connect
from bot.store.migrate import upgrade
from bot.tools.build import make_tools
from bot.voices.canary import CanaryRules
from bot.voices.keeper import Keeper, VoiceServers
from bot.web.glance import Watcher
from bot.web.server import PageParts, serve_pages
from bot.writer import ModelWriter, Writer
from knowledge.ingest import Library

if TYPE_CHECKING:
    from bot.serving.fleet import Fleet
    from bot.serving.server import ModelServer

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


def make_generator(settings: Settings) -> Generator:
    """Raises GeneratorMisconfigured, SettingsError."""
    given = settings.generator
    if given.kind == "extractive":
        return ExtractiveGenerator()
    from bot.vllm import VLLMGenerator  # noqa: PLC0415  (its client takes a second to import)

    return VLLMGenerator(
        make_fleet(settings),
        max_tokens=given.max_tokens,
        temperature=given.temperature,
        tools=make_tools(settings.tools, utc_now),
    )


def make_servers(given: GeneratorSettings) -> "list[ModelServer]":
    """Raises GeneratorMisconfigured, SettingsError."""
    from bot.serving.server import ModelServer  # noqa: PLC0415  (its client takes a second to import)

    key = resolve(given.api_key)
    return [ModelServer(base_url=url, api_key=key, deadline_s=given.deadline_s) for url in given.servers]


def make_fleet(settings: Settings) -> "Fleet":
    """Raises GeneratorMisconfigured, SettingsError."""
    from bot.serving.fleet import Fleet  # noqa: PLC0415  (its client takes a second to import)

    given = settings.generator
    return Fleet(
        make_servers(given),
        model=given.model,
        concurrency=given.concurrency,
        deadline_s=given.deadline_s,
        voices_here=str(settings.data_dir.absolute() / "voices"),
        voices_there=given.voices_dir,
    )


def make_judge(settings: Settings, fleet: "Fleet | None" = None) -> Judge | None:
    """None where the settings ask for none; asks `fleet`, or one of its own. Raises GeneratorMisconfigured,
    SettingsError.
    """
    if not settings.knowledge.judge:
        return None
    return LLMJudge(fleet if fleet is not None else make_fleet(settings))


def make_keeper(settings: Settings, ledger: Ledger, servers: VoiceServers, clock: Clock) -> Keeper:
    return Keeper(
        ledger=ledger,
        servers=servers,
        data_dir=settings.data_dir,
        rules=CanaryRules(settings.voices.canary_sure, settings.voices.canary_least),
        clock=clock,
        lease=timedelta(seconds=settings.service.lease_s),
    )


def fleet_of(settings: Settings, generator: Generator) -> "Fleet | None":
    """The model servers that `generator` asks; None where it asks none."""
    if settings.generator.kind != "vllm":
        return None
    from bot.vllm import VLLMGenerator  # noqa: PLC0415  (its client takes a second to import)

    return generator.fleet if isinstance(generator, VLLMGenerator) else None


def make_writer(settings: Settings, fleet: "Fleet | None" = None) -> Writer | None:
    """None where no model is set up; asks `fleet`, or one of its own. Raises GeneratorMisconfigured, SettingsError."""
    if settings.generator.kind == "extractive":
        return None
    return ModelWriter(fleet if fleet is not None else make_fleet(settings))


def make_persona(settings: PersonaSettings, base: Persona | None = None) -> Persona:
    """`base` (default: the default persona), or the preset that is named, with what the owner changed."""
    base = base if base is not None else Persona()
    start = replace(PRESETS[settings.preset], name=base.name) if settings.preset else base
    single = ("name", "tone", "max_sentences", "match_length")
    given = {name: value for name in single if (value := getattr(settings, name)) is not None}
    return replace(
        start,
        **given,
        rules=start.rules if settings.rules is None else tuple(settings.rules),
        do=(*start.do, *settings.do),
        dont=(*start.dont, *settings.dont),
        greetings=dict(start.greetings) | _texts(settings.greetings),
        closings=dict(start.closings) | _texts(settings.closings),
        signatures=dict(start.signatures) | _texts(settings.signatures),
        cannot_answer=dict(start.cannot_answer) | _texts(settings.cannot_answer),
        examples=tuple(Example(one.comment, one.reply) for one in settings.examples) or start.examples,
    )


def _texts(given: Mapping[Language, str]) -> dict[str, str]:
    return {str(language): text for language, text in given.items()}


def make_personas(settings: Settings) -> dict[str, Persona]:
    """Every persona that a channel can ask for by name: the presets, and the owner's own, which go before them."""
    default = make_persona(settings.persona)
    presets = {name: replace(preset, name=default.name) for name, preset in PRESETS.items()}
    own = {name: make_persona(given, default) for name, given in settings.personas.items()}
    return presets | own


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
        pictures=Pictures(settings.policy.picture_hosts),
        post_pictures=settings.policy.post_pictures,
    )


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
) -> AsyncIterator[Running]:
    """Build the service for `roles`; what was opened is closed in reverse. `generator` replaces the settings' own.

    Raises LedgerError, SettingsError, GeneratorMisconfigured, LibraryError, and CannotListen.
    """
    async with AsyncExitStack() as stack:
        ledger = stack.enter_context(open_ledger(settings))
        library = stack.enter_context(open_library(settings))
        http = await stack.enter_async_context(open_http())
        connections = Connections(http=http, clock=clock, timeout_s=settings.service.call_timeout_s)
        stack.push_async_callback(connections.aclose)
        writer = generator if generator is not None else make_generator(settings)
        stack.push_async_callback(writer.aclose)
        fleet = fleet_of(settings, writer)
        judge = make_judge(settings, fleet)
        if judge is not None:
            stack.push_async_callback(judge.aclose)
        owner, metrics = process_name(), Metrics()
        if fleet is not None:
            metrics.show_servers(fleet.uses)

        wakes: dict[str, Loop] = {}

        def waker(name: str) -> None:
            if name in wakes:
                wakes[name].wake()

        context = Context(ledger, connections, clock, owner, settings.service, metrics)
        poller = Poller(context, on_new=lambda: waker("responder"))
        responder = Responder(
            context,
            answerer=make_answerer(settings, library, writer, judge),
            generator_name=settings.generator.kind,
            on_ready=lambda: waker("sender"),
            data_dir=settings.data_dir,
        )
        sender = Sender(context, on_progress=lambda: waker("sender"))
        if "poll" in roles:
            wakes["poller"] = Loop("poller", poller.tick)
        if "respond" in roles:
            wakes["responder"] = Loop("responder", responder.tick)
        keeper = None
        if "respond" in roles and fleet is not None:
            keeper = make_keeper(settings, ledger, fleet, clock)
            wakes["keeper"] = Loop("keeper", keeper.tick)
        if "send" in roles:
            wakes["sender"] = Loop("sender", sender.tick)
        service = Service(
            ledger=ledger,
            parts=Parts(
                poller if "poll" in roles else None,
                responder if "respond" in roles else None,
                sender if "send" in roles else None,
                keeper,
            ),
            loops=wakes.values(),
            beat=make_beat(wakes.values(), settings.service.beat_s),
            owner=owner,
            clock=clock,
            shutdown_s=settings.service.shutdown_s,
        )
        page = None
        if "web" in roles:
            watcher = Watcher(
                ledger=ledger,
                library=library,
                generator=writer,
                generator_kind=settings.generator.kind,
                service=service,
            )
            prose = make_writer(settings, fleet)
            pages = serve_pages(
                PageParts(
                    watcher, metrics, ledger, make_answerer(settings, library, writer, judge), prose, clock
                ),
                host=settings.web.host,
                port=settings.web.port,
                language=settings.language,
            )
            page = await stack.enter_async_context(pages)
        yield Running(settings, service, ledger, library, connections, metrics, owner, page)


def process_name() -> str:
    """A name for this process that no other ever has; it marks the leases that are ours."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
