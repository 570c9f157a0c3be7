"""Tells the pages what happens at the desk, while it happens: server-sent events.

    GET /review/events   `moved`: {"moves": [{"id", "by", "state"} …], "waiting": N}
                         `held`: {ID: name …}, all of them, when that has changed

An event's number is that of the ledger's last move; who comes again with it is told what was missed.

One watcher looks into the ledger for all listeners of this process, once a second while there are any. Whose sitting
has ended hears no more from the next look on; a connection lasts a minute, and the browser then comes again through
the gate.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from aiohttp import web
from sqlalchemy import func
from sqlmodel import Session, col, select

from adapters.base import Clock
from bot.access.visitor import Visitor
from bot.models import Comment, Event, Hold, Sitting, State
from bot.store.ledger import Ledger, LedgerError
from bot.web.problems import Problem
from bot.web.routes import Route, known_visitor

LOOK_S: Final = 1.0
LASTS_S: Final = 60.0
HEARTBEAT_S: Final = 15.0
"""Proxies close what is silent for long."""
MOST_MOVES: Final = 500
"""Told at once; who has missed more loads the list again anyway."""
MOST_HOLDS: Final = 500
LISTENERS: Final = 300
LISTENERS_EACH: Final = 8
BEHIND: Final = 100
"""Messages that a slow listener may be behind before it is let go."""
RETRY_MS: Final = 2000


@dataclass(frozen=True, slots=True)
class Seen:
    """What the ledger held at one look."""

    last: int
    moves: tuple[dict[str, Any], ...] = ()
    waiting: int = 0
    held: dict[int, str] = field(default_factory=dict)


def look(session: Session, last: int | None, now: datetime) -> Seen:
    """What has moved after event `last`; None: only where the events end."""
    newest = session.exec(select(func.max(Event.id))).one() or 0
    holds = select(Hold.comment_id, Hold.by).where(col(Hold.until) > now).limit(MOST_HOLDS)
    held = dict(session.exec(holds).all())
    if last is None or newest == last:
        return Seen(newest, held=held)
    rows = (
        select(Event.comment_id, Event.actor, Event.to_state)
        .where(col(Event.id) > last)
        .order_by(col(Event.id).desc())
        .limit(MOST_MOVES)
    )
    moves = [{"id": number, "by": actor, "state": state} for number, actor, state in session.exec(rows)]
    waiting = select(func.count()).where(Comment.state == State.REVIEW, col(Comment.is_own).is_(False))
    return Seen(newest, tuple(reversed(moves)), session.exec(waiting).one(), held)


def lasting(session: Session, sitting_ids: Iterable[int]) -> set[int]:
    """Those of the sittings that nobody has ended: by logging out, or by disabling the person."""
    found = session.exec(select(Sitting.id).where(col(Sitting.id).in_(sitting_ids)))
    return {sitting_id for sitting_id in found if sitting_id is not None}


def moved(seen: Seen) -> bytes:
    """The moves of one look: each comment where it is now."""
    latest = {move["id"]: move for move in seen.moves}
    return message("moved", {"moves": list(latest.values()), "waiting": seen.waiting}, seen.last)


def message(event: str, value: Any, last: int | None = None) -> bytes:
    """A server-sent event; `last` is its number."""
    number = f"id: {last}\n" if last is not None else ""
    return f"{number}event: {event}\ndata: {json.dumps(value)}\n\n".encode()


class LiveEvents:
    """The watcher and its listeners."""

    def __init__(
        self, *, ledger: Ledger, clock: Clock, look_s: float = LOOK_S, lasts_s: float = LASTS_S
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._look_s = look_s
        self._lasts_s = lasts_s
        self._listeners: dict[asyncio.Queue[bytes | None], Visitor] = {}
        self._watching: asyncio.Task[None] | None = None
        self._held: dict[int, str] = {}

    def routes(self) -> Sequence[Route]:
        return [Route("GET", "/review/events", self.events, page=False)]

    async def events(self, request: web.Request) -> web.StreamResponse:
        visitor = known_visitor(request)
        theirs = Counter(listener.name for listener in self._listeners.values())
        if len(self._listeners) >= LISTENERS or theirs[visitor.name] >= LISTENERS_EACH:
            raise Problem(
                503, "listeners", "too many pages are open; close some, this one asks again by itself"
            )
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        )
        pieces: asyncio.Queue[bytes | None] = asyncio.Queue(BEHIND)
        self._listeners[pieces] = visitor
        try:
            missed = await self._missed(request)
            if self._watching is None:
                self._watching = asyncio.create_task(self._watch(missed.last))
            await response.prepare(request)
            await response.write(
                f"retry: {RETRY_MS}\n\n".encode()
                + message("held", missed.held, missed.last)
                + (moved(missed) if missed.moves else b"")
            )
            await self._pass_on(request, response, pieces)
        except ConnectionResetError:
            return response  # the reader has closed the page
        finally:
            self._listeners.pop(pieces, None)
            if not self._listeners:
                await self._rest()
        return response

    async def _missed(self, request: web.Request) -> Seen:
        """Who has what open, and what has moved since the reader was here last. Raises LedgerError."""
        given = request.headers.get("Last-Event-ID", "")
        last = int(given) if given.isascii() and given.isdigit() and len(given) < 19 else None
        return await self._ledger.aread(look, last, self._clock())

    async def _pass_on(
        self, request: web.Request, response: web.StreamResponse, pieces: "asyncio.Queue[bytes | None]"
    ) -> None:
        with suppress(TimeoutError):
            quiet_s = 0.0
            async with asyncio.timeout(self._lasts_s):
                # Looked at often: who goes from page to page is not to use up the listeners of one person.
                while request.transport is not None:
                    try:
                        async with asyncio.timeout(self._look_s):
                            piece = await pieces.get()
                    except TimeoutError:
                        quiet_s += self._look_s
                        if quiet_s < HEARTBEAT_S:
                            continue
                        piece = b": still here\n\n"
                    if piece is None:
                        return
                    quiet_s = 0.0
                    await response.write(piece)

    async def _watch(self, last: int) -> None:
        """Tells what moves after event `last`, which the first listener has been told of."""
        while True:
            try:
                seen = await self._ledger.aread(look, last, self._clock())
                await self._part_with_ended()
            except LedgerError:
                await asyncio.sleep(self._look_s)  # the status page tells of it
                continue
            if seen.moves:
                self._tell(moved(seen))
            if seen.held != self._held:
                self._held = seen.held
                self._tell(message("held", seen.held))
            last = seen.last
            await asyncio.sleep(self._look_s)

    def _tell(self, message: bytes) -> None:
        for pieces in list(self._listeners):
            try:
                pieces.put_nowait(message)
            except asyncio.QueueFull:
                self._let_go(pieces)  # it comes again by itself and loads what it has missed

    async def _part_with_ended(self) -> None:
        """Raises LedgerError."""
        sat = {
            pieces: who.sitting_id for pieces, who in self._listeners.items() if who.sitting_id is not None
        }
        last = await self._ledger.aread(lasting, set(sat.values()))
        for pieces, sitting_id in sat.items():
            if sitting_id not in last and pieces in self._listeners:
                self._let_go(pieces)

    def _let_go(self, pieces: "asyncio.Queue[bytes | None]") -> None:
        del self._listeners[pieces]
        while not pieces.empty():
            pieces.get_nowait()
        pieces.put_nowait(None)

    async def _rest(self) -> None:
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
