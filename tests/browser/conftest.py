"""What the tests in a real browser share."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest_asyncio
from playwright.async_api import Browser

from bot.bootstrap import Running
from tests.browser.house import CHROMIUM, chromium, fill, house
from tests.browser.work import WORK
from tests.builders import Desk, FakeClock
from tests.conftest import require


@dataclass(frozen=True, slots=True)
class Scene:
    """A service with work in its queue, and a browser."""

    running: Running
    clock: FakeClock
    desk: Desk
    browser: Browser


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One for all tests: each reader has a context of their own. Its tests run on the loop of the session, too."""
    require(CHROMIUM is not None, "Chromium is not installed (Debian: chromium)")
    async with chromium() as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def scene(tmp_path: Path, browser: Browser) -> AsyncIterator[Scene]:
    async with house(tmp_path) as (running, clock):
        desk = fill(running, clock, WORK)
        yield Scene(running, clock, desk, browser)
