"""What happened on each day, as UTC counts days."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from bot.models import Comment, Reply, Verdict


@dataclass(slots=True)
class Day:
    """One day in numbers."""

    date: str
    """As `2026-03-01`."""
    comments: int = 0
    """Of other people, that came into the ledger."""
    sent: int = 0
    approved: int = 0
    edited: int = 0
    rejected: int = 0
    skipped: int = 0
    """By a person."""


_KINDS = {"approve": "approved", "edit": "edited", "reject": "rejected", "skip": "skipped"}


def days(session: Session, *, since: datetime, until: datetime, channel_id: int | None = None) -> list[Day]:
    """The days from `since` to before `until` on which something happened, oldest first."""
    found: dict[str, Day] = {}
    for name, date, number in _counted(session, since, until, channel_id):
        day = found.setdefault(date, Day(date))
        setattr(day, name, number)
    return [found[date] for date in sorted(found)]


def _counted(
    session: Session, since: datetime, until: datetime, channel_id: int | None
) -> Iterator[tuple[str, str, int]]:
    """A field of `Day`, the day, and the field's value."""

    def within(moment: Any, *what: Any) -> Any:
        """Rows of `what`, by the day of `moment`, joined with their comments."""
        date = func.date(moment)
        counted: Any = select(*what, date, func.count())  # type: ignore[call-overload]
        rows = counted.where(moment >= since, moment < until).group_by(*what, date)
        return rows if channel_id is None else rows.where(col(Comment.channel_id) == channel_id)

    comments = within(col(Comment.ingested_at)).where(col(Comment.is_own).is_(False))
    for date, number in session.exec(comments):
        yield "comments", str(date), number
    of_comment = col(Comment.id) == Reply.comment_id
    for date, number in session.exec(within(col(Reply.sent_at)).join_from(Reply, Comment, of_comment)):
        yield "sent", str(date), number
    decided = within(col(Verdict.at), Verdict.kind).where(col(Verdict.undone_at).is_(None))
    for kind, date, number in session.exec(
        decided.join_from(Verdict, Comment, col(Comment.id) == Verdict.comment_id)
    ):
        if kind in _KINDS:
            yield _KINDS[kind], str(date), number
