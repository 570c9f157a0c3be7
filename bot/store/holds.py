"""Who has which comment on the screen, and what was written when a verdict was refused."""

from datetime import datetime, timedelta

from sqlmodel import Session, col, delete, select

from bot.models import Comment, Hold, KeptText
from bot.store.cases import NoSuchComment


def take(
    session: Session, comment_id: int, *, by: str, now: datetime, lasts: timedelta, over: bool = False
) -> Hold:
    """Take or renew the hold on a comment; returns the one in force, which is another person's where that person was
    first. `over`: take it from whoever has it. Raises NoSuchComment.
    """
    # Locks the comment: two people who come at the same time come one after the other.
    if session.exec(select(Comment.id).where(Comment.id == comment_id).with_for_update()).first() is None:
        raise NoSuchComment(comment_id)
    found = session.get(Hold, comment_id)
    if found is None:
        found = Hold(comment_id=comment_id, by=by, until=now + lasts)
    elif found.by == by or found.until <= now or over:
        found.by, found.until = by, now + lasts
    session.add(found)
    session.flush()
    return found


def release(session: Session, *, by: str, comment_id: int | None = None) -> None:
    """Give back one hold of a person, or all."""
    mine = delete(Hold).where(col(Hold.by) == by)
    if comment_id is not None:
        mine = mine.where(col(Hold.comment_id) == comment_id)
    session.exec(mine)


def held(session: Session, comment_ids: list[int], *, now: datetime) -> dict[int, str]:
    """Who holds which of these comments."""
    rows = select(Hold.comment_id, Hold.by).where(
        col(Hold.comment_id).in_(comment_ids), col(Hold.until) > now
    )
    return dict(session.exec(rows).all())


def keep_text(session: Session, comment_id: int, *, by: str, text: str, now: datetime) -> None:
    """Keep what a person wrote; it takes the place of what the person wrote before. No comment: nothing is kept."""
    # Locks the comment: of one person's two texts at the same time one takes the other's place.
    if session.exec(select(Comment.id).where(Comment.id == comment_id).with_for_update()).first() is None:
        return
    found = kept_text(session, comment_id, by=by) or KeptText(comment_id=comment_id, by=by, text="", at=now)
    found.text, found.at = text, now
    session.add(found)


def kept_text(session: Session, comment_id: int, *, by: str) -> KeptText | None:
    rows = select(KeptText).where(KeptText.comment_id == comment_id, KeptText.by == by)
    return session.exec(rows).first()


def forget_text(session: Session, comment_id: int, *, by: str) -> None:
    session.exec(delete(KeptText).where(col(KeptText.comment_id) == comment_id, col(KeptText.by) == by))
