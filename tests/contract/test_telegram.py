"""Telegram's adapter on a Bot API server in memory."""

from collections.abc import AsyncIterator

import pytest

from adapters.conformance import CHECKS, Check
from tests.contract.harnesses_telegram import TelegramHarness, telegram


@pytest.fixture
async def harness() -> AsyncIterator[TelegramHarness]:
    async with telegram() as made:
        yield made


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_telegram(check: Check, harness: TelegramHarness) -> None:
    await check(harness)
