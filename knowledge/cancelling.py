"""Long work in a thread that Ctrl-C can stop."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

Steps = Callable[[int, int], None]
"""Called with how many steps are done, and how many there are."""


async def until_cancelled(work: Callable[[Steps], None], report: Steps | None) -> None:
    """Run `work` in a thread; when cancelled, stop it where it next reports, and wait until it has."""
    cancelled = threading.Event()

    def told(done: int, total: int) -> None:
        if cancelled.is_set():
            raise _Stopped
        if report is not None:
            report(done, total)

    running = asyncio.ensure_future(asyncio.to_thread(work, told))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        cancelled.set()
        with suppress(_Stopped):
            await running
        raise


async def to_the_end(work: Callable[[], T]) -> T:
    """Run `work` in a thread; when cancelled, wait until it has ended: a thread that writes cannot be stopped."""
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.gather(running, return_exceptions=True)
        raise


class _Stopped(Exception):
    """Ends work that nobody waits for any more."""
