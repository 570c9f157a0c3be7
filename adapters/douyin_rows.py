"""What Douyin's rows mean. Pure functions; they raise ValueError and nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from typing import Any

from adapters.base import Comment, CommentRef, ReplyRef
from adapters.douyin_errors import number
from adapters.text import parse_count, parse_id, parse_text, parse_time


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a list, and where it stood."""

    item: str
    thread: str | None
    """The top comment that this row answers; None for a top comment."""
    data: Any


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of a list."""

    rows: tuple[Any, ...]
    at: int
    """The cursor of the page behind it."""
    more: bool


def parse_page(answer: object) -> Listed:
    """A page of comments or of replies. Raises ValueError."""
    data = answer.get("data") if isinstance(answer, Mapping) else None
    if not isinstance(data, Mapping):
        raise ValueError("the answer holds no object 'data'")
    rows = data.get("list")
    if rows is None:
        # A video without comments comes without a list, too.
        rows = []
    if not isinstance(rows, list):
        raise ValueError("'list' is no list")
    more = data.get("has_more", False)
    if not isinstance(more, bool):
        raise ValueError("'has_more' is neither true nor false")
    return Listed(tuple(rows), number(data.get("cursor", 0)), more)


def parse_comment(row: Row, *, me: str, url: str = "") -> Comment:
    """A comment of ours (`me` is our open_id) or anyone's. Raises ValueError when a field is unusable."""
    data = row.data
    if not isinstance(data, Mapping):
        raise ValueError(f"row is a {type(data).__name__}, not an object")
    comment_id, author_id = parse_id(data.get("comment_id")), parse_id(data.get("comment_user_id"))
    ref = CommentRef(
        post_id=row.item,
        thread_id=row.thread or comment_id,
        comment_id=comment_id,
        created_at=parse_time(number(data.get("create_time"))),
    )
    return Comment(
        ref=ref,
        parent_id=row.thread,
        author_id=author_id,
        author_name=parse_text(data.get("nick_name") or ""),
        text=parse_text(data.get("content")),
        is_own=author_id == me,
        url=url,
        likes=parse_count(_number_or_none(data.get("digg_count"))),
    )


def created(row: object) -> float | None:
    """Epoch seconds; None for a row without a usable time, which is counted where it is parsed."""
    try:
        return parse_time(number(row.get("create_time") if isinstance(row, Mapping) else None)).timestamp()
    except ValueError:
        return None


def threads_of(rows: Sequence[Any]) -> dict[str, int]:
    """How many replies each top comment has, by its id; rows that cannot be read are left out."""
    found: dict[str, int] = {}
    for row in rows:
        try:
            found[parse_id(row["comment_id"])] = max(0, number(row.get("reply_comment_total", 0)))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # counted and logged where the row is parsed
    return found


def reached(rows: Sequence[Any], floor: float) -> bool:
    """Whether what comes behind these rows was written before `floor` (epoch seconds).

    The list runs from new to old, but for the pinned comment; where it does not, only a whole page of old ones counts.
    """
    unpinned = [row for row in rows if isinstance(row, Mapping) and row.get("top") is not True]
    times = [moment for row in unpinned if (moment := created(row)) is not None]
    if not times:
        return False
    runs_down = all(a >= b for a, b in pairwise(times))
    return (min(times) if runs_down else max(times)) < floor


def short(comment_id: str) -> str:
    """Ids have some eighty characters; a cursor that counts hundreds of threads needs fewer."""
    return sha256(comment_id.encode("utf-8", "replace")).hexdigest()[:12]


def reply_ref(comment: Comment) -> ReplyRef:
    return ReplyRef(
        id=comment.ref.comment_id,
        parent_id=comment.parent_id or "",
        text=comment.text,
        created_at=comment.ref.created_at,
        likes=comment.likes,
    )


def _number_or_none(value: object) -> int | None:
    try:
        return number(value)
    except ValueError:
        return None
