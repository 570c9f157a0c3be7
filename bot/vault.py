"""Credentials of the channels in the ledger, sealed with the keys of `bot.keyring`."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import uuid4

from sqlmodel import Session

from adapters.base import Clock, MemoryVault, Vault
from adapters.errors import Permanent, ReauthRequired
from bot.keyring import Keyring, Keys, KeyUnusable, Unreadable
from bot.models import Channel
from bot.store import credentials
from bot.store.credentials import Kept, Kind, name_of
from bot.store.ledger import Ledger

LOOK_AGAIN_S: Final = 0.1


class Vaults(Protocol):
    """The secrets of every channel."""

    def of(self, channel: Channel) -> Vault:
        """What its adapter keeps tokens in; its methods raise AdapterError."""
        ...

    async def secrets(self, channel: Channel) -> Mapping[str, str]:
        """Those that a person typed in, by option. Raises AdapterError."""
        ...

    def turn(self, channel: Channel, seconds: float) -> AbstractAsyncContextManager[None]:
        """Only one process at a time gets new tokens for a channel; it has `seconds` for it."""
        ...


@dataclass(frozen=True, slots=True)
class LooseVaults:
    """Of a channel that is not in the ledger yet."""

    typed: Mapping[str, str]
    tokens: MemoryVault

    def of(self, channel: Channel) -> Vault:
        return self.tokens

    async def secrets(self, channel: Channel) -> Mapping[str, str]:
        return self.typed

    def turn(self, channel: Channel, seconds: float) -> AbstractAsyncContextManager[None]:
        return nullcontext()


class LedgerVaults:
    """See `Vaults`."""

    def __init__(self, ledger: Ledger, keyring: Keyring, clock: Clock) -> None:
        self._ledger = ledger
        self._keyring = keyring
        self._clock = clock

    def of(self, channel: Channel) -> Vault:
        return _LedgerVault(self, channel)

    async def secrets(self, channel: Channel) -> Mapping[str, str]:
        return await self.load(channel, Kind.OPTION)

    async def load(self, channel: Channel, kind: Kind) -> dict[str, str]:
        """Raises ReauthRequired where no key opens them, Permanent where the key must not be used."""
        try:
            try:
                return await self._ledger.aread(unsealed, self._keyring, channel.id or 0, kind)
            except Unreadable:
                # The keys may have been changed between the look at the row and the look at them.
                return await self._ledger.aread(unsealed, self._keyring, channel.id or 0, kind)
        except Unreadable as error:
            raise ReauthRequired(lost(channel.name, error, self._keyring)) from error
        except KeyUnusable as error:
            raise Permanent(str(error)) from error

    async def keep(self, channel: Channel, kind: Kind, values: Mapping[str, str]) -> None:
        """Raises Permanent where the key must not be used, or cannot be made."""
        try:
            await self._ledger.awrite(keep, self._keyring, channel.id or 0, kind, values, now=self._clock())
        except (KeyUnusable, OSError) as error:
            raise Permanent(f"the credentials of {channel.name} cannot be kept: {error}") from error

    @asynccontextmanager
    async def turn(self, channel: Channel, seconds: float) -> AsyncIterator[None]:
        owner, number = uuid4().hex, channel.id or 0
        length = timedelta(seconds=seconds)
        try:
            # Nothing tells of another process's turn but the ledger.
            while not await self._take(number, owner, length):  # noqa: ASYNC110
                await asyncio.sleep(LOOK_AGAIN_S)
            yield
        finally:
            # Also after a cancelled wait: the turn may have been taken all the same.
            await self._ledger.awrite(credentials.end_turn, number, owner=owner)

    async def _take(self, number: int, owner: str, length: timedelta) -> bool:
        now = self._clock()
        return await self._ledger.awrite(
            credentials.take_turn, number, owner=owner, now=now, until=now + length
        )


class _LedgerVault:
    def __init__(self, vaults: LedgerVaults, channel: Channel) -> None:
        self._vaults = vaults
        self._channel = channel

    async def load(self) -> Mapping[str, str]:
        return await self._vaults.load(self._channel, Kind.TOKEN)

    async def save(self, tokens: Mapping[str, str]) -> None:
        await self._vaults.keep(self._channel, Kind.TOKEN, tokens)


def unsealed(session: Session, keyring: Keyring, channel_id: int, kind: Kind) -> dict[str, str]:
    """A channel's credentials of a kind. Raises Unreadable, KeyUnusable."""
    rows = credentials.sealed(session, channel_id, kind)
    # Without credentials no key is needed, and none is missed.
    keys = keyring.read() if rows else Keys(())
    return {name.partition(":")[2]: keys.unseal(channel_id, name, sealed) for name, sealed in rows.items()}


def keep(
    session: Session,
    keyring: Keyring,
    channel_id: int,
    kind: Kind,
    values: Mapping[str, str],
    *,
    now: datetime,
) -> None:
    """Replace a channel's credentials of a kind. Raises KeyUnusable, OSError."""

    def seal() -> dict[str, str]:
        keys = keyring.ready() if values else Keys(())
        named = {name_of(kind, name): value for name, value in values.items()}
        return {name: keys.seal(channel_id, name, value) for name, value in named.items()}

    credentials.replace(session, channel_id, kind, seal, now=now)


def unreadable(rows: list[Kept], keys: Keys) -> list[Kept]:
    """Those that no key opens. Pure."""
    return [row for row in rows if not _opens(row, keys)]


def _opens(row: Kept, keys: Keys) -> bool:
    try:
        keys.unseal(row.channel_id, row.name, row.sealed)
    except Unreadable:
        return False
    return True


def lost(channel: str, error: Exception, keyring: Keyring) -> str:
    """What to tell when a channel's credentials do not open."""
    return (
        f"the credentials of {channel} cannot be read with {keyring.where} ({error}); put the right key back and run "
        f"'rejoinder channels resume {channel}', or connect again: rejoinder channels connect {channel}"
    )


def rotate(session: Session, keyring: Keyring) -> list[Kept]:
    """Seal everything with a new key, or with the first of the environment; returns what no key opens, left as it is.

    Call `settle` once this is committed. Whenever either breaks off, everything opens that did before: until then the
    file holds the old keys too. Raises KeyUnusable, OSError.
    """
    rows = credentials.lock_all(session)
    keys = keyring.read() if keyring.from_environment else keyring.put_in_front()
    closed = unreadable(rows, keys)
    for row in rows:
        if row not in closed:
            value = keys.unseal(row.channel_id, row.name, row.sealed)
            credentials.reseal(session, row.channel_id, row.name, keys.seal(row.channel_id, row.name, value))
    return closed


def settle(session: Session, keyring: Keyring) -> None:
    """Drop the file's old keys, unless something is still sealed with one. Raises KeyUnusable, OSError."""
    rows = credentials.lock_all(session)
    keys = keyring.read()
    if keyring.from_environment or len(keys) < 2:
        return
    closed = unreadable(rows, keys)
    if all(row in closed or keys.first_unseals(row.channel_id, row.name, row.sealed) for row in rows):
        keyring.keep_first()
