"""How long a Douyin account stays connected: access tokens of 15 days, refresh tokens of 30, five renewals."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest

from adapters.auth import FreshAuth
from adapters.base import Budget, MemoryVault
from adapters.errors import AuthExpired, ReauthRequired, Transient
from tests.builders import FakeClock
from tests.contract.harnesses import new_session
from tests.contract.harnesses_douyin import DouyinHarness
from tests.platforms.douyin import DAY, SECRET, Douyin, running

REFRESH, RENEW = "/oauth/refresh_token/", "/oauth/renew_refresh_token/"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def harness(clock: FakeClock) -> AsyncIterator[DouyinHarness]:
    async with running(Douyin(clock)) as world, new_session() as http:
        yield DouyinHarness(world, http, clock)


async def test_twenty_calls_with_an_expired_token_refresh_once(
    harness: DouyinHarness, clock: FakeClock
) -> None:
    fresh = FreshAuth(harness.adapter)
    await fresh.call(harness.adapter.open)
    cursor = await harness.adapter.baseline(clock())
    clock.forward(15 * DAY)
    with pytest.raises(AuthExpired):
        await harness.adapter.poll(cursor, Budget())
    await asyncio.gather(*(fresh.call(lambda: harness.adapter.poll(cursor, Budget())) for _ in range(20)))
    assert harness.world.calls.count(REFRESH) == 1


async def test_an_account_lives_five_renewals_long_and_then_says_why_it_ended(
    harness: DouyinHarness, clock: FakeClock
) -> None:
    fresh = FreshAuth(harness.adapter)
    await fresh.call(harness.adapter.open)
    cursor = await harness.adapter.baseline(clock())
    began = clock()

    async def live() -> None:
        for _ in range(400):
            clock.forward(DAY)
            await fresh.call(lambda: harness.adapter.poll(cursor, Budget()))

    with pytest.raises(ReauthRequired, match=r"renewed 5 times.*connect the account again"):
        await live()
    assert harness.world.calls.count(RENEW) == 5
    # Each renewal comes with seven days left; the last access token may outlive the last refresh token.
    assert 30 + 5 * 22 < (clock() - began).days <= 30 + 5 * 23 + 15
    assert (await harness.vault.load())["renewals"] == "5"


async def test_the_platforms_own_count_of_renewals_is_believed(
    harness: DouyinHarness, clock: FakeClock
) -> None:
    adapter = harness.make(renew_left_days=16)
    harness.world.renewals = 5
    await adapter.open()
    clock.forward(15 * DAY)
    await adapter.refresh_auth()
    assert (await harness.vault.load())["renewals"] == "5"
    await adapter.open()
    clock.forward(15 * DAY)
    with pytest.raises(ReauthRequired, match="renewed 5 times"):
        await adapter.refresh_auth()


async def test_a_renewal_that_fails_is_tried_again_hours_later_and_stops_nothing(
    harness: DouyinHarness, clock: FakeClock
) -> None:
    adapter = harness.make(renew_left_days=16)
    fresh = FreshAuth(adapter)
    await fresh.call(adapter.open)
    cursor = await adapter.baseline(clock())
    clock.forward(15 * DAY)
    harness.world.faults.refuse.append((RENEW, 28001005))
    await fresh.call(adapter.open)
    await fresh.call(lambda: adapter.poll(cursor, Budget()))
    assert harness.world.calls.count(RENEW) == 1
    clock.forward(6 * 3600)
    await fresh.call(lambda: adapter.poll(cursor, Budget()))
    assert (harness.world.calls.count(RENEW), harness.world.renewals) == (2, 1)


async def test_an_application_that_may_not_renew_lives_as_long_as_its_tokens(
    harness: DouyinHarness, clock: FakeClock
) -> None:
    fresh = FreshAuth(harness.adapter)
    await fresh.call(harness.adapter.open)
    cursor = await harness.adapter.baseline(clock())
    began = clock()

    async def live() -> None:
        for _ in range(60):
            clock.forward(DAY)
            harness.world.faults.refuse = [(RENEW, 28001018)]
            await fresh.call(lambda: harness.adapter.poll(cursor, Budget()))

    with pytest.raises(ReauthRequired, match="connect the account again"):
        await live()
    assert 30 <= (clock() - began).days <= 45
    assert (await harness.vault.load())["renewals"] == "0"


async def test_a_token_is_kept_before_it_is_used(harness: DouyinHarness, clock: FakeClock) -> None:
    saved: list[tuple[str, list[str]]] = []

    class Watched(MemoryVault):
        async def save(self, tokens: Mapping[str, str]) -> None:
            saved.append((tokens["access_token"], list(harness.world.calls)))
            await super().save(tokens)

    adapter = harness.make(Watched())
    await adapter.open()
    clock.forward(15 * DAY)
    await adapter.refresh_auth()
    assert saved[0][0] in harness.world.access
    assert saved[0][1][-1] == REFRESH


async def test_another_processes_refresh_is_taken_over(harness: DouyinHarness, clock: FakeClock) -> None:
    other = harness.make()
    await harness.adapter.open()
    await other.open()
    clock.forward(15 * DAY)
    await harness.adapter.refresh_auth()
    await other.refresh_auth()
    assert harness.world.calls.count(REFRESH) == 1
    await other.open()


async def test_a_restart_goes_on_with_the_kept_tokens(harness: DouyinHarness, clock: FakeClock) -> None:
    await harness.adapter.open()
    clock.forward(15 * DAY)
    await harness.adapter.refresh_auth()
    clock.forward(DAY)
    again = harness.make()
    await again.open()
    assert harness.world.calls.count(REFRESH) == 1


async def test_a_person_who_connects_again_is_believed_over_the_vault(
    harness: DouyinHarness, clock: FakeClock
) -> None:
    await harness.adapter.open()
    clock.forward(15 * DAY)
    await harness.adapter.refresh_auth()
    harness.world.refresh.clear()
    harness.world.access.clear()
    new = harness.world.new_refresh()
    again = harness.make(refresh_token=new, access_token=harness.world.new_access(), renew_left_days=16)
    await again.open()
    clock.forward(15 * DAY)
    await again.refresh_auth()
    assert (await harness.vault.load())["renewals"] == "1"


async def test_without_an_access_token_the_first_one_is_fetched(harness: DouyinHarness) -> None:
    adapter = harness.make(access_token=None)
    account = await adapter.open()
    assert (account.name, account.can["reply"], account.can["hide"]) == ("创作者", True, False)
    assert harness.world.calls[0] == REFRESH


async def test_a_vault_alone_is_enough(harness: DouyinHarness) -> None:
    vault = MemoryVault({"refresh_token": harness.refresh_token})
    await harness.make(vault, access_token=None, refresh_token=None).open()
    with pytest.raises(ReauthRequired, match="no refresh token"):
        await harness.make(MemoryVault(), access_token=None, refresh_token=None).open()


async def test_a_revoked_consent_needs_a_person(harness: DouyinHarness) -> None:
    await harness.adapter.open()
    harness.world.access.clear()
    harness.world.refresh.clear()
    with pytest.raises(ReauthRequired, match="connect the account again"):
        await harness.adapter.refresh_auth()


async def test_a_busy_platform_does_not_end_a_connection(harness: DouyinHarness) -> None:
    await harness.adapter.open()
    harness.world.faults.refuse.append((REFRESH, 2100004))
    with pytest.raises(Transient) as told:
        await harness.adapter.refresh_auth()
    assert told.value.ambiguous is False


async def test_no_message_and_no_repr_holds_a_secret(harness: DouyinHarness) -> None:
    adapter = harness.make()
    await adapter.open()
    harness.world.access.clear()
    harness.world.refresh.clear()
    with pytest.raises(ReauthRequired) as told:
        await adapter.refresh_auth()
    shown = f"{told.value!r} {adapter._options!r}"
    assert not [text for text in (SECRET, harness.refresh_token, harness.access_token) if text in shown]
