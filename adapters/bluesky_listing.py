"""Reads pages of what the account was notified of and of what it posted itself."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import structlog

from adapters import bluesky_reading as reading
from adapters.base import Clock
from adapters.bluesky_reading import INBOX, Progress
from adapters.bluesky_rows import Row, error_name, indexed_at, parse_row, refusal
from adapters.bluesky_server import Server
from adapters.http import Answer, rows_of

MAX_PAGE: Final = 100
REASONS: Final = ("reply", "mention")

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Listing:
    """One poll's walk; `rows` is what it found."""

    def __init__(
        self, server: Server, progress: Progress, *, me: str, overlap: timedelta, clock: Clock
    ) -> None:
        self._server = server
        self._me = me
        self._overlap = overlap
        self._clock = clock
        self.progress = progress
        self.rows: dict[str, Row] = {}
        self.malformed = 0

    async def step(self, room: int) -> None:
        """One page further. Raises AdapterError."""
        name = self.progress.todo[0]
        at = self.progress.streams[name].at
        answer = await self._page(name, at, min(MAX_PAGE, max(room, 1)))
        if at is not None and answer.status == 400 and error_name(answer) == "InvalidRequest":
            # The server no longer knows the place: begin again at the top.
            self.progress = reading.restart(self.progress, name)
            return
        if answer.status != 200:
            raise refusal(name, answer)
        listed = rows_of(f"bluesky: {name}", answer.data, "notifications" if name == INBOX else "feed")
        self._take(name, listed)
        following = answer.data.get("cursor")
        self.progress = reading.advance(
            self.progress,
            name,
            times=[indexed_at(item) for item in listed],
            following=following if isinstance(following, str) and following else None,
            overlap=self._overlap,
            now=answer.server_time(self._clock()),
        )

    async def _page(self, name: str, at: str | None, limit: int) -> Answer:
        place = [("limit", str(limit)), *([("cursor", at)] if at is not None else [])]
        if name == INBOX:
            params = [*(("reasons", reason) for reason in REASONS), *place]
            return await self._server.ask("app.bsky.notification.listNotifications", params)
        params = [("actor", self._me), ("filter", "posts_with_replies"), *place]
        return await self._server.ask("app.bsky.feed.getAuthorFeed", params)

    def _take(self, name: str, listed: Sequence[Any]) -> None:
        since = reading.floor(self.progress, name, self._overlap)
        for item in listed:
            view = _told(item) if name == INBOX else _own_view(item)
            try:
                row = parse_row(view) if view is not None else None
            except ValueError as exc:
                log.warning("bluesky row cannot be read", listing=name, reason=str(exc))
                self.malformed += 1
                continue
            # A post of ours that answers nothing is no comment.
            wanted = row is not None and (
                name == INBOX or (row.author_id == self._me and row.parent is not None)
            )
            if row is not None and wanted and row.indexed_at >= since:
                self.rows[row.at.uri] = row


def _told(item: object) -> object:
    """A notification; None for a like or a follow, which a server may bring unasked."""
    return None if isinstance(item, dict) and item.get("reason") not in REASONS else item


def _own_view(item: object) -> object:
    """The post of an entry of our feed; None for a repost."""
    if isinstance(item, dict) and item.get("reason") is not None:
        return None
    return item.get("post", {}) if isinstance(item, dict) else item
