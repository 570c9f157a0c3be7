"""The Bluesky adapter against a strict fake of a server and its network."""

from collections.abc import AsyncIterator

import pytest

from adapters.conformance import CHECKS, Check
from tests.contract.harnesses_fediverse import BlueskyHarness, bluesky


@pytest.fixture
async def harness() -> AsyncIterator[BlueskyHarness]:
    async with bluesky() as made:
        yield made


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_the_bluesky_adapter(check: Check, harness: BlueskyHarness) -> None:
    await check(harness)
