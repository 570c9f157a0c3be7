"""The voice that a night begins with: the one that answers at present."""

from pathlib import Path, PurePosixPath

import structlog
from sqlmodel import Session

from bot.models import Voice, VoiceStatus
from bot.settings import Settings
from bot.store import voices
from bot.store.ledger import Ledger
from bot.voices.files import intact
from training.errors import TrainingError

log = structlog.get_logger()


def live(session: Session, channel_id: int | None) -> Voice | None:
    """Who answers this channel: its own live voice, else that of all channels; None: the base model."""
    found = {one.channel_id: one for one in voices.answering(session) if one.status == VoiceStatus.LIVE}
    return found.get(channel_id, found.get(None))


def beginning(settings: Settings, ledger: Ledger, channel_id: int | None) -> Voice | None:
    """None where no voice answers, or where its weights are damaged or of another base model."""
    voice = ledger.read(live, channel_id)
    if voice is None:
        return None
    if not intact(settings.data_dir / voice.path, voice.digest):
        log.warning("the live voice's files are damaged; the night begins with the base", voice=voice.name)
        return None
    if _last(voice.base_model) not in {_last(settings.training.base), _last(settings.generator.model)}:
        log.warning(
            "the live voice is of another base model; the night begins with the base",
            voice=voice.name,
            base=voice.base_model,
        )
        return None
    return voice


def weights_of(settings: Settings, ledger: Ledger, name: str | None) -> Path | None:
    """Raises TrainingError where they are gone since the night began."""
    if name is None:
        return None
    voice = ledger.read(voices.named, name)
    folder = settings.data_dir / voice.path
    if not voice.path or not intact(folder, voice.digest):
        raise TrainingError(
            f"the files of {name}, with which the night began, are gone or damaged; start again for a new night"
        )
    return folder


def tokenizer_of(ledger: Ledger, name: str | None) -> str | None:
    """What the voice's night noted of the tokenizer (`training.models.tokenizer_hash`); None: nothing is known."""
    found = ledger.read(voices.named, name).metrics.get("tokenizer") if name is not None else None
    return found if isinstance(found, str) else None


def _last(path: str) -> str:
    return PurePosixPath(path).name.lower()
