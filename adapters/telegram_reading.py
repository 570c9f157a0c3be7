"""One batch of a bot's news: comments, and what must be remembered to place the next ones."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog

from adapters.base import Comment, Cursor, Post
from adapters.errors import Permanent
from adapters.telegram_rows import (
    Group,
    Me,
    Place,
    author_of,
    chat_of,
    described,
    is_post,
    key,
    make_post,
    parse_comment,
    sent_at,
    text_of,
)
from adapters.text import parse_time

POSTS: Final = 60
"""Posts whose words are kept, the newest; `THREADS` of whom we know that they are posts."""
THREADS: Final = 1000
ROOTS: Final = 500
"""Comments of whom we know in which thread they stand, the newest."""
GONE: Final = ("left", "kicked")

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Reading:
    """Takes updates in, from oldest to newest; `cursor()` is where to go on.

    What of a chain of replies lies further back than the memory reaches begins a thread of its own.
    """

    def __init__(self, cursor: Cursor, groups: Mapping[int, Group], me: Me, *, general: bool) -> None:
        self.comments: list[Comment] = []
        self.malformed = 0
        self._groups = groups
        self._me = me
        self._general = general
        try:
            self.since = parse_time(cursor["from"])
            self.offset = _number(cursor["offset"])
            self.heard = float(cursor["heard"])
            self._posts = {
                str(post): (str(title), str(text)) for post, (title, text) in cursor["posts"].items()
            }
            self._threads = dict.fromkeys(str(post) for post in cursor["threads"])
            self._roots = {str(one): (str(root), str(post)) for one, (root, post) in cursor["roots"].items()}
            self.lost = {int(chat): str(why) for chat, why in cursor["lost"].items()}
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as exc:
            raise Permanent(
                f"telegram: the saved cursor cannot be read ({exc}); take a new baseline"
            ) from exc

    def cursor(self) -> dict[str, Any]:
        return {
            "from": self.since.timestamp(),
            "offset": self.offset,
            "heard": self.heard,
            "posts": {post: list(words) for post, words in _newest(self._posts, POSTS).items()},
            "threads": list(_newest(self._threads, THREADS)),
            "roots": {one: list(place) for one, place in _newest(self._roots, ROOTS).items()},
            "lost": {str(chat): why for chat, why in self.lost.items()},
        }

    def remember(self, sent: Mapping[str, tuple[str, str]]) -> None:
        """Place our own replies, of which Telegram tells a bot nothing: thread and post by id."""
        self._roots |= sent

    def take(self, updates: Sequence[Any]) -> None:
        for update in updates:
            try:
                self._take(update)
            except (ValueError, AttributeError) as exc:
                log.warning("telegram update cannot be read", reason=str(exc))
                self.malformed += 1
        self.comments.sort(key=lambda comment: comment.ref.created_at)

    def posts(self) -> tuple[Post, ...]:
        named = dict.fromkeys(comment.ref.post_id for comment in self.comments)
        return tuple(make_post(post, self._group(post), self._posts.get(post)) for post in named)

    def _take(self, update: Any) -> None:
        number = update["update_id"] if isinstance(update, Mapping) and "update_id" in update else None
        if isinstance(number, bool) or not isinstance(number, int):
            raise ValueError("the update has no number")
        # The number counts first: a message that cannot be read must not come back for ever.
        self.offset = max(self.offset or 0, number + 1)
        if isinstance(change := update.get("my_chat_member"), Mapping):
            self._standing(change)
        elif isinstance(message := update.get("message"), Mapping):
            self._message(message)
        elif "message" in update:
            raise ValueError("the message is no object")

    def _standing(self, change: Mapping[str, Any]) -> None:
        """The bot was added to a group, or thrown out."""
        chat, member = chat_of(change), change.get("new_chat_member")
        status = member.get("status") if isinstance(member, Mapping) else None
        self.lost.pop(chat, None)
        if status in GONE and chat in self._groups:
            self.lost[chat] = "the bot is no longer in it; add it again"

    def _message(self, message: Mapping[str, Any]) -> None:
        chat = chat_of(message)
        group = self._groups.get(chat)
        if group is None:
            log.info("telegram: a group that this channel does not read; add it to groups", group=chat)
        elif isinstance(moved := message.get("migrate_to_chat_id"), int):
            self.lost[chat] = f"it became a supergroup; set groups to {moved}"
        elif is_post(message):
            self._learn(group, message)
        elif (text := text_of(message)) is not None:
            self._comment(group, message, text)

    def _comment(self, group: Group, message: Mapping[str, Any], text: str) -> None:
        place = self._place(group, message)
        if place is None:
            return
        author = author_of(message, group, self._me)
        self._roots[key(group.id, message.get("message_id"))] = (place.thread_id, place.post_id)
        # A bot's question is never answered: two bots would go on for ever.
        if (author.is_bot and not author.is_own) or sent_at(message) < self.since:
            return
        self.comments.append(parse_comment(message, place, group=group, me=self._me, text=text))

    def _place(self, group: Group, message: Mapping[str, Any]) -> Place | None:
        """None for what stands under no post, where only comments under posts are read."""
        own = key(group.id, message.get("message_id"))
        answered = message.get("reply_to_message")
        if not isinstance(answered, Mapping) or "forum_topic_created" in answered:
            return self._top(group, message, own)
        if is_post(answered):
            return Place(self._learn(group, answered), own, None)
        parent = key(group.id, answered.get("message_id"))
        if parent in self._roots:
            root, post = self._roots[parent]
            return Place(post, root, parent)
        top = self._top(group, message, parent)
        return Place(top.post_id, parent, parent) if top else None

    def _top(self, group: Group, message: Mapping[str, Any], root: str) -> Place | None:
        thread = message.get("message_thread_id")
        post = key(group.id, thread) if thread is not None else ""
        if post in self._threads:
            return Place(post, root, None)
        return Place(str(group.id), root, None) if self._general else None

    def _learn(self, group: Group, message: Mapping[str, Any]) -> str:
        post = key(group.id, message.get("message_id"))
        for memory in (self._posts, self._threads):
            memory.pop(post, None)
        self._posts[post] = described(message)
        self._threads[post] = None
        return post

    def _group(self, post_id: str) -> Group:
        return self._groups[int(post_id.partition(":")[0])]


def _newest(memory: Mapping[str, Any], most: int) -> dict[str, Any]:
    return dict(list(memory.items())[-most:])


def _number(value: object) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise TypeError("offset is no number")
    return value
