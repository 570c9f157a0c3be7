"""What is put away after a night, so that the disk does not fill: old nights' files, and old voices of nights."""

import asyncio
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from sqlmodel import Session, col, select

from bot.building.model import fleet_of, make_generator
from bot.generator import GeneratorError
from bot.models import Night, Voice, VoiceStatus
from bot.settings import Settings
from bot.store.ledger import Ledger
from bot.store.voices import ChangeRefused
from bot.voices.registering import put_away
from training.server_sleep import HOME

log = structlog.get_logger()

STAYS = ("evaluation",)
"""Of a night whose files are put away."""


def tidy(ledger: Ledger, settings: Settings) -> None:
    """Of all but the last `training.keep` nights only the report stays; of as many retired voices of nights, the files.
    A voice that answers, or that a rollback would go to, is kept whatever its age. Raises LedgerError, OSError.
    """
    for folder in old_folders(ledger.read(finished), settings.data_dir, settings.training.keep):
        strip(folder)
    old = ledger.read(retired)[settings.training.keep :]
    if old:
        asyncio.run(_put_away(ledger, settings, [one.name for one in old]))


def finished(session: Session) -> list[Night]:
    """Newest first."""
    return list(session.exec(select(Night).where(col(Night.turn).is_(None)).order_by(col(Night.id).desc())))


def retired(session: Session) -> list[Voice]:
    """Voices that nights have made and that answer no more, newest first, with files."""
    made = select(Night.voice).where(col(Night.voice).is_not(None))
    rows = select(Voice).where(
        Voice.status == VoiceStatus.RETIRED, Voice.path != "", col(Voice.name).in_(made)
    )
    return list(session.exec(rows.order_by(col(Voice.id).desc())))


def old_folders(nights: Iterable[Night], data_dir: Path, keep: int) -> list[Path]:
    """Of those that have files at all: nights that were skipped count for nothing. What a row says of its folder is
    not enough to delete by: only the folder that a night of this number has is its own.
    """
    own = [data_dir / HOME / str(night.id) for night in nights if night.folder == f"{HOME}/{night.id}"]
    return [folder for folder in own if folder.is_dir()][keep:]


def strip(folder: Path) -> None:
    for inner in folder.iterdir():
        if inner.is_dir() and not inner.is_symlink() and inner.name not in STAYS:
            shutil.rmtree(inner)


async def _put_away(ledger: Ledger, settings: Settings, names: Iterable[str]) -> None:
    generator = make_generator(settings)
    try:
        for name in names:
            try:
                await put_away(
                    name,
                    ledger=ledger,
                    servers=fleet_of(settings, generator),
                    data_dir=settings.data_dir,
                    lease=timedelta(seconds=settings.service.lease_s),
                    by="night",
                    now=datetime.now(UTC),
                )
            except (ChangeRefused, GeneratorError) as error:
                log.info("an old voice keeps its files", voice=name, why=str(error))
    finally:
        await generator.aclose()
