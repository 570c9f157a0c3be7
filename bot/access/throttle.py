"""How long whoever failed has to wait before the next try: nothing at first, then twice as long after each failure."""

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Final

WINDOW: Final = timedelta(hours=1)
"""How long a failure counts."""
SLACK: Final = timedelta(minutes=5)
"""How far clocks may differ. What lies further in the future was written by a clock that has jumped, and counts for
nothing: neither does it lock anybody out, nor keep anything alive."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How many failures cost nothing, and the longest wait."""

    free: int
    longest: timedelta


BY_ADDRESS: Final = Limit(free=10, longest=timedelta(minutes=15))
BY_NAME: Final = Limit(free=5, longest=timedelta(minutes=1))
"""For a name, from wherever it has not logged in before: short, as strangers can cause it."""
BY_TOKEN: Final = Limit(free=20, longest=timedelta(minutes=5))


@dataclass(frozen=True, slots=True)
class Failures:
    """What failed within `WINDOW`."""

    number: int
    last: datetime | None


def wait_s(failures: Failures, limit: Limit, now: datetime) -> int:
    """Whole seconds until the next try; 0: now."""
    if failures.number < limit.free or failures.last is None:
        return 0
    doublings = min(failures.number - limit.free + 1, 30)
    pause = min(timedelta(seconds=2**doublings), limit.longest)
    return max(0, ceil((min(failures.last, now) + pause - now).total_seconds()))


def bucket(address: str) -> str:
    """Whom an address is counted as: one household or server has a whole /64 of IPv6 addresses."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((known, 64), strict=False))
    return address
