"""What a round of reading Discord is made of, and what the answers to its steps hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

import structlog
from pydantic import Field, TypeAdapter

from adapters.discord_errors import refusal
from adapters.discord_rows import Place, snowflake, time_of
from adapters.errors import Permanent, TargetGone, Transient
from adapters.http import Answer
from adapters.text import parse_time

MAX_PAGE: Final = 100

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do in a round: look at a channel, list a server's or a channel's threads, read messages."""

    kind: Literal["channel", "active", "archived", "messages"]
    id: Annotated[str, Field(pattern="^[0-9]{1,20}$")]
    at: str = ""
    """How far it has come: the last message read, or the time of the last archived thread."""
    place: Place | None = None
    """The thread whose messages are read."""

    def __post_init__(self) -> None:
        if self.kind == "messages" and self.at:
            snowflake(self.at)


STEPS: Final = TypeAdapter(tuple[Step, ...])


@dataclass(slots=True)
class Known:
    """What one process remembers of channels, so that it asks once; all of it can be asked again."""

    channels: dict[str, Place] = field(default_factory=dict)
    starters: dict[str, str] = field(default_factory=dict)
    """What threads began with, by the thread's id."""
    limit: int = MAX_PAGE


def check(what: str, answer: Answer) -> None:
    if answer.status != 200:
        error = refusal(what, answer.status, answer.data, answer.excerpt)
        # What is gone here is a place, not the comment that somebody answers.
        raise Permanent(str(error)) if isinstance(error, TargetGone) else error


def page_of(answer: Answer) -> list[Any]:
    if not isinstance(answer.data, list):
        raise Transient("discord: the answer holds no list of messages", ambiguous=False)
    return answer.data


def numbered(rows: list[Any]) -> list[tuple[int, Mapping[str, Any]]]:
    """The rows that have an id that is a moment, with it."""
    found = []
    for row in rows:
        try:
            number = snowflake(row.get("id") if isinstance(row, Mapping) else None)
            time_of(number)
        except ValueError:
            log.warning("discord message has no usable id")
            continue
        found.append((number, row))
    return found


def archived_at(row: object) -> str:
    """When a thread was archived, ISO 8601; empty where it cannot be read."""
    details = row.get("thread_metadata") if isinstance(row, Mapping) else None
    moment = details.get("archive_timestamp") if isinstance(details, Mapping) else None
    try:
        parse_time(moment)
    except ValueError:
        return ""
    return moment if isinstance(moment, str) else ""
