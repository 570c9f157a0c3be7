"""Translations that are kept beside their comments."""

from sqlmodel import Session, select

from bot.models import Comment
from bot.store.cases import NoSuchComment


def comment(session: Session, comment_id: int) -> Comment:
    """Raises NoSuchComment when there is no such comment."""
    found = session.get(Comment, comment_id)
    if found is None:
        raise NoSuchComment(comment_id)
    return found


def keep(session: Session, comment_id: int, *, language: str, text: str) -> str:
    """Keep `text` as the translation, unless one stands there already; returns the one that stands there now.

    Raises NoSuchComment when there is no such comment.
    """
    found = session.exec(select(Comment).where(Comment.id == comment_id).with_for_update()).first()
    if found is None:
        raise NoSuchComment(comment_id)
    if language not in found.translations:
        # A new dictionary: a change inside the old one would not be noticed.
        found.translations = {**found.translations, language: text}
        session.add(found)
    return found.translations[language]
