"""What WordPress's answers mean: comments, posts, the account, errors. Pure functions."""

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import unquote

from adapters.base import Comment, CommentRef, Post, ReplyRef
from adapters.errors import AdapterError, Permanent, RateLimited, RejectedContent, TargetGone
from adapters.http import Answer
from adapters.text import (
    EARLIEST,
    MAX_ID_CHARS,
    html_to_text,
    parse_address,
    parse_id,
    parse_text,
    parse_time,
)

COMMENT_FIELDS: Final = "id,post,parent,author,author_name,date,date_gmt,content,link,status,_links"
"""Asked for by name, so that visitors' e-mail and IP addresses never reach us."""
POST_FIELDS: Final = "id,title,link,excerpt"
TOP: Final = "0"
"""What WordPress gives as the parent of a top comment, and as the author who has no account."""
MAX_DIGITS: Final = 20

_UP = re.compile(r"/wp/v2/([\w-]{1,64})/\d+/?$", re.ASCII)
_CODE = re.compile(r"[\w-]{1,80}", re.ASCII)
_TEXT_REFUSED = {"comment_content_column_length", "rest_comment_content_invalid"}
_POST_GONE = {
    "rest_cannot_read_post",
    "rest_comment_draft_post",
    "rest_comment_invalid_post_id",
    "rest_comment_trash_post",
}


@dataclass(frozen=True, slots=True)
class Me:
    """Our account on the site."""

    id: str
    name: str
    moderates: bool
    """May see and change every comment, with its source."""
    edits: bool
    """May ask by status and author, and sees what is held on its own posts."""


def parse_me(data: object) -> Me:
    """The account from `users/me?context=edit`. Raises ValueError."""
    if not isinstance(data, Mapping):
        raise ValueError(f"account is a {type(data).__name__}, not an object")
    may = data.get("capabilities")
    if not isinstance(may, Mapping):
        raise ValueError("account has no capabilities")
    return Me(
        id=parse_id(data.get("id")),
        name=html.unescape(parse_text(data.get("name"))),
        moderates=may.get("moderate_comments") is True,
        edits=may.get("edit_posts") is True,
    )


def parse_comment(data: object, *, me: str, parents: Mapping[str, str]) -> Comment:
    """A comment from a row of `comments`. Raises ValueError when a field is unusable.

    `me` is our user id, `parents` the parent of every comment above this one that is still there.
    """
    if not isinstance(data, Mapping):
        raise ValueError(f"row is a {type(data).__name__}, not an object")
    key, parent, author = (parse_id(data.get(name)) for name in ("id", "parent", "author"))
    name = html.unescape(parse_text(data.get("author_name") or ""))
    return Comment(
        ref=CommentRef(
            post_id=parse_id(data.get("post")),
            thread_id=key if parent == TOP else root_of(parent, parents),
            comment_id=key,
            created_at=parse_time(data.get("date_gmt")),
        ),
        parent_id=None if parent == TOP else parent,
        # Without an account a visitor is no more than the name that they typed.
        author_id=f"guest:{name}"[:MAX_ID_CHARS] if author == TOP else author,
        author_name=name,
        text=_text(data.get("content")),
        is_own=author == me,
        url=parse_address(data.get("link")),
    )


def _text(content: object) -> str:
    """What a person typed is HTML in WordPress's store; what it makes of that has other quotes and dashes."""
    if not isinstance(content, Mapping):
        raise ValueError(f"content is a {type(content).__name__}, not an object")
    return html_to_text(parse_text(content.get("raw", content.get("rendered"))))


def as_html(text: str) -> str:
    """Plain text as WordPress stores it: unescaped, an administrator's `<b>` would be a tag, others' would vanish."""
    return html.escape(text, quote=False)


def parse_post(data: object) -> Post:
    """A post from a row of `posts`, `pages` or another collection. Raises ValueError."""
    if not isinstance(data, Mapping):
        raise ValueError(f"post is a {type(data).__name__}, not an object")
    key = parse_id(data.get("id"))
    return Post(
        id=key,
        title=_rendered(data.get("title")) or key,
        text=_rendered(data.get("excerpt")),
        url=parse_address(data.get("link")),
    )


def _rendered(field: object) -> str:
    return html_to_text(parse_text(field.get("rendered") or "")) if isinstance(field, Mapping) else ""


def collection_of(data: object) -> str | None:
    """The collection that the row's post is in, such as `posts`; None where the API does not show the post."""
    links = data.get("_links") if isinstance(data, Mapping) else None
    up = links.get("up") if isinstance(links, Mapping) else None
    first = up[0] if isinstance(up, list) and up else None
    href = first.get("href") if isinstance(first, Mapping) else None
    found = _UP.search(unquote(href)) if isinstance(href, str) else None
    return found[1] if found else None


def root_of(key: str, parents: Mapping[str, str]) -> str:
    """The top of the thread that comment `key` is in. One whose parent is unknown counts as a top."""
    met = {key}
    while (above := parents.get(key, TOP)) != TOP and above not in met:
        met.add(above)
        key = above
    return key


def links_of(rows: Iterable[object]) -> dict[str, str]:
    """Comment id to parent id, of the rows that have both."""
    found = {}
    for row in rows:
        try:
            if isinstance(row, Mapping):
                found[parse_id(row.get("id"))] = parse_id(row.get("parent"))
        except ValueError:
            continue
    return found


def unknown_parents(parents: Mapping[str, str]) -> set[str]:
    return {above for above in parents.values() if above != TOP and above not in parents}


def times_of(rows: Sequence[object], field: str) -> list[datetime]:
    """The rows' readable times; what has none is counted where it is parsed."""
    found = []
    for row in rows:
        try:
            found.append(parse_time(row.get(field) if isinstance(row, Mapping) else None))
        except ValueError:
            continue
    return found


def from_moment(moment: datetime) -> str:
    """The `after` that brings what was written at `moment` or later, by UTC.

    WordPress leaves out the very second, and refuses the year 1970.
    """
    return _second_before(max(moment, EARLIEST)) + "Z"


def from_local(moment: datetime) -> str:
    """The same for a row's `date`, which is the site's own time and names no zone."""
    return _second_before(moment)


def _second_before(moment: datetime) -> str:
    return (moment.astimezone(UTC).replace(microsecond=0) - timedelta(seconds=1)).strftime(
        "%Y-%m-%dT%H:%M:%S"
    )


def number(key: str) -> int:
    """A comment's or post's number, which goes into addresses. Raises Permanent."""
    if not (key.isascii() and key.isdigit() and len(key) < MAX_DIGITS):
        raise Permanent(f"wordpress: '{key:.40}' is no id of WordPress")
    return int(key)


def is_last(answer: Answer, rows: Sequence[object], *, offset: int, limit: int) -> bool:
    """Whether no page comes after this one.

    Rows that we may not see are left out, so that a short page is the end only where a proxy took the total away.
    """
    told = answer.headers.get("X-WP-Total", "")
    if told.isascii() and told.isdigit() and len(told) < MAX_DIGITS:
        return offset + limit >= int(told)
    return len(rows) < limit


def reply_ref(comment: Comment) -> ReplyRef:
    return ReplyRef(
        id=comment.ref.comment_id,
        parent_id=comment.parent_id or "",
        text=comment.text,
        created_at=comment.ref.created_at,
    )


def code_of(answer: Answer) -> str:
    """WordPress's name for the reason of a refusal; empty where there is none."""
    code = answer.data.get("code") if isinstance(answer.data, Mapping) else None
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def refusal(what: str, answer: Answer, *, flood_s: float) -> AdapterError:
    """The error for a refused call, by WordPress's code for the reason."""
    code = code_of(answer)
    told = f"wordpress: {what}: refused ({answer.status} {code or 'without a reason'}): {_said(answer)}"
    if code == "comment_flood":
        return RateLimited(told, retry_after=flood_s)
    if code in _TEXT_REFUSED:
        return RejectedContent(told)
    if code in _POST_GONE:
        return TargetGone(told)
    if code == "rest_comment_closed":
        return Permanent(f"wordpress: {what}: comments are closed on this post; open them there, then retry")
    return Permanent(told)


def _said(answer: Answer) -> str:
    said: Any = answer.data.get("message") if isinstance(answer.data, Mapping) else None
    text = html_to_text(said) if isinstance(said, str) else answer.excerpt
    return " ".join(text.split())[:200]
