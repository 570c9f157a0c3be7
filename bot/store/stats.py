"""Counting: what the status page, /metrics and the demo report."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func
from sqlmodel import Session, col, select

from bot.models import Comment, State
from bot.reasons import Reason


@dataclass(frozen=True, slots=True)
class Counts:
    """Comments of other people, by state. The parts always add up to `comments`."""

    by_state: dict[State, int]
    by_reason: dict[tuple[State, str], int]

    @property
    def comments(self) -> int:
        return sum(self.by_state.values())

    def __getitem__(self, state: State) -> int:
        return self.by_state.get(state, 0)

    @property
    def waiting(self) -> int:
        """Those that Rejoinder itself still has to move."""
        return sum(self[state] for state in (State.NEW, State.READY, State.SENDING, State.UNKNOWN))


def counts(session: Session, *, channel_id: int | None = None) -> Counts:
    """Our own comments and history from before the channel's start are not counted."""
    rows = (
        select(Comment.state, Comment.reason, func.count())
        .where(col(Comment.is_own).is_(False), col(Comment.reason) != Reason.BEFORE_BASELINE)
        .group_by(col(Comment.state), col(Comment.reason))
    )
    if channel_id is not None:
        rows = rows.where(Comment.channel_id == channel_id)
    by_state: dict[State, int] = {}
    by_reason: dict[tuple[State, str], int] = {}
    for name, reason, number in session.exec(rows):
        state = State(name)
        by_state[state] = by_state.get(state, 0) + number
        by_reason[state, reason] = number
    return Counts(by_state, by_reason)


def next_due(session: Session) -> datetime | None:
    """When the next comment that waits for Rejoinder is due; None when none waits."""
    states = (State.NEW, State.READY, State.SENDING, State.UNKNOWN)
    return session.exec(select(func.min(Comment.due_at)).where(col(Comment.state).in_(states))).one()


def ingested_since(session: Session, *, channel_id: int, since: datetime) -> int:
    """How many comments of a channel came into the ledger at `since` or later, our own included."""
    found = select(func.count()).where(Comment.channel_id == channel_id, col(Comment.ingested_at) >= since)
    return session.exec(found).one()
