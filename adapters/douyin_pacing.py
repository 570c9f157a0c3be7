"""Which videos are due for a look. Pure.

A video is read every `shortest_s` while it is talked about, and less often the longer it is quiet. Where all that would
cost more than the day's share of the quota, all wait longer by the same factor, so that none is forgotten.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How reading is planned."""

    shortest_s: float
    longest_s: float
    quiet_s: float
    calls: float
    """For reading, a day."""
    full_calls: float
    """What the full reads of one video cost a day."""


@dataclass(frozen=True, slots=True)
class Seen:
    """When a video was read last, and when its newest comment was written: epoch seconds."""

    read: float
    newest: float


def interval(seen: Seen, now: float, pace: Pace) -> float:
    """Seconds between two looks, were the quota no matter."""
    quiet = max(1.0, (now - seen.newest) / pace.quiet_s)
    return min(max(pace.longest_s, pace.shortest_s), pace.shortest_s * quiet)


def stretch(intervals: Sequence[float], pace: Pace) -> float:
    """The factor, 1 or more, by which all wait longer for the quota's sake."""
    looks = sum(DAY_S / max(wait, 1.0) for wait in intervals)
    room = max(pace.calls - len(intervals) * pace.full_calls, pace.calls / 10)
    return max(1.0, looks / room)


def due(items: Sequence[str], seen: Mapping[str, Seen], now: float, pace: Pace) -> list[str]:
    """The videos to read now: those never read first, then whichever has waited longest for its own measure."""
    waits = {item: interval(seen[item], now, pace) for item in items if item in seen}
    factor = stretch(list(waits.values()), pace)
    overdue = {item: _overdue(now - seen[item].read, wait * factor) for item, wait in waits.items()}
    fresh = [item for item in items if item not in seen]
    ready = [item for item in overdue if overdue[item] >= 1.0]
    return fresh + sorted(ready, key=lambda item: -overdue[item])


def _overdue(waited: float, wait: float) -> float:
    # A clock that was set back must not keep a video unread.
    if waited < 0 or wait <= 0:
        return 1.0
    return waited / wait
