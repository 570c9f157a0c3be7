"""Keeps the model servers in step with the registry of voices."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, Protocol

import structlog

from adapters.base import Clock
from bot.generator import GeneratorError, GeneratorUnavailable, VoiceRef, VoiceUnusable
from bot.models import Voice, VoiceStatus
from bot.store import tallies, voices
from bot.store.ledger import Ledger
from bot.store.voices import KEEPER, Registry
from bot.voices.canary import CanaryRules, canary_verdict
from bot.voices.files import intact, served_as
from bot.voices.routing import voice_for

log = structlog.get_logger()

NO_CHANNEL = 0
"""Numbers of channels begin with 1."""
VoiceOf = Callable[[str, int], Awaitable[VoiceRef | None]]
"""Who answers at present: the platform's number of a comment, and its channel (`NO_CHANNEL`: one without a voice of
its own). None: the base model. Raises LedgerError."""
LOOK_S = 10.0
"""How often the servers are asked what they serve while no voice changes: how long a restart goes unnoticed here."""

Loaded = Sequence[tuple[str, GeneratorError | None]]
"""For each server, its address and why it cannot; None: it can."""


class ServedModel(Protocol):
    """A model or a voice, as a server lists it."""

    @property
    def name(self) -> str: ...
    @property
    def root(self) -> str:
        """The folder, as the server sees it, or the name that it was fetched by; empty where it doesn't tell."""
        ...

    @property
    def parent(self) -> str | None:
        """Of a voice, the base model's name; None for a base model."""
        ...


class VoiceServers(Protocol):
    """Every configured model server. Raises nothing: a server that is away or refuses is told as an error."""

    async def load(self, voice: VoiceRef) -> Loaded:
        """Where a server has it already, nothing is done. VoiceUnusable: the server refuses these weights."""
        ...

    async def unload(self, served_as: str) -> Loaded:
        """Where a server doesn't know it, nothing is done."""
        ...

    async def served(self) -> Mapping[str, Sequence[ServedModel] | GeneratorError]:
        """What each server serves now."""
        ...

    def outstanding(self, served_as: str) -> int:
        """How many requests of this process the voice is answering."""
        ...


class Keeper:
    """Loads what answers comments, unloads what no longer does, and takes back a canary that is rejected.

    Works in every process that drafts; what several do at once is done once.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        servers: VoiceServers,
        data_dir: Path,
        rules: CanaryRules,
        clock: Clock,
        lease: timedelta,
    ) -> None:
        self._ledger = ledger
        self._servers = servers
        self._data_dir = data_dir
        self._rules = rules
        self._clock = clock
        self._lease = lease
        self._seen = 0
        self._next_look: datetime | None = None
        self.troubles: dict[str, str] = {}
        """Why a voice is not where it should be, by its name."""

    async def tick(self) -> None:
        """One look at registry and servers, when a voice has changed or the last look is `LOOK_S` old."""
        latest, now = await self._ledger.aread(voices.latest_event), self._clock()
        if latest == self._seen and (self._next_look is None or now < self._next_look):
            return
        registry = await self._ledger.aread(voices.registry)
        served = await self._servers.served()
        troubles = await self._load(registry, served)
        await self._unload(registry, served, now)
        await self._take_back()
        self._tell(troubles)
        self._seen, self._next_look = latest, now + timedelta(seconds=LOOK_S)

    async def _load(
        self, registry: Registry, served: Mapping[str, Sequence[ServedModel] | GeneratorError]
    ) -> dict[str, str]:
        troubles = {}
        for voice in wanted(registry):
            if not missing_at(served, served_as(voice.name, voice.digest)):
                continue
            loaded = await self._servers.load(voice_ref(voice, self._data_dir))
            if all(error is None for _, error in loaded):
                continue
            whole = await asyncio.to_thread(intact, self._data_dir / voice.path, voice.digest)
            outcome = load_outcome(loaded, whole)
            reason = "; ".join(str(error) for _, error in loaded if error is not None)
            if not whole:
                reason = f"its files below {self._data_dir} are damaged or gone; {reason}"
            if outcome == "bad":
                await self._withdraw(voice, reason)
            if outcome == "bad" or any(is_refusal(error) for _, error in loaded):
                troubles[voice.name] = reason
        return troubles

    async def _withdraw(self, voice: Voice, reason: str) -> None:
        changed = await self._ledger.awrite(
            voices.withdraw, voice.name, by=KEEPER, now=self._clock(), detail=reason
        )
        if changed is not None:
            log.error("voice withdrawn: no server can answer with it", voice=voice.name, error=reason)

    async def _unload(
        self,
        registry: Registry,
        served: Mapping[str, Sequence[ServedModel] | GeneratorError],
        now: datetime,
    ) -> None:
        for voice in registry.with_status(VoiceStatus.RETIRED):
            name = served_as(voice.name, voice.digest)
            # Another process may answer with it for as long as its lease on a comment lasts.
            over = voice.status_at + self._lease <= now and not self._servers.outstanding(name)
            if over and voice.id not in registry.ways_back and known_at(served, name):
                unloaded = await self._servers.unload(name)
                if all(error is None for _, error in unloaded):
                    log.info("voice unloaded", voice=voice.name)

    async def _take_back(self) -> None:
        for trial in await self._ledger.aread(tallies.trials):
            verdict = canary_verdict(trial.canary_tally, trial.live_tally, self._rules)
            if not verdict.returned:
                continue
            changed = await self._ledger.awrite(
                voices.withdraw, trial.canary.name, by=KEEPER, now=self._clock(), detail=verdict.reason
            )
            if changed is not None:
                log.warning("canary taken back", voice=trial.canary.name, reason=verdict.reason)

    def _tell(self, troubles: dict[str, str]) -> None:
        for name in troubles.keys() - self.troubles.keys():
            log.warning("voice is not served everywhere", voice=name, error=troubles[name])
        for name in self.troubles.keys() - troubles.keys():
            log.info("voice has no trouble any more", voice=name)
        self.troubles = troubles


def voice_ref(voice: Voice, data_dir: Path) -> VoiceRef:
    return VoiceRef(voice.name, served_as(voice.name, voice.digest), str(data_dir.absolute() / voice.path))


async def voice_of(ledger: Ledger, data_dir: Path, comment: str, channel_id: int) -> VoiceRef | None:
    """A `VoiceOf`. Raises LedgerError."""
    voice = voice_for(comment, channel_id, await ledger.aread(voices.answering))
    return voice_ref(voice, data_dir) if voice is not None else None


async def no_voice(comment: str, channel_id: int) -> None:
    """A `VoiceOf`: the base model answers all."""


def wanted(registry: Registry) -> list[Voice]:
    """What every server should serve: what answers comments, and what a rollback would go to."""
    return [
        voice
        for voice in registry.voices
        if voice.status in (VoiceStatus.LIVE, VoiceStatus.CANARY) or voice.id in registry.ways_back
    ]


def missing_at(served: Mapping[str, Sequence[ServedModel] | GeneratorError], name: str) -> list[str]:
    """The servers that answer and don't know `name`."""
    return [
        url
        for url, models in served.items()
        if not isinstance(models, GeneratorError) and all(model.name != name for model in models)
    ]


def known_at(served: Mapping[str, Sequence[ServedModel] | GeneratorError], name: str) -> list[str]:
    """The servers that know `name`."""
    return [
        url
        for url, models in served.items()
        if not isinstance(models, GeneratorError) and any(model.name == name for model in models)
    ]


def load_outcome(loaded: Loaded, whole: bool) -> Literal["served", "waiting", "bad"]:
    """`bad`: every server that could be asked refuses, and the weights are to blame. `waiting`: no server has it, but
    one may yet: it is down, or set up wrongly, which no other voice would cure.

    `whole`: the files are as they were registered.
    """
    asked = [error for _, error in loaded if not isinstance(error, GeneratorUnavailable)]
    if None in asked:
        return "served"
    if asked and all(isinstance(error, VoiceUnusable) or not whole for error in asked):
        return "bad"
    return "waiting"


def is_refusal(error: GeneratorError | None) -> bool:
    """The server answered, and would not."""
    return error is not None and not isinstance(error, GeneratorUnavailable)
