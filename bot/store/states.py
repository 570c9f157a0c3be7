"""How a comment moves.

    new ─► review ─► ready ─► sending ─► sent
     │       │         │         │
     │       │         │         └─► unknown ─► sent | ready | review
     └───────┴─────────┴─► skipped | failed

Every move goes through `move`, which checks it against `MOVES`, checks the lease, and writes the history.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, insert, update
from sqlmodel import Session, col, select

from adapters.text import clean
from bot.models import Comment, Event, State

MOVES: dict[State, frozenset[State]] = {
    State.NEW: frozenset({State.REVIEW, State.READY, State.SKIPPED, State.FAILED}),
    State.REVIEW: frozenset({State.NEW, State.READY, State.SENT, State.SKIPPED}),
    State.READY: frozenset({State.REVIEW, State.SENDING, State.SENT, State.SKIPPED, State.FAILED}),
    State.SENDING: frozenset(
        {State.SENT, State.UNKNOWN, State.READY, State.REVIEW, State.SKIPPED, State.FAILED}
    ),
    State.UNKNOWN: frozenset({State.SENT, State.READY, State.REVIEW, State.SKIPPED, State.FAILED}),
    State.SENT: frozenset(),
    State.SKIPPED: frozenset({State.NEW, State.REVIEW, State.READY, State.FAILED}),
    State.FAILED: frozenset({State.NEW, State.READY, State.SKIPPED}),
}
"""Back from `ready` and `skipped` to where a comment was: a person took the verdict back.
`ready → sent`: a look before sending found that an earlier, unclear attempt had arrived after all.
`review → sent`: a person saw on the platform that it had, or sent it by hand."""

OPEN = (State.NEW, State.REVIEW, State.READY)
"""Nothing has been sent yet, nor may have been."""


AT_ONCE = 5_000  # ids in one statement; databases limit the parameters


class IllegalMove(Exception):
    """A defect in Rejoinder: code asked for a move that `MOVES` does not hold."""


@dataclass(frozen=True, slots=True)
class Move:
    """A wish to move a comment; carried out only if it still is in `source` (and, if given, at `version`)."""

    comment_id: int
    source: State
    target: State
    reason: str = ""
    detail: str = ""
    due_at: datetime | None = None
    """When the row may next be claimed; None for at once."""
    attempts: int = 0
    version: int | None = None
    since: datetime | None = None
    """Since when it waits in `target`; None: now."""


def move(
    session: Session, moves: Iterable[Move], *, now: datetime, actor: str, owner: str | None = None
) -> set[int]:
    """Carry out `moves` and return the ids of those that took place.

    With `owner`, only rows whose lease that owner holds move: a worker that lost its lease changes nothing.
    Raises IllegalMove.
    """
    wanted = list(moves)
    for wish in wanted:
        if wish.target not in MOVES[wish.source]:
            raise IllegalMove(f"comment {wish.comment_id}: {wish.source} → {wish.target} is not a legal move")
    done = _possible(session, wanted, owner)
    if done:
        connection = session.connection()
        connection.execute(_UPDATE, [_values(wish, now) for wish in done])
        connection.execute(insert(Event), [_event(wish, now, actor) for wish in done])
    return {wish.comment_id for wish in done}


def _possible(session: Session, wanted: list[Move], owner: str | None) -> list[Move]:
    """The wishes whose comment is where they say; these rows are locked until the transaction ends."""
    here = select(Comment.id, Comment.state, Comment.version, Comment.lease_owner)
    ids = [wish.comment_id for wish in wanted]
    rows = {
        row[0]: row
        for start in range(0, len(ids), AT_ONCE)
        for row in session.exec(
            here.where(col(Comment.id).in_(ids[start : start + AT_ONCE])).with_for_update()
        )
    }

    def possible(wish: Move) -> bool:
        if wish.comment_id not in rows:
            return False
        _, state, version, holder = rows[wish.comment_id]
        return state == wish.source and wish.version in (None, version) and owner in (None, holder)

    return [wish for wish in wanted if possible(wish)]


# On the table itself: one statement for many rows, past the identity map of the session.
_UPDATE = (
    update(Comment.__table__)  # type: ignore[attr-defined]
    .where(Comment.__table__.c.id == bindparam("row_id"))  # type: ignore[attr-defined]
    .values(
        {
            name: bindparam(f"to_{name}")
            for name in ("state", "reason", "detail", "due_at", "attempts", "updated_at")
        }
        | {"lease_owner": None, "version": col(Comment.version) + 1}
    )
)


def _values(wish: Move, now: datetime) -> dict[str, object]:
    return {
        "row_id": wish.comment_id,
        "to_state": wish.target,
        "to_reason": wish.reason,
        "to_detail": clean(wish.detail),
        "to_due_at": wish.due_at or now,
        "to_attempts": wish.attempts,
        "to_updated_at": wish.since or now,
    }


def _event(wish: Move, now: datetime, actor: str) -> dict[str, object]:
    return {
        "comment_id": wish.comment_id,
        "at": now,
        "actor": actor,
        "from_state": wish.source,
        "to_state": wish.target,
        "reason": wish.reason,
        "detail": clean(wish.detail),
    }
