"""Discord's adapter on its REST API in memory."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from adapters.conformance import CHECKS, Check
from tests.contract.harnesses_discord import DiscordHarness, discord
from tests.platforms.discord import FORUM, utc_now


@pytest.fixture(params=["channel", "thread", "forum"])
async def harness(request: pytest.FixtureRequest) -> AsyncIterator[DiscordHarness]:
    async with discord() as made:
        made.state.clock = lambda: utc_now() - timedelta(hours=1)
        if request.param == "thread":
            made.place = made.state.start_thread("A thread", message=made.state.write("A post"))
        if request.param == "forum":
            made.adapter = made.make(channels=[FORUM])
            made.place = made.state.start_thread("A question", parent=FORUM, text="About something")
        made.state.clock = utc_now
        yield made


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_discord(check: Check, harness: DiscordHarness) -> None:
    await check(harness)
