"""Verdicts and drafts, page by page, in the order in which they came."""

from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from bot.models import Channel, Comment, Draft, Verdict


def verdicts(
    session: Session,
    *,
    after: int,
    limit: int,
    channel: str | None = None,
    kind: str | None = None,
    by: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Verdict]:
    """Those with ids above `after`; `since` and `until` (itself left out) are about when they were made."""
    rows = select(Verdict).where(col(Verdict.id) > after).order_by(col(Verdict.id)).limit(limit)
    wanted: list[Any] = [
        column == value for column, value in ((Verdict.kind, kind), (Verdict.by, by)) if value is not None
    ]
    if since is not None:
        wanted.append(col(Verdict.at) >= since)
    if until is not None:
        wanted.append(col(Verdict.at) < until)
    if channel is not None:
        rows = rows.join(Comment, col(Comment.id) == Verdict.comment_id).join(
            Channel, col(Channel.id) == Comment.channel_id
        )
        wanted.append(Channel.name == channel)
    return list(session.exec(rows.where(*wanted)))


def drafts(session: Session, comment_id: int, *, after: int, limit: int) -> list[Draft]:
    """Those of one comment with ids above `after`."""
    rows = select(Draft).where(Draft.comment_id == comment_id, col(Draft.id) > after)
    return list(session.exec(rows.order_by(col(Draft.id)).limit(limit)))
