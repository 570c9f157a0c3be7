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

from sqlalchemy import insert, update
from sqlmodel import Session, col

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
    State.SKIPPED: frozenset({State.NEW, State.READY}),
    State.FAILED: frozenset({State.NEW, State.READY, State.SKIPPED}),
}
"""`ready → sent`: a look before sending found that an earlier, unclear attempt had arrived after all.
`review → sent`: a person saw on the platform that it had, or sent it by hand."""

OPEN = (State.NEW, State.REVIEW, State.READY)
"""Nothing has been sent yet, nor may have been."""


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


def move(
    session: Session, moves: Iterable[Move], *, now: datetime, actor: str, owner: str | None = None
) -> set[int]:
    """Carry out `moves` and return the ids of those that took place.

    With `owner`, only rows whose lease that owner holds move: a worker that lost its lease changes nothing.
    Raises IllegalMove.
    """
    done: list[Move] = []
    for wish in moves:
        if wish.target not in MOVES[wish.source]:
            raise IllegalMove(f"comment {wish.comment_id}: {wish.source} → {wish.target} is not a legal move")
        if _apply(session, wish, now, owner):
            done.append(wish)
    if done:
        session.execute(insert(Event), [_event(wish, now, actor) for wish in done])
    return {wish.comment_id for wish in done}


def _apply(session: Session, wish: Move, now: datetime, owner: str | None) -> bool:
    statement = (
        update(Comment)
        .where(col(Comment.id) == wish.comment_id, col(Comment.state) == wish.source)
        .values(
            state=wish.target,
            reason=wish.reason,
            detail=wish.detail,
            due_at=wish.due_at or now,
            attempts=wish.attempts,
            updated_at=now,
            lease_owner=None,
            version=col(Comment.version) + 1,
        )
        .execution_options(synchronize_session=False)
    )
    if owner is not None:
        statement = statement.where(col(Comment.lease_owner) == owner)
    if wish.version is not None:
        statement = statement.where(col(Comment.version) == wish.version)
    return bool(session.connection().execute(statement).rowcount)


def _event(wish: Move, now: datetime, actor: str) -> dict[str, object]:
    return {
        "comment_id": wish.comment_id,
        "at": now,
        "actor": actor,
        "from_state": wish.source,
        "to_state": wish.target,
        "reason": wish.reason,
        "detail": wish.detail,
    }
