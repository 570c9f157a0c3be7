"""One poll of a WordPress site.

A round looks at what is held for the moderator, fetches what was released since the last look, and walks through
the new comments from oldest to newest. The walk goes on from the time of the last row that it read, never from a
number of pages: a comment that is deleted or released meanwhile would shift the pages, and another would be missed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from adapters.base import Budget, Clock, Cursor
from adapters.errors import Permanent
from adapters.http import Answer, TooLarge
from adapters.text import parse_id, parse_time
from adapters.wordpress_options import WordPressOptions
from adapters.wordpress_rows import COMMENT_FIELDS, Me, from_local, from_moment, is_last, links_of, times_of
from adapters.wordpress_site import Site

MOST_ROWS: Final = 100


@dataclass(frozen=True, slots=True)
class Walk:
    """A round whose comments are not all read."""

    after: str
    """The parameter of the next request."""
    offset: int
    """Rows after `after` that were read."""
    started: float
    """When the round began: epoch seconds, by the server's clock."""
    newest: float = 0.0
    limit: int = MOST_ROWS
    full: bool = False
    """All of the last `late_s` is read."""


class Reading:
    """One poll. After `run`, `rows` holds what was read, and `cursor()` where to go on."""

    def __init__(self, site: Site, options: WordPressOptions, me: Me, clock: Clock, cursor: Cursor) -> None:
        self.rows: dict[str, Any] = {}
        """By id, or by place where a row has none; those older than `since` too."""
        self.began_full = False
        self._site = site
        self._options = options
        self._me = me
        self._clock = clock
        self._requests = 0
        self._skew = timedelta(0)
        try:
            self.since = parse_time(cursor["since"])
            self._newest = None if cursor["newest"] is None else parse_time(cursor["newest"])
            self._read = parse_time(cursor["read"])
            self._held = [parse_id(key) for key in cursor["held"]]
            self._walk = Walk(**cursor["walk"]) if cursor["walk"] else None
        except (KeyError, TypeError, ValueError) as exc:
            raise Permanent(
                f"wordpress: the saved cursor cannot be read ({exc}); take a new baseline"
            ) from exc

    @property
    def complete(self) -> bool:
        return self._walk is None

    def cursor(self) -> dict[str, Any]:
        return {
            "since": self.since.timestamp(),
            "newest": self._newest.timestamp() if self._newest else None,
            "read": self._read.timestamp(),
            "held": self._held,
            "walk": asdict(self._walk) if self._walk else None,
        }

    async def run(self, budget: Budget) -> None:
        if self._walk is None:
            await self._start_round()
        while self._walk and self._requests < budget.requests and len(self.rows) < budget.comments:
            await self._read_page(self._walk, budget.comments - len(self.rows))

    # --- what the moderator holds and releases ---

    async def _start_round(self) -> None:
        now = self._clock()
        if self._me.edits:
            await self._look_at_held(now)
        self.began_full = (now - self._read).total_seconds() >= self._options.full_read_s
        back = self._options.late_s if self.began_full else self._options.overlap_s
        start = (
            self.since if self._newest is None else max(self.since, self._newest - timedelta(seconds=back))
        )
        self._walk = Walk(from_moment(start), 0, now.timestamp(), full=self.began_full)

    async def _look_at_held(self, now: datetime) -> None:
        """Remember the newest held comments; those no longer held appear, with their old times, if approved."""
        earliest = max(self.since, now + self._skew - timedelta(seconds=self._options.late_s))
        _, rows = await self._list(
            {"status": "hold", "after": from_moment(earliest), "order": "desc", "_fields": "id,parent"}
        )
        held = list(links_of(rows))
        if gone := [key for key in self._held if key not in held]:
            _, released = await self._list(
                {**self._visible, "include": ",".join(gone), "order": "asc", "_fields": COMMENT_FIELDS}
            )
            self._keep(released)
        self._held = held

    # --- the walk ---

    async def _read_page(self, walk: Walk, room: int) -> None:
        limit = max(min(walk.limit, room), 1)
        place = {"after": walk.after, "offset": str(walk.offset), "order": "asc", "_fields": COMMENT_FIELDS}
        try:
            answer, rows = await self._list({**self._visible, **place}, limit)
        except TooLarge:
            if limit == 1:
                raise
            self._walk = replace(walk, limit=limit // 2)
            return
        self._keep(rows)
        newest = max([walk.newest, *(moment.timestamp() for moment in times_of(rows, "date_gmt"))])
        self._walk = replace(_further(walk, rows, limit), newest=newest, limit=min(MOST_ROWS, walk.limit * 2))
        if is_last(answer, rows, offset=walk.offset, limit=limit):
            self._finish(self._walk)

    def _finish(self, walk: Walk) -> None:
        """A comment from the future (an import, a clock set back) would hide all that come before its time."""
        read_until = min(walk.newest, walk.started + self._skew.total_seconds())
        if walk.newest and (self._newest is None or read_until > self._newest.timestamp()):
            self._newest = parse_time(read_until)
        if walk.full:
            self._read = parse_time(walk.started)
        self._walk = None

    # --- requests ---

    @property
    def _visible(self) -> dict[str, str]:
        """Approved comments, with their source where we may see it."""
        shown = {"context": "edit"} if self._me.moderates else {}
        return {**shown, "status": "approve"} if self._me.edits else shown

    async def _list(self, params: Mapping[str, str], limit: int = MOST_ROWS) -> tuple[Answer, list[Any]]:
        self._requests += 1
        chosen = {"post": ",".join(map(str, self._options.posts))} if self._options.posts else {}
        wanted = {"orderby": "date", "per_page": str(limit), **chosen, **params}
        answer, rows = await self._site.rows("comments", wanted)
        self._skew = answer.skew
        return answer, rows

    def _keep(self, rows: Sequence[Any]) -> None:
        for row in rows:
            self.rows[next(iter(links_of([row])), f"unreadable {len(self.rows)}")] = row


def _further(walk: Walk, rows: Sequence[Any], limit: int) -> Walk:
    """Where the next page begins: at the second of the last row, which may have brought more comments.

    Where a page ends in the second that it began in, by the number of rows. WordPress filters and sorts by the
    site's own time, so that this goes by `date`; a change of time zones then does no harm to a walk.
    """
    after = max((from_local(moment) for moment in times_of(rows, "date")), default=walk.after)
    if after == walk.after:
        return replace(walk, offset=walk.offset + limit)
    return replace(walk, after=after, offset=0)
