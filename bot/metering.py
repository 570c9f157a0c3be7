"""Counts the units that calls of an adapter use, and remembers when a platform says that none are left."""

from collections.abc import Awaitable
from datetime import datetime
from typing import TypeVar

import structlog

from adapters.base import Clock, Metered, Quota
from adapters.errors import QuotaExhausted
from bot.planning import day_of, days_until
from bot.store import budgets
from bot.store.ledger import Ledger, LedgerUnavailable

T = TypeVar("T")

log = structlog.get_logger()


class Meter:
    """Of one open adapter; `budget` is the name of what it spends."""

    def __init__(self, adapter: Metered, quota: Quota, budget: str, *, ledger: Ledger, clock: Clock) -> None:
        self.quota = quota
        self.budget = budget
        self.polled = 0
        """Units of polls, as far as nothing else ran beside them."""
        self._adapter = adapter
        self._ledger = ledger
        self._clock = clock
        self._running = 0
        self._mixed = False
        self._unwritten = 0

    async def counted(self, call: Awaitable[T], *, polls: bool = False) -> T:
        """What `call` gives, its units written down; raises what it raises."""
        self._running += 1
        self._mixed = self._mixed or self._running > 1
        try:
            return await call
        except QuotaExhausted as error:
            await self._use_up(error.resets_at)
            raise
        finally:
            units = self._adapter.take_units()
            self.polled += units if polls and not self._mixed else 0
            self._running -= 1
            self._mixed = self._mixed and self._running > 0
            await self._write(units)

    async def _write(self, units: int) -> None:
        """What cannot be written now is written with the next call: a call's result is worth more than its count."""
        self._unwritten += units
        if not self._unwritten:
            return
        given, self._unwritten = self._unwritten, 0
        try:
            day = day_of(self.quota, self._clock())
            await self._ledger.awrite(budgets.add_units, self.budget, day, given)
        except LedgerUnavailable as error:
            self._unwritten += given
            log.warning("units could not be counted yet", budget=self.budget, units=given, error=str(error))

    async def _use_up(self, until: datetime) -> None:
        # By a clock that runs ahead of the platform's, a new day may have begun here alone: that one is not used up.
        days = [
            day
            for day in days_until(self.quota, self._clock(), until)
            if until > day.begins + (day.ends - day.begins) / 2
        ]
        log.warning("the platform's budget is used up", budget=self.budget, until=until.isoformat())
        await self._ledger.awrite(budgets.use_up, self.budget, days, self.quota.units)
