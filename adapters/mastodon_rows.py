"""What a Mastodon server answers: statuses, comments, errors. Pure functions."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from adapters.base import Comment, CommentRef, Post, ReplyRef
from adapters.errors import AccountRestricted, AdapterError, ReauthRequired, RejectedContent, TargetGone
from adapters.http import Answer, unexpected
from adapters.mastodon_text import without_leading_names
from adapters.text import (
    html_to_text,
    parse_address,
    parse_count,
    parse_flag,
    parse_id,
    parse_text,
    parse_time,
)

TITLE_CHARS: Final = 80
ACCT: Final = re.compile(r"[\w.-]+(?:@[\w.-]+(?::\d+)?)?")


@dataclass(frozen=True, slots=True)
class Row:
    """A status."""

    id: str
    parent: str | None
    """The status that it answers."""
    parent_author: str | None
    author_id: str
    acct: str
    author_name: str
    text: str
    created_at: datetime
    came_at: datetime
    """When our server had it: a notification's time, or the status's own."""
    visibility: str
    url: str
    pictures: tuple[str, ...]
    likes: int | None
    hearted: bool | None
    by_bot: bool = False
    """Its account says of itself that a program runs it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a status stands: in the conversation of `post_id`, in the thread of `thread_id`."""

    post_id: str
    thread_id: str
    parent_id: str | None


def parse_status(value: object, *, me: str) -> Row:
    """Raises ValueError when a field is unusable."""
    fields = _object(value, "status")
    account = _object(fields.get("account"), "account")
    parent, parent_author = (
        _optional_id(fields, "in_reply_to_id"),
        _optional_id(fields, "in_reply_to_account_id"),
    )
    created_at = parse_time(fields.get("created_at"))
    return Row(
        id=parse_id(fields.get("id")),
        parent=parent,
        parent_author=parent_author,
        author_id=parse_id(account.get("id")),
        acct=_acct(account.get("acct")),
        author_name=parse_text(account.get("display_name") or account.get("acct")),
        text=_text(fields, {me, parent_author or ""}),
        created_at=created_at,
        came_at=created_at,
        visibility=parse_id(fields.get("visibility")),
        url=parse_address(fields.get("url")),
        pictures=_pictures(fields.get("media_attachments")),
        likes=parse_count(fields.get("favourites_count")),
        hearted=parse_flag(fields.get("favourited")),
        by_bot=account.get("bot") is True,
    )


def parse_mention(value: object, *, me: str) -> Row | None:
    """The status of a notification; None for one that is no mention. Raises ValueError."""
    fields = _object(value, "notification")
    if fields.get("type") != "mention":
        return None
    row = parse_status(fields.get("status"), me=me)
    came_at = parse_time(fields.get("created_at"))
    # A status from another server claims its own time.
    return replace(row, came_at=came_at, created_at=min(row.created_at, came_at))


def comment_of(row: Row, place: Place, *, me: str) -> Comment:
    return Comment(
        ref=CommentRef(
            post_id=place.post_id,
            thread_id=place.thread_id,
            comment_id=row.id,
            created_at=row.created_at,
            extra={"acct": "" if row.author_id == me else row.acct, "visibility": row.visibility},
        ),
        parent_id=place.parent_id,
        author_id=row.author_id,
        author_name=row.author_name,
        text=row.text,
        is_own=row.author_id == me,
        url=row.url,
        pictures=row.pictures,
        likes=row.likes,
        hearted=row.hearted,
    )


def post_of(row: Row) -> Post:
    """The first status of a conversation; what was said in private is not passed on."""
    if row.visibility == "direct":
        return Post(row.id, title="", url=row.url)
    first = row.text.split("\n", 1)[0]
    title = first if len(first) <= TITLE_CHARS else first[: TITLE_CHARS - 1].rstrip() + "…"
    return Post(row.id, title, row.text, row.url, row.pictures)


def reply_ref(row: Row) -> ReplyRef:
    return ReplyRef(row.id, row.parent or "", row.text, row.created_at, likes=row.likes)


def refusal(what: str, answer: Answer) -> AdapterError:
    """The error for an answer that is no success."""
    said = answer.excerpt.lower()
    if answer.status in {404, 410}:
        return TargetGone(f"mastodon: {what}: not there any more")
    if "outside the authorized scopes" in said or "requires an authenticated user" in said:
        return ReauthRequired(
            f"mastodon: {what}: the access token may not do this; make one with the scopes read and write:statuses"
        )
    if answer.status == 403 and ("login" in said or "suspended" in said):
        return AccountRestricted(f"mastodon: {what}: the account is closed: {answer.excerpt}")
    if answer.status == 422:
        return RejectedContent(f"mastodon: {what}: refused: {answer.excerpt}")
    return unexpected(f"mastodon: {what}", answer)


def allowed(scopes: object) -> dict[str, bool]:
    """What an app with these scopes may do; nothing where the server does not tell (before 4.3)."""
    if not isinstance(scopes, list):
        return {}
    needed = {"read:accounts", "read:notifications", "read:statuses"}
    return {
        "read": "read" in scopes or needed <= {scope for scope in scopes if isinstance(scope, str)},
        "reply": "write" in scopes or "write:statuses" in scopes,
    }


def _object(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} is a {type(value).__name__}, not an object")
    return value


def _optional_id(fields: Mapping[str, Any], name: str) -> str | None:
    return None if fields.get(name) is None else parse_id(fields[name])


def _acct(value: object) -> str:
    acct = parse_id(value)
    if not ACCT.fullmatch(acct):
        raise ValueError("acct is no name that can be mentioned")
    return acct


def _text(fields: Mapping[str, Any], whose: set[str]) -> str:
    """The words, behind the warning that hides them."""
    listed = fields.get("mentions")
    mentions = [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []
    body = without_leading_names(html_to_text(parse_text(fields.get("content"))), mentions, whose)
    warning = fields.get("spoiler_text")
    return f"{parse_text(warning)}\n{body}" if isinstance(warning, str) and warning.strip() else body


def _pictures(listed: object) -> tuple[str, ...]:
    images = [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []
    found = [parse_address(one.get("url")) for one in images if one.get("type") == "image"]
    return tuple(address for address in found if address)
