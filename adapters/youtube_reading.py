"""One poll of a channel: threads from the newest back, page by page, and the replies of those that have more.

A list of threads has no `since`, and a new reply leaves its thread where it is. Therefore
  - the newest page is read every time, and further pages until what was read before begins;
  - now and then the walk goes on through older threads, see `adapters.youtube_sweeps`;
  - a thread brings a few of its replies along. Where it has more, their number is kept; when that has changed for
    the larger, or the thread is new, `comments.list` brings all of them, for a unit a hundred.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from adapters import youtube_cursor, youtube_sweeps
from adapters.base import Budget, Clock, Cursor
from adapters.errors import TargetGone, Transient
from adapters.http import Answer, TooLarge, rows_of
from adapters.youtube_api import Api
from adapters.youtube_cursor import Long, Walk
from adapters.youtube_errors import PageGone
from adapters.youtube_options import YouTubeOptions
from adapters.youtube_rows import Row, Thread, created, parse_thread
from adapters.youtube_sweeps import Sweep
from adapters.youtube_titles import Titles

PAGE: Final = 100

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Reading:
    """One poll. After `run`, `rows` holds what was read, and `cursor()` where to go on."""

    def __init__(
        self, api: Api, titles: Titles, options: YouTubeOptions, clock: Clock, cursor: Cursor, *, me: str
    ) -> None:
        self.rows: list[Row] = []
        self._api = api
        self._titles = titles
        self._options = options
        self._clock = clock
        self._me = me
        self._requests = 0
        self._restarts = 0
        self._limit = PAGE
        self._at = youtube_cursor.load(cursor)

    @property
    def complete(self) -> bool:
        return self._at.walk is None and not self._at.queue

    def cursor(self) -> Cursor:
        return youtube_cursor.dump(self._at)

    async def run(self, budget: Budget) -> None:
        self._limit = min(PAGE, max(budget.comments, 1))
        if self.complete:
            self._begin(self._clock())
        while not self.complete and self._has_room(budget):
            if self._at.queue:
                await self._read_replies(self._at.queue[0])
            elif self._at.walk:
                await self._read_threads(self._at.walk)

    def _has_room(self, budget: Budget) -> bool:
        if not self._requests:
            return True
        spent = self._requests + self._titles.requests(row.post_id for row in self.rows)
        return spent < budget.requests and len(self.rows) + self._limit <= budget.comments

    def _begin(self, now: datetime) -> None:
        """Start a walk. What was held back shows within `late_s`, and a late reply by the next sweep."""
        whole = self._at.swept.get(youtube_sweeps.WHOLE)
        read = min(self._at.newest, whole.at) if whole else self._at.first
        self._at.floor = max(self._at.first, read - timedelta(seconds=self._options.late_s))
        sweep = youtube_sweeps.due(self._at.swept, now, self._options)
        self._at.walk = Walk(now, self._at.newest, sweep)

    async def _read_threads(self, walk: Walk) -> None:
        place = {"part": "snippet,replies", "allThreadsRelatedToChannelId": self._me, "order": "time"}
        try:
            answer = await self._list("commentThreads", place, walk.page)
        except PageGone as exc:
            self._begin_again(walk.page, exc)
            self._at.walk = replace(walk, page=None, threads=0)
            return
        except TargetGone as exc:
            log.warning("youtube tells no comments of the channel", reason=str(exc))
            self._finish(walk)
            return
        if answer is not None:
            self._turn_page(walk, answer)

    def _turn_page(self, walk: Walk, answer: Answer) -> None:
        found = rows_of("youtube: commentThreads", answer.data, "items")
        times = [moment for item in found if (moment := self._take(item))]
        # A time ahead of the platform's own clock would hide what comes before it.
        newest = min(max([walk.newest, *times]), answer.server_time(self._clock()))
        walk = replace(
            walk,
            newest=newest,
            page=_next_page(answer, walk.page),
            threads=walk.threads + len(found),
            units=walk.units + 1 + len(self._at.queue),
        )
        if walk.page is None or self._ends(walk, times):
            self._finish(walk)
        else:
            self._at.walk = walk

    def _ends(self, walk: Walk, times: list[datetime]) -> bool:
        """Whether what follows this page was read before. The list is sorted by time, the newest first."""
        if not times or times[-1] > self._at.newest - timedelta(seconds=self._options.overlap_s):
            return False
        return walk.sweep is None or walk.threads >= (walk.sweep * PAGE or self._options.full_read_threads)

    def _finish(self, walk: Walk) -> None:
        self._at.newest = max(self._at.newest, walk.newest)
        if walk.sweep is not None:
            sweep = Sweep(walk.began, walk.units, -(-walk.threads // PAGE))
            self._at.swept = youtube_sweeps.done(self._at.swept, walk.sweep, sweep)
        self._at.walk = None

    def _take(self, item: object) -> datetime | None:
        """Keep what is new of a thread, and note it where it has more. Returns when it began."""
        try:
            thread = parse_thread(item)
        except ValueError:
            self.rows.append(Row("", None))  # counted and logged where rows are parsed
            return None
        fresh = self._keep(thread.rows)
        if thread.shows_all:
            self._at.counts.pop(thread.id, None)
        elif self._has_grown(thread, fresh=fresh):
            self._at.queue.append(Long(thread.id, thread.post_id, thread.replies))
        else:
            self._remember(thread.id, thread.replies)
        return created(thread.rows[0])

    def _has_grown(self, thread: Thread, *, fresh: bool) -> bool:
        """A thread without a number had fewer replies, or its number made room for another's.

        While the first sweep takes the numbers of old threads, only what shows anything new has grown.
        """
        known = self._at.counts.get(thread.id)
        if known is None:
            return fresh or youtube_sweeps.WHOLE in self._at.swept
        return thread.replies > known

    async def _read_replies(self, item: Long) -> None:
        try:
            answer = await self._list("comments", {"part": "snippet", "parentId": item.thread}, item.page)
        except PageGone as exc:
            self._begin_again(item.page, exc)
            self._at.queue[0] = replace(item, page=None)
            return
        except TargetGone:
            self._at.queue.pop(0)
            return
        if answer is None:
            return
        self._keep([Row(item.post, data) for data in rows_of("youtube: comments", answer.data, "items")])
        following = _next_page(answer, item.page)
        if following:
            self._at.queue[0] = replace(item, page=following)
            return
        self._at.queue.pop(0)
        self._remember(item.thread, item.replies)

    def _keep(self, rows: Sequence[Row]) -> bool:
        """Keep the new ones, and those without a time, to be counted. Returns whether one is new."""
        times = [created(row) for row in rows]
        self.rows += [row for row, at in zip(rows, times, strict=True) if at is None or at >= self._at.floor]
        return any(at >= self._at.floor for at in times if at)

    def _remember(self, thread: str, replies: int) -> None:
        self._at.counts.pop(thread, None)
        self._at.counts[thread] = replies
        while len(self._at.counts) > self._options.remembered_threads:
            self._at.counts.pop(next(iter(self._at.counts)))

    def _begin_again(self, page: str | None, cause: PageGone) -> None:
        """Count it. Raises Transient when going back to the first page does not help."""
        self._restarts += 1
        if page is None or self._restarts > 1:
            raise Transient(f"{cause}, again and again; repeat later", ambiguous=False) from cause

    async def _list(self, resource: str, place: Mapping[str, str], page: str | None) -> Answer | None:
        """A page of a list; None when it was too large to be read, and smaller ones are asked for from now on."""
        self._requests += 1
        params = {**place, "textFormat": "plainText", "maxResults": str(self._limit)}
        try:
            return await self._api.read(resource, {**params, "pageToken": page} if page else params)
        except TooLarge:
            if self._limit == 1:
                raise
            self._limit //= 2
            return None


def _next_page(answer: Answer, page: str | None) -> str | None:
    following = answer.data.get("nextPageToken")
    if not isinstance(following, str) or not following:
        return None
    if following == page:
        log.warning("youtube answers the same page again; stopping here until the next poll")
        return None
    return following
