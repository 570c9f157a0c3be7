"""How the work went over days: what came in and became of it, how long replies took, what people thought. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import lru_cache
from itertools import pairwise
from typing import Final

from bot.digest import PART, PARTS
from bot.models import State
from bot.reasons import Reason
from bot.store.dashboard import Came, Day, Drafted, Opinion

MOST_EDITS: Final = 100
"""Edits of one figure that are measured, spread evenly over them: measuring takes 0.3 ms for each."""
MOST_CHARS: Final = 2_000
_HELD_BY_RULES: Final = frozenset({Reason.GROUNDED, Reason.NOT_OPENED, Reason.NOT_IN_DOCUMENTS})
"""Decisions that depend on nothing but intents and threshold."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What people thought of drafts."""

    approved: int = 0
    edited: int = 0
    rejected: int = 0
    change: float | None = None
    """Mean part of a draft, 0 to 1, that was changed before it was sent; 0 for one that was approved as it stood.
    None where none was sent."""

    @property
    def total(self) -> int:
        return self.approved + self.edited + self.rejected

    @property
    def rate(self) -> float | None:
        """Part that was approved as it stood, 0 to 1; None where nothing was judged."""
        return self.approved / self.total if self.total else None


@dataclass(frozen=True, slots=True)
class Stretch:
    """A day or several."""

    start: datetime
    parts: Mapping[str, int]
    """How many comments that came in then are now in each of `bot.digest.PARTS`; they add up."""
    skipped: Mapping[str, int]
    """Those that were skipped, by reason."""
    p50: float | None
    """Median of the seconds from a comment's coming in to its reply; None where nothing was sent."""
    p95: float | None
    judged: Judged

    @property
    def comments(self) -> int:
        return sum(self.parts.values())


@dataclass(frozen=True, slots=True)
class Overview:
    """The last of `days` is today."""

    days: tuple[Stretch, ...]
    whole: Stretch
    voices: Mapping[str, Judged]
    """Of each voice; the empty name stands for drafts without one."""


def local_days(now: datetime, number: int, zone: tzinfo | None = None) -> list[tuple[datetime, datetime]]:
    """Start and end, in UTC, of the last `number` days, today the last. None: the zone of this machine."""
    today = now.astimezone(zone).date()
    dates = [today - timedelta(days=back) for back in range(number - 1, -2, -1)]
    starts = [datetime.combine(date, time(), tzinfo=zone).astimezone(UTC) for date in dates]
    return list(pairwise(starts))


def overview(days: Sequence[Day], channel_id: int | None = None) -> Overview:
    """The figures of one channel, or of all."""
    stretches = tuple(_stretch([day], channel_id) for day in days)
    opinions = _opinions(days, channel_id)
    names = sorted({one.voice or "" for one in opinions})
    voices = {name: judged([one for one in opinions if (one.voice or "") == name]) for name in names}
    return Overview(stretches, _stretch(days, channel_id), voices)


def _stretch(days: Sequence[Day], channel_id: int | None) -> Stretch:
    came: Counter[Came] = Counter()
    for day in days:
        came.update({key: number for key, number in day.came.items() if channel_id in (None, key[0])})
    waits = sorted(seconds for day in days for channel, seconds in day.waits if channel_id in (None, channel))
    return Stretch(
        start=days[0].start,
        parts=_parts(came),
        skipped=_skipped(came),
        p50=percentile(waits, 0.5),
        p95=percentile(waits, 0.95),
        judged=judged(_opinions(days, channel_id)),
    )


def _parts(came: Mapping[Came, int]) -> dict[str, int]:
    counted = dict.fromkeys(PARTS, 0)
    for (_, state, _), number in came.items():
        counted[PART.get(state, "waiting")] += number
    return counted


def _skipped(came: Mapping[Came, int]) -> dict[str, int]:
    reasons: Counter[str] = Counter()
    for (_, state, reason), number in came.items():
        if state is State.SKIPPED:
            reasons[reason] += number
    return dict(reasons.most_common())


def percentile(ordered: Sequence[float], part: float) -> float | None:
    """The least value that at least `part` (0 to 1) of `ordered` do not exceed; None where there is none."""
    if not ordered:
        return None
    place = -int(-part * len(ordered) // 1) - 1
    return ordered[min(max(place, 0), len(ordered) - 1)]


def _opinions(days: Iterable[Day], channel_id: int | None) -> list[Opinion]:
    return [one for day in days for one in day.opinions if channel_id in (None, one.channel_id)]


def judged(opinions: Iterable[Opinion]) -> Judged:
    """Each draft counts once: rejected before edited before approved."""
    worst: dict[int, Opinion] = {}
    order = ("approve", "edit", "reject")
    for one in opinions:
        known = worst.get(one.draft_id)
        if known is None or order.index(one.kind) > order.index(known.kind):
            worst[one.draft_id] = one
    kinds = Counter(one.kind for one in worst.values())
    edited = [one for one in worst.values() if one.kind == "edit"]
    return Judged(kinds["approve"], kinds["edit"], kinds["reject"], _mean_change(edited, kinds["approve"]))


def _mean_change(edited: Sequence[Opinion], approved: int) -> float | None:
    if not edited:
        return 0.0 if approved else None
    sample = edited[:: -(-len(edited) // MOST_EDITS)]
    mean = sum(change(one.draft, one.text) for one in sample) / len(sample)
    return mean * len(edited) / (len(edited) + approved)


@lru_cache(maxsize=4096)
def change(before: str, after: str) -> float:
    """Part of the longer text, 0 to 1, that has to be changed to make one into the other (Levenshtein).

    Of each text the first `MOST_CHARS` characters count.
    """
    first, second = before.strip()[:MOST_CHARS], after.strip()[:MOST_CHARS]
    longest = max(len(first), len(second))
    return edits(first, second) / longest if longest else 0.0


def edits(first: str, second: str) -> int:
    """Characters to insert, delete or replace. Myers 1999 in the form of Hyyrö 2003, a column of the table in one
    number: a few hundred operations where a table needs tens of thousands."""
    if not first:
        return len(second)
    places: dict[str, int] = {}
    for place, char in enumerate(first):
        places[char] = places.get(char, 0) | 1 << place
    every, last = (1 << len(first)) - 1, 1 << (len(first) - 1)
    more, less, distance = every, 0, len(first)
    for char in second:
        match = places.get(char, 0)
        same = (((match & more) + more) ^ more) | match | less
        up, down = less | (every & ~(same | more)), more & same
        distance += bool(up & last) - bool(down & last)
        up, down = up << 1 | 1, down << 1
        more, less = (down | ~(same | up)) & every, up & same & every
    return distance


def would_send(drafts: Iterable[Drafted], intents: Iterable[str], least: float) -> int:
    """How many of the drafts would have gone out by themselves under other rules.

    Only what rests on documents is counted: replies that rest on a tool depend on more than the threshold.
    """
    opened = frozenset(intents)
    return sum(
        draft.rests
        and not draft.findings
        and draft.reason in _HELD_BY_RULES
        and draft.intent in opened
        and draft.support >= least
        for draft in drafts
    )
