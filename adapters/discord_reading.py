"""One poll of Discord: works off a queue of channels, lists and pages, until it is empty or the budget ends."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, replace
from typing import Any, Final

import structlog

from adapters.base import Budget, Comment, Cursor, Post
from adapters.discord_rows import (
    FORUMS,
    READABLE,
    THREADS,
    Me,
    Place,
    by_bot,
    earlier,
    first_at,
    is_comment,
    is_hidden,
    make_post,
    parse_comment,
    parse_place,
    root,
    snowflake,
)
from adapters.discord_steps import MAX_PAGE, STEPS, Known, Step, archived_at, check, numbered, page_of
from adapters.errors import Permanent, Transient
from adapters.http import Answer, TooLarge, rows_of
from adapters.text import clean, parse_time

ROOTS: Final = 500
"""Messages of whom we know in which thread of replies they stand, the newest."""
KEPT_PLACES: Final = 1000
Read = Callable[[str, Mapping[str, str]], Awaitable[Answer]]

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Reading:
    """One poll. After `run`, `comments` holds what is new, and `cursor()` where to go on.

    A round reads every place from `since` on. When it ends, `since` becomes the newest message that was known when it
    began: all that is older stood there when its place was read. That needs no clock, and no mark for each thread.
    """

    def __init__(
        self, read: Read, channels: tuple[str, ...], cursor: Cursor, known: Known, *, me: Me, threads: bool
    ) -> None:
        self.comments: list[Comment] = []
        self.malformed = 0
        self.hidden = False
        """A message came without its content."""
        self._read = read
        self._channels = channels
        self._known = known
        self._me = me
        self._threads = threads
        self._places: dict[str, Place] = {}
        self._requests = 0
        self._rows = 0
        try:
            self._first, self._since, self._newest, self._began = (
                snowflake(cursor[name]) for name in ("from", "since", "newest", "began")
            )
            self._queue = list(STEPS.validate_python(cursor["queue"]))
            self._roots = {str(one): str(top) for one, top in cursor["roots"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            raise Permanent(f"discord: the saved cursor cannot be read ({exc}); take a new baseline") from exc

    @property
    def complete(self) -> bool:
        return not self._queue

    def cursor(self) -> dict[str, Any]:
        return {
            "from": str(self._first),
            "since": str(self._since),
            "newest": str(self._newest),
            "began": str(self._began),
            "queue": [asdict(step) for step in self._queue],
            "roots": dict(list(self._roots.items())[-ROOTS:]),
        }

    async def run(self, budget: Budget, *, overlap_s: float, site_url: str) -> None:
        self._after = max(self._first, earlier(self._since, overlap_s))
        self._site_url = site_url
        if self.complete:
            self._began = self._newest
            self._queue = [Step("channel", channel) for channel in dict.fromkeys(self._channels)]
        while self._queue and self._requests < budget.requests and self._rows < budget.comments:
            step, self._queue = self._queue[0], self._queue[1:]
            await self._take(step, budget.comments - self._rows)
        if self.complete:
            self._since = max(self._since, self._began)
        self.comments.sort(key=lambda comment: (comment.ref.created_at, int(comment.ref.comment_id)))

    async def posts(self) -> tuple[Post, ...]:
        """The places of the comments; a thread's first message is asked for once."""
        named = dict.fromkeys(comment.ref.post_id for comment in self.comments)
        places = [self._places[place] for place in named]
        return tuple([make_post(place, await self._starter(place), self._site_url) for place in places])

    async def _take(self, step: Step, room: int) -> None:
        if step.kind == "channel":
            await self._look(step.id)
        elif step.kind == "active":
            await self._list_active(step.id)
        elif step.kind == "archived":
            await self._list_archived(step)
        else:
            await self._read_page(step, room)

    async def _look(self, channel: str) -> None:
        """Put on the queue what there is to read in a channel."""
        place = await self.channel(channel)
        if place.kind in READABLE:
            self._add(Step("messages", channel))
        elif place.kind not in FORUMS:
            raise Permanent(f"discord: channel {channel} is of type {place.kind}, which holds no messages")
        if place.kind in FORUMS or (self._threads and not place.is_thread):
            if place.guild:
                self._add(Step("active", place.guild))
            self._add(Step("archived", channel))

    async def channel(self, channel: str) -> Place:
        """Raises Permanent when it is not there, AccountRestricted when the bot may not see it."""
        if channel not in self._known.channels:
            answer = await self._get(f"/channels/{channel}")
            if answer.status == 404:
                raise Permanent(f"discord: there is no channel {channel}; take it out of channels")
            check("the channel", answer)
            try:
                self._known.channels[channel] = parse_place(answer.data)
            except ValueError as exc:
                raise Transient(
                    f"discord: channel {channel} cannot be read ({exc})", ambiguous=False
                ) from exc
        return self._known.channels[channel]

    async def _list_active(self, guild: str) -> None:
        answer = await self._get(f"/guilds/{guild}/threads/active")
        check("the list of threads", answer)
        for row in rows_of("discord: threads", answer.data, "threads"):
            self._add_thread(row, guild)

    async def _list_archived(self, step: Step) -> None:
        """A thread that was written in and archived since the round before; the latest come first."""
        before = {"before": step.at} if step.at else {}
        answer = await self._get(f"/channels/{step.id}/threads/archived/public", {"limit": "100", **before})
        check("the list of archived threads", answer)
        rows = rows_of("discord: archived threads", answer.data, "threads")
        guild = (await self.channel(step.id)).guild
        for row in rows:
            self._add_thread(row, guild)
        last = archived_at(rows[-1]) if rows else ""
        more = isinstance(answer.data, Mapping) and answer.data.get("has_more") is True
        if more and last and last != step.at and first_at(parse_time(last)) > self._after:
            self._queue.insert(0, replace(step, at=last))

    def _add_thread(self, row: object, guild: str) -> None:
        try:
            place = parse_place(row)
        except ValueError as exc:
            log.warning("discord thread cannot be read", reason=str(exc))
            self.malformed += 1
            return
        ours = place.parent in self._channels and place.kind in THREADS
        if ours and max(place.last, int(place.id)) > self._after:
            self._add(Step("messages", place.id, place=replace(place, guild=place.guild or guild)))

    def _add(self, step: Step) -> None:
        if not any((known.kind, known.id) == (step.kind, step.id) for known in self._queue):
            self._queue.append(step)

    async def _read_page(self, step: Step, room: int) -> None:
        """Nothing is past until it was read: the step goes on behind the newest message of a full page."""
        place = step.place or await self.channel(step.id)
        limit = min(self._known.limit, max(room, 1))
        params = {"after": step.at or str(self._after), "limit": str(limit)}
        try:
            answer = await self._get(f"/channels/{place.id}/messages", params)
        except TooLarge:
            if limit == 1:
                raise
            self._known.limit = limit // 2
            self._queue.insert(0, step)
            return
        self._known.limit = min(MAX_PAGE, self._known.limit * 2)
        if step.place and answer.status in {403, 404}:
            log.info("discord thread is gone", thread=place.id)
            return
        check("the channel's messages", answer)
        rows = page_of(answer)
        last = self._keep(rows, place)
        if len(rows) >= limit:
            if last <= int(params["after"]):
                raise Transient("discord: a page of messages leads no further", ambiguous=False)
            self._queue.insert(0, replace(step, at=str(last)))

    def _keep(self, rows: list[Any], place: Place) -> int:
        """Parse a page, from oldest to newest; the highest id in it."""
        self._rows += len(rows)
        last = 0
        for number, row in sorted(numbered(rows), key=lambda pair: pair[0]):
            last = number
            self._newest = max(self._newest, number)
            try:
                self._parse(row, place)
            except ValueError as exc:
                log.warning("discord message cannot be read", reason=str(exc))
                self.malformed += 1
        self.malformed += len(rows) - len(numbered(rows))
        return last

    def _parse(self, row: Mapping[str, Any], place: Place) -> None:
        if not is_comment(row):
            return
        thread = root(row, self._roots)
        self._roots[str(row["id"])] = thread
        # A bot's question is never answered: two bots would go on for ever.
        if by_bot(row, self._me):
            return
        comment = parse_comment(row, place, me=self._me, thread=thread, site_url=self._site_url)
        self.hidden = self.hidden or (is_hidden(row) and not comment.is_own)
        self._places[place.id] = place
        self.comments.append(comment)

    async def _starter(self, place: Place) -> str:
        if not place.is_thread:
            return ""
        if place.id not in self._known.starters:
            parent = await self.channel(place.parent) if place.parent else place
            home = place.id if parent.kind in FORUMS else parent.id
            answer = await self._get(f"/channels/{home}/messages/{place.id}")
            text = answer.data.get("content") if isinstance(answer.data, Mapping) else None
            if len(self._known.starters) >= KEPT_PLACES:
                self._known.starters.clear()
            self._known.starters[place.id] = clean(text) if isinstance(text, str) else ""
        return self._known.starters[place.id]

    async def _get(self, path: str, params: Mapping[str, str] | None = None) -> Answer:
        self._requests += 1
        return await self._read(path, params or {})
