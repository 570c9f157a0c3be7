"""Looks how our replies were taken: likes, the creator's heart, questions that follow, removal by the platform.

Weak signals, kept apart from verdicts. A reply is looked at four times, see `bot.store.signals.AGES`, by asking the
platform for our replies to its comment. A look that fails is spent: nothing hangs on it, and nobody is told but the
log. Polling does the rest of a platform's work; this takes one request a channel now and then.
"""

import asyncio
from datetime import UTC, datetime, timedelta

import structlog

from adapters.base import ReplyRef
from adapters.errors import AdapterError, QuotaExhausted, RateLimited, TargetGone
from bot.context import Context
from bot.intents import classify
from bot.store import budgets, signals
from bot.store.signals import Look

log = structlog.get_logger()

AT_ONCE = 3
"""Looks a tick, each on another channel."""
GAP = timedelta(seconds=30)
"""From one look on a channel to the next."""
REST = timedelta(minutes=10)
"""After a look that failed."""


class Signals:
    """One process's share of the looking."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._rests: dict[int, datetime] = {}
        """Until when a channel is left alone, by its id."""
        self._next = datetime.min.replace(tzinfo=UTC)
        """When to ask the ledger again; asking takes its only writer's turn, and scans the replies of some days."""

    async def tick(self) -> None:
        """Look at the few replies that are due; returns when that is done."""
        now = self._context.clock()
        if now < self._next:
            return
        self._rests = {channel: until for channel, until in self._rests.items() if until > now}
        short = await self._context.ledger.aread(budgets.short, now=now, polls=self._context.polls)
        looks = await self._context.ledger.awrite(
            signals.claim, now=now, resting=frozenset(self._rests), limit=AT_ONCE, short=short
        )
        if not looks:
            self._next = now + GAP
        for look in looks:
            self._rests[look.channel.id or 0] = now + GAP
        await asyncio.gather(*(self._look(look) for look in looks))

    async def _look(self, look: Look) -> None:
        try:
            found = await self._ask(look)
        except TargetGone:
            found = None  # with its comment our reply goes, too: that says nothing about the reply
        except AdapterError as error:
            self._rests[look.channel.id or 0] = _rested(error, self._context.clock())
            log.info("a reply could not be looked at", channel=look.channel.name, error=str(error))
            return
        ours = next((one for one in found or () if one.id == look.platform_id), None)
        answers = await self._context.ledger.aread(signals.answers_to, look)
        await self._context.ledger.awrite(
            signals.save_look,
            look,
            shown=_shown(ours) | {"follow_up": sum(classify(text) == "question" for text in answers)},
            missing=None if found is None else ours is None,
            now=self._context.clock(),
        )

    async def _ask(self, look: Look) -> list[ReplyRef] | None:
        """Our replies to the comment; None where the platform cannot be asked. Raises AdapterError."""
        connection = await self._context.connections.get(look.channel)
        if not connection.capabilities.can_find_own:
            return None
        return await connection.call(
            lambda: connection.adapter.find_own_replies(look.target, look.target.created_at)
        )


def _shown(ours: ReplyRef | None) -> dict[str, int]:
    """What the platform says; what it does not say is left out."""
    if ours is None:
        return {}
    shown = {"likes": ours.likes, "heart": None if ours.hearted is None else int(ours.hearted)}
    return {kind: value for kind, value in shown.items() if value is not None}


def _rested(error: AdapterError, now: datetime) -> datetime:
    if isinstance(error, QuotaExhausted):
        return error.resets_at
    if isinstance(error, RateLimited):
        return now + max(REST, timedelta(seconds=error.retry_after))
    return now + REST
