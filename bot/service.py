"""The running service: its loops, and how they end."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from adapters.base import Clock
from bot.loop import Loop
from bot.nights import Nights
from bot.notifier import Notifier
from bot.poller import Poller
from bot.responder import Responder
from bot.sender import Sender
from bot.store import polling, sending
from bot.store.ledger import Ledger, LedgerError
from bot.voices.keeper import Keeper

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Parts:
    """What this process does; None for a role that it does not have."""

    poller: Poller | None
    responder: Responder | None
    sender: Sender | None
    keeper: Keeper | None = None
    notifier: Notifier | None = None
    nights: Nights | None = None


class Service:
    """Runs until asked to stop; then finishes or gives back what is in hand."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        parts: Parts,
        loops: Iterable[Loop],
        beat: AsyncIOScheduler,
        owner: str,
        clock: Clock,
        shutdown_s: float,
    ) -> None:
        self._ledger = ledger
        self._parts = parts
        self.loops = tuple(loops)
        self._beat = beat
        self._owner = owner
        self._clock = clock
        self._shutdown_s = shutdown_s

    def wake(self) -> None:
        for loop in self.loops:
            loop.wake()

    @property
    def troubles(self) -> dict[str, str]:
        """What does not work at present, by the part concerned."""
        found = {loop.name: loop.error for loop in self.loops if loop.error is not None}
        if self._parts.responder is not None and self._parts.responder.trouble is not None:
            found["generator"] = self._parts.responder.trouble
        if self._parts.keeper is not None:
            found |= {f"voice {name}": why for name, why in self._parts.keeper.troubles.items()}
        if self._parts.notifier is not None:
            found |= {f"webhook {name}": why for name, why in self._parts.notifier.troubles.items()}
        return found

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then leave in order."""
        self._beat.start()
        tasks = [asyncio.create_task(loop.run(), name=loop.name) for loop in self.loops]
        self.wake()
        try:
            await stop.wait()
        finally:
            await self._leave(tasks)

    async def _leave(self, tasks: list[asyncio.Task[None]]) -> None:
        self._beat.shutdown(wait=False)
        for loop in self.loops:
            loop.stop()
        for part in (self._parts.responder, self._parts.sender, self._parts.nights):
            if part is not None:
                part.stop()
        try:
            async with asyncio.timeout(self._shutdown_s):
                await asyncio.gather(*tasks, *(part.drain() for part in self._drained()))
        except TimeoutError:
            log.warning(
                "not everything was finished in time; the rest is given back", seconds=self._shutdown_s
            )
        for leaving in self._drained():
            leaving.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, *(part.drain() for part in self._drained()), return_exceptions=True)
        await self._give_back()

    def _drained(self) -> list[Poller | Sender | Nights]:
        parts = (self._parts.poller, self._parts.sender, self._parts.nights)
        return [part for part in parts if part is not None]

    async def _give_back(self) -> None:
        now = self._clock()
        try:
            await self._ledger.awrite(sending.release, owner=self._owner, now=now)
            await self._ledger.awrite(polling.release_channels, owner=self._owner, now=now)
        except LedgerError as error:
            log.warning("leases could not be given back; they end by themselves", error=str(error))
