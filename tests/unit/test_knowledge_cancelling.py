"""Long work in a thread that can be stopped."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from knowledge.cancelling import to_the_end, until_cancelled


async def test_work_that_is_not_cancelled_runs_to_its_end_and_reports() -> None:
    told: list[tuple[int, int]] = []

    def work(report: Callable[[int, int], None]) -> None:
        for done in range(1, 4):
            report(done, 3)

    await until_cancelled(work, lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


async def test_cancelling_stops_at_the_next_report_and_waits_for_it() -> None:
    begun, go_on = threading.Event(), threading.Event()
    steps: list[str] = []

    def work(report: Callable[[int, int], None]) -> None:
        report(1, 3)
        begun.set()
        go_on.wait(10)
        steps.append("second")
        report(2, 3)
        steps.append("third")

    task = asyncio.create_task(until_cancelled(work, None))
    await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert steps == ["second"]


async def test_what_goes_wrong_in_the_thread_is_told() -> None:
    def work(report: Callable[[int, int], None]) -> None:
        raise ValueError("no model")

    with pytest.raises(ValueError, match="no model"):
        await until_cancelled(work, None)


async def test_a_thread_that_writes_is_waited_for_when_it_is_cancelled() -> None:
    begun, go_on = threading.Event(), threading.Event()
    steps: list[str] = []

    def work() -> str:
        begun.set()
        go_on.wait(10)
        steps.append("written")
        return "done"

    task = asyncio.create_task(to_the_end(work))
    await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert steps == ["written"]
    assert await to_the_end(work) == "done"
