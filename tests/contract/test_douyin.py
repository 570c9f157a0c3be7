"""Douyin's adapter on a platform that is as strict as the real one's pages."""

from collections.abc import AsyncIterator

import pytest

from adapters.conformance import CHECKS, Check
from tests.contract.harnesses import new_session
from tests.contract.harnesses_douyin import DouyinHarness
from tests.platforms.douyin import Douyin, running


@pytest.fixture
async def harness() -> AsyncIterator[DouyinHarness]:
    async with running(Douyin()) as world, new_session() as http:
        yield DouyinHarness(world, http)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_the_adapter(check: Check, harness: DouyinHarness) -> None:
    await check(harness)
