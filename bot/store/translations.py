"""Translations that are kept beside their comments."""

from sqlmodel import Session, select

from bot.models import Comment
from bot.store.review import VerdictRefused


def comment(session: Session, comment_id: int) -> Comment:
    """Raises VerdictRefused when there is no such comment."""
    found = session.get(Comment, comment_id)
    if found is None:
        raise VerdictRefused(f"there is no comment {comment_id}; 'rejoinder review list' shows what waits")
    return found


def keep(session: Session, comment_id: int, *, language: str, text: str) -> str:
    """Keep `text` as the translation, unless one stands there already; returns the one that stands there now.

    Raises VerdictRefused when there is no such comment.
    """
    found = session.exec(select(Comment).where(Comment.id == comment_id).with_for_update()).first()
    if found is None:
        raise VerdictRefused(f"comment {comment_id} is no longer there; nothing was translated")
    if language not in found.translations:
        # A new dictionary: a change inside the old one would not be noticed.
        found.translations = {**found.translations, language: text}
        session.add(found)
    return found.translations[language]
