"""Times as exports and pages write them, in Chinese and in English."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Final

from adapters.text import EARLIEST, LATEST, parse_time

AHEAD: Final = timedelta(days=1)
"""What lies further in the future is no time of a comment."""
MOST_CHARS: Final = 64


@dataclass(frozen=True, slots=True)
class When:
    """When a comment was written."""

    at: datetime
    exact: bool
    """Read again tomorrow, the same words give the same moment, to the minute."""


_CLOCK: Final = r"(?P<hour>\d{1,2})[:：](?P<minute>\d{2})(?:[:：](?P<second>\d{2})(?:\.\d{1,6})?)?"
_DATE: Final = r"(?:(?P<year>\d{4})[-/.年])?(?P<month>\d{1,2})[-/.月](?P<day>\d{1,2})日?"
_DAYS_AGO: Final = {"今天": 0, "today": 0, "昨天": 1, "昨日": 1, "yesterday": 1, "前天": 2}
# What a page adds: that it was edited, or where from it was written.
_AROUND: Final = re.compile(r"^(?:编辑于|发布于|edited)\s*|(?<=[\d前刚天])\s+(?:来自|from\s)?[^\W\d]{1,20}$")
_NAMED: Final = re.compile(rf"(?P<name>{'|'.join(_DAYS_AGO)})\s*(?:{_CLOCK})?", re.IGNORECASE)
_DATED: Final = re.compile(rf"{_DATE}(?:[\sT]*{_CLOCK})?")
_ONLY_CLOCK: Final = re.compile(_CLOCK)
_AGO: Final = re.compile(
    r"(?P<number>\d{1,4})\s*(?P<unit>秒钟?|分钟?|小时|天|周|个?月|年|seconds?|minutes?|mins?|hours?|days?|weeks?|"
    r"months?|years?)\s*(?:前|之前|ago)",
    re.IGNORECASE,
)
_NOW: Final = re.compile(r"刚刚|刚才|just now|now", re.IGNORECASE)
_UNITS: Final = (
    (("秒", "sec"), timedelta(seconds=1)),
    (("分", "min"), timedelta(minutes=1)),
    (("小时", "hour"), timedelta(hours=1)),
    (("天", "day"), timedelta(days=1)),
    (("周", "week"), timedelta(weeks=1)),
    (("月", "个月", "month"), timedelta(days=30)),
    (("年", "year"), timedelta(days=365)),
)


def parse_when(value: object, now: datetime, zone: tzinfo) -> When:
    """Epoch seconds, milli- or microseconds, a date with or without a clock, `昨天 18:30`, `3 hours ago`.

    `now` is the moment of the import (aware), `zone` what times without one are in. Raises ValueError.
    """
    try:
        when = _read(value, now.astimezone(zone))
        if not EARLIEST <= when.at <= LATEST:
            raise ValueError(f"is not between {EARLIEST.year} and {LATEST.year}")
    except OverflowError as error:
        raise ValueError("is out of range") from error
    if when.at > now + AHEAD:
        raise ValueError("lies in the future")
    return When(when.at.astimezone(EARLIEST.tzinfo), when.exact)


def _read(value: object, here: datetime) -> When:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"is a {type(value).__name__}")
    if not isinstance(value, str):
        return When(parse_time(_seconds(value)), exact=True)
    text = value.strip().lstrip("'").strip()
    if not 0 < len(text) <= MOST_CHARS:
        raise ValueError("is empty" if not text else "is too long")
    if text.isascii() and text.replace(".", "", 1).isdigit() and len(text) >= 9:
        return When(parse_time(_seconds(float(text))), exact=True)
    bare = _AROUND.sub("", _AROUND.sub("", text)).strip()
    return _in_words(text, here) or _in_words(bare, here) or _iso(text, here)


def _in_words(text: str, here: datetime) -> When | None:
    return _ago(text, here) or _named(text, here) or _dated(text, here)


def _seconds(value: float) -> float:
    for factor in (1, 1_000, 1_000_000):
        if value / factor < 1e11:
            return value / factor
    raise ValueError("is out of range")


def _ago(text: str, here: datetime) -> When | None:
    if _NOW.fullmatch(text):
        return When(here, exact=False)
    found = _AGO.fullmatch(text)
    if found is None:
        return None
    unit = found["unit"].lower()
    length = next(length for words, length in _UNITS if unit.startswith(words))
    return When(here - int(found["number"]) * length, exact=False)


def _named(text: str, here: datetime) -> When | None:
    found = _NAMED.fullmatch(text)
    if found is None:
        return None
    day = here - timedelta(days=_DAYS_AGO[found["name"].lower()])
    return When(_at(day, found), exact=True) if found["hour"] else When(day, exact=False)


def _dated(text: str, here: datetime) -> When | None:
    found = _ONLY_CLOCK.fullmatch(text)
    if found is not None:
        at = _at(here, found)
        return When(at if at <= here + timedelta(minutes=10) else at - timedelta(days=1), exact=True)
    found = _DATED.fullmatch(text)
    if found is None:
        return None
    year = int(found["year"] or here.year)
    day = here.replace(day=1, year=year, month=int(found["month"])).replace(day=int(found["day"]))
    if not found["year"] and day > here + AHEAD:
        # 12-30, read in January.
        day = day.replace(year=year - 1)
    return When(_at(day, found), exact=True)


def _at(day: datetime, found: re.Match[str]) -> datetime:
    hour, minute, second = (int(found[name] or 0) for name in ("hour", "minute", "second"))
    return day.replace(hour=hour, minute=minute, second=second, microsecond=0, fold=0)


def _iso(text: str, here: datetime) -> When:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError("is in no form that is known") from error
    return When(at if at.tzinfo is not None else at.replace(tzinfo=here.tzinfo), exact=True)
