"""Finds out which conversation and which thread a status stands in."""

from collections.abc import Sequence
from typing import Any, Final

import structlog

from adapters.base import Comment, Post
from adapters.errors import TargetGone
from adapters.http import rows_of
from adapters.mastodon_rows import Place, Row, comment_of, parse_status, post_of
from adapters.mastodon_server import Server

KNOWN: Final = 5000

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Threads:
    """Remembers the place of every status that it came across.

    Under a status of ours the first level of answers is the top of a thread; in a conversation that somebody else
    began, its first status is.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._places: dict[str, Place] = {}
        self._posts: dict[str, Post] = {}
        self._ours: set[str] = set()

    async def place(self, rows: Sequence[Row], *, me: str) -> tuple[tuple[Comment, ...], tuple[Post, ...]]:
        """`rows` as comments, oldest first, and the posts that they stand under; what is gone by now is left out."""
        comments = []
        for row in sorted(rows, key=lambda row: (row.came_at, len(row.id), row.id)):
            try:
                await self._learn(row, me)
            except TargetGone:
                continue
            comments.append(comment_of(row, self._places[row.id], me=me))
        named = dict.fromkeys(comment.ref.post_id for comment in comments)
        posts = tuple(self._posts.get(post_id, Post(post_id, title="")) for post_id in named)
        self._trim()
        return tuple(comments), posts

    async def _learn(self, row: Row, me: str) -> None:
        if row.parent is not None and row.parent not in self._places:
            for above in await self._above(row, me):
                self._note(above, me)
        if row.parent is not None and row.parent not in self._places:
            # What it answers is hidden from us: its id is all that is known of the post.
            self._places[row.parent] = Place(row.parent, row.parent, None)
            if row.parent_author == me:
                self._ours.add(row.parent)
        self._note(row, me)

    async def _above(self, row: Row, me: str) -> list[Row]:
        """What `row` answers, and what that answers, from the first status down."""
        answer = await self._server.read(f"/api/v1/statuses/{row.id}/context")
        found: dict[str, Row] = {}
        for item in rows_of("mastodon: context", answer.data, "ancestors"):
            if above := self._parsed(item, me):
                found[above.id] = above
        chain: list[Row] = []
        above_id = row.parent
        while above_id is not None and above_id in found:
            chain.append(found.pop(above_id))
            above_id = chain[-1].parent
        return chain[::-1]

    def _note(self, row: Row, me: str) -> None:
        above = self._places.get(row.parent or "")
        if above is None:
            self._places[row.id] = Place(row.id, row.id, None)
            self._posts[row.id] = post_of(row)
            if row.author_id == me:
                self._ours.add(row.id)
        elif row.parent == above.post_id and above.post_id in self._ours:
            self._places[row.id] = Place(above.post_id, row.id, None)
        else:
            self._places[row.id] = Place(above.post_id, above.thread_id, row.parent)

    def _parsed(self, item: Any, me: str) -> Row | None:
        try:
            return parse_status(item, me=me)
        except ValueError as exc:
            log.warning("mastodon status cannot be read", reason=str(exc))
            return None

    def _trim(self) -> None:
        if len(self._places) > KNOWN:
            self._places.clear()
            self._posts.clear()
            self._ours.clear()
