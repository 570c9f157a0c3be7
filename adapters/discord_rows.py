"""What Discord's answers mean: comments, places, and who wrote them. Pure functions."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from adapters.base import Comment, CommentRef, Post, ReplyRef
from adapters.text import clean, parse_count, parse_id, parse_text, parse_time

EPOCH: Final = datetime(2015, 1, 1, tzinfo=UTC)
"""Where snowflakes begin: an id is milliseconds since then, times 2**22, and a count."""
SHIFT: Final = 22
MESSAGE: Final = 0
REPLY: Final = 19
FORWARD: Final = 1
FORUMS: Final = frozenset({15, 16})
THREADS: Final = frozenset({10, 11})
"""Threads that everybody can read; type 12 is private."""
READABLE: Final = frozenset({0, 2, 5, 10, 11, 13})
NONCE_CHARS: Final = 25
LIKES: Final = ("👍", "❤", "❤️")
GATED: Final = (
    "content",
    "attachments",
    "embeds",
    "components",
    "poll",
    "sticker_items",
    "message_snapshots",
)
"""Parts of a message, one of which every message of a person has; Discord empties them without the intent."""
MENTION: Final = re.compile(r"<@!?([0-9]{1,20})>")
EMOJI: Final = re.compile(r"<a?(:[A-Za-z0-9_]{1,40}:)[0-9]{1,20}>")


@dataclass(frozen=True, slots=True)
class Me:
    """The bot, and the people who speak for the creator."""

    id: str
    owners: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Place:
    """A channel or a thread: what its messages stand under."""

    id: str
    guild: str = ""
    kind: int = 0
    name: str = ""
    topic: str = ""
    parent: str = ""
    """The channel that a thread belongs to."""
    last: int = 0
    """Its newest message, which may be deleted."""

    @property
    def is_thread(self) -> bool:
        return self.kind in THREADS


def snowflake(value: object) -> int:
    """An id as a number, in the order of time. Raises ValueError."""
    text = parse_id(value)
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise ValueError(f"'{text:.40}' is no id of Discord")
    return int(text)


def first_at(moment: datetime) -> int:
    """The least id of what was written at `moment` or later."""
    return max(0, (moment - EPOCH) // timedelta(milliseconds=1)) << SHIFT


def earlier(number: int, seconds: float) -> int:
    """The id that was given out `seconds` before `number`."""
    return max(0, number - (int(seconds * 1000) << SHIFT))


def time_of(number: int) -> datetime:
    """Raises ValueError for what is no moment."""
    return parse_time((EPOCH + timedelta(milliseconds=min(number, 2**64) >> SHIFT)).timestamp())


def nonce(key: str) -> str:
    """The same for every attempt at the same reply: Discord answers a repeated one with the message it has."""
    return sha256(key.encode()).hexdigest()[:NONCE_CHARS]


def parse_place(data: object) -> Place:
    """A channel or a thread. Raises ValueError."""
    if not isinstance(data, Mapping):
        raise ValueError(f"channel is a {type(data).__name__}, not an object")
    kind = data.get("type")
    if isinstance(kind, bool) or not isinstance(kind, int):
        raise ValueError("channel has no type")
    last = data.get("last_message_id")
    return Place(
        id=str(snowflake(data.get("id"))),
        guild=str(snowflake(data["guild_id"])) if data.get("guild_id") else "",
        kind=kind,
        name=parse_text(data.get("name") or ""),
        topic=parse_text(data.get("topic") or ""),
        parent=str(snowflake(data["parent_id"])) if data.get("parent_id") else "",
        last=snowflake(last) if last else 0,
    )


def is_comment(row: object) -> bool:
    """Whether a person or a bot wrote it; the rest are Discord's own notes (joined, pinned, thread made)."""
    return isinstance(row, Mapping) and row.get("type") in (MESSAGE, REPLY)


def by_bot(row: Mapping[str, Any], me: Me) -> bool:
    """Written by a program that is not ours, webhooks included."""
    author = row.get("author")
    if not isinstance(author, Mapping) or parse_id(author.get("id")) in {me.id} | me.owners:
        return False
    return author.get("bot") is True or row.get("webhook_id") is not None


def is_hidden(row: Mapping[str, Any]) -> bool:
    """Whether it holds nothing, as every message does for a bot without the message content intent."""
    return not any(row.get(part) for part in GATED)


def answered(row: Mapping[str, Any]) -> str | None:
    """Id of the message that this one answers. Raises ValueError."""
    reference = row.get("message_reference")
    if row.get("type") != REPLY or not isinstance(reference, Mapping) or reference.get("type") == FORWARD:
        return None
    return str(snowflake(reference.get("message_id")))


def root(row: Mapping[str, Any], roots: Mapping[str, str]) -> str:
    """Id of the top comment of a message's thread of replies, as far as it is known. Raises ValueError."""
    parent = answered(row)
    if parent is None:
        return str(snowflake(row.get("id")))
    if parent in roots:
        return roots[parent]
    above = row.get("referenced_message")
    before = answered(above) if isinstance(above, Mapping) else None
    return roots.get(before, before) if before else parent


def parse_comment(
    row: Mapping[str, Any], place: Place, *, me: Me, thread: str, site_url: str = ""
) -> Comment:
    """A comment from a message. Raises ValueError when a field is unusable."""
    author = row.get("author")
    if not isinstance(author, Mapping):
        raise ValueError("the message names no author")
    author_id = str(snowflake(author.get("id")))
    number = str(snowflake(row.get("id")))
    return Comment(
        ref=CommentRef(place.id, thread, number, time_of(int(number))),
        parent_id=answered(row),
        author_id=author_id,
        author_name=_shown_name(row, author),
        text=readable(parse_text(row.get("content")), _list(row.get("mentions"))),
        is_own=author_id == me.id or author_id in me.owners,
        url=f"{site_url}/channels/{place.guild}/{place.id}/{number}" if place.guild else "",
        pictures=_pictures(_list(row.get("attachments"))),
        likes=_likes(_list(row.get("reactions"))),
    )


def reply_ref(comment: Comment) -> ReplyRef:
    return ReplyRef(
        comment.ref.comment_id, comment.parent_id or "", comment.text, comment.ref.created_at, comment.likes
    )


def readable(content: str, mentions: Sequence[Any]) -> str:
    """The text as people see it: names for mentions, `:name:` for emoji of a server."""
    names = {
        str(person.get("id")): clean(str(person.get("global_name") or person.get("username") or ""))
        for person in mentions
        if isinstance(person, Mapping)
    }
    named = MENTION.sub(lambda found: f"@{names.get(found[1]) or found[1]}", content)
    return EMOJI.sub(r"\1", named)


def make_post(place: Place, text: str, site_url: str) -> Post:
    """A channel by its topic, or a thread by the message that it began with."""
    return Post(
        id=place.id,
        title=place.name or place.id,
        text=text if place.is_thread else place.topic,
        url=f"{site_url}/channels/{place.guild}/{place.id}" if place.guild else "",
    )


def _shown_name(row: Mapping[str, Any], author: Mapping[str, Any]) -> str:
    member = row.get("member")
    nick = member.get("nick") if isinstance(member, Mapping) else None
    return parse_text(nick or author.get("global_name") or author.get("username") or "")


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _pictures(attachments: Sequence[Any]) -> tuple[str, ...]:
    found = [
        one["url"]
        for one in attachments
        if isinstance(one, Mapping)
        and str(one.get("content_type")).startswith("image/")
        and isinstance(one.get("url"), str)
    ]
    return tuple(
        dict.fromkeys(clean(url) for url in found if url.startswith("https://") and len(url) <= 2000)
    )


def _likes(reactions: Sequence[Any]) -> int | None:
    """The count of the most given of `LIKES`: one person may give several."""
    counts = [
        parse_count(one.get("count"))
        for one in reactions
        if isinstance(one, Mapping) and isinstance(one.get("emoji"), Mapping)
        if one["emoji"].get("name") in LIKES
    ]
    return max((count for count in counts if count is not None), default=None)
