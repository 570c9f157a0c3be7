"""What a server of the AT Protocol answers: comments, posts, errors. Pure functions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from adapters.base import Comment, CommentRef, Post, ReplyRef
from adapters.errors import (
    AccountRestricted,
    AdapterError,
    AuthExpired,
    Permanent,
    RejectedContent,
    TargetGone,
)
from adapters.http import Answer
from adapters.text import parse_address, parse_count, parse_id, parse_text, parse_time

POSTS: Final = "app.bsky.feed.post"
TITLE_CHARS: Final = 80
STALE: Final = frozenset({"ExpiredToken", "InvalidToken"})
CLOSED: Final = frozenset({"AccountTakedown", "AccountSuspended", "AccountDeactivated", "AccountInactive"})
ABSENT: Final = frozenset({"NotFound", "RecordNotFound"})
ABOUT_TEXT: Final = ("grapheme", "too big", "too long", "must not be longer", "slur")


@dataclass(frozen=True, slots=True)
class Strong:
    """A record, and which version of it."""

    uri: str
    cid: str

    def as_json(self) -> dict[str, str]:
        return {"uri": self.uri, "cid": self.cid}


@dataclass(frozen=True, slots=True)
class Row:
    """A post as listings, notifications and threads show it."""

    at: Strong
    root: Strong
    """The first post of the conversation; the post itself where it answers nothing."""
    parent: str | None
    """The post that it answers."""
    author_id: str
    author_name: str
    text: str
    created_at: datetime
    indexed_at: datetime
    pictures: tuple[str, ...]
    likes: int | None
    hearted: bool | None


def parse_row(view: object) -> Row:
    """A post from a `postView` or a notification. Raises ValueError when a field is unusable."""
    fields, record = _object(view, "post"), _object(_get(view, "record"), "record")
    author = _object(fields.get("author"), "author")
    at, answers = _strong(fields), record.get("reply")
    indexed_at = parse_time(fields.get("indexedAt"))
    name = author.get("displayName") or author.get("handle") or ""
    return Row(
        at=at,
        root=at if answers is None else _strong(_get(answers, "root")),
        parent=None if answers is None else _strong(_get(answers, "parent")).uri,
        author_id=parse_id(author.get("did")),
        author_name=parse_text(name),
        text=parse_text(record.get("text")),
        created_at=_written(record.get("createdAt"), indexed_at),
        indexed_at=indexed_at,
        pictures=_pictures(fields.get("embed")),
        likes=parse_count(fields.get("likeCount")),
        hearted=_hearted(fields),
    )


def indexed_at(view: object) -> datetime | None:
    """When a listing's row came in: a repost's own time, not that of what it repeats. None where it does not say."""
    reason = _get(view, "reason")
    source = reason if isinstance(reason, Mapping) else _get(view, "post") or view
    try:
        return parse_time(_get(source, "indexedAt"))
    except ValueError:
        return None


def comment_of(row: Row, *, me: str, thread_id: str, site_url: str) -> Comment:
    return Comment(
        ref=CommentRef(
            post_id=row.root.uri,
            thread_id=thread_id,
            comment_id=row.at.uri,
            created_at=row.created_at,
            extra={"cid": row.at.cid, "root_uri": row.root.uri, "root_cid": row.root.cid},
        ),
        parent_id=None if _under_our_post(row, me) else row.parent,
        author_id=row.author_id,
        author_name=row.author_name,
        text=row.text,
        is_own=row.author_id == me,
        url=web_address(row.at.uri, site_url),
        pictures=row.pictures,
        likes=row.likes,
        hearted=row.hearted,
    )


def _under_our_post(row: Row, me: str) -> bool:
    # A conversation that somebody else began starts with a comment, not with a post of ours.
    return row.parent == row.root.uri and owner(row.root.uri) == me


def thread_of(row: Row, parents: Mapping[str, str | None], *, me: str) -> str:
    """The id of the comment under which `row`'s thread hangs; `parents` is what each known post answers."""
    if owner(row.root.uri) != me:
        return row.root.uri
    top, seen = row.at.uri, set[str]()
    while top not in seen:
        seen.add(top)
        above = row.parent if top == row.at.uri else parents.get(top)
        if above is None or above == row.root.uri:
            break
        top = above
    return top


def post_of(row: Row, site_url: str) -> Post:
    first = row.text.strip().split("\n", 1)[0]
    title = first if len(first) <= TITLE_CHARS else first[: TITLE_CHARS - 1].rstrip() + "…"
    return Post(row.at.uri, title, row.text, web_address(row.at.uri, site_url), row.pictures)


def reply_ref(row: Row) -> ReplyRef:
    return ReplyRef(row.at.uri, row.parent or "", row.text, row.created_at, likes=row.likes)


def owner(uri: str) -> str:
    """The DID of the account that a record belongs to."""
    return uri.removeprefix("at://").partition("/")[0]


def web_address(uri: str, site_url: str) -> str:
    return f"{site_url}/profile/{owner(uri)}/post/{uri.rpartition('/')[2]}"


def refusal(what: str, answer: Answer) -> AdapterError:
    """The error for an answer that is no success, by its `error` name."""
    name, said = error_name(answer), answer.excerpt or "empty"
    if name in STALE:
        return AuthExpired(f"bluesky: {what}: the access token is not accepted ({name})")
    if name in CLOSED:
        return AccountRestricted(
            f"bluesky: {what}: the account is closed ({name}); see Bluesky's own mail about it"
        )
    if name in ABSENT or answer.status == 404:
        return TargetGone(f"bluesky: {what}: not there any more")
    return Permanent(f"bluesky: {what}: unexpected answer {answer.status}: {said}")


def write_refusal(what: str, answer: Answer) -> AdapterError:
    """As `refusal`, for a record that was to be written."""
    words = answer.excerpt.lower()
    if error_name(answer) == "InvalidRequest" and any(part in words for part in ABOUT_TEXT):
        return RejectedContent(f"bluesky: {what}: refuses the text: {answer.excerpt}")
    return refusal(what, answer)


def error_name(answer: Answer) -> str:
    name = _get(answer.data, "error") if answer.status >= 400 else None
    return name if isinstance(name, str) else ""


def is_absent(answer: Answer) -> bool:
    """Whether a record that was asked for is not there; older servers say so in words only."""
    absent = error_name(answer) in ABSENT or "Could not locate record" in answer.excerpt
    return answer.status in {400, 404} and absent


def _object(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} is a {type(value).__name__}, not an object")
    return value


def _get(value: object, key: str) -> Any:
    return value.get(key) if isinstance(value, Mapping) else None


def _strong(value: object) -> Strong:
    uri = parse_id(_get(value, "uri"))
    if not uri.startswith("at://"):
        raise ValueError("uri does not begin with at://")
    return Strong(uri, parse_id(_get(value, "cid")))


def _written(claimed: object, indexed_at: datetime) -> datetime:
    """When a post was written: its author's word, unless that lies in the future or cannot be read."""
    try:
        return min(parse_time(claimed), indexed_at)
    except ValueError:
        return indexed_at


def _pictures(embed: object) -> tuple[str, ...]:
    images = _get(embed, "images") or _get(_get(embed, "media"), "images")
    found = [_get(image, "fullsize") for image in images] if isinstance(images, list) else []
    return tuple(url for one in found if (url := parse_address(one)))


def _hearted(view: Mapping[str, Any]) -> bool | None:
    viewer = view.get("viewer")
    return "like" in viewer if isinstance(viewer, Mapping) else None
