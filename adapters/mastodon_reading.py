"""How far a poll of Mastodon has come, in two listings that run from old to new. Pure functions.

`mentions` are notifications, `own` is what the account posted itself. `min_id` brings what comes right behind an id.
`mark` is the id behind which the next round begins: of the newest row that has been there for the overlap, because a
row may still appear before a younger one. `at` is where an unfinished round goes on.

Cursor: `from` (the baseline), `streams` (by name: `mark`, `at`) and `todo` (listings not yet read whole in this
round).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from adapters.base import Cursor
from adapters.errors import Permanent
from adapters.text import parse_id, parse_time

MENTIONS: Final = "mentions"
OWN: Final = "own"
STREAMS: Final = (MENTIONS, OWN)
OLDEST: Final = "0"


@dataclass(frozen=True, slots=True)
class Stream:
    """How far one listing was read."""

    mark: str
    at: str | None = None

    @property
    def position(self) -> str:
        return self.at or self.mark


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a poll has come."""

    start: datetime
    """Nothing that came in before this is news."""
    streams: Mapping[str, Stream]
    todo: tuple[str, ...]

    @property
    def complete(self) -> bool:
        return not self.todo


@dataclass(frozen=True, slots=True)
class Seen:
    """A row's id, and when it came in; None where it does not say."""

    id: str
    came_at: datetime | None


def seen(listed: Iterable[object]) -> list[Seen]:
    """The rows that have an id."""
    found = []
    for item in listed:
        fields = item if isinstance(item, Mapping) else {}
        try:
            row_id = parse_id(fields.get("id"))
        except ValueError:
            continue  # counted and logged where the row is parsed
        try:
            found.append(Seen(row_id, parse_time(fields.get("created_at"))))
        except ValueError:
            found.append(Seen(row_id, None))
    return found


def newest(ids: Iterable[str]) -> str:
    """Ids grow, as numbers do: a longer one is newer."""
    return max(ids, key=lambda one: (len(one), one))


def first(since: datetime, marks: Mapping[str, str]) -> Progress:
    return Progress(since, {name: Stream(marks[name]) for name in STREAMS}, ())


def make_cursor(progress: Progress) -> Cursor:
    streams = {name: {"mark": one.mark, "at": one.at} for name, one in progress.streams.items()}
    return {"from": progress.start.isoformat(), "streams": streams, "todo": list(progress.todo)}


def parse_cursor(cursor: Cursor) -> Progress:
    """The progress that `make_cursor` wrote; a finished one begins a new round. Raises Permanent."""
    try:
        streams = {name: _stream(cursor["streams"][name]) for name in STREAMS}
        todo = tuple(name for name in STREAMS if name in cursor["todo"])
        return Progress(parse_time(cursor["from"]), streams, todo or STREAMS)
    except (KeyError, TypeError, ValueError) as exc:
        raise Permanent(f"mastodon: the saved cursor cannot be read ({exc!r}); take a new baseline") from exc


def _stream(value: Any) -> Stream:
    return Stream(parse_id(value["mark"]), None if value["at"] is None else parse_id(value["at"]))


def advance(progress: Progress, name: str, page: Sequence[Seen], *, settled_by: datetime) -> Progress:
    """One page further. What came in before `settled_by` stays as it is.

    Servers leave rows out of a page, so that a short one says nothing: only an empty one is the end.
    """
    stream = progress.streams[name]
    old = [row.id for row in page if row.came_at is not None and row.came_at <= settled_by]
    mark = newest([stream.mark, *old])
    at = newest([stream.position, *(row.id for row in page)])
    if at == stream.position:
        left = tuple(other for other in progress.todo if other != name)
        return replace(progress, streams={**progress.streams, name: Stream(mark)}, todo=left)
    return replace(progress, streams={**progress.streams, name: Stream(mark, at)})
