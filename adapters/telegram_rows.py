"""What the Bot API's messages mean: comments, posts, and who wrote them. Pure functions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from adapters.base import Comment, CommentRef, Post
from adapters.text import parse_id, parse_text, parse_time

TITLE_CHARS: Final = 80
POST_CHARS: Final = 800
CONTENT: Final = frozenset(
    {
        "text",
        "caption",
        "animation",
        "audio",
        "contact",
        "dice",
        "document",
        "location",
        "paid_media",
        "photo",
    }
    | {"poll", "sticker", "story", "venue", "video", "video_note", "voice"}
)
"""One of these is in every message that a person wrote; the others are Telegram's own notes (joined, pinned)."""
SUPERGROUP: Final = "-100"


@dataclass(frozen=True, slots=True)
class Group:
    """A group that the bot reads. `channel` is the channel whose posts are discussed in it; None where unknown."""

    id: int
    title: str = ""
    username: str = ""
    channel: int | None = None


@dataclass(frozen=True, slots=True)
class Me:
    """The bot, and the people who speak for the creator."""

    id: str
    owners: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote a message: a person, a bot, or a chat in whose name somebody wrote."""

    id: str
    name: str
    is_own: bool
    is_bot: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message stands: under which post, in which thread, below which comment; all ids are `key`s."""

    post_id: str
    thread_id: str
    parent_id: str | None


def key(chat: int, message: object) -> str:
    """What identifies a message: its number counts within its chat only. Raises ValueError."""
    number = parse_id(message)
    if not (number.isascii() and number.isdigit()):
        raise ValueError(f"'{number:.40}' is no number of a message")
    return f"{chat}:{number}"


def split(comment_id: str) -> tuple[int, int]:
    """Chat and number of a message from its `key`. Raises ValueError."""
    chat, _, message = comment_id.partition(":")
    return int(chat), int(message)


def chat_of(message: Mapping[str, Any]) -> int:
    """Raises ValueError."""
    chat = message.get("chat")
    number = chat.get("id") if isinstance(chat, Mapping) else None
    if isinstance(number, bool) or not isinstance(number, int):
        raise ValueError("the message names no chat")
    return number


def is_post(message: object) -> bool:
    """Whether it is the channel's post, which Telegram itself copied into the group."""
    return isinstance(message, Mapping) and message.get("is_automatic_forward") is True


def text_of(message: Mapping[str, Any]) -> str | None:
    """What is to be read; empty for a picture without words, None for a note of Telegram's own."""
    if not CONTENT & message.keys():
        return None
    sticker = message.get("sticker")
    emoji = sticker.get("emoji") if isinstance(sticker, Mapping) else None
    return parse_text(message.get("text") or message.get("caption") or emoji or "")


def author_of(message: Mapping[str, Any], group: Group, me: Me) -> Author:
    """Raises ValueError when nobody is named.

    A message in the name of the channel or of the group (an anonymous administrator) is the creator's own. Beside it,
    `from` names a bot of Telegram's that stands for nobody.
    """
    chat = message.get("sender_chat")
    if isinstance(chat, Mapping):
        number = parse_id(chat.get("id"))
        own = number in {str(group.id), str(group.channel)} | me.owners
        return Author(number, parse_text(chat.get("title") or ""), is_own=own, is_bot=False)
    person = message.get("from")
    if not isinstance(person, Mapping):
        raise ValueError("the message names no author")
    number = parse_id(person.get("id"))
    names = [parse_text(person.get(part) or "") for part in ("first_name", "last_name")]
    return Author(
        number,
        " ".join(name for name in names if name),
        is_own=number == me.id or number in me.owners,
        is_bot=person.get("is_bot") is True,
    )


def parse_comment(
    message: Mapping[str, Any], place: Place, *, group: Group, me: Me, text: str | None = None
) -> Comment:
    """A comment from a message of a group. Raises ValueError when a field is unusable."""
    author = author_of(message, group, me)
    comment_id = key(group.id, message.get("message_id"))
    return Comment(
        ref=CommentRef(place.post_id, place.thread_id, comment_id, sent_at(message)),
        parent_id=place.parent_id,
        author_id=author.id,
        author_name=author.name,
        text=text if text is not None else text_of(message) or "",
        is_own=author.is_own,
        url=link(group, comment_id),
    )


def sent_at(message: Mapping[str, Any]) -> datetime:
    """Whole seconds. Raises ValueError."""
    return parse_time(message.get("date"))


def link(group: Group, message_key: str) -> str:
    """Where people find a message; empty for a small group, whose messages have no address."""
    number = message_key.partition(":")[2]
    if group.username:
        return f"https://t.me/{group.username}/{number}"
    chat = str(group.id)
    return f"https://t.me/c/{chat.removeprefix(SUPERGROUP)}/{number}" if chat.startswith(SUPERGROUP) else ""


def described(message: Mapping[str, Any]) -> tuple[str, str]:
    """Title (the first line) and text of a post, cut to what a cursor can carry. Raises ValueError."""
    text = (text_of(message) or "").strip()
    return text.partition("\n")[0][:TITLE_CHARS], text[:POST_CHARS]


def make_post(post_id: str, group: Group, words: tuple[str, str] | None) -> Post:
    """A post of the channel, or, where `post_id` is the group itself, its general talk."""
    if post_id == str(group.id):
        return Post(id=post_id, title=group.title or post_id)
    title, text = words or ("", "")
    number = post_id.partition(":")[2]
    return Post(
        id=post_id, title=title or f"{group.title} {number}".strip(), text=text, url=link(group, post_id)
    )


def utf16_units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
