"""The Mastodon adapter against a strict fake of a server."""

from collections.abc import AsyncIterator

import pytest

from adapters.conformance import CHECKS, Check
from tests.contract.harnesses_fediverse import MastodonHarness, mastodon


@pytest.fixture
async def harness() -> AsyncIterator[MastodonHarness]:
    async with mastodon() as made:
        yield made


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_the_mastodon_adapter(check: Check, harness: MastodonHarness) -> None:
    await check(harness)
