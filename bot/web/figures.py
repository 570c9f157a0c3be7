"""The figures of the overview, gathered at most every few seconds however many people look."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
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
DAYS_KEPT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Figures:
    """What the overview tells of some days, for one channel or for all."""

    overview: Overview
    in_vain: Sequence[Topic[Unanswered]]
    """What was asked and is not in the documents, the topic that is asked most first."""
    quotas: Sequence[Quota]


class FiguresReader:
    """Counts, and keeps what was counted for a while."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._days = Kept(self._read_days, DAYS_KEPT_S)
        self._vain = Kept(self._read_vain, DAYS_KEPT_S)
        self._quotas = Kept(self._read_quotas, KEPT_S)
        self._measured: dict[tuple[int, int | None], Kept[tuple[Overview, list[Topic[Unanswered]]]]] = {}

    async def figures(self, days: int, channel: tuple[int, str] | None) -> Figures:
        """`days` is one of `PERIODS`, `channel` a known channel's number and name. Raises LedgerError."""
        key = (days, channel[0] if channel is not None else None)
        kept = self._measured.setdefault(key, Kept(partial(self._measure, days, channel), DAYS_KEPT_S))
        seen, in_vain = await kept.get()
        quotas = [one for one in await self._quotas.get() if channel is None or one.channel == channel[1]]
        return Figures(seen, in_vain, quotas)

    async def _measure(
        self, days: int, channel: tuple[int, str] | None
    ) -> tuple[Overview, list[Topic[Unanswered]]]:
        found, vain = (await self._days.get())[-days:], await self._vain.get()
        return await asyncio.to_thread(_measured, found, vain, channel)

    async def _read_days(self) -> list[Day]:
        spans = local_days(self._clock(), max(PERIODS))
        return await self._ledger.aread(dashboard.days, spans)

    async def _read_vain(self) -> list[Unanswered]:
        [(start, _), *_] = local_days(self._clock(), max(PERIODS))
        return await self._ledger.aread(dashboard.asked_in_vain, since=start)

    async def _read_quotas(self) -> list[Quota]:
        return await self._ledger.aread(dashboard.quotas, now=self._clock())


def _measured(
    days: Sequence[Day], vain: Sequence[Unanswered], channel: tuple[int, str] | None
) -> tuple[Overview, list[Topic[Unanswered]]]:
    number, name = channel if channel is not None else (None, None)
    asked = [one for one in vain if one.at >= days[0].start and name in (None, one.channel)]
    return overview(days, number), topics(asked)
