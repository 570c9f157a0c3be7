"""Where a list goes on, as a text that means nothing to whoever keeps it."""

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from bot.web.problems import Problem

Key = tuple[int | str, ...]
_LARGEST: Final = 2**63 - 1


class Numbered(Protocol):
    """A row that has a number."""

    @property
    def id(self) -> int: ...


def written(kind: str, key: Key) -> str:
    """The cursor of a list of `kind` behind the row with `key`."""
    return base64.urlsafe_b64encode(json.dumps([kind, *key]).encode()).decode().rstrip("=")


def read(cursor: str | None, kind: str, *types: type) -> Any:
    """The key that `written` was given; None where there is no cursor.

    Raises Problem for a text that is no cursor of a list of `kind` with keys of `types`.
    """
    if cursor is None:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor.encode() + b"=="))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise _strange() from error
    if not isinstance(found, list) or [type(part) for part in found] != [str, *types] or found[0] != kind:
        raise _strange()
    if any(isinstance(part, int) and abs(part) > _LARGEST for part in found):
        raise _strange()
    return tuple(found[1:])


def micros(moment: datetime) -> int:
    """Microseconds since 1970, exactly."""
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def moment_of(number: int) -> datetime:
    """The moment that `micros` gave. Raises Problem."""
    try:
        seconds, rest = divmod(number, 1_000_000)
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)
    except (OverflowError, ValueError, OSError) as error:
        raise _strange() from error


def _strange() -> Problem:
    return Problem(
        400, "cursor", "cursor is not of this list; take `next` of the page before", field="cursor"
    )


def after_id(cursor: str | None, kind: str) -> int:
    """For a list in the order of ids: the last id that was seen, 0 at the beginning. Raises Problem."""
    found = read(cursor, kind, int)
    return found[0] if found is not None else 0


def next_of(rows: Sequence[Numbered], more: bool, kind: str) -> str | None:
    """The cursor behind `rows`, in the order of their ids; None where there are no `more`."""
    return written(kind, (rows[-1].id,)) if more and rows else None
