"""One poll of Douyin: works off a queue of videos, page by page, until it is empty or the budget ends.

A look at a video reads its comments from the newest down to what was read before, and each thread whose number of
replies has changed. Once in a while the look goes down to `depth` comments, for what the platform's review let through
late and for answers in old threads. A look that the budget cuts off goes on where it stopped; how far the video is read
moves only when it has ended.

Cursor: `since` (epoch seconds, by the platform's clock), `items` (by id: `first`, `read`, `full`, `newest` and the
`threads`' numbers of replies), `queue` (ids not yet looked at in this round), `walk` (the unfinished look).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

import structlog

from adapters.base import Budget, Clock, Cursor
from adapters.douyin_api import MAX_PAGE, DouyinApi, Page
from adapters.douyin_errors import RefusedCall
from adapters.douyin_options import DouyinOptions
from adapters.douyin_pacing import DAY_S, Pace, Seen, due
from adapters.douyin_rows import Row, created, reached, short, threads_of
from adapters.errors import Permanent, QuotaExhausted, RateLimited, TargetGone, Transient
from adapters.http import TooLarge
from adapters.text import parse_time

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

MAX_LEARNT: Final = 500


@dataclass(frozen=True, slots=True)
class State:
    """How far one video is read. Times are epoch seconds."""

    first: float
    read: float
    full: float
    newest: float = 0.0
    """Of its newest top comment, as the platform told it."""
    threads: dict[str, int] = field(default_factory=dict)
    """Replies by thread, those without any left out."""


@dataclass(frozen=True, slots=True)
class Walk:
    """The look that is under way."""

    item: str
    full: bool
    floor: float
    """Top comments older than this were read before."""
    late_floor: float
    """And replies, which the review may have held back."""
    at: int = 0
    read: int = 0
    """Top comments so far."""
    listed: bool = False
    newest: float = 0.0
    threads: dict[str, int] = field(default_factory=dict)
    todo: tuple[tuple[str, int], ...] = ()
    """Threads to read, with the number of replies that the list told."""
    thread_at: int = 0
    limit: int = MAX_PAGE


class Reading:
    """One poll. After `run`, `rows` holds what is new, and `cursor()` where to go on."""

    def __init__(self, api: DouyinApi, options: DouyinOptions, clock: Clock, cursor: Cursor) -> None:
        self.rows: list[Row] = []
        self._api = api
        self._options = options
        self._clock = clock
        self._requests = 0
        self._pages = 0
        self._named = [item.id for item in options.items]
        try:
            self._since = parse_time(cursor["since"]).timestamp()
            self._states = {str(item): State(**state) for item, state in cursor["items"].items()}
            self._queue = [str(item) for item in cursor["queue"]]
            self._walk = _walk(cursor["walk"]) if cursor["walk"] else None
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            raise Permanent(f"douyin: the saved cursor cannot be read ({exc}); take a new baseline") from exc

    @property
    def complete(self) -> bool:
        return self._walk is None and not self._queue

    def cursor(self) -> dict[str, Any]:
        return {
            "since": self._since,
            "items": {item: asdict(state) for item, state in self._states.items()},
            "queue": self._queue,
            "walk": asdict(self._walk) if self._walk else None,
        }

    async def run(self, budget: Budget, woken: Sequence[str] = ()) -> None:
        """Read; `woken` are videos of which the platform said that something is new."""
        if self.complete:
            self._start_round()
        self._queue = list(dict.fromkeys([*woken, *self._queue]))
        refused: list[RefusedCall | TargetGone] = []
        while not self.complete and self._requests < budget.requests and len(self.rows) < budget.comments:
            walk = self._walk = self._walk or self._begin(self._queue.pop(0))
            try:
                self._walk = await self._step(walk, budget.comments - len(self.rows))
            except (RefusedCall, TargetGone) as error:
                refused += [error] if walk.item in self._named else []
                self._walk = self._refused(walk, error)
            except (RateLimited, QuotaExhausted, Transient):
                if not self._pages:
                    raise
                # What was read is kept: a platform that bears few calls at a time would be read in vain for ever.
                return
        if refused and not self._pages and len(refused) >= min(len(self._named), budget.requests):
            # Not one video, then, but the call as such.
            raise refused[0]

    def _start_round(self) -> None:
        learnt = [item for item in self._states if item not in self._named]
        items = self._named + (learnt[-MAX_LEARNT:] if self._options.learn_items else [])
        self._states = {item: state for item, state in self._states.items() if item in items}
        seen = {
            item: Seen(state.read, max(state.newest, state.first)) for item, state in self._states.items()
        }
        self._queue = due(items, seen, self._now(), self._pace())

    def _pace(self) -> Pace:
        options = self._options
        return Pace(
            shortest_s=options.min_poll_s,
            longest_s=options.longest_s,
            quiet_s=options.quiet_s,
            calls=options.daily_calls * options.read_share,
            full_calls=options.depth / MAX_PAGE * DAY_S / max(options.full_read_s, 3600.0),
        )

    def _begin(self, item: str) -> Walk:
        state = self._states.get(item)
        if state is None:
            return Walk(item, full=True, floor=self._since, late_floor=self._since)
        full = not 0 <= self._now() - state.full < self._options.full_read_s
        late_floor = max(self._since, state.newest - self._options.late_s)
        floor = max(self._since, state.newest - self._options.overlap_s)
        known = {} if full else state.threads
        return Walk(item, full, late_floor if full else floor, late_floor, newest=state.newest, threads=known)

    async def _step(self, walk: Walk, room: int) -> Walk | None:
        """One request further; None when the look has ended."""
        limit = min(walk.limit, max(room, 1))
        self._requests += 1
        try:
            walk = await (self._replies(walk, limit) if walk.todo else self._comments(walk, limit))
        except TooLarge:
            if limit == 1:
                raise
            return replace(walk, limit=limit // 2)
        self._pages += 1
        walk = replace(walk, limit=MAX_PAGE)
        if walk.todo or not walk.listed:
            return walk
        self._finish(walk)
        return None

    async def _comments(self, walk: Walk, limit: int) -> Walk:
        page = await self._api.comments(walk.item, at=walk.at, count=limit)
        rows, known = page.listed.rows, self._known(walk.item)
        totals = threads_of(rows)
        self._keep(walk.item, None, rows, walk.floor)
        read = walk.read + len(rows)
        enough = reached(rows, walk.floor) and (not walk.full or read >= self._options.depth)
        changed = [(key, total) for key, total in totals.items() if total and known.get(short(key)) != total]
        same = {short(key): total for key, total in totals.items() if known.get(short(key), 0) == total}
        return replace(
            walk,
            at=page.listed.at,
            read=read,
            listed=enough or _is_last(page, walk.at),
            newest=self._newest(walk, page),
            threads={**walk.threads, **same, **{short(key): 0 for key, total in totals.items() if not total}},
            todo=tuple(changed),
            thread_at=0,
        )

    async def _replies(self, walk: Walk, limit: int) -> Walk:
        (thread, total), *others = walk.todo
        page = await self._api.replies(walk.item, thread, at=walk.thread_at, count=limit)
        self._keep(walk.item, thread, page.listed.rows, walk.late_floor)
        if not (reached(page.listed.rows, walk.late_floor) or _is_last(page, walk.thread_at)):
            return replace(walk, thread_at=page.listed.at)
        threads = {**walk.threads, short(thread): total}
        return replace(walk, todo=tuple(others), thread_at=0, threads=threads)

    def _keep(self, item: str, thread: str | None, rows: Sequence[Any], floor: float) -> None:
        """Rows without a usable time are kept, too: they are counted where they are parsed."""
        self.rows += [Row(item, thread, row) for row in rows if (created(row) or floor) >= floor]

    def _newest(self, walk: Walk, page: Page) -> float:
        if walk.at:
            # What was written since the look began may stand above its first page: only that one tells.
            return walk.newest
        # A time to come would hide everything until then.
        latest = page.answer.server_time(self._clock()).timestamp()
        times = [moment for row in page.listed.rows if (moment := created(row)) is not None]
        return max([walk.newest, *(moment for moment in times if moment <= latest)])

    def _finish(self, walk: Walk) -> None:
        now, state = self._now(), self._states.get(walk.item)
        self._states[walk.item] = State(
            first=state.first if state else now,
            read=now,
            full=now if walk.full or state is None else state.full,
            newest=walk.newest,
            threads={key: total for key, total in walk.threads.items() if total},
        )

    def _refused(self, walk: Walk, error: Exception) -> Walk | None:
        """Go on without what the platform refuses: a deleted thread or video must not hold up the others."""
        log.warning("douyin refuses to list", item=walk.item, thread=bool(walk.todo), reason=str(error))
        if walk.todo:
            left = replace(walk, todo=walk.todo[1:], thread_at=0)
            if not left.todo and left.listed:
                self._finish(left)
                return None
            return left
        now, state = self._now(), self._states.pop(walk.item, None)
        if walk.item in self._named:
            self._states[walk.item] = replace(state or State(first=0.0, read=now, full=now), read=now)
        return None

    def _known(self, item: str) -> dict[str, int]:
        state = self._states.get(item)
        return state.threads if state else {}

    def _now(self) -> float:
        return self._clock().timestamp()


def _is_last(page: Page, at: int) -> bool:
    listed = page.listed
    if listed.more and (not listed.rows or listed.at == at):
        log.warning("douyin answers the same page again; stopping here until the next poll")
        return True
    return not listed.more


def _walk(saved: Any) -> Walk:
    todo = tuple((str(thread), int(total)) for thread, total in saved["todo"])
    return Walk(**{**saved, "todo": todo})
