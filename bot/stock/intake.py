"""Reads documents into the library while the service runs: one job after the other, whoever asked for it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Final, Literal

import structlog

from bot.stock.uploads import Taken, Uploads, as_taken
from knowledge.ingest import IngestReport, Library
from knowledge.inspect import freshness
from knowledge.store import LibraryBusy, LibraryError

log = structlog.get_logger()

MOST_WAITING: Final = 200
SHOWN: Final = 30
"""Jobs that are remembered, the waiting ones aside."""
_BUSY_S: Final = 1.0
"""After so long a job says that another process is writing; it waits on."""


class IntakeFull(Exception):
    """Too much waits to be read already."""


@dataclass(slots=True)
class Job:
    """Sources that are to be read together, and how far that is."""

    number: int
    sources: tuple[str, ...]
    by: str
    """Who asked for it; empty: what an earlier run of the service left."""
    tags: frozenset[str] | None = None
    """What they are filed under; None: what is known stays."""
    taken: tuple[Taken, ...] = ()
    state: Literal["waiting", "reading", "done", "stopped", "failed"] = "waiting"
    blocked: bool = False
    """Another process is writing the library."""
    done: int = 0
    embedded: int = 0
    to_embed: int = 0
    """Passages, in the whole library."""
    report: IngestReport | None = None
    """Set where `state` is done."""
    error: str = ""
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once it is over and its files are settled."""

    @property
    def over(self) -> bool:
        return self.state not in ("waiting", "reading")

    def read(self, source: str, done: int, total: int) -> None:
        """A `knowledge.ingest.Progress`."""
        self.done = done

    def embed(self, done: int, total: int) -> None:
        """A `knowledge.ingest.Embedding`."""
        self.embedded, self.to_embed = done, total


class Intake:
    """What waits to be read, and what was. Made by `open_intake`; its methods belong to the event loop."""

    def __init__(self, library: Library, uploads: Uploads, *, allow_private: bool) -> None:
        self.uploads = uploads
        self._library = library
        self._allow_private = allow_private
        self._numbers = count(1)
        self._jobs: deque[Job] = deque()
        self._more = asyncio.Event()
        self._reading: tuple[Job, asyncio.Task[IngestReport]] | None = None

    @property
    def jobs(self) -> Sequence[Job]:
        """Newest first."""
        return tuple(self._jobs)

    @property
    def busy(self) -> bool:
        return any(not job.finished.is_set() for job in self._jobs)

    def require_room(self) -> None:
        """Raises IntakeFull."""
        if sum(job.state == "waiting" for job in self._jobs) >= MOST_WAITING:
            raise IntakeFull

    def add(
        self,
        sources: Sequence[str],
        *,
        by: str,
        tags: frozenset[str] | None = None,
        taken: Sequence[Taken] = (),
    ) -> Job:
        """Have `sources` read; `taken` are those of them that were uploaded. Raises IntakeFull."""
        self.require_room()
        job = Job(next(self._numbers), tuple(sources), by, tags, tuple(taken))
        self._jobs.appendleft(job)
        over = [one for one in self._jobs if one.over]
        for forgotten in over[SHOWN:]:
            self._jobs.remove(forgotten)
        self._more.set()
        return job

    async def stop(self, number: int) -> Job | None:
        """Stop a job; what it has read stays. None where there is none, or it is over already."""
        job = next((one for one in self._jobs if one.number == number and not one.over), None)
        if job is None:
            return None
        if self._reading is not None and self._reading[0] is job:
            self._reading[1].cancel()
        else:
            job.state = "stopped"
            await self._finish(job)
        return job

    async def run(self) -> None:
        """Read what comes in, until cancelled; what was not read by then is read at the next start."""
        while True:
            job = next((one for one in reversed(self._jobs) if one.state == "waiting"), None)
            if job is None:
                self._more.clear()
                await self._more.wait()
                continue
            job.state = "reading"
            await self._read(job)
            await self._finish(job)

    async def _finish(self, job: Job) -> None:
        await asyncio.to_thread(self._settle, job)
        job.finished.set()

    async def resume(self) -> None:
        """Have read what an earlier run left; to be called before anything is uploaded, else that is read twice."""
        left = await asyncio.to_thread(self._left)
        if left:
            self.add([str(taken.path) for taken in left], by="", taken=left)

    def _left(self) -> list[Taken]:
        try:
            kept = self.uploads.kept()
            return [as_taken(path) for path in kept if self._library.fingerprint(str(path)) is None]
        except (LibraryError, OSError) as error:
            log.warning("uploaded files could not be looked through", error=str(error))
            return []

    async def _read(self, job: Job) -> None:
        reading = asyncio.create_task(self._ingested(job))
        self._reading = job, reading
        try:
            await asyncio.wait([reading])
        except asyncio.CancelledError:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            raise
        finally:
            self._reading = None
        if reading.cancelled():
            job.state = "stopped"
        elif (error := reading.exception()) is not None:
            job.state, job.error = "failed", str(error) or type(error).__name__
            log.warning("documents could not be read", error=job.error)
        else:
            job.state, job.report = "done", reading.result()

    async def _ingested(self, job: Job) -> IngestReport:
        ingest = partial(
            self._library.ingest,
            job.sources,
            tags=job.tags,
            progress=job.read,
            embedding=job.embed,
            allow_private=self._allow_private,
            wait_s=_BUSY_S,
        )
        while True:
            try:
                return await ingest()
            except LibraryBusy:
                job.blocked = True

    def _settle(self, job: Job) -> None:
        """Where it cannot be told what the library holds, the files stay, and are looked at at the next start."""
        try:
            for taken in job.taken:
                self.uploads.settle(taken, held=self._holds(str(taken.path)))
        except (LibraryError, OSError) as error:
            log.warning("uploaded files could not be settled", error=str(error))

    def _holds(self, source: str) -> bool:
        known = self._library.fingerprint(source)
        return known is not None and freshness(source, known) == "same"


@asynccontextmanager
async def open_intake(library: Library, uploads: Uploads, *, allow_private: bool) -> AsyncIterator[Intake]:
    """An intake that reads while the context is open."""
    intake = Intake(library, uploads, allow_private=allow_private)
    await intake.resume()
    running = asyncio.create_task(intake.run(), name="intake")
    try:
        yield intake
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
