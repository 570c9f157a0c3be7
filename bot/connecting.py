"""Connecting an account: log in once to see who we are there, then keep everything in one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlmodel import Session

from adapters.base import Account, Capabilities, Cursor, MemoryVault
from bot.access.visitor import Visitor
from bot.bootstrap import open_http, utc_now
from bot.connections import Connections
from bot.keyring import Keyring
from bot.models import Channel
from bot.settings import Settings
from bot.store import channel_acts, channels
from bot.store.credentials import Kind
from bot.vault import LooseVaults, keep


class AnotherAccount(ValueError):
    """The credentials are those of an account that the channel does not belong to."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What was given for a channel, and is not kept yet."""

    platform: str
    options: Mapping[str, Any]
    typed: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Secrets by option, where the option says `vault:`."""
    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What the platform granted, for the adapter."""


@dataclass(frozen=True, slots=True)
class Found:
    """What logging in told."""

    account: Account
    capabilities: Capabilities
    tokens: Mapping[str, str] = field(repr=False)
    """What the adapter keeps from now on."""
    cursor: Cursor | None = None


async def log_in(settings: Settings, draft: Draft, *, since: datetime | None = None) -> Found:
    """Who we are on the platform, what it allows, and the cursor from `since` on. Raises AdapterError."""
    now, vault = utc_now(), MemoryVault(draft.tokens)
    probe = Channel(
        name="", platform=draft.platform, options=dict(draft.options), created_at=now, answer_since=now,
        next_poll_at=now, next_send_at=now,
    )  # fmt: skip
    async with open_http() as http:
        connections = Connections(
            http=http,
            vaults=LooseVaults(draft.typed, vault),
            clock=utc_now,
            timeout_s=settings.service.call_timeout_s,
        )
        try:
            connection = await connections.get(probe)
            cursor = None
            if since is not None:
                cursor = await connection.call(lambda: connection.adapter.baseline(since))
            tokens = await vault.load()
            return Found(connection.account, connection.capabilities, tokens, cursor)
        finally:
            await connections.aclose()


def add(
    session: Session,
    who: Visitor,
    keyring: Keyring,
    draft: Draft,
    found: Found | None,
    *,
    name: str,
    rules: Mapping[str, Any],
    now: datetime,
    answer_since: datetime | None,
) -> None:
    """A new channel with its credentials; `found` is None where nobody logged in. Raises ChannelExists, KeyUnusable."""
    made = channels.add(
        session,
        name=name,
        platform=draft.platform,
        options=draft.options,
        rules=rules,
        now=now,
        answer_since=answer_since,
    )
    channel_acts.add(session, who, name, draft.platform, now=now)
    if found is not None:
        channels.connected(session, name, draft.options, now=now)
        if found.cursor is not None:
            channels.begin_at(session, made.id or 0, found.cursor)
    _keep(session, keyring, made.id or 0, draft, found, now=now)


def connect(
    session: Session,
    who: Visitor,
    keyring: Keyring,
    draft: Draft,
    found: Found,
    *,
    name: str,
    now: datetime,
) -> Channel:
    """The account of a channel again, with other credentials; those before are forgotten. Only in the channel's turn:
    a refresh that is under way would put tokens of the credentials before in their place.

    Raises AnotherAccount, NoSuchChannel, KeyUnusable.
    """
    channel = channels.named(session, name)
    if channel.account_id not in (None, found.account.id):
        raise AnotherAccount(
            f"this is the account {found.account.name} ({found.account.id}), but {name} belongs to "
            f"{channel.account_name} ({channel.account_id}), so nothing was changed; connect that one, or add a channel"
        )
    channel_acts.connect(session, who, name, draft.options, now=now)
    _keep(session, keyring, channel.id or 0, draft, found, now=now)
    return channel


def _keep(
    session: Session, keyring: Keyring, channel_id: int, draft: Draft, found: Found | None, *, now: datetime
) -> None:
    keep(session, keyring, channel_id, Kind.OPTION, draft.typed, now=now)
    keep(session, keyring, channel_id, Kind.TOKEN, found.tokens if found else draft.tokens, now=now)
    if found is not None:
        channels.known_as(
            session,
            channel_id,
            account_id=found.account.id,
            account_name=found.account.name,
            can=found.account.can,
            max_reply_chars=found.capabilities.max_reply_chars,
            flat_threads=found.capabilities.reply_depth == "thread",
            quota=found.capabilities.quota,
            reply_gap_s=found.capabilities.min_reply_gap_s,
        )
