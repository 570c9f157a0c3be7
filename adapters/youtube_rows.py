"""How YouTube's answers become comments. Pure functions.

A thread is a top comment and the replies under it; there are no replies to replies. A reply's id is the id of its
top comment, a dot, and a suffix. A list of threads brings a few replies of each, `comments.list` brings all; only
the former says which video they stand under.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from adapters.base import Comment, CommentRef, ReplyRef
from adapters.text import parse_count, parse_id, parse_text, parse_time

SITE: Final = "https://www.youtube.com"


@dataclass(frozen=True, slots=True)
class Row:
    """A comment of an answer, and what it stands under."""

    post_id: str
    data: Any


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread of a list, with what of it was readable."""

    id: str
    post_id: str
    replies: int
    """How many it has, shown or not."""
    rows: tuple[Row, ...]
    """The top comment, and the replies that were shown."""

    @property
    def shows_all(self) -> bool:
        return self.replies < len(self.rows)


def parse_thread(data: object) -> Thread:
    """A thread from a row of `commentThreads.list`. Raises ValueError when it has no id or no post."""
    if not isinstance(data, Mapping) or not isinstance(data.get("snippet"), Mapping):
        raise ValueError("thread is no object with a snippet")
    snippet = data["snippet"]
    # Comments on the channel itself and on its community posts name no video.
    post_id = parse_id(snippet.get("videoId") or snippet.get("channelId"))
    replies = data.get("replies")
    shown = replies.get("comments") if isinstance(replies, Mapping) else None
    comments = [snippet.get("topLevelComment"), *(shown if isinstance(shown, list) else [])]
    return Thread(
        id=parse_id(data.get("id")),
        post_id=post_id,
        replies=parse_count(snippet.get("totalReplyCount")) or 0,
        rows=tuple(Row(post_id, comment) for comment in comments),
    )


def parse_comment(row: Row, *, me: str) -> Comment:
    """A comment from a list made with `textFormat=plainText`; `me` is our channel's id. Raises ValueError."""
    if not isinstance(row.data, Mapping) or not isinstance(row.data.get("snippet"), Mapping):
        raise ValueError("comment is no object with a snippet")
    snippet: Mapping[str, Any] = row.data["snippet"]
    comment_id = parse_id(row.data.get("id"))
    # A parent that is itself a reply would be refused: everything hangs under the top comment.
    top = parse_id(parse_id(snippet.get("parentId") or comment_id).partition(".")[0])
    author_id = _author(snippet.get("authorChannelId"))
    return Comment(
        ref=CommentRef(row.post_id, top, comment_id, parse_time(snippet.get("publishedAt"))),
        parent_id=None if top == comment_id else top,
        # The channel of a deleted account is gone: nobody else is meant by the comment's id.
        author_id=author_id or f"gone:{comment_id}"[:255],
        author_name=parse_text(snippet.get("authorDisplayName") or ""),
        text=_text(snippet),
        is_own=author_id is not None and author_id == me,
        url=comment_url(row.post_id, comment_id),
        likes=parse_count(snippet.get("likeCount")),
    )


def _author(value: object) -> str | None:
    if value is None:
        return None
    return parse_id(value.get("value") if isinstance(value, Mapping) else value)


def _text(snippet: Mapping[str, Any]) -> str:
    """What was typed; it is not told to everybody, and what is shown instead may be HTML to an own insert."""
    typed = snippet.get("textOriginal")
    return parse_text(typed) if isinstance(typed, str) and typed else parse_text(snippet.get("textDisplay"))


def post_url(post_id: str) -> str:
    return f"{SITE}/channel/{post_id}" if is_channel(post_id) else f"{SITE}/watch?v={post_id}"


def comment_url(post_id: str, comment_id: str) -> str:
    return post_url(post_id) if is_channel(post_id) else f"{post_url(post_id)}&lc={comment_id}"


def is_channel(post_id: str) -> bool:
    """Whether this is a channel's id and not a video's, which has 11 characters."""
    return post_id.startswith("UC") and len(post_id) == 24


def created(row: Row) -> datetime | None:
    """When it was written; None for a row without a usable time, which is counted where it is parsed."""
    try:
        return parse_time(row.data["snippet"]["publishedAt"])
    except (ValueError, TypeError, KeyError, IndexError):
        return None


def in_order(comments: Sequence[Comment]) -> tuple[Comment, ...]:
    """From oldest to newest. Times have whole seconds: within one, the list's order, newest first, is turned round."""
    oldest_first = comments[::-1]
    return tuple(sorted(oldest_first, key=lambda one: (one.ref.created_at, one.parent_id is not None)))


def reply_ref(comment: Comment) -> ReplyRef:
    return ReplyRef(
        id=comment.ref.comment_id,
        parent_id=comment.parent_id or "",
        text=comment.text,
        created_at=comment.ref.created_at,
        likes=comment.likes,
    )
