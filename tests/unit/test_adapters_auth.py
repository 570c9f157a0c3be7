"""An expired token is refreshed once, whoever meets it."""

import asyncio

import pytest

from adapters.auth import FreshAuth
from adapters.errors import AuthExpired, ReauthRequired, Transient


class Account:
    """A token that has expired, and a refresh that can be held up and can fail."""

    def __init__(self, *, lifetime: int = 1000, error: Exception | None = None) -> None:
        self.valid = False
        self.refreshes = 0
        self.lifetime = lifetime
        self.error = error
        self.asked = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def refresh_auth(self) -> None:
        self.refreshes += 1
        self.asked.set()
        await self.gate.wait()
        if self.error:
            raise self.error
        self.valid = self.lifetime > 0

    async def fetch(self) -> str:
        if not self.valid:
            raise AuthExpired("expired")
        return "news"


async def test_twenty_calls_that_meet_an_expired_token_refresh_it_once() -> None:
    account = Account()
    fresh = FreshAuth(account)
    assert await asyncio.gather(*(fresh.call(account.fetch) for _ in range(20))) == ["news"] * 20
    assert account.refreshes == 1


async def test_a_token_that_expires_again_is_refreshed_again() -> None:
    account = Account()
    fresh = FreshAuth(account)
    await fresh.call(account.fetch)
    account.valid = False
    await fresh.call(account.fetch)
    assert account.refreshes == 2


async def test_a_fresh_token_that_is_refused_needs_a_person() -> None:
    account = Account(lifetime=0)
    with pytest.raises(ReauthRequired):
        await FreshAuth(account).call(account.fetch)
    assert account.refreshes == 1


async def test_a_failed_refresh_fails_all_who_waited_and_the_next_call_tries_again() -> None:
    account = Account(error=Transient("down", ambiguous=False))
    fresh = FreshAuth(account)
    account.gate.clear()
    calls = [asyncio.ensure_future(fresh.call(account.fetch)) for _ in range(5)]
    await account.asked.wait()
    account.gate.set()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(result) for result in results] == [Transient] * 5
    assert account.refreshes == 1
    account.error = None
    assert await fresh.call(account.fetch) == "news"


async def test_a_cancelled_refresh_leaves_it_to_the_next_call() -> None:
    account = Account()
    account.gate.clear()
    fresh = FreshAuth(account)
    first = asyncio.ensure_future(fresh.call(account.fetch))
    second = asyncio.ensure_future(fresh.call(account.fetch))
    await account.asked.wait()
    first.cancel()
    account.gate.set()
    assert await second == "news"
    assert account.refreshes == 2


async def test_other_errors_pass_through_without_a_refresh() -> None:
    account = Account()

    async def fails() -> str:
        raise Transient("down", ambiguous=True)

    with pytest.raises(Transient):
        await FreshAuth(account).call(fails)
    assert account.refreshes == 0
