"""How far a poll of Bluesky has come, in two listings that run from new to old. Pure functions.

`inbox` is what the account was notified of (replies, mentions), `own` what it posted itself. A server orders both by
the earlier of two times, the author's and its own. The watermark `since` only moves when a walk back has reached what
was read before; until then `at` says where the walk goes on, and `top` what it will move to.

Cursor: `from` (the baseline), `streams` (by name: `since`, `at`, `top`) and `todo` (listings not yet read whole in
this round).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from adapters.base import Cursor
from adapters.errors import Permanent
from adapters.text import parse_time

INBOX: Final = "inbox"
OWN: Final = "own"
STREAMS: Final = (INBOX, OWN)


@dataclass(frozen=True, slots=True)
class Stream:
    """How far one listing was read."""

    since: datetime
    at: str | None = None
    top: datetime | None = None


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


def first(since: datetime) -> Progress:
    # The server's times have milliseconds: what is written in this very second is not to be missed.
    moment = since.replace(microsecond=0)
    return Progress(moment, {name: Stream(moment) for name in STREAMS}, ())


def make_cursor(progress: Progress) -> Cursor:
    streams = {
        name: {"since": one.since.isoformat(), "at": one.at, "top": one.top and one.top.isoformat()}
        for name, one in progress.streams.items()
    }
    return {"from": progress.start.isoformat(), "streams": streams, "todo": list(progress.todo)}


def parse_cursor(cursor: Cursor) -> Progress:
    """The progress that `make_cursor` wrote; a finished one begins a new round. Raises Permanent."""
    try:
        streams = {name: _stream(cursor["streams"][name]) for name in STREAMS}
        todo = tuple(name for name in STREAMS if name in cursor["todo"])
        return Progress(parse_time(cursor["from"]), streams, todo or STREAMS)
    except (KeyError, TypeError, ValueError) as exc:
        raise Permanent(f"bluesky: the saved cursor cannot be read ({exc!r}); take a new baseline") from exc


def _stream(value: Any) -> Stream:
    at, top = value["at"], value["top"]
    if at is not None and not isinstance(at, str):
        raise ValueError("at is no text")
    return Stream(parse_time(value["since"]), at, None if top is None else parse_time(top))


def advance(
    progress: Progress,
    name: str,
    *,
    times: Sequence[datetime | None],
    following: str | None,
    overlap: timedelta,
    now: datetime,
) -> Progress:
    """One page further. `times`: when its rows came in, top to bottom; `now`: by the server's clock."""
    stream = progress.streams[name]
    # A time from the future would hide all that comes before it.
    known = [min(moment, now) for moment in times if moment is not None]
    top = max([stream.top or stream.since, *known])
    passed = bool(known) and known[-1] < stream.since - overlap
    if passed or following is None or following == stream.at:
        done = tuple(other for other in progress.todo if other != name)
        return replace(progress, streams={**progress.streams, name: Stream(top)}, todo=done)
    walked = replace(stream, at=following, top=top)
    return replace(progress, streams={**progress.streams, name: walked})


def restart(progress: Progress, name: str) -> Progress:
    """Begin the walk again at the top: the server no longer knows its place."""
    return replace(progress, streams={**progress.streams, name: Stream(progress.streams[name].since)})


def floor(progress: Progress, name: str, overlap: timedelta) -> datetime:
    """What came in earlier was read before, or is older than the baseline."""
    return max(progress.start, progress.streams[name].since - overlap)
