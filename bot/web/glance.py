"""What the status page shows, gathered at most every few seconds however many people look."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Generic, TypeVar

from sqlmodel import Session

from bot.generator import Generator, GeneratorHealth
from bot.models import Channel, Voice, VoiceEvent
from bot.service import Service
from bot.store import cases, channels, nights, stats, tallies, voices
from bot.store.cases import Item
from bot.store.ledger import Ledger
from bot.store.nights import Listed
from bot.store.stats import Counts
from bot.voices.canary import Tally
from knowledge.ingest import Library, Stats

if TYPE_CHECKING:
    from bot.serving.fleet import ServerUse

T = TypeVar("T")

KEPT_S = 2.0
HEALTH_KEPT_S = 15.0
LATEST = 20
RETURNED_SHOWN = timedelta(days=3)
"""How long a voice that was taken back by itself stays on the page."""
_SHARE = 20
"""A question that takes long is asked less often: at most 1/20 of the time goes into it."""


class Kept(Generic[T]):
    """An answer that is asked for again only when it has grown old; callers at the same time share one."""

    def __init__(
        self, ask: Callable[[], Awaitable[T]], kept_s: float, clock: Callable[[], float] = monotonic
    ) -> None:
        self._ask = ask
        self._kept_s = kept_s
        self._clock = clock
        self._lock = asyncio.Lock()
        self._answer: T | None = None
        self._good_until = float("-inf")

    async def get(self) -> T:
        """Raises what asking raises; a failure is not kept."""
        async with self._lock:
            if self._answer is None or self._clock() >= self._good_until:
                began = self._clock()
                self._answer = await self._ask()
                ended = self._clock()
                self._good_until = ended + max(self._kept_s, _SHARE * (ended - began))
            return self._answer

    def forget(self) -> None:
        """Ask again at the next call."""
        self._good_until = float("-inf")


@dataclass(frozen=True, slots=True)
class VoicesSeen:
    """The voices that answer comments, and those that were taken back by themselves lately."""

    answering: Sequence[Voice] = ()
    told: Mapping[str, Tally] = field(default_factory=dict)
    """What people decided about the drafts of each, since the first of them began."""
    returned: Sequence[tuple[Voice, VoiceEvent]] = ()


@dataclass(frozen=True, slots=True)
class Glance:
    """The state of the service at one moment."""

    counts: Counts
    channels: Sequence[Channel]
    latest: Sequence[Item]
    documents: Stats
    generator: GeneratorHealth
    generator_kind: str
    voices: VoicesSeen = field(default_factory=VoicesSeen)
    servers: "Sequence[ServerUse]" = ()
    night: Listed | None = None
    """The last one that found something to learn from."""


class Watcher:
    """Gathers glances. `servers` tells what is asked of each model server."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        library: Library,
        generator: Generator,
        generator_kind: str,
        service: Service,
        servers: "Callable[[], Sequence[ServerUse]]" = tuple,
    ) -> None:
        self._ledger = ledger
        self._library = library
        self._service = service
        self._generator_kind = generator_kind
        self._servers = servers
        self._counts = Kept(lambda: ledger.aread(stats.counts), KEPT_S)
        self._glance = Kept(self._gather, KEPT_S)
        self._health = Kept(generator.check, HEALTH_KEPT_S)

    @property
    def troubles(self) -> dict[str, str]:
        return self._service.troubles

    @property
    def failing_loops(self) -> list[str]:
        return [loop.name for loop in self._service.loops if loop.error is not None]

    async def counts(self) -> Counts:
        """Raises LedgerError."""
        return await self._counts.get()

    async def glance(self) -> Glance:
        """Raises LedgerError, LibraryError."""
        return await self._glance.get()

    def forget(self) -> None:
        """Look again at the next glance: something was changed."""
        self._glance.forget()

    async def reach_database(self) -> None:
        """Raises LedgerError when the ledger cannot be read."""
        await self._ledger.aread(channels.every)

    async def _gather(self) -> Glance:
        return Glance(
            await self._counts.get(),
            await self._ledger.aread(channels.every),
            await self._ledger.aread(cases.latest, limit=LATEST),
            await asyncio.to_thread(self._library.stats),
            await self._health.get(),
            self._generator_kind,
            await self._ledger.aread(voices_seen, datetime.now(UTC) - RETURNED_SHOWN),
            self._servers(),
            await self._ledger.aread(nights.last),
        )


def voices_seen(session: Session, returned_since: datetime) -> VoicesSeen:
    answering = voices.answering(session)
    since = min((voice.status_at for voice in answering), default=None)
    told = tallies.by_voice(session, since=since) if since is not None else {}
    return VoicesSeen(answering, told, voices.returned_since(session, returned_since))
