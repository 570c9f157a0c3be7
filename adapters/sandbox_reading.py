"""How the sandbox's answers become comments, and how far a poll has come. Pure functions.

The cursor holds `from` (the baseline, ISO time), `since` (how far we have read) and `page` (a token, or None). The
list runs from old to new, so the position moves with every page that was read whole. `page` is set while a walk is
unfinished, because going back by the overlap each time would stand still when more comments lie inside the overlap
than the budget allows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

import structlog

from adapters.base import Comment, CommentRef, Cursor, Post, ReplyRef
from adapters.errors import Permanent
from adapters.http import Answer, rows_of
from adapters.text import parse_count, parse_flag, parse_id, parse_text, parse_time

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Walk:
    """How far one poll has come."""

    newest: datetime
    page: str | None
    rows: tuple[Any, ...] = ()
    posts: tuple[Any, ...] = ()
    requests: int = 0
    finished: bool = False


def parse_comment(row: object, *, me: str, base_url: str) -> Comment:
    """A comment from a row of the API. Raises ValueError when a field is missing or unusable."""
    if not isinstance(row, Mapping):
        raise ValueError(f"row is a {type(row).__name__}, not an object")
    author = row.get("author")
    if not isinstance(author, Mapping):
        raise ValueError("author is missing")
    comment_id, author_id = parse_id(row.get("id")), parse_id(author.get("id"))
    parent = row.get("parent_id")
    ref = CommentRef(
        post_id=parse_id(row.get("post_id")),
        thread_id=parse_id(row.get("thread_id")),
        comment_id=comment_id,
        created_at=parse_time(row.get("created_at")),
    )
    return Comment(
        ref=ref,
        parent_id=None if parent is None else parse_id(parent),
        author_id=author_id,
        author_name=parse_text(author.get("name")),
        text=parse_text(row.get("text")),
        is_own=author_id == me,
        url=f"{base_url}/#c{quote(comment_id, safe='')}",
        pictures=parse_pictures(row.get("pictures"), base_url),
        likes=parse_count(row.get("likes")),
        hearted=parse_flag(row.get("hearted")),
    )


def parse_pictures(value: object, base_url: str) -> tuple[str, ...]:
    """Whole addresses; what is no text is left out. Raises ValueError when `value` is no list."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise ValueError("pictures is no list")
    # A site's own begin with a slash; others are kept as they are, whatever they are.
    return tuple(
        f"{base_url}{item}" if item.startswith("/") else item
        for item in value
        if isinstance(item, str) and item
    )


def make_cursor(first: datetime, newest: datetime, page: str | None) -> Cursor:
    return {"from": first.isoformat(), "since": newest.isoformat(), "page": page}


def moment(cursor: Cursor, key: str) -> datetime:
    try:
        return parse_time(cursor.get(key))
    except ValueError as exc:
        raise Permanent(
            f"sandbox: the saved cursor cannot be read ({key}: {exc}); take a new baseline"
        ) from exc


def start(cursor: Cursor) -> Walk:
    page = cursor.get("page")
    return Walk(newest=moment(cursor, "since"), page=page if isinstance(page, str) else None)


def advance(walk: Walk, answer: Answer) -> Walk:
    rows = rows_of("sandbox: comments", answer.data, "comments")
    posts = rows_of("sandbox: comments", answer.data, "posts")
    following = answer.data.get("next")
    following = following if isinstance(following, str) and following else None
    times = _times(rows)
    finished = following is None
    if following is not None and walk.page is not None and _repeats(walk, following, times):
        log.warning("sandbox answers the same page again; stopping here until the next poll")
        finished = True
    return Walk(
        newest=max([walk.newest, *times]),
        page=following,
        rows=(*walk.rows, *rows),
        posts=(*walk.posts, *posts),
        requests=walk.requests + 1,
        finished=finished,
    )


def _repeats(walk: Walk, following: str, times: Sequence[datetime]) -> bool:
    """Whether a page behind `walk.newest` leads nowhere: to itself, or back to what is older."""
    return following == walk.page or (bool(times) and max(times) < walk.newest)


def _times(rows: Sequence[Any]) -> list[datetime]:
    times = []
    for row in rows:
        try:
            times.append(parse_time(row.get("created_at") if isinstance(row, Mapping) else None))
        except ValueError:
            continue  # counted and logged where the row is parsed
    return times


def described_posts(comments: Sequence[Comment], rows: Sequence[Any], base_url: str) -> tuple[Post, ...]:
    """Every post that the comments name; one that the site did not describe has no title."""
    found = {comment.ref.post_id: Post(comment.ref.post_id, title="", url=base_url) for comment in comments}
    for row in rows:
        try:
            shown = parse_pictures(row.get("pictures"), base_url)
            post = Post(
                parse_id(row["id"]), parse_text(row["title"]), parse_text(row["text"]), base_url, shown
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            continue  # the comment is what counts; its post stays without a title
        if post.id in found:
            found[post.id] = post
    return tuple(found.values())


def reply_ref(comment: Comment) -> ReplyRef:
    return ReplyRef(
        id=comment.ref.comment_id,
        parent_id=comment.parent_id or "",
        text=comment.text,
        created_at=comment.ref.created_at,
        likes=comment.likes,
        hearted=comment.hearted,
    )
