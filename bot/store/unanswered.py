"""Comments that the documents held no answer to."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from bot.models import Channel, Comment, Draft, Post, State
from bot.reasons import Reason

MOST = 20_000


@dataclass(frozen=True, slots=True)
class Unanswered:
    """One such comment."""

    id: int
    text: str
    channel: str
    post: str
    """Title of the post, or the platform's number where it has none."""
    at: datetime
    """When it was written."""
    waiting: bool
    """It still waits for a person; otherwise one has answered, rejected or skipped it."""


def unanswered(session: Session, *, since: datetime | None = None, limit: int = MOST) -> list[Unanswered]:
    """The newest `limit` comments whose last draft found nothing in the documents, oldest first."""
    rows = (
        select(Comment, Channel.name, Post.title, Post.platform_id)
        .join(Draft, col(Draft.id) == Comment.draft_id)
        .join(Channel, col(Channel.id) == Comment.channel_id)
        .join(Post, col(Post.id) == Comment.post_id)
        .where(Draft.reason == Reason.NOT_IN_DOCUMENTS, col(Comment.is_own).is_(False))
        .order_by(col(Comment.created_at).desc(), col(Comment.id).desc())
        .limit(limit)
    )
    if since is not None:
        rows = rows.where(Comment.created_at >= since)
    found = [
        Unanswered(
            comment.id or 0, comment.text, channel, title or post, comment.created_at, comment.state == State.REVIEW
        )
        for comment, channel, title, post in session.exec(rows)
    ]  # fmt: skip
    return found[::-1]
