"""The beat: wakes the loops at intervals, for work that no event of this process announces."""

from collections.abc import Iterable
from datetime import UTC

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from bot.loop import Loop


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


async def _wake(loop: Loop) -> None:
    # A coroutine: APScheduler runs plain functions on another thread, where an asyncio event must not be set.
    loop.wake()
