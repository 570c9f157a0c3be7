"""One night with the voice that it made, and the way from a voice to its night."""

from dataclasses import dataclass

from sqlmodel import Session, select

from bot.models import Night, Voice, VoiceStatus
from bot.store import nights
from bot.store.nights import Listed


@dataclass(frozen=True, slots=True)
class NightCase:
    """One night, and the voice that it made."""

    listed: Listed
    voice: Voice | None
    """None: it made none, or has not yet."""

    @property
    def answers(self) -> bool:
        """Whether that voice answers comments now."""
        return self.voice is not None and self.voice.status in (VoiceStatus.LIVE, VoiceStatus.CANARY)


def case_of(session: Session, night_id: int) -> NightCase:
    """Raises NoSuchNight."""
    listed = nights.get(session, night_id)
    name = listed.night.voice
    made = session.exec(select(Voice).where(Voice.name == name)).first() if name else None
    return NightCase(listed, made)


def of_voice(session: Session, name: str) -> Night | None:
    """The night that made the voice; None: it was loaded by hand."""
    return session.exec(select(Night).where(Night.voice == name)).first()
