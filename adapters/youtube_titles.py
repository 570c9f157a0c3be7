"""What the videos are called: asked for fifty at a time, and remembered while the process runs."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any, Final

import structlog

from adapters.base import Post
from adapters.errors import Permanent, TargetGone
from adapters.http import rows_of
from adapters.text import parse_id, parse_text
from adapters.youtube_api import Api
from adapters.youtube_rows import is_channel, post_url

AT_ONCE: Final = 50
REMEMBERED: Final = 2_000
MAX_TEXT: Final = 1_000
"""Characters of a description: what a video is about stands first, links and thanks follow."""

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Titles:
    """The videos that were asked for last."""

    def __init__(self, api: Api, *, wanted: bool) -> None:
        self._api = api
        self._wanted = wanted
        self._known: OrderedDict[str, Post] = OrderedDict()

    def requests(self, ids: Iterable[str]) -> int:
        """How many requests `posts` will make for these."""
        return -(-len(self._missing(ids)) // AT_ONCE)

    async def posts(self, ids: Iterable[str]) -> tuple[Post, ...]:
        """A post for every id. A deleted or private video has no title."""
        wanted = list(dict.fromkeys(ids))
        missing = self._missing(wanted)
        found = {post_id: self._known[post_id] for post_id in wanted if post_id in self._known}
        for start in range(0, len(missing), AT_ONCE):
            found |= await self._ask(missing[start : start + AT_ONCE])
        self._remember(found)
        return tuple(found.get(post_id) or _untitled(post_id) for post_id in wanted)

    def _missing(self, ids: Iterable[str]) -> list[str]:
        if not self._wanted:
            return []
        return [
            post_id
            for post_id in dict.fromkeys(ids)
            if post_id not in self._known and not is_channel(post_id)
        ]

    async def _ask(self, ids: list[str]) -> dict[str, Post]:
        try:
            answer = await self._api.read("videos", {"part": "snippet", "id": ",".join(ids)})
        except (Permanent, TargetGone) as exc:
            log.warning("youtube tells no titles", videos=len(ids), reason=str(exc))
            return {post_id: _untitled(post_id) for post_id in ids}
        read = [parse_post(row) for row in rows_of("youtube: videos", answer.data, "items")]
        told = {post.id: post for post in read if post}
        return {post_id: told.get(post_id) or _untitled(post_id) for post_id in ids}

    def _remember(self, posts: Mapping[str, Post]) -> None:
        for post_id, post in posts.items():
            self._known[post_id] = post
            self._known.move_to_end(post_id)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)


def _untitled(post_id: str) -> Post:
    return Post(post_id, title="", url=post_url(post_id))


def parse_post(row: Any) -> Post | None:
    """A video from a row of `videos.list`; None for one that cannot be read: the comment is what counts."""
    try:
        post_id = parse_id(row["id"])
        title, text = parse_text(row["snippet"]["title"]), parse_text(row["snippet"].get("description") or "")
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return Post(post_id, title, text[:MAX_TEXT], post_url(post_id))
