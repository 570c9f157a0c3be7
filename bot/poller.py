"""Polls every channel that is due and puts what it finds into the ledger."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from adapters.base import Budget, CommentPage, Cursor
from adapters.errors import (
    AccountRestricted,
    AdapterError,
    Permanent,
    QuotaExhausted,
    RateLimited,
    ReauthRequired,
)
from bot.connections import Connection
from bot.context import Context
from bot.loop import backoff
from bot.models import Channel
from bot.planning import day_of, poll_pause_s
from bot.store import budgets, channels, polling
from bot.store.ledger import LedgerError

log = structlog.get_logger()

BUDGET = Budget()


class Poller:
    """One process's share of the polling. A slow platform holds up no other."""

    def __init__(
        self,
        context: Context,
        *,
        on_new: Callable[[], None],
    ) -> None:
        self._context = context
        self._on_new = on_new
        self._tasks: set[asyncio.Task[None]] = set()

    async def tick(self) -> None:
        """Start a poll of every channel that is due; returns without waiting for them."""
        due = await self._context.ledger.awrite(
            polling.claim_channels,
            owner=self._context.owner,
            now=self._context.clock(),
            lease=self._context.lease,
        )
        for channel in due:
            task = asyncio.create_task(self._guarded(channel), name=f"poll {channel.name}")
            self._tasks.add(task)
            task.add_done_callback(self._finished)

    async def poll(self, channel: Channel) -> None:
        """Read the claimed channel's news, page by page, each saved with its cursor."""
        try:
            connection = await self._context.connections.get(channel)
            await self._remember_account(channel, connection)
            await self._refuse_without_units(connection)
            await self._read(channel, connection)
        except AdapterError as error:
            await self._failed(channel, error)

    async def _guarded(self, channel: Channel) -> None:
        """A defect in an adapter is shown on the channel like any other failure."""
        poll = asyncio.ensure_future(self.poll(channel))
        try:
            await asyncio.wait({poll})
        finally:
            poll.cancel()
        error = None if poll.cancelled() else poll.exception()
        if isinstance(error, LedgerError):
            raise error
        if error is not None:
            log.error("poll broke off", channel=channel.name, error=repr(error), exc_info=error)
            await self._failed(channel, Permanent(f"the adapter broke its contract: {error!r}; see the log"))

    async def drain(self) -> None:
        """Wait for the polls that are under way."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def cancel(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _refuse_without_units(self, connection: Connection) -> None:
        """Raises QuotaExhausted where not even one request can be paid any more."""
        if (meter := connection.meter) is None:
            return
        day = day_of(meter.quota, self._context.clock())
        used = await self._context.ledger.aread(budgets.used, meter.budget, day)
        if used + meter.quota.poll_units > meter.quota.units:
            raise QuotaExhausted(
                f"all {meter.quota.units} units of the day are used; it goes on at the reset",
                resets_at=day.ends,
            )

    async def _read(self, channel: Channel, connection: Connection) -> None:
        adapter, polled = connection.adapter, _polled(connection)
        cursor: Cursor | None = channel.cursor
        if cursor is None:
            cursor = await connection.call(lambda: adapter.baseline(channel.answer_since), polls=True)
        while cursor is not None:
            since: Cursor = cursor
            page = await connection.call(
                lambda since=since: adapter.poll(since, BUDGET),  # type: ignore[misc]
                polls=True,
            )
            if not page.complete and dict(page.cursor) == dict(since):
                raise Permanent(
                    "the adapter reads on and on without getting anywhere; its cursor stands still"
                )
            pause_s = await self._pause_s(channel, connection, _polled(connection) - polled)
            saved = await self._save(channel, connection, page, pause_s)
            if saved is None:
                log.warning("poll lost its lease to another process", channel=channel.name)
                return
            cursor = None if page.complete else page.cursor

    async def _save(
        self, channel: Channel, connection: Connection, page: CommentPage, pause_s: float
    ) -> polling.Ingested | None:
        now = self._context.clock()
        saved = await self._context.ledger.awrite(
            polling.save_page,
            channel=channel,
            page=page,
            owner=channel.poll_owner or "",
            now=now,
            next_poll_at=now + (timedelta(seconds=pause_s) if page.complete else self._context.lease),
            thread_depth=connection.capabilities.reply_depth == "thread",
        )
        if saved is not None:
            self._note(channel, page, saved)
        return saved

    async def _pause_s(self, channel: Channel, connection: Connection, cost: int) -> float:
        """Seconds until the next poll, this one having cost so many units."""
        usual = max(self._context.settings.poll_interval_s, connection.capabilities.min_poll_s)
        if (meter := connection.meter) is None:
            return usual
        now, ledger = self._context.clock(), self._context.ledger
        used = await ledger.aread(budgets.used, meter.budget, day_of(meter.quota, now))
        channels = len(await ledger.aread(budgets.sharing, channel, meter.quota))
        paced = poll_pause_s(meter.quota, used, now, self._context.polls, cost=cost, channels=channels)
        return max(usual, paced)

    def _note(self, channel: Channel, page: CommentPage, saved: polling.Ingested) -> None:
        self._context.metrics.polls.labels(channel.name, "ok").inc()
        self._context.metrics.malformed.labels(channel.name).inc(page.malformed)
        if channel.failures:
            log.info("channel recovered", channel=channel.name, failures=channel.failures)
            channel.failures = 0
        if saved.new:
            self._context.metrics.ingested.labels(channel.name).inc(saved.new)
            log.info("comments ingested", channel=channel.name, new=saved.new, known=saved.known)
            self._on_new()

    async def _remember_account(self, channel: Channel, connection: Connection) -> None:
        account, longest = connection.account, connection.capabilities.max_reply_chars
        flat = connection.capabilities.reply_depth == "thread"
        quota, gap_s = connection.capabilities.quota, connection.capabilities.min_reply_gap_s
        known = (
            channel.account_id, channel.account_name, channel.can, channel.max_reply_chars, channel.flat_threads,
            channel.quota, channel.reply_gap_s,
        )  # fmt: skip
        if known == (
            account.id,
            account.name,
            dict(account.can),
            longest,
            flat,
            budgets.as_row(quota),
            gap_s,
        ):
            return
        await self._context.ledger.awrite(
            channels.known_as,
            channel.id or 0,
            account_id=account.id,
            account_name=account.name,
            can=account.can,
            max_reply_chars=longest,
            flat_threads=flat,
            quota=quota,
            reply_gap_s=gap_s,
        )

    async def _failed(self, channel: Channel, error: AdapterError) -> None:
        now, message = self._context.clock(), str(error)
        self._context.metrics.polls.labels(channel.name, type(error).__name__).inc()
        if isinstance(error, ReauthRequired | AccountRestricted):
            await self._context.ledger.awrite(
                channels.restrict,
                channel.id or 0,
                error=message,
                now=now,
                to_connect=isinstance(error, ReauthRequired),
            )
        failures = await self._context.ledger.awrite(
            polling.poll_failed,
            channel_id=channel.id or 0,
            owner=channel.poll_owner or "",
            error=message,
            now=now,
            retry_at=self._retry_at(channel, error, now),
        )
        if failures == 1:
            log.warning("poll failed", channel=channel.name, error=message, kind=type(error).__name__)

    def _retry_at(self, channel: Channel, error: AdapterError, now: datetime) -> datetime:
        if isinstance(error, QuotaExhausted):
            return error.resets_at
        if isinstance(error, RateLimited):
            return now + timedelta(seconds=error.retry_after)
        longest = self._context.settings.retry_max_s
        wait = (
            longest
            if isinstance(error, Permanent)
            else backoff(channel.failures + 1, self._context.settings.retry_s, longest)
        )
        return now + timedelta(seconds=wait)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # The lease ends by itself and the channel is polled again.
            log.error("poll broke off", task=task.get_name(), error=str(error), exc_info=error)


def _polled(connection: Connection) -> int:
    return 0 if connection.meter is None else connection.meter.polled
