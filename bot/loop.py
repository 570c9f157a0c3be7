"""A loop that works when woken, rests when there is nothing to do, and outlives its failures."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger()

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0


class Loop:
    """Runs `tick` each time it is woken. `tick` returns when nothing is left to do."""

    def __init__(self, name: str, tick: Callable[[], Awaitable[None]]) -> None:
        self.name = name
        self.error: str | None = None
        """What the last tick failed with; None when it went well."""
        self._tick = tick
        self._wake = asyncio.Event()
        self._stop = asyncio.Event()
        self._failures = 0

    def wake(self) -> None:
        """There may be work. Cheap, and safe to call at any time on the loop's thread."""
        self._wake.set()

    def stop(self) -> None:
        """Begin no further tick."""
        self._stop.set()
        self._wake.set()

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    async def run(self) -> None:
        """Until `stop`. A tick that fails is logged and tried again after a pause."""
        while not self.stopping:
            self._wake.clear()
            task = asyncio.ensure_future(self._tick())
            try:
                await asyncio.wait({task})
            finally:
                task.cancel()
            error = task.exception() if not task.cancelled() else None
            if error is None:
                self._recovered()
                await self._wake.wait()
            else:
                await self._pause_after(error)

    def _recovered(self) -> None:
        if self._failures:
            log.info("loop recovered", loop=self.name, failures=self._failures)
        self._failures, self.error = 0, None

    async def _pause_after(self, error: BaseException) -> None:
        self._failures += 1
        self.error = f"{type(error).__name__}: {error}"
        if self._failures == 1:
            log.error("loop failed", loop=self.name, error=self.error, exc_info=error)
        pause = min(FIRST_PAUSE_S * 2 ** (self._failures - 1), LONGEST_PAUSE_S)
        try:
            await asyncio.wait_for(self._stop.wait(), pause)
        except TimeoutError:
            return


def backoff(failures: int, first_s: float, longest_s: float) -> float:
    """Seconds to wait after the `failures`th failure in a row (from 1): doubling, up to `longest_s`."""
    return float(min(first_s * 2 ** min(max(failures - 1, 0), 32), longest_s))
