"""What a person does to a voice, with the note of it in the same transaction."""

from datetime import datetime

from sqlmodel import Session

from bot.access.visitor import Visitor
from bot.models import Voice
from bot.store import voices
from bot.store.audit import note
from bot.store.voices import ChangeRefused


def promote(session: Session, who: Visitor, name: str, *, share: float | None, now: datetime) -> Voice:
    """As `voices.promote`. Raises ChangeRefused."""
    voice = voices.promote(session, name, share=share, by=who.name, now=now)
    note(session, who, "promote_voice", name, now=now, detail={} if share is None else {"share": share})
    return voice


def retire(session: Session, who: Visitor, name: str, *, now: datetime) -> Voice:
    """As `voices.retire`. Raises ChangeRefused."""
    voice = voices.retire(session, name, by=who.name, now=now)
    note(session, who, "retire_voice", name, now=now)
    return voice


def roll_back(
    session: Session, who: Visitor, channel_id: int | None, *, now: datetime
) -> tuple[Voice, Voice | None]:
    """As `voices.rollback`. Raises ChangeRefused."""
    went, came = voices.rollback(session, channel_id, by=who.name, now=now)
    note(session, who, "roll_back_voice", went.name, now=now, detail={"came": came.name if came else "base"})
    return went, came


def roll_back_from(session: Session, who: Visitor, live: str, *, now: datetime) -> None:
    """Back from the voice that the person saw as live: of two who ask at once, one goes back. Raises ChangeRefused."""
    went, _ = roll_back(session, who, voices.named(session, live).channel_id, now=now)
    if went.name != live:
        raise ChangeRefused(f"{live} is not live any more, {went.name} is; look again, then decide")
