"""A night as the command line shows it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.generator import GeneratorError
from bot.plain import plain
from bot.settings import Settings, SettingsError
from bot.store.channels import NoSuchChannel
from bot.store.ledger import LedgerError
from bot.store.nights import Listed, NightError, is_held
from bot.store.voices import ChangeRefused
from bot.voices.files import BadVoice
from training.errors import TrainingError
from training.words import say


def report_of(one: "Listed", settings: "Settings") -> Path | None:
    file = settings.data_dir / one.night.folder / "evaluation" / "report.html"
    return file if file.exists() else None


def told_of(one: "Listed", settings: "Settings") -> dict[str, Any]:
    """A night for programs."""
    report = report_of(one, settings)
    told = one.night.model_dump(exclude={"turn", "lease_owner", "channel_id", "status"})
    return {
        **told,
        "status": one.night.status,
        "channel": one.channel,
        "report": str(report) if report is not None else None,
    }


def tell(one: "Listed", settings: "Settings") -> None:
    night, language = one.night, settings.language
    key = str(night.status)
    if is_held(night, datetime.now(UTC)):
        key = "runs"
    elif night.turn is not None:
        key = "waits"
    why = night.error or say("no_step", language)
    since = f"{night.began_at:%Y-%m-%d %H:%M} UTC"
    line = say(key, language, id=night.id, voice=night.voice, step=night.step, why=why, since=since)
    typer.echo(plain(line, one_line=True))
    for refusal in night.refusals:
        typer.echo(plain(f"- {refusal['guard']}: {refusal['detail']}", one_line=True))
    if (report := report_of(one, settings)) is not None:
        typer.echo(say("report", language, file=report))


def table_of(found: "list[Listed]", language: str) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("night", "began", "channel", "status", "step", "voice", "why"):
        table.add_column(say(f"h_{heading}", language), overflow="fold")
    for one in found:
        night = one.night
        why = night.error or ", ".join(str(refusal["guard"]) for refusal in night.refusals)
        channel = one.channel if one.channel is not None else say("all_channels", language)
        cells = (
            night.id, f"{night.began_at:%Y-%m-%d %H:%M}", channel, say(f"status_{night.status}", language),
            night.step, night.voice or "", why,
        )  # fmt: skip
        table.add_row(*(Text(plain(str(cell), one_line=True)) for cell in cells))
    Console(highlight=False, markup=False, emoji=False).print(table)


def print_json(value: object) -> None:
    typer.echo(json.dumps(value, ensure_ascii=True, default=_to_json))


def _to_json(value: object) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)


def is_misuse(error: Exception) -> bool:
    return isinstance(error, SettingsError)


def is_known(error: Exception) -> bool:
    """Whether its message is a line for people; anything else is a defect."""
    known = (
        SettingsError, TrainingError, NightError, LedgerError, GeneratorError, NoSuchChannel, ChangeRefused, BadVoice,
        OSError,
    )  # fmt: skip
    return isinstance(error, known)
