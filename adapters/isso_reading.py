"""One poll of an Isso server: works off a queue of posts, page by page, until it is empty or the budget ends."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final

import structlog

from adapters.base import Budget, Clock, Cursor
from adapters.errors import Permanent, Transient
from adapters.http import Answer, Http, TooLarge, rows_of, unexpected
from adapters.isso_options import IssoOptions
from adapters.isso_rows import Row, flatten, is_deleted
from adapters.text import parse_time

MAX_ROOTS: Final = 100
DISCOVERED: Final = 1000

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Walk:
    """A post whose reading is unfinished."""

    uri: str
    limit: int = MAX_ROOTS
    offset: int = 0
    """Top comments read so far."""
    total: int = -1
    """Comments of the post when the walk began."""
    newest: float = 0.0
    last: str = ""
    """Id of the last top comment that was read."""


class Reading:
    """One poll. After `run`, `rows` holds what is new, and `cursor()` where to go on."""

    def __init__(self, http: Http, options: IssoOptions, clock: Clock, cursor: Cursor) -> None:
        self.rows: list[Row] = []
        self._http = http
        self._options = options
        self._clock = clock
        self._requests = 0
        try:
            self._since = parse_time(cursor["since"]).timestamp()
            self._posts: dict[str, dict[str, float]] = {
                uri: dict(state) for uri, state in cursor["posts"].items()
            }
            self._queue: list[str] = list(cursor["queue"])
            self.hashes = frozenset(str(known) for known in cursor["hashes"])
            self._walk = Walk(**cursor["walk"]) if cursor["walk"] else None
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            raise Permanent(f"isso: the saved cursor cannot be read ({exc}); take a new baseline") from exc

    @property
    def complete(self) -> bool:
        return self._walk is None and not self._queue

    def cursor(self) -> dict[str, Any]:
        return {
            "since": self._since,
            "posts": self._posts,
            "queue": self._queue,
            "walk": asdict(self._walk) if self._walk else None,
        }

    async def run(self, budget: Budget) -> None:
        if self.complete:
            await self._start_round()
        while not self.complete and self._requests < budget.requests and len(self.rows) < budget.comments:
            if self._walk:
                await self._read_page(self._walk, budget.comments - len(self.rows))
            else:
                await self._look(self._queue[0])

    async def _start_round(self) -> None:
        uris = [post.uri for post in self._options.posts]
        if self._options.discover:
            uris += [*self._posts, *await self._discover()]
        self._queue = list(dict.fromkeys(uris))
        self._posts = {uri: state for uri, state in self._posts.items() if uri in self._queue}

    async def _discover(self) -> list[str]:
        answer = await self._get("/latest", {"limit": str(DISCOVERED)})
        if answer.status == 404:
            raise Permanent(
                "isso: /latest is not there; set latest-enabled in Isso, or list posts instead of discover"
            )
        if answer.status != 200 or not isinstance(answer.data, list):
            raise unexpected("isso: latest", answer)
        uris = [row.get("uri") for row in answer.data if isinstance(row, Mapping)]
        return [uri for uri in uris if isinstance(uri, str) and uri]

    async def _look(self, uri: str) -> None:
        """Take the first post of the queue: read it, unless nothing has changed since it was read."""
        state = self._posts.get(uri)
        if state and self._now() - state["read"] < self._options.full_read_s:
            answer = await self._listing(uri, limit=0, offset=0)
            if answer.status == 200 and _total(answer) == state["total"]:
                self._queue.pop(0)
                return
        self._queue.pop(0)
        self._walk = Walk(uri, newest=self._newest(uri))

    async def _read_page(self, walk: Walk, room: int) -> None:
        limit = min(walk.limit, max(room, 1))
        try:
            answer = await self._listing(walk.uri, limit=limit, offset=walk.offset)
        except TooLarge:
            if limit == 1:
                raise
            self._walk = replace(walk, limit=limit // 2)
            return
        if answer.status not in {200, 404}:
            raise unexpected("isso: comments", answer)
        # Older servers answer 404 for a post without comments.
        roots = rows_of("isso: comments", answer.data, "replies") if answer.status == 200 else []
        if answer.status == 200 and walk.offset == 0:
            walk = replace(walk, total=_total(answer))
        rows = flatten(walk.uri, roots)
        floor = max(self._since, self._newest(walk.uri) - self._options.late_s)
        self.rows += [row for row in rows if not is_deleted(row.data) and _created(row.data, floor) >= floor]
        last = str(roots[-1].get("id")) if roots and isinstance(roots[-1], Mapping) else ""
        repeated = bool(last) and last == walk.last
        if repeated:
            log.warning("isso answers the same page again; stopping here until the next poll", uri=walk.uri)
        short = len(roots) < limit
        walk = replace(
            walk,
            offset=walk.offset + len(roots),
            newest=max([walk.newest, *(_created(row.data, 0.0) for row in rows)]),
            last=last,
            limit=min(MAX_ROOTS, walk.limit * 2),
        )
        self._walk = walk
        if repeated or short:
            self._finish(walk)

    def _finish(self, walk: Walk) -> None:
        self._posts[walk.uri] = {"total": walk.total, "read": self._now(), "newest": walk.newest}
        self._walk = None

    async def _listing(self, uri: str, *, limit: int, offset: int) -> Answer:
        place = {"uri": uri, "limit": str(limit), "offset": str(offset)}
        return await self._get("/", {**place, "sort": "oldest", "plain": "1"})

    async def _get(self, path: str, params: Mapping[str, str]) -> Answer:
        self._requests += 1
        return await self._http.read(path, params=params)

    def _newest(self, uri: str) -> float:
        return self._posts.get(uri, {}).get("newest", 0.0)

    def _now(self) -> float:
        return self._clock().timestamp()


def _total(answer: Answer) -> int:
    total = answer.data.get("total_replies") if isinstance(answer.data, Mapping) else None
    if isinstance(total, bool) or not isinstance(total, int):
        raise Transient("isso: the answer holds no number 'total_replies'", ambiguous=False)
    return total


def _created(data: object, unreadable: float) -> float:
    """Epoch seconds; `unreadable` for a row without a usable time, which is counted where it is parsed."""
    try:
        moment: datetime = parse_time(data.get("created") if isinstance(data, Mapping) else None)
    except ValueError:
        return unreadable
    return moment.timestamp()
