"""When replies go out, and how often a platform is polled, so that its budget for the day lasts. Pure.

A platform with an `adapters.base.Quota` gives so many units from one reset to the next. Part of them is kept for polls,
less and less as the day goes by; replies may use the rest. What does not fit waits for the reset.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from adapters.base import Quota
from adapters.text import MAX_COUNT
from bot.opening import Week, next_opening

MOST_FOR_POLLS = 0.5
"""Of a day's units: however dear polls are, there is something left to answer with."""
_LIKES_BITS, _DAY_BITS = 31, 21
_HOUR = timedelta(hours=1)
_DAYS_AHEAD = 400
"""No plan looks further: a budget of one reply a day and a thousand waiting ones tell nobody a useful date."""


@dataclass(frozen=True, slots=True)
class Day:
    """From one reset of a platform's budget to the next."""

    name: str
    """The platform's date at which it begins, such as 2026-11-20."""
    begins: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class PollShare:
    """What polls are to have of a day's units: the greater of the two."""

    share: float
    """Part of the units, whoever polls."""
    every_s: float
    """As many units as polls in this interval need."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A reply that is ready to go out."""

    comment_id: int
    due_at: datetime
    by_person: bool
    """A person approved it: opening hours do not hold it back."""


@dataclass(frozen=True, slots=True)
class Affordable:
    """How many replies a budget pays for."""

    quota: Quota
    today: int
    a_day: int
    """On each day after the next reset."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What keeps the replies of one channel apart."""

    starts_at: datetime
    """The channel sends nothing before."""
    gap_s: float = 0.0
    max_per_hour: int | None = None
    tried: tuple[datetime, ...] = ()
    """When replies of the last hour were tried, oldest first."""
    week: Week | None = None
    time_zone: str = "UTC"
    affordable: Affordable | None = None
    """None: the platform counts no units."""


def day_of(quota: Quota, now: datetime) -> Day:
    """The platform's day at `now`; days are as long as its clock makes them, 23 or 25 hours where that is changed."""
    zone = ZoneInfo(quota.zone)
    today = now.astimezone(zone).date()
    begins = _reset_on(quota, zone, today)
    if begins > now:
        today -= timedelta(days=1)
        begins = _reset_on(quota, zone, today)
    return Day(today.isoformat(), begins, _reset_on(quota, zone, today + timedelta(days=1)))


def days_until(quota: Quota, now: datetime, until: datetime) -> list[Day]:
    """The present day, and those after it that begin before `until`; at most a week."""
    days = [day_of(quota, now)]
    while days[-1].ends < until and len(days) < 7:
        days.append(day_of(quota, days[-1].ends))
    return days


def _reset_on(quota: Quota, zone: ZoneInfo, day: date) -> datetime:
    # Of a wall time that comes twice the first counts; one that does not exist is as far after the change.
    return datetime.combine(day, quota.resets_at, tzinfo=zone).astimezone(UTC)


def reply_cost(quota: Quota) -> int:
    """Units of one reply, with the look into the thread before it."""
    return max(1, quota.reply_units + quota.poll_units)


def kept_for_polls(quota: Quota, now: datetime, polls: PollShare, channels: int = 1) -> float:
    """Units that the rest of the day's polls are to have, when so many `channels` use the budget."""
    day = day_of(quota, now)
    needed = max(1, channels) * quota.poll_units * 86_400 / polls.every_s
    whole = min(max(polls.share * quota.units, needed), MOST_FOR_POLLS * quota.units)
    return whole * ((day.ends - now) / (day.ends - day.begins))


def affordable(
    quota: Quota, used: int, now: datetime, polls: PollShare, *, channels: int = 1, on_their_way: int = 0
) -> Affordable:
    """How many replies may still go out, `on_their_way` ones not counted as used yet."""
    day, cost = day_of(quota, now), reply_cost(quota)
    free = quota.units - used - math.ceil(kept_for_polls(quota, now, polls, channels))
    whole = quota.units - math.ceil(kept_for_polls(quota, day.begins, polls, channels))
    return Affordable(quota, max(0, free // cost - on_their_way), max(0, whole // cost))


def poll_pause_s(
    quota: Quota, used: int, now: datetime, polls: PollShare, *, cost: int, channels: int = 1
) -> float:
    """Seconds until a channel whose last poll took `cost` units may be polled again; until the reset once no further
    poll can be paid. It grows when the units get short, and ends at the reset.
    """
    left_s = (day_of(quota, now).ends - now).total_seconds()
    left = quota.units - used
    if left < quota.poll_units:
        return left_s
    units = min(left, kept_for_polls(quota, now, polls, channels))
    one = max(cost, quota.poll_units) * max(1, channels)
    return min(left_s, left_s * one / units) if units > 0 else left_s


def turn(*, by_person: bool, question: bool, created_at: datetime, likes: int | None) -> int:
    """Whose turn it is to go out, the smallest number first: what a person approved, then questions, then what was
    written on an earlier day, then what more people like.
    """
    group = 2 * (not by_person) + (not question)
    unliked = MAX_COUNT - min(likes or 0, MAX_COUNT)
    return (group << _DAY_BITS | created_at.astimezone(UTC).toordinal()) << _LIKES_BITS | unliked


def delay(limits: Sequence[float] | None, key: str) -> timedelta:
    """How long a reply that goes out by itself waits first: drawn by its `key`, so that each drawing is the same."""
    if not limits:
        return timedelta(0)
    return timedelta(seconds=Random(key).uniform(*limits))  # noqa: S311


def plan(waiting: Sequence[Waiting], limits: Limits, now: datetime) -> dict[int, datetime | None]:
    """When each reply will go out, by comment; None where nothing lets it. `waiting` is in the order of its turns."""
    left, going = list(waiting), _Going(limits, now)
    told: dict[int, datetime | None] = {}
    while left:
        at = going.next_moment()
        if at is None or at > now + timedelta(days=_DAYS_AHEAD):
            return told | {one.comment_id: None for one in left}
        opens = next_opening(limits.week or {}, limits.time_zone, at)
        found = next((one for one in left if one.due_at <= at and (one.by_person or opens <= at)), None)
        if found is None:
            going.at = _first_due(left, limits, at)
            continue
        left.remove(found)
        told[found.comment_id] = at
        going.goes(at)
    return told


def _first_due(left: Sequence[Waiting], limits: Limits, at: datetime) -> datetime:
    by_person = [max(one.due_at, at) for one in left if one.by_person]
    by_policy = [max(one.due_at, at) for one in left if not one.by_person]
    if by_policy:
        by_policy = [next_opening(limits.week or {}, limits.time_zone, min(by_policy))]
    return min(by_person + by_policy)


class _Going:
    """The replies of a plan that have their moments, and when the next may have its own."""

    def __init__(self, limits: Limits, now: datetime) -> None:
        self.at = max(now, limits.starts_at)
        self._limits = limits
        self._tried = list(limits.tried)
        self._paid: dict[str, int] = {}
        given = limits.affordable
        if given is not None:
            self._paid[day_of(given.quota, now).name] = given.a_day - given.today

    def next_moment(self) -> datetime | None:
        """The first moment from `at` on that hourly limit and budget allow; None where there is none."""
        given, most = self._limits.affordable, self._limits.max_per_hour
        if most == 0 or (given is not None and not given.a_day and not given.today):
            return None
        at = self.at
        for _ in range(_DAYS_AHEAD):
            if most is not None and len(self._tried) >= most:
                at = max(at, self._tried[-most] + _HOUR)
            if given is None or self._paid.get(day_of(given.quota, at).name, 0) < given.a_day:
                return at
            at = day_of(given.quota, at).ends
        return None

    def goes(self, at: datetime) -> None:
        self._tried.append(at)
        if self._limits.affordable is not None:
            name = day_of(self._limits.affordable.quota, at).name
            self._paid[name] = self._paid.get(name, 0) + 1
        self.at = at + timedelta(seconds=self._limits.gap_s)
