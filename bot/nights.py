"""The nightly training as a process of its own: how it is started, and how the service starts and ends it."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import structlog

import bot
from adapters.base import Clock

log = structlog.get_logger()

LOG = "nights/nightly.log"
"""Below `data_dir`: what the nights say that the service starts."""
MOST_LOG_BYTES = 4 * 1024 * 1024
"""Then it is put aside as `nightly.log.1`, in place of the one before."""


def command(*arguments: str) -> list[str]:
    """`-P`: a folder named `training` where it is called from is not what is meant."""
    return [sys.executable, "-P", "-m", "training", *arguments]


def environment() -> dict[str, str]:
    """That of this process, in which `training` is found beside the `bot` that runs."""
    beside = str(Path(bot.__file__).parent.parent)
    known = os.environ.get("PYTHONPATH", "")
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (beside, known)))}


class Nights:
    """Starts a night when it is due and none of this process runs. Which of several processes does it is decided by
    the lock in the ledger; the others end without a word.
    """

    def __init__(self, options: Sequence[str], data_dir: Path, clock: Clock) -> None:
        """`options`: what the command line says of settings, for the process to know it too."""
        self._options, self._data_dir, self._clock = tuple(options), data_dir, clock
        self._process: asyncio.subprocess.Process | None = None
        self._watching: asyncio.Task[None] | None = None

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Raises nothing: a night that cannot begin is told in the log."""
        if self.runs:
            return
        due = self._clock().replace(second=0, microsecond=0)
        try:
            self._process = await self._spawn("nightly", "--by-cron", due.isoformat())
        except OSError as error:
            log.error("the night cannot be started", error=str(error))
            return
        log.info("night started", process=self._process.pid, log=str(self._data_dir / LOG))
        self._watching = asyncio.create_task(self._watch(self._process, due))

    def stop(self) -> None:
        """Ask it to stop; it keeps what is done, and the next start goes on."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)

    async def drain(self) -> None:
        """Until it has stopped: where this process is the first of a container, the end of it is the other's, too."""
        if self._watching is not None:
            await self._watching

    def cancel(self) -> None:
        """Wait for it no longer."""
        if self._watching is not None:
            self._watching.cancel()

    async def _watch(self, process: asyncio.subprocess.Process, due: datetime) -> None:
        code = await process.wait()
        log.info("night over", process=process.pid, code=code, due=due.isoformat())
        if code < 0:  # it was killed, and may have left the model servers asleep
            waking = await self._spawn("wake")
            await waking.wait()

    async def _spawn(self, *arguments: str) -> asyncio.subprocess.Process:
        file = self._data_dir / LOG
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.exists() and file.stat().st_size > MOST_LOG_BYTES:
            file.replace(file.with_name(f"{file.name}.1"))
        with file.open("ab") as out:
            return await asyncio.create_subprocess_exec(
                *command(*self._options, *arguments),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=environment(),
                start_new_session=True,  # Ctrl-C at the service's terminal is told to it by `stop`
            )
