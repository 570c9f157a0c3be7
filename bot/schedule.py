"""The beat: wakes the loops at intervals, for work that no event of this process announces; and when a night is due."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from bot.loop import Loop
from bot.training_settings import trigger_of


def make_beat(loops: Iterable[Loop], beat_s: float) -> AsyncIOScheduler:
    """A scheduler, not yet started, that wakes each loop every `beat_s` seconds."""
    scheduler = AsyncIOScheduler(timezone=UTC)
    for loop in loops:
        scheduler.add_job(
            _wake,
            IntervalTrigger(seconds=beat_s, timezone=UTC),
            args=[loop],
            id=loop.name,
            coalesce=True,
            misfire_grace_time=None,
        )
    return scheduler


LATE_S = 3600
"""How long after its hour a night still begins, where this process was busy or the machine asleep."""


def at_night(
    scheduler: AsyncIOScheduler, cron: str, time_zone: str, start: Callable[[], Awaitable[None]]
) -> None:
    """Call `start` whenever `cron`, a crontab line, says so on the clocks of `time_zone`; once for hours missed."""
    scheduler.add_job(
        start,
        trigger_of(cron, time_zone),
        id="night",
        coalesce=True,
        misfire_grace_time=LATE_S,
    )


async def _wake(loop: Loop) -> None:
    # A coroutine: APScheduler runs plain functions on another thread, where an asyncio event must not be set.
    loop.wake()
