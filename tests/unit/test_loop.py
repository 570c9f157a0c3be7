"""A loop rests, wakes, and outlives its failures."""

import asyncio

import pytest

from bot.loop import Loop, backoff


async def test_a_wake_during_a_tick_is_not_lost() -> None:
    ticks: list[int] = []
    loop: Loop

    async def tick() -> None:
        ticks.append(len(ticks))
        if len(ticks) == 1:
            loop.wake()
        else:
            loop.stop()

    loop = Loop("x", tick)
    async with asyncio.timeout(5):
        await loop.run()
    assert ticks == [0, 1]


async def test_a_failing_tick_is_shown_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.loop.FIRST_PAUSE_S", 0.0)
    seen: list[str | None] = []
    loop: Loop

    async def tick() -> None:
        seen.append(loop.error)
        if len(seen) < 3:
            raise ValueError("broken")
        loop.stop()

    loop = Loop("x", tick)
    async with asyncio.timeout(5):
        await loop.run()
    assert seen == [None, "ValueError: broken", "ValueError: broken"]
    assert loop.error is None


async def test_stopping_ends_a_pause_after_a_failure() -> None:
    failed = asyncio.Event()

    async def tick() -> None:
        failed.set()
        raise ValueError

    loop = Loop("x", tick)
    task = asyncio.create_task(loop.run())
    await failed.wait()
    await asyncio.sleep(0)
    loop.stop()
    async with asyncio.timeout(0.5):
        await task


async def test_cancelling_the_loop_cancels_its_tick() -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def tick() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    task = asyncio.create_task(Loop("x", tick).run())
    await started.wait()
    task.cancel()
    async with asyncio.timeout(5):
        await ended.wait()


@pytest.mark.parametrize(("failures", "wait"), [(0, 5), (1, 5), (2, 10), (3, 20), (7, 300), (10_000, 300)])
def test_the_wait_doubles_up_to_its_limit(failures: int, wait: float) -> None:
    assert backoff(failures, 5, 300) == wait


def test_a_wait_of_zero_stays_zero() -> None:
    assert backoff(9, 0, 300) == 0
