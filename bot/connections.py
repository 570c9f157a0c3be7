"""Open adapters, one for each channel, made when first needed and made anew when the channel's options change."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from hashlib import sha256
from typing import Any, TypeVar

import aiohttp
from pydantic import SecretStr

from adapters.auth import FreshAuth
from adapters.base import (
    Account,
    AdapterFactory,
    Budget,
    Capabilities,
    Clock,
    CommentPage,
    CommentRef,
    Cursor,
    Hooked,
    Metered,
    PlatformAdapter,
    ReplyRef,
)
from adapters.errors import Permanent, Transient
from adapters.registry import BadOptions, UnknownPlatform, available, build
from bot.metering import Meter
from bot.models import Channel
from bot.references import KEPT
from bot.settings import SettingsError, resolve
from bot.store.budgets import name_of
from bot.store.ledger import Ledger
from bot.vault import Vaults

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Connection:
    """A channel's open adapter."""

    adapter: PlatformAdapter
    account: Account
    timeout_s: float
    fresh: FreshAuth
    meter: Meter | None = None
    """None where the platform counts no units."""

    @property
    def capabilities(self) -> Capabilities:
        return self.adapter.capabilities

    async def call(self, attempt: Callable[[], Awaitable[T]], *, polls: bool = False) -> T:
        """Run one call of the adapter, its token renewed if need be and its units counted.

        Raises AdapterError; a call over `timeout_s` is a Transient of unknown effect.
        """
        call = in_time(self.fresh.call(attempt), self.timeout_s, ambiguous=True)
        return await (call if self.meter is None else self.meter.counted(call, polls=polls))


@dataclass(frozen=True, slots=True)
class Listener:
    """What proves and reads a platform's calls to us."""

    hooked: Hooked
    min_poll_s: float


class Muted:
    """An adapter that reads and cannot write, whoever asks it to: for a channel in shadow."""

    def __init__(self, adapter: PlatformAdapter) -> None:
        self._adapter = adapter
        self.capabilities = adapter.capabilities

    async def open(self) -> Account:
        return await self._adapter.open()

    async def refresh_auth(self) -> None:
        await self._adapter.refresh_auth()

    async def baseline(self, since: datetime) -> Cursor:
        return await self._adapter.baseline(since)

    async def poll(self, cursor: Cursor, budget: Budget) -> CommentPage:
        return await self._adapter.poll(cursor, budget)

    async def reply(self, target: CommentRef, text: str, key: str) -> ReplyRef:
        """Raises Permanent; the platform is not called."""
        raise Permanent(
            "the channel is in shadow, so nothing is sent; end it: rejoinder channels shadow NAME off"
        )

    async def find_own_replies(self, target: CommentRef, since: datetime) -> list[ReplyRef]:
        return await self._adapter.find_own_replies(target, since)

    async def aclose(self) -> None:
        await self._adapter.aclose()


def muted(connection: Connection) -> Connection:
    """The same connection, on which nothing can be sent."""
    return replace(connection, adapter=Muted(connection.adapter))


async def in_time(call: Awaitable[T], seconds: float, *, ambiguous: bool) -> T:
    """The result of `call`. Raises Transient when it takes longer than `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            return await call
    except TimeoutError as error:
        raise Transient(f"no answer within {seconds:g} s", ambiguous=ambiguous) from error


class InTurn:
    """Gets new tokens while no other process gets any for the channel; see `adapters.auth.Refresher`."""

    def __init__(self, adapter: PlatformAdapter, vaults: Vaults, channel: Channel, seconds: float) -> None:
        self._adapter = adapter
        self._vaults = vaults
        self._channel = channel
        self._seconds = seconds

    async def refresh_auth(self) -> None:
        async with self._vaults.turn(self._channel, self._seconds):
            await self._adapter.refresh_auth()


class Connections:
    """All open adapters of this process. `shadow`: none of them can send, whatever the channel says. `ledger`: where
    the units of their calls are counted; None counts none.
    """

    def __init__(
        self,
        *,
        http: aiohttp.ClientSession,
        vaults: Vaults,
        clock: Clock,
        timeout_s: float,
        shadow: bool = False,
        ledger: Ledger | None = None,
    ) -> None:
        self._http = http
        self._vaults = vaults
        self._shadow = shadow
        self._ledger = ledger
        self._clock = clock
        self._timeout_s = timeout_s
        self._open: dict[int, tuple[str, Connection]] = {}
        self._locks: dict[int, asyncio.Lock] = {}
        self._unopened: dict[int, tuple[str, PlatformAdapter]] = {}

    async def get(self, channel: Channel) -> Connection:
        """The channel's connection, opened if need be; in shadow it cannot send. Raises AdapterError."""
        connection = await self._opened(channel)
        return muted(connection) if channel.shadow or self._shadow else connection

    async def _opened(self, channel: Channel) -> Connection:
        key = channel.id or 0
        options = await self._options(channel)
        made_from = _fingerprint(channel, options)
        async with self._locks.setdefault(key, asyncio.Lock()):
            known = self._open.get(key)
            if known is not None and known[0] == made_from:
                return known[1]
            if known is not None:
                del self._open[key]
                await known[1].adapter.aclose()
            connection = self._metered(channel, await self._connect(channel, options))
            self._open[key] = (made_from, connection)
            return connection

    async def listener(self, channel: Channel) -> Listener | None:
        """Who reads the platform's calls to the channel; None where it makes none. Raises AdapterError.

        The channel's open adapter does, or one that is only built: whoever calls us must not make us call the platform.
        """
        key, options = channel.id or 0, await self._options(channel)
        made_from = _fingerprint(channel, options)
        opened = self._open.get(key)
        if opened is not None and opened[0] == made_from:
            return _listener(opened[1].adapter)
        known = self._unopened.get(key)
        if known is None or known[0] != made_from:
            known = made_from, self._built(channel, options)
            self._unopened[key] = known
        return _listener(known[1])

    async def _options(self, channel: Channel) -> dict[str, Any]:
        kept = await self._vaults.secrets(channel) if KEPT in channel.options.values() else {}
        try:
            return with_secrets(channel.platform, channel.options, kept)
        except SettingsError as error:
            raise Permanent(str(error)) from error

    async def _connect(self, channel: Channel, options: Mapping[str, Any]) -> Connection:
        adapter = self._built(channel, options)
        async with AsyncExitStack() as unless_opened:
            unless_opened.push_async_callback(adapter.aclose)
            account = await in_time(self._log_in(channel, adapter), self._timeout_s, ambiguous=False)
            unless_opened.pop_all()
        fresh = FreshAuth(InTurn(adapter, self._vaults, channel, self._timeout_s))
        return Connection(adapter, account, self._timeout_s, fresh)

    async def _log_in(self, channel: Channel, adapter: PlatformAdapter) -> Account:
        # Opening may get new tokens too, by itself or because the known one has expired.
        async with self._vaults.turn(channel, self._timeout_s):
            return await FreshAuth(adapter).call(adapter.open)

    def _metered(self, channel: Channel, connection: Connection) -> Connection:
        adapter, quota = connection.adapter, connection.capabilities.quota
        if self._ledger is None or quota is None or not isinstance(adapter, Metered):
            return connection
        budget = name_of(channel.platform, channel.id or 0, quota)
        meter = Meter(adapter, quota, budget, ledger=self._ledger, clock=self._clock)
        return replace(connection, meter=meter)

    def _built(self, channel: Channel, options: Mapping[str, Any]) -> PlatformAdapter:
        vault = self._vaults.of(channel)
        try:
            return build(channel.platform, options, http=self._http, clock=self._clock, vault=vault)
        except (BadOptions, UnknownPlatform) as error:
            raise Permanent(str(error)) from error

    async def aclose(self) -> None:
        for _, connection in self._open.values():
            await connection.adapter.aclose()
        self._open.clear()
        self._unopened.clear()


def _fingerprint(channel: Channel, options: Mapping[str, Any]) -> str:
    # A hash: the secrets are in it, so that a rotated one is noticed, and cannot be read from it.
    return sha256(f"{channel.platform} {channel.connected_at} {sorted(options.items())}".encode()).hexdigest()


def _listener(adapter: PlatformAdapter) -> Listener | None:
    return Listener(adapter, adapter.capabilities.min_poll_s) if isinstance(adapter, Hooked) else None


def with_secrets(platform: str, options: Mapping[str, Any], kept: Mapping[str, str]) -> dict[str, Any]:
    """`options` with the references in secret fields replaced by what they refer to; `kept`: what was typed in, by
    option. Raises SettingsError.
    """
    return {
        name: _secret(name, value, kept)
        if name in _secret_names(platform) and isinstance(value, str)
        else value
        for name, value in options.items()
    }


def _secret(name: str, reference: str, kept: Mapping[str, str]) -> str:
    if reference != KEPT:
        return resolve(reference)
    if name not in kept:
        raise SettingsError(f"the secret {name} is not kept; type it in: rejoinder channels connect NAME")
    return kept[name]


@cache
def _secret_names(platform: str) -> frozenset[str]:
    # Looking through the installed packages takes 14 ms, and they stay the same while a process runs.
    factory = available().get(platform)
    return secret_fields(factory) if factory is not None else frozenset()


def secret_fields(factory: AdapterFactory) -> frozenset[str]:
    """Names of the options that hold a secret."""
    fields = factory.Options.model_fields.items()
    return frozenset(
        name
        for name, field in fields
        if "SecretStr" in str(field.annotation) or field.annotation is SecretStr
    )
