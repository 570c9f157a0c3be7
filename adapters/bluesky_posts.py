"""Looks up posts by their addresses: what comments answer, what they stand under, what they look like now."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

import structlog

from adapters.base import Comment, Post
from adapters.bluesky_rows import Row, comment_of, owner, parse_row, post_of, thread_of
from adapters.bluesky_server import Server
from adapters.http import rows_of

AT_ONCE: Final = 25
"""The most posts that one call of getPosts takes."""
DEEPEST: Final = 40
"""How many posts a comment's thread is followed up; deeper ones count as a thread of their own."""
KNOWN: Final = 5000

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Posts:
    """Remembers what posts answer and what roots say; neither changes on Bluesky."""

    def __init__(self, server: Server, site_url: str) -> None:
        self._server = server
        self._site_url = site_url
        self._parents: dict[str, str | None] = {}
        self._roots: dict[str, Post] = {}

    async def get(self, uris: Iterable[str]) -> dict[str, Row]:
        """The posts that are there, by address."""
        rows: dict[str, Row] = {}
        left = iter(dict.fromkeys(uris))
        while some := list(islice(left, AT_ONCE)):
            for view in await self.views(some):
                try:
                    row = parse_row(view)
                except ValueError as exc:
                    log.warning("bluesky post cannot be read", reason=str(exc))
                    continue
                rows[row.at.uri] = row
        return rows

    async def views(self, uris: Sequence[str]) -> list[object]:
        """The raw `postView` of at most 25 posts. Raises AdapterError."""
        answer = await self._server.read("app.bsky.feed.getPosts", [("uris", uri) for uri in uris])
        return rows_of("bluesky: getPosts", answer.data, "posts")

    async def place(self, rows: Sequence[Row], *, me: str) -> tuple[tuple[Comment, ...], tuple[Post, ...]]:
        """`rows` as comments in their threads, oldest first, and the posts that they stand under."""
        fresh = await self.get(row.at.uri for row in rows)
        await self._learn(rows, me)
        shown = [fresh.get(row.at.uri, row) for row in rows]
        comments = [
            comment_of(row, me=me, thread_id=thread_of(row, self._parents, me=me), site_url=self._site_url)
            for row in sorted(shown, key=lambda row: row.indexed_at)
        ]
        named = dict.fromkeys(comment.ref.post_id for comment in comments)
        posts = tuple(self._roots.get(uri, Post(uri, title="")) for uri in named)
        self._trim()
        return tuple(comments), posts

    async def _learn(self, rows: Sequence[Row], me: str) -> None:
        """Follow every thread up to its top, one level of all of them at a time."""
        self._parents |= {row.at.uri: row.parent for row in rows}
        roots = {row.root.uri for row in rows if row.root.uri not in self._roots}
        level = roots | {uri for row in rows for uri in self._above(row, me)}
        for _ in range(DEEPEST):
            if not level:
                return
            found = await self.get(level)
            # What is gone is known to be gone: its answers are a thread of their own.
            self._parents |= dict.fromkeys(level) | {uri: row.parent for uri, row in found.items()}
            self._roots |= {uri: post_of(row, self._site_url) for uri, row in found.items() if uri in roots}
            level = {uri for row in found.values() for uri in self._above(row, me)}

    def _above(self, row: Row, me: str) -> list[str]:
        """What must be known before the top of `row`'s thread is."""
        if owner(row.root.uri) != me or row.parent is None or row.parent == row.root.uri:
            return []
        return [] if row.parent in self._parents else [row.parent]

    def _trim(self) -> None:
        if len(self._parents) > KNOWN or len(self._roots) > KNOWN:
            self._parents.clear()
            self._roots.clear()
