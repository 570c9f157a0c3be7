"""Calls that get a fresh access token when theirs has expired."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from adapters.errors import AdapterError, AuthExpired, ReauthRequired

T = TypeVar("T")


class Refresher(Protocol):
    """The part of an adapter that renews its access token."""

    async def refresh_auth(self) -> None:
        """See `PlatformAdapter.refresh_auth`."""
        ...


class FreshAuth:
    """Repeats a call once with a new token; use one for all calls of an account.

    However many calls meet the expired token at once, it is refreshed once; a failed refresh fails them all.
    """

    def __init__(self, adapter: Refresher) -> None:
        self._adapter = adapter
        self._lock = asyncio.Lock()
        self._round = 0
        self._error: AdapterError | None = None

    async def call(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """The result of `attempt()`. Raises ReauthRequired when a fresh token is refused too."""
        seen = self._round
        try:
            return await attempt()
        except AuthExpired:
            await self._refresh(seen)
        try:
            return await attempt()
        except AuthExpired as exc:
            raise ReauthRequired(
                f"a fresh access token was refused: {exc}; connect the account again"
            ) from exc

    async def _refresh(self, seen: int) -> None:
        async with self._lock:
            if self._round != seen:
                if self._error is not None:
                    raise self._error
                return
            try:
                await self._adapter.refresh_auth()
            except AdapterError as exc:
                self._error = exc
                self._round += 1
                raise
            # Counted only now: a refresh that is cancelled has refreshed nothing, and the next call tries.
            self._error = None
            self._round += 1
