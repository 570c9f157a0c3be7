"""Keeps count of how many waiting comments ask the same, so that what many ask stands first in the queue."""

import asyncio
from collections.abc import Iterable
from time import monotonic

from bot.store import similar
from bot.store.ledger import Ledger
from bot.store.similar import Waiting
from bot.unanswered import topics

EVERY_S = 5.0
"""How often to look whether anything has changed."""
SHARE = 20
"""What takes long is done less often: at most 1/20 of the time goes into it."""


class Sorter:
    """One process's share: the counting is the same wherever it is done."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._seen: tuple[int, int] | None = None
        self._not_before = 0.0

    async def tick(self) -> None:
        """Count again if what waits has changed. Raises LedgerError."""
        began = monotonic()
        if began < self._not_before:
            return
        seen = await self._ledger.aread(similar.mark)
        if seen != self._seen:
            found = await self._ledger.aread(similar.waiting)
            changed = await asyncio.to_thread(changes, found)
            await self._ledger.awrite(similar.set_similar, changed)
            self._seen = seen
        ended = monotonic()
        self._not_before = ended + max(EVERY_S, SHARE * (ended - began))


def changes(found: Iterable[Waiting]) -> dict[int, int]:
    """Comments whose number is another now."""
    return {
        one.id: topic.count for topic in topics(found) for one in topic.comments if one.similar != topic.count
    }
