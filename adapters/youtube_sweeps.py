"""When to read older threads again, for late replies. Pure functions.

People answer under what is recent: pages near the front are read again more often than those far behind. Every depth
has an equal share of a day's units for it, and stays away for as long as its share takes to pay for the last time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from adapters.text import parse_time
from adapters.youtube_options import YouTubeOptions

DAY_S: Final = 86_400
DEPTHS: Final = (3, 12)
"""Pages of a hundred threads."""
WHOLE: Final = 0
"""Stands for `full_read_threads`."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """The last reading of a depth."""

    at: datetime
    units: int
    pages: int


def due(swept: Mapping[int, Sweep], now: datetime, options: YouTubeOptions) -> int | None:
    """The greatest depth whose time has come; None when there is none."""
    if not options.full_read_threads:
        return None
    whole = swept.get(WHOLE)
    if whole is None:
        return WHOLE
    depths = [WHOLE, *(depth for depth in reversed(DEPTHS) if depth * 2 <= whole.pages)]
    share = options.full_read_units / len(depths)
    for depth in depths:
        last = swept.get(depth, whole)
        if now - last.at >= timedelta(seconds=max(DAY_S * last.units / share, options.full_read_s)):
            return depth
    return None


def done(swept: Mapping[int, Sweep], depth: int, sweep: Sweep) -> dict[int, Sweep]:
    """`swept` after a sweep, which read what is less deep along the way."""
    along = [less for less in DEPTHS if depth == WHOLE or less < depth]
    return {**swept, **{less: Sweep(sweep.at, less, less) for less in along}, depth: sweep}


def load(saved: Iterable[Any]) -> dict[int, Sweep]:
    """From a cursor. Raises ValueError or TypeError."""
    return {int(depth): Sweep(parse_time(at), int(units), int(pages)) for depth, at, units, pages in saved}


def dump(swept: Mapping[int, Sweep]) -> list[list[Any]]:
    return [[depth, one.at.isoformat(), one.units, one.pages] for depth, one in swept.items()]
