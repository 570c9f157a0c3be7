"""A channel's opening hours: how they are written, and when it opens next. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import get_args
from zoneinfo import ZoneInfo

from bot.tools.settings import Day, checked_span, parse_span

DAYS: tuple[Day, ...] = get_args(Day)

Week = Mapping[Day, Sequence[str]]
"""The spans of each weekday, such as 09:00-18:00; a day that is left out is closed. Empty: always open."""


def next_opening(week: Week, time_zone: str, now: datetime) -> datetime:
    """`now` while it is open, else the moment of the next opening, in UTC.

    Hours are those of the wall clock in `time_zone`: where the clocks change, an opening that does not exist begins
    with the hour after it, and of an hour that comes twice the first one counts.
    """
    moment = now.astimezone(UTC)
    if not any(week.values()):
        return moment
    zone = ZoneInfo(time_zone)
    today = now.astimezone(zone).date()
    # From yesterday, whose last span may end today, over two weeks: where the clocks change, the week's only span may
    # not exist.
    days = (today + timedelta(days=number) for number in range(-1, 16))
    openings = [(start, end) for day in days for start, end in _openings(week, day, zone) if start < end]
    if any(start <= moment < end for start, end in openings):
        return moment
    return min(start for start, _ in openings if start > moment)


def parse_week(texts: Iterable[str]) -> dict[Day, list[str]]:
    """`DAYS=SPANS` texts as a week: mon-fri=09:00-12:00,13:00-18:00, sat=10:00-14:00, daily=09:00-22:00.

    A day that is named twice has the spans of both. Raises ValueError with one line.
    """
    week: dict[Day, list[str]] = {}
    for text in texts:
        days, equals, spans = text.partition("=")
        if not equals:
            raise ValueError(f"{text!r} is no opening time; write mon-fri=09:00-18:00")
        for day in _days(days.strip().lower()):
            week.setdefault(day, []).extend(parse_spans(spans))
    return {day: week[day] for day in DAYS if week.get(day)}


def parse_spans(text: str) -> list[str]:
    """`09:00-12:00, 13:00-18:00` as a list; empty for an empty text. Raises ValueError with one line."""
    pieces = text.replace("，", ",").replace("–", "-").split(",")
    return [checked_span(piece.strip()) for piece in pieces if piece.strip()]


def _days(text: str) -> list[Day]:
    if text == "daily":
        return list(DAYS)
    first, _, last = text.partition("-")
    places = {str(day): place for place, day in enumerate(DAYS)}
    for name in (first, last or first):
        if name not in places:
            raise ValueError(f"{name!r} is no day; write {', '.join(DAYS)}, mon-fri, or daily")
    start, length = places[first], (places[last or first] - places[first]) % 7
    return [DAYS[(start + number) % 7] for number in range(length + 1)]


def _openings(week: Week, day: date, zone: ZoneInfo) -> list[tuple[datetime, datetime]]:
    spans = [parse_span(text) for text in week.get(DAYS[day.weekday()], ())]
    return [(_moment(day, start, zone), _moment(day, end, zone)) for start, end in spans]


def _moment(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    wall = datetime.combine(day, datetime.min.time(), tzinfo=zone) + timedelta(minutes=minutes)
    return wall.astimezone(UTC)
