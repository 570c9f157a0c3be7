"""A whole service inside a test, run until it has nothing left to do."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from bot.bootstrap import Running
from bot.settings import Settings
from bot.store import stats

LONGEST_S = 60.0


def quick_settings(folder: Path, **sections: Mapping[str, object]) -> Settings:
    """Settings without waits; `sections` are laid over them."""
    service = {"poll_interval_s": 0.2, "beat_s": 0.1, "retry_s": 0.1, "shutdown_s": 2.0}
    values = {"data_dir": folder, "service": service | dict(sections.pop("service", {})), **sections}
    return Settings.model_validate(values)


async def until(condition: Callable[[], bool]) -> None:
    """Return once `condition` holds, which no event announces. Raises TimeoutError after a minute."""
    async with asyncio.timeout(LONGEST_S):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def run_until_done(running: Running, comments: int) -> stats.Counts:
    """Run the service until `comments` comments are in the ledger and none waits for Rejoinder.

    Raises TimeoutError after a minute.
    """
    stop = asyncio.Event()
    task = asyncio.create_task(running.service.run(stop))
    try:
        async with asyncio.timeout(LONGEST_S):
            while True:
                found = await running.ledger.aread(stats.counts)
                if found.comments >= comments and not found.waiting:
                    return found
                await asyncio.sleep(0.05)
    finally:
        stop.set()
        await task
