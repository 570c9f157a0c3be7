"""How far reading has come, and the cursor that says so."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from adapters import youtube_sweeps
from adapters.base import Cursor
from adapters.errors import Permanent
from adapters.text import parse_id, parse_text, parse_time
from adapters.youtube_sweeps import Sweep


@dataclass(frozen=True, slots=True)
class Walk:
    """An unfinished way through the list of threads, from the newest back."""

    began: datetime
    newest: datetime
    """Of the top comments that it met."""
    sweep: int | None
    """How deep it goes on through threads that were read before; None: not at all."""
    page: str | None = None
    threads: int = 0
    units: int = 0


@dataclass(frozen=True, slots=True)
class Long:
    """A thread with more replies than the list of threads showed."""

    thread: str
    post: str
    replies: int
    page: str | None = None


@dataclass(slots=True)
class Position:
    """What a cursor holds."""

    first: datetime
    """The baseline."""
    newest: datetime
    """Of the top comments, when the last finished walk ended."""
    floor: datetime
    """What is older was seen before the present walk."""
    walk: Walk | None
    queue: list[Long]
    """Threads whose replies are still to be read."""
    counts: dict[str, int]
    """Replies by thread, the threads that were seen last at the end."""
    swept: dict[int, Sweep]


def start(at: datetime) -> Position:
    return Position(at, at, at, walk=None, queue=[], counts={}, swept={})


def dump(position: Position) -> Cursor:
    walk = position.walk
    return {
        "from": position.first.isoformat(),
        "newest": position.newest.isoformat(),
        "floor": position.floor.isoformat(),
        "walk": walk and {**asdict(walk), "began": walk.began.isoformat(), "newest": walk.newest.isoformat()},
        "queue": [asdict(item) for item in position.queue],
        # A list: some databases sort the keys of an object.
        "counts": [[thread, count] for thread, count in position.counts.items()],
        "swept": youtube_sweeps.dump(position.swept),
    }


def load(cursor: Cursor) -> Position:
    """Raises Permanent when it is none of ours."""
    try:
        return Position(
            first=parse_time(cursor["from"]),
            newest=parse_time(cursor["newest"]),
            floor=parse_time(cursor["floor"]),
            walk=_walk(cursor["walk"]) if cursor["walk"] else None,
            queue=[_long(item) for item in cursor["queue"]],
            counts={str(thread): int(count) for thread, count in cursor["counts"]},
            swept=youtube_sweeps.load(cursor["swept"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as exc:
        raise Permanent(f"youtube: the saved cursor cannot be read ({exc}); take a new baseline") from exc


def _walk(saved: Mapping[str, Any]) -> Walk:
    return Walk(
        began=parse_time(saved["began"]),
        newest=parse_time(saved["newest"]),
        sweep=None if saved["sweep"] is None else int(saved["sweep"]),
        page=_page(saved["page"]),
        threads=int(saved["threads"]),
        units=int(saved["units"]),
    )


def _long(saved: Mapping[str, Any]) -> Long:
    return Long(
        parse_id(saved["thread"]), parse_id(saved["post"]), int(saved["replies"]), _page(saved["page"])
    )


def _page(saved: object) -> str | None:
    return None if saved is None else parse_text(saved)
