"""Voices with what is known about each: for lists, and for one alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, select

from bot.models import Night, Voice, VoiceEvent
from bot.store import channels, night_case, tallies, voices
from bot.store.tallies import Trial
from bot.voices.canary import Tally


@dataclass(frozen=True, slots=True)
class VoiceLine:
    """A voice in a list."""

    voice: Voice
    channel: str | None
    """None: it answers every channel that has no voice of its own."""
    told: Tally


@dataclass(frozen=True, slots=True)
class VoiceCase:
    """One voice with everything that is known about it."""

    voice: Voice
    channel: str | None
    """None: it answers every channel that has no voice of its own."""
    told: Tally
    trial: Trial | None
    night: Night | None
    """The one that made it; None: it was loaded by hand."""
    events: Sequence[VoiceEvent]


def lines(session: Session) -> list[VoiceLine]:
    """Oldest first."""
    told, names = tallies.by_voice(session), _channel_names(session)
    return [
        VoiceLine(voice, names.get(voice.channel_id), told.get(voice.name, Tally()))
        for voice in voices.every(session)
    ]


def case_of(session: Session, name: str) -> VoiceCase:
    """Raises NoSuchVoice."""
    voice = voices.named(session, name)
    trials = [trial for trial in tallies.trials(session) if trial.canary.id == voice.id]
    return VoiceCase(
        voice,
        _channel_names(session).get(voice.channel_id),
        tallies.by_voice(session).get(name, Tally()),
        trials[0] if trials else None,
        night_case.of_voice(session, name),
        voices.history(session, voice.id or 0),
    )


def latest_events(session: Session, limit: int) -> list[tuple[Voice, VoiceEvent]]:
    """The last changes of any voice, newest first."""
    found = (
        select(Voice, VoiceEvent)
        .join(VoiceEvent, col(VoiceEvent.voice_id) == Voice.id)
        .order_by(col(VoiceEvent.id).desc())
        .limit(limit)
    )
    return list(session.exec(found))


def _channel_names(session: Session) -> dict[int | None, str]:
    return {channel.id: channel.name for channel in channels.every(session)}
