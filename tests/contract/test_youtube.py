"""The YouTube adapter on the fake: the suite of every adapter, and what only YouTube has."""

from collections.abc import AsyncIterator

import pytest

from adapters.conformance import CHECKS, Check
from tests.contract.harnesses_youtube import YouTubeHarness, youtube


@pytest.fixture
async def harness() -> AsyncIterator[YouTubeHarness]:
    async with youtube() as made:
        yield made


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_the_youtube_adapter(check: Check, harness: YouTubeHarness) -> None:
    await check(harness)
