"""What Isso's answers mean: comments, errors, and the hash that stands for an author. Pure functions."""

import hashlib
import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from adapters.base import Comment, CommentRef, ReplyRef
from adapters.errors import AdapterError, Permanent, RateLimited, RejectedContent
from adapters.text import clean, parse_count, parse_id, parse_text, parse_time

DEFAULT_SALT: Final = "Eech7co8Ohloopo9Ol6baimi"
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MAX_DIGITS: Final = 20
DELETED: Final = 4
"""Mode of a comment that was deleted while others still answer it."""
PICTURE: Final = re.compile(r"!\[[^\[\]\n]{0,200}\]\(\s*<?(https?://[^\s<>()]{1,1900})")
"""An image in Markdown, which comments are written in."""
GUARD_WINDOW_S: Final = 60.0
SELF_REPLY_WINDOW_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Me:
    """What marks our own comments.

    The hash of our e-mail address does. While `sure` is False nobody has confirmed the hash that we computed, and a
    comment under our name counts as ours too: to overlook our own comment would mean to answer ourselves.
    """

    name: str
    hashes: frozenset[str]
    sure: bool

    def wrote(self, author_hash: str, author_name: str) -> bool:
        return author_hash in self.hashes or (not self.sure and author_name == self.name)


def author_hash(email: str, *, salt: str = DEFAULT_SALT, algorithm: str = "pbkdf2") -> str:
    """The hash by which Isso shows the author with this e-mail address.

    `salt` and `algorithm` are the server's `[hash]` settings; `algorithm` is `none`, a name of hashlib, or
    `pbkdf2[:iterations[:length[:name]]]`. Raises ValueError for any other.
    """
    # Isso escapes the address before it stores it.
    value = html.escape(email, quote=False).encode()
    if algorithm == "none":
        return value.hex()
    if not algorithm.startswith("pbkdf2"):
        return hashlib.new(algorithm, value).hexdigest()
    given = algorithm.split(":")[1:]
    iterations, length, name = [*given, *("1000", "6", "sha1")[len(given) :]][:3]
    return hashlib.pbkdf2_hmac(name, value, salt.encode(), int(iterations), int(length)).hex()


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a listing, and where it stood."""

    uri: str
    thread: str | None
    """`comment_key` of the top comment that this row answers; None for a top comment, or where that has no key."""
    data: Any


def comment_key(data: Mapping[str, Any]) -> str:
    """What identifies a comment for ever: Isso gives the number of a deleted newest comment to the next one.

    Raises ValueError when the row has no usable number or time.
    """
    moment = parse_time(data.get("created"))
    return f"{parse_id(data.get('id'))}-{(moment - EPOCH) // timedelta(microseconds=1)}"


def comment_number(key: str) -> int:
    """Isso's own number of a comment. Raises ValueError."""
    number = key.partition("-")[0]
    if not (number.isascii() and number.isdigit() and len(number) < MAX_DIGITS):
        raise ValueError(f"'{key}' is no comment of Isso")
    return int(number)


def parse_comment(row: Row, *, me: Me, site_url: str = "") -> Comment:
    """A comment from a row of a listing made with `plain=1`. Raises ValueError when a field is unusable."""
    data = row.data
    if not isinstance(data, Mapping):
        raise ValueError(f"row is a {type(data).__name__}, not an object")
    key = comment_key(data)
    parent_id = _parent(data.get("parent"), row.thread)
    # A nameless comment has the name null; names come HTML-escaped, texts do not.
    name = html.unescape(parse_text(data.get("author") or ""))
    shown_hash = parse_id(data.get("hash"))
    return Comment(
        ref=CommentRef(
            post_id=row.uri,
            thread_id=parent_id or key,
            comment_id=key,
            created_at=parse_time(data.get("created")),
        ),
        parent_id=parent_id,
        author_id=shown_hash,
        author_name=clean(name),
        text=parse_text(data.get("text")),
        is_own=me.wrote(shown_hash, name),
        url=f"{site_url}{row.uri}#isso-{parse_id(data.get('id'))}" if site_url else "",
        pictures=tuple(dict.fromkeys(PICTURE.findall(parse_text(data.get("text"))))),
        likes=parse_count(data.get("likes")),
    )


def _parent(number: object, thread: str | None) -> str | None:
    if number is None:
        return None
    if thread is None or parse_id(number) != str(comment_number(thread)):
        raise ValueError(f"answers comment {number!r:.40}, which is not the top of its thread")
    return thread


def is_deleted(data: object) -> bool:
    return isinstance(data, Mapping) and data.get("mode") == DELETED


def flatten(uri: str, roots: Sequence[Any]) -> list[Row]:
    """Top rows and, behind each, its replies. Isso nests no deeper: every reply hangs under the top comment."""
    rows: list[Row] = []
    for root in roots:
        rows.append(Row(uri, None, root))
        replies = root.get("replies") if isinstance(root, Mapping) else None
        if isinstance(replies, list) and replies:
            key = _key_or_none(root)
            rows.extend(Row(uri, key, reply) for reply in replies)
    return rows


def _key_or_none(root: Mapping[str, Any]) -> str | None:
    try:
        return comment_key(root)
    except ValueError:
        return None


def reply_ref(comment: Comment) -> ReplyRef:
    return ReplyRef(
        id=comment.ref.comment_id,
        parent_id=comment.parent_id or "",
        text=comment.text,
        created_at=comment.ref.created_at,
        likes=comment.likes,
        hearted=comment.hearted,
    )


def after(moment: datetime) -> str:
    """The `after` parameter that brings what was written at `moment` or later: Isso excludes the moment itself."""
    return f"{moment.timestamp() - 0.001:.6f}"


def refusal(status: int, said: str) -> AdapterError:
    """The error for a refused post, by Isso's words: its status 403 means many things."""
    words = said.lower()
    if "ratelimit exceeded" in words:
        return RateLimited("isso: its guard allows no more posts this minute", retry_after=GUARD_WINDOW_S)
    if "edit time frame" in words:
        return RateLimited(
            "isso: its guard takes the commenter's address for ours; behind a proxy set trusted-proxies in Isso",
            retry_after=SELF_REPLY_WINDOW_S,
        )
    if "too short" in words or "too long" in words:
        return RejectedContent(f"isso: refuses the text: {said}")
    return Permanent(f"isso: refuses the post ({status}): {said or 'no reason given'}")
