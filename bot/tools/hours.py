"""Opening hours: whether it is open at a moment, and when it opens next."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bot.schema import Schema
from bot.tools.base import BadArguments
from bot.tools.settings import parse_span

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_AHEAD = 60
"""How many days are searched for the next opening."""
_SCHEMA: Schema = {
    "type": "object",
    "properties": {
        "at": {
            "type": "string",
            "description": "Local date or time that is asked about, 2026-03-01 or 2026-03-01T18:30; left out: now",
            "maxLength": 25,
        }
    },
}


class OpeningHours:
    """The tool; see `bot.tools.base.Tool`. `clock` returns the present moment, time-zone aware."""

    grounds = True

    def __init__(
        self,
        name: str,
        description: str,
        *,
        time_zone: str,
        week: Mapping[str, Sequence[str]],
        special: Mapping[date, Sequence[str]],
        clock: Callable[[], datetime],
    ) -> None:
        self.name, self.description = name, description
        self._zone, self._week, self._special, self._clock = ZoneInfo(time_zone), week, special, clock

    @property
    def schema(self) -> Schema:
        return _SCHEMA

    async def call(self, arguments: Mapping[str, Any]) -> str:
        now = self._clock().astimezone(self._zone)
        lines = [f"Now it is {_moment(now)}, {self._zone.key}."]
        asked = arguments.get("at")
        if asked is None:
            lines.append(self._state(now))
        else:
            lines += self._asked(str(asked))
        return "\n".join([*lines, self._usual()])

    def _asked(self, asked: str) -> list[str]:
        try:
            return self._about(asked)
        except OverflowError as error:
            raise BadArguments(
                f"at: {asked[:30]!r} lies where the calendar ends; ask about another day"
            ) from error

    def _about(self, asked: str) -> list[str]:
        try:
            moment = datetime.fromisoformat(asked.strip())
        except ValueError as error:
            raise BadArguments(f"at: {asked[:30]!r} is no date or time; write 2026-03-01T18:30") from error
        local = moment.replace(tzinfo=self._zone) if moment.tzinfo is None else moment.astimezone(self._zone)
        day = local.date()
        told = [f"On {_day(day)} it is {_listed(self._spans(day))}."]
        return told if len(asked.strip()) <= len("2026-03-01") else [*told, self._state(local)]

    def _state(self, moment: datetime) -> str:
        for start, end in self._openings(moment.date() - timedelta(days=1)):
            if start <= moment < end:
                return f"At {_moment(moment)} it is open, until {_moment(end)}."
            if start > moment:
                return (
                    f"At {_moment(moment)} it is closed; it opens on {_moment(start)}, until {_moment(end)}."
                )
        return f"At {_moment(moment)} it is closed, and no opening is known for the {_AHEAD} days after that."

    def _openings(self, first: date) -> Iterator[tuple[datetime, datetime]]:
        for day in (first + timedelta(days=number) for number in range(_AHEAD + 2)):
            for text in sorted(self._spans(day)):
                start, end = parse_span(text)
                yield self._at(day, start), self._at(day, end)

    def _at(self, day: date, minutes: int) -> datetime:
        later = day + timedelta(days=minutes // 1440)
        # Moments of one zone are compared by what the wall clock shows, which is what opening hours go by.
        return datetime(
            later.year, later.month, later.day, minutes % 1440 // 60, minutes % 60, tzinfo=self._zone
        )

    def _spans(self, day: date) -> Sequence[str]:
        return self._special.get(day, self._week.get(DAYS[day.weekday()], ()))

    def _usual(self) -> str:
        week = "; ".join(f"{day.capitalize()} {_listed(self._week.get(day, ()))}" for day in DAYS)
        return f"Usual hours: {week}."


def _listed(spans: Sequence[str]) -> str:
    return f"open {', '.join(sorted(spans))}" if spans else "closed"


def _moment(moment: datetime) -> str:
    return f"{_day(moment.date())} {moment:%H:%M}"


def _day(day: date) -> str:
    # Not %a, which follows the locale of the process.
    return f"{DAYS[day.weekday()].capitalize()} {day.isoformat()}"
