"""How many waiting comments ask the same, kept beside each so that the queue can be sorted by it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, func, update
from sqlmodel import Session, col, select

from bot.models import Comment, State

MOST = 20_000
"""Of more waiting comments than this, the older ones are compared."""
TEXT_CHARS = 1000


@dataclass(frozen=True, slots=True)
class Waiting:
    """A comment that waits for a person, as `bot.unanswered.topics` takes it."""

    id: int
    text: str
    at: datetime
    similar: int
    post: str = ""
    waiting: bool = True


def mark(session: Session) -> tuple[int, int]:
    """Changes whenever a comment comes to wait or no longer does."""
    rows = select(func.count(), func.coalesce(func.sum(Comment.version), 0)).where(
        col(Comment.state) == State.REVIEW
    )
    number, versions = session.exec(rows).one()
    return number, int(versions)


def waiting(session: Session) -> list[Waiting]:
    rows = (
        select(Comment.id, func.substr(Comment.text, 1, TEXT_CHARS), Comment.created_at, Comment.similar)
        .where(col(Comment.state) == State.REVIEW, col(Comment.is_own).is_(False))
        .order_by(col(Comment.updated_at))
        .limit(MOST)
    )
    return [Waiting(number or 0, text, at, similar) for number, text, at, similar in session.exec(rows)]


def set_similar(session: Session, numbers: Mapping[int, int]) -> None:
    """The comments' new numbers, by comment."""
    if numbers:
        rows = [{"row_id": row, "to_similar": number} for row, number in numbers.items()]
        session.connection().execute(_UPDATE, rows)


_UPDATE = (
    update(Comment.__table__)  # type: ignore[attr-defined]
    .where(Comment.__table__.c.id == bindparam("row_id"))  # type: ignore[attr-defined]
    .values(similar=bindparam("to_similar"))
)
