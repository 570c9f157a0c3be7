"""Reads a rewound channel in the foreground, or watches while a running service does."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from adapters.errors import Transient
from bot.bootstrap import make_connections, open_http, process_name, utc_now
from bot.context import Context
from bot.metrics import Metrics
from bot.models import Channel
from bot.poller import Poller
from bot.settings import Settings
from bot.store import channels, polling, stats
from bot.store.ledger import Ledger

_WATCH_S = 0.2


async def backfill(settings: Settings, ledger: Ledger, name: str, on_progress: Callable[[int], None]) -> int:
    """Read channel `name` to its end; returns how many comments were new.

    `on_progress` gets that number as it grows. Safe beside a running service: whichever claims the channel reads it.
    Raises AdapterError when the platform cannot be read, LedgerError.
    """
    began, owner = utc_now(), process_name()
    channel = await ledger.aread(channels.named, name)
    async with open_http() as http:
        connections = make_connections(settings, ledger, http)
        context = Context(ledger, connections, utc_now, owner, settings.service, Metrics())
        reading = asyncio.create_task(_read(Poller(context, on_new=lambda: None), context, channel))
        try:
            while True:
                new = await ledger.aread(stats.ingested_since, channel_id=channel.id or 0, since=began)
                on_progress(new)
                if reading.done():
                    break
                await asyncio.wait({reading}, timeout=_WATCH_S)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            await ledger.awrite(polling.release_channels, owner=owner, now=utc_now())
            await connections.aclose()
    reading.result()
    return await ledger.aread(stats.ingested_since, channel_id=channel.id or 0, since=began)


async def _read(poller: Poller, context: Context, channel: Channel) -> None:
    """Raises Transient with the platform's message when the poll failed."""
    lease = timedelta(seconds=context.settings.lease_s)
    while True:
        claimed = await context.ledger.awrite(
            polling.claim_channels,
            owner=context.owner,
            now=context.clock(),
            lease=lease,
            only=frozenset({channel.id or 0}),
        )
        for mine in claimed:
            await poller.poll(mine)
        now = await context.ledger.aread(channels.named, channel.name)
        if now.last_error is not None and now.poll_owner is None:
            raise Transient(f"{channel.name}: {now.last_error}", ambiguous=False)
        if now.cursor is not None and now.poll_owner is None:
            return
        if now.paused:
            raise Transient(
                f"{channel.name} is paused; 'rejoinder channels resume {channel.name}' lets it be read",
                ambiguous=False,
            )
        await asyncio.sleep(_WATCH_S)
