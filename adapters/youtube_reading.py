"""One poll of a channel: threads from the newest back, page by page, and the replies of those that have more.

A list of threads has no `since`, and a new reply leaves its thread where it is. Therefore
  - the newest page is read every time, and further pages until what was read before begins;
  - now and then the walk goes on through older threads, see `adapters.youtube_sweeps`;
  - a thread brings a few of its replies along. Where it has more, their number is kept; when that has changed for
    the larger, or the thread is new, `comments.list` brings all of them, for a unit a hundred.

Cursor: `from` (the baseline), `newest` (time of the newest top comment before the last finished walk), `floor` (what
is older was seen before the present walk), `walk` (an unfinished one), `queue` (threads whose replies are still to be
read), `counts` (thread and number of replies, the ones seen last at the end) and `swept` (depth, time, units, pages).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from adapters import youtube_sweeps
from adapters.base import Budget, Clock, Cursor
from adapters.errors import Permanent, TargetGone, Transient
from adapters.http import Answer, TooLarge, rows_of
from adapters.text import parse_id, parse_text, parse_time
from adapters.youtube_api import Api
from adapters.youtube_errors import PageGone
from adapters.youtube_options import YouTubeOptions
from adapters.youtube_rows import Row, Thread, created, parse_thread
from adapters.youtube_sweeps import Sweep
from adapters.youtube_titles import Titles

PAGE: Final = 100

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Walk:
    """An unfinished way through the list of threads. Times are ISO texts, as the cursor has them."""

    began: str
    newest: str
    sweep: int | None
    """How deep it goes on through threads that were read before; None: not at all."""
    page: str | None = None
    threads: int = 0
    units: int = 0


@dataclass(frozen=True, slots=True)
class Long:
    """A thread with more replies than the list of threads showed."""

    thread: str
    post: str
    replies: int
    page: str | None = None


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
        try:
            self._first = parse_time(cursor["from"])
            self._newest = parse_time(cursor["newest"])
            self._floor = parse_time(cursor["floor"])
            self._walk = _walk(cursor["walk"]) if cursor["walk"] else None
            self._queue = [_long(item) for item in cursor["queue"]]
            self._counts: dict[str, int] = {str(thread): int(count) for thread, count in cursor["counts"]}
            self._swept = youtube_sweeps.load(cursor["swept"])
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as exc:
            raise Permanent(f"youtube: the saved cursor cannot be read ({exc}); take a new baseline") from exc

    @property
    def complete(self) -> bool:
        return self._walk is None and not self._queue

    def cursor(self) -> dict[str, Any]:
        return {
            "from": self._first.isoformat(),
            "newest": self._newest.isoformat(),
            "floor": self._floor.isoformat(),
            "walk": asdict(self._walk) if self._walk else None,
            "queue": [asdict(item) for item in self._queue],
            "counts": [[thread, count] for thread, count in self._counts.items()],
            "swept": youtube_sweeps.dump(self._swept),
        }

    async def run(self, budget: Budget) -> None:
        self._limit = min(PAGE, max(budget.comments, 1))
        if self.complete:
            self._begin(self._clock())
        while not self.complete and self._has_room(budget):
            if self._queue:
                await self._read_replies(self._queue[0])
            elif self._walk:
                await self._read_threads(self._walk)

    def _has_room(self, budget: Budget) -> bool:
        if not self._requests:
            return True
        spent = self._requests + self._titles.requests(row.post_id for row in self.rows)
        return spent < budget.requests and len(self.rows) + self._limit <= budget.comments

    def _begin(self, now: datetime) -> None:
        """Start a walk. What was held back shows within `late_s`, and a late reply by the next sweep."""
        whole = self._swept.get(youtube_sweeps.WHOLE)
        read = min(self._newest, whole.at) if whole else self._first
        self._floor = max(self._first, read - timedelta(seconds=self._options.late_s))
        sweep = youtube_sweeps.due(self._swept, now, self._options)
        self._walk = Walk(now.isoformat(), self._newest.isoformat(), sweep)

    async def _read_threads(self, walk: Walk) -> None:
        place = {"part": "snippet,replies", "allThreadsRelatedToChannelId": self._me, "order": "time"}
        try:
            answer = await self._list("commentThreads", place, walk.page)
        except PageGone as exc:
            self._begin_again(walk.page, exc)
            self._walk = replace(walk, page=None, threads=0)
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
        newest = min(max([parse_time(walk.newest), *times]), answer.server_time(self._clock()))
        walk = replace(
            walk,
            newest=newest.isoformat(),
            page=_next_page(answer, walk.page),
            threads=walk.threads + len(found),
            units=walk.units + 1 + len(self._queue),
        )
        if walk.page is None or self._ends(walk, times):
            self._finish(walk)
        else:
            self._walk = walk

    def _ends(self, walk: Walk, times: list[datetime]) -> bool:
        """Whether what follows this page was read before. The list is sorted by time, the newest first."""
        if not times or times[-1] > self._newest - timedelta(seconds=self._options.overlap_s):
            return False
        return walk.sweep is None or walk.threads >= (walk.sweep * PAGE or self._options.full_read_threads)

    def _finish(self, walk: Walk) -> None:
        self._newest = max(self._newest, parse_time(walk.newest))
        if walk.sweep is not None:
            sweep = Sweep(parse_time(walk.began), walk.units, -(-walk.threads // PAGE))
            self._swept = youtube_sweeps.done(self._swept, walk.sweep, sweep)
        self._walk = None

    def _take(self, item: object) -> datetime | None:
        """Keep what is new of a thread, and note it where it has more. Returns when it began."""
        try:
            thread = parse_thread(item)
        except ValueError:
            self.rows.append(Row("", None))  # counted and logged where rows are parsed
            return None
        fresh = self._keep(thread.rows)
        if thread.shows_all:
            self._counts.pop(thread.id, None)
        elif self._has_grown(thread, fresh=fresh):
            self._queue.append(Long(thread.id, thread.post_id, thread.replies))
        else:
            self._remember(thread.id, thread.replies)
        return created(thread.rows[0])

    def _has_grown(self, thread: Thread, *, fresh: bool) -> bool:
        """A thread that was not seen before has, if anything that it shows is new."""
        known = self._counts.get(thread.id)
        return fresh if known is None else thread.replies > known

    async def _read_replies(self, item: Long) -> None:
        try:
            answer = await self._list("comments", {"part": "snippet", "parentId": item.thread}, item.page)
        except PageGone as exc:
            self._begin_again(item.page, exc)
            self._queue[0] = replace(item, page=None)
            return
        except TargetGone:
            self._queue.pop(0)
            return
        if answer is None:
            return
        self._keep([Row(item.post, data) for data in rows_of("youtube: comments", answer.data, "items")])
        following = _next_page(answer, item.page)
        if following:
            self._queue[0] = replace(item, page=following)
            return
        self._queue.pop(0)
        self._remember(item.thread, item.replies)

    def _keep(self, rows: Sequence[Row]) -> bool:
        """Keep the new ones, and those without a time, to be counted. Returns whether one is new."""
        times = [created(row) for row in rows]
        self.rows += [row for row, at in zip(rows, times, strict=True) if at is None or at >= self._floor]
        return any(at >= self._floor for at in times if at)

    def _remember(self, thread: str, replies: int) -> None:
        self._counts.pop(thread, None)
        self._counts[thread] = replies
        while len(self._counts) > self._options.remembered_threads:
            self._counts.pop(next(iter(self._counts)))

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


def _walk(saved: Mapping[str, Any]) -> Walk:
    began, newest = (parse_time(saved[key]).isoformat() for key in ("began", "newest"))
    counts = {key: int(saved[key]) for key in ("threads", "units")}
    sweep = None if saved["sweep"] is None else int(saved["sweep"])
    return Walk(began, newest, sweep, page=_page(saved["page"]), **counts)


def _long(saved: Mapping[str, Any]) -> Long:
    return Long(
        parse_id(saved["thread"]), parse_id(saved["post"]), int(saved["replies"]), _page(saved["page"])
    )


def _page(saved: object) -> str | None:
    return None if saved is None else parse_text(saved)


def _next_page(answer: Answer, page: str | None) -> str | None:
    following = answer.data.get("nextPageToken")
    if not isinstance(following, str) or not following:
        return None
    if following == page:
        log.warning("youtube answers the same page again; stopping here until the next poll")
        return None
    return following
