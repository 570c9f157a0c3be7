"""What every command shares: its settings, its language, and its two ways to speak."""

import getpass
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot import logs
from bot.access.visitor import Visitor
from bot.cli.errors import Misuse
from bot.cli.messages import message
from bot.models import Role
from bot.plain import plain
from bot.settings import Language, Settings, load

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Shell:
    """One call of the command line."""

    def __init__(self, *, file: Path | None, data_dir: Path | None, language: Language | None) -> None:
        self.file = file
        self._data_dir = data_dir
        self._language = language
        self.out = Console(highlight=False, markup=False, emoji=False)
        self.err = Console(highlight=False, markup=False, emoji=False, stderr=True)

    @cached_property
    def settings(self) -> Settings:
        """The settings, with what the command line says on top. Raises SettingsError."""
        settings = load(self.file)
        changes: dict[str, Any] = {}
        if self._data_dir is not None:
            changes["data_dir"] = self._data_dir
        if self._language is not None:
            changes["language"] = self._language
        return settings.model_copy(update=changes)

    @property
    def options(self) -> list[str]:
        """What the command line says of settings, as another process of ours takes it."""
        named = (("--settings", self.file), ("--data-dir", self._data_dir), ("--lang", self._language))
        return [word for name, value in named if value is not None for word in (name, str(value))]

    @property
    def language(self) -> Language:
        return self._language if self._language is not None else self.settings.language

    def log(self, level: str | None = "warning") -> None:
        """Start logging, at the settings' own level when `level` is None."""
        logs.configure(self.settings.log, level=level)

    def say(self, key: str, **values: object) -> str:
        """A message in the user's language."""
        return message(key, self.language, **values)

    def tell(self, key: str, **values: object) -> None:
        """Print a message on stdout."""
        typer.echo(plain(self.say(key, **values)))

    def warn(self, key: str, **values: object) -> None:
        """Print a message on stderr."""
        typer.echo(plain(self.say(key, **values)), err=True)

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print a table; no cell can style itself or steer the terminal."""
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        for heading in headings:
            table.add_column(self.say(heading), overflow="fold")
        for row in rows:
            table.add_row(*(Text(plain(str(cell))) for cell in row))
        self.out.print(table)


def shell_of(context: typer.Context) -> Shell:
    return Shell(**context.find_root().obj)


def print_json(value: object) -> None:
    """One JSON value as the only thing on stdout."""
    # A lone surrogate leaves stdout as \udXXX, which is how JSON writes it.
    typer.echo(json.dumps(value, ensure_ascii=not _is_utf8(), default=to_json))


def _is_utf8() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def to_json(value: object) -> str:
    """What `json.dumps` calls for a moment. Raises TypeError for anything else."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def login() -> str:
    """Who calls."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such user here, as in a container with a number only
        return f"uid {os.getuid()}"


def caller() -> Visitor:
    """Whoever calls from the terminal owns the machine, and may do everything."""
    return Visitor(name=login(), role=Role.OWNER, via="terminal")


def parse_since(text: str, now: datetime, option: str = "--since") -> datetime:
    """A date or time (local where it names no zone), or how long ago: `90m`, `24h`, `7d`, `2w`. Raises Misuse, which
    names `option`.
    """
    number, unit = text[:-1], text[-1:]
    if unit in _UNITS and number.isascii() and number.isdigit() and len(number) < 6:
        return now - timedelta(**{_UNITS[unit]: int(number)})
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Misuse(
            f"{option} {text!r} is no time; write 2026-03-01, 2026-03-01T18:00, or how long ago: 24h, 7d, 2w"
        ) from error
    if moment > now:
        raise Misuse(f"{option} {text!r} lies in the future; give a time that has passed")
    return moment
