"""What a comment's row does not tell: the top of its thread, and the title of its post. Remembered between polls."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import structlog

from adapters.base import Comment, Post
from adapters.errors import Permanent
from adapters.wordpress_rows import (
    POST_FIELDS,
    TOP,
    Me,
    collection_of,
    links_of,
    parse_post,
    unknown_parents,
)
from adapters.wordpress_site import Site

MOST_AT_ONCE: Final = 100
"""Rows that WordPress gives at most."""
REMEMBERED: Final = 20_000
DEEPEST: Final = 50

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Lookup:
    """Asks for many at once, and for each but once."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._parents: dict[str, str] = {}
        self._posts: dict[str, Post] = {}

    def forget_posts(self) -> None:
        """Titles change."""
        self._posts.clear()

    async def parents(self, me: Me, rows: Sequence[Any]) -> Mapping[str, str]:
        """The parent of every comment above `rows`, as far as they are still there. Raises AdapterError."""
        if len(self._parents) > REMEMBERED:
            self._parents.clear()
        near = links_of(rows)
        self._parents.update(near)
        for _ in range(DEEPEST):
            wanted = unknown_parents(near)
            if not wanted:
                break
            unasked = sorted(wanted - self._parents.keys())
            # Whose row does not come back is gone, and what hung below it counts as a top.
            self._parents.update(dict.fromkeys(unasked, TOP))
            for some in _parcels(unasked):
                self._parents.update(links_of(await self._ancestors(me, some)))
            near.update({key: self._parents[key] for key in wanted})
        return near

    async def _ancestors(self, me: Me, keys: Sequence[str]) -> list[Any]:
        every = {"status": "any"} if me.edits else {}
        wanted = {"include": ",".join(keys), "per_page": str(MOST_AT_ONCE), "_fields": "id,parent"}
        _, rows = await self._site.rows("comments", {**wanted, **every})
        return rows

    async def posts(self, comments: Sequence[Comment], rows: Iterable[Any]) -> tuple[Post, ...]:
        """The posts of `comments`, which came of `rows`. Raises AdapterError."""
        if len(self._posts) > REMEMBERED:
            self._posts.clear()
        named = {comment.ref.post_id: comment for comment in comments}
        for collection, keys in self._unknown_posts(rows).items():
            for some in _parcels(sorted(keys & named.keys())):
                self._posts.update(await self._described(collection, some))
        for key in named.keys() - self._posts.keys():
            self._posts[key] = Post(key, title=key, url=named[key].url.partition("#")[0])
        return tuple(self._posts[key] for key in named)

    def _unknown_posts(self, rows: Iterable[Any]) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for row in rows:
            collection = collection_of(row)
            if collection is not None and (key := str(row.get("post"))) not in self._posts:
                found.setdefault(collection, set()).add(key)
        return found

    async def _described(self, collection: str, keys: Sequence[str]) -> dict[str, Post]:
        params = {"include": ",".join(keys), "per_page": str(MOST_AT_ONCE), "_fields": POST_FIELDS}
        try:
            _, rows = await self._site.rows(collection, params)
        except Permanent as exc:
            log.warning("wordpress does not show the posts; their numbers stand for titles", reason=str(exc))
            return {}
        found = {}
        for row in rows:
            try:
                post = parse_post(row)
            except ValueError as exc:
                log.warning("wordpress post cannot be read", reason=str(exc))
                continue
            found[post.id] = post
        return found


def _parcels(keys: Sequence[str]) -> list[Sequence[str]]:
    return [keys[start : start + MOST_AT_ONCE] for start in range(0, len(keys), MOST_AT_ONCE)]
