"""The figures of the overview, gathered at most every few seconds however many people look."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from adapters.base import Clock
from bot.overview import Overview, local_days, overview
from bot.store import dashboard
from bot.store.dashboard import Day, Quota
from bot.store.ledger import Ledger
from bot.store.unanswered import Unanswered
from bot.unanswered import Topic, topics
from bot.web.glance import KEPT_S, Kept

PERIODS: Final = (7, 30)
"""Days that can be looked at."""
PAST_KEPT_S: Final = 60.0
"""Of a day that is over; twice as long for the day before it, and so on."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a reader looks at."""

    days: int
    number: int | None = None
    name: str | None = None
    """Of the channel; None: all of them."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What the overview tells of some days, for one channel or for all."""

    overview: Overview
    in_vain: Sequence[Topic[Unanswered]]
    """What was asked and is not in the documents, the topic that is asked most first."""
    quotas: Sequence[Quota]


class FiguresReader:
    """Counts, and keeps what was counted: today for seconds, the days before it for minutes."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._days = Kept(self._read_days, KEPT_S)
        self._counted: dict[datetime, tuple[Day, datetime]] = {}
        """Each day by its start, and when it was counted."""
        self._vain = Kept(self._read_vain, PAST_KEPT_S)
        self._quotas = Kept(self._read_quotas, KEPT_S)
        self._overviews: dict[Choice, Kept[Overview]] = {}
        self._topics: dict[Choice, Kept[list[Topic[Unanswered]]]] = {}

    async def figures(self, days: int, channel: tuple[int, str] | None) -> Figures:
        """`days` is one of `PERIODS`, `channel` a known channel's number and name. Raises LedgerError."""
        choice = Choice(days, *(channel or (None, None)))
        seen = self._overviews.setdefault(choice, Kept(partial(self._overview, choice), KEPT_S))
        asked = self._topics.setdefault(choice, Kept(partial(self._group, choice), PAST_KEPT_S))
        quotas = [one for one in await self._quotas.get() if choice.name in (None, one.channel)]
        return Figures(await seen.get(), await asked.get(), quotas)

    async def _overview(self, choice: Choice) -> Overview:
        days = await self._days.get()
        return await asyncio.to_thread(overview, days[-choice.days :], choice.number)

    async def _group(self, choice: Choice) -> list[Topic[Unanswered]]:
        [(start, _), *_] = local_days(self._clock(), choice.days)
        asked = [
            one for one in await self._vain.get() if one.at >= start and choice.name in (None, one.channel)
        ]
        return await asyncio.to_thread(topics, asked)

    async def _read_days(self) -> list[Day]:
        """Today, and of the days before those whose time has come: less happens to them the older they are."""
        now = self._clock()
        spans = local_days(now, max(PERIODS))
        known = {start: self._counted[start] for start, _ in spans if start in self._counted}
        wanted = [span for span in spans if span[0] not in known or stale(*known[span[0]], now)]
        for day in await self._ledger.aread(dashboard.days, wanted):
            known[day.start] = (day, now)
        self._counted = known
        return [known[start][0] for start, _ in spans]

    async def _read_vain(self) -> list[Unanswered]:
        [(start, _), *_] = local_days(self._clock(), max(PERIODS))
        return await self._ledger.aread(dashboard.asked_in_vain, since=start)

    async def _read_quotas(self) -> list[Quota]:
        return await self._ledger.aread(dashboard.quotas, now=self._clock())


def stale(day: Day, counted_at: datetime, now: datetime) -> bool:
    """Whether to count the day again: one that is not over each time, the others the more seldom the older they are."""
    if day.end > counted_at:
        return True
    kept_s = PAST_KEPT_S * (1 + (counted_at - day.end).days)
    # A clock that was set back counts, too.
    return not 0 <= (now - counted_at).total_seconds() < kept_s
