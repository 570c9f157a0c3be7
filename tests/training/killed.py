"""Kills nights with signal 9 at every point, starts them again, and compares: `python -m tests.training.killed DIR`.

Forks, so that the imports are paid once. Prints one JSON object.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
from sqlmodel import Session, select

from bot import vllm  # noqa: F401  (before the first fork: it takes a second)
from bot.models import AuditEntry
from bot.settings import Settings
from bot.store import nights, voices
from bot.store.ledger import Ledger, connect, sqlite_url
from bot.store.migrate import upgrade
from bot.training_settings import TrainingSettings
from bot.voices.files import digest_of, read_weights
from tests.training.stand_ins import house, stand_ins
from training.nightly import run


class Killer:
    """Kills this process at the `number`-th point that it passes; 0: never."""

    def __init__(self, number: int) -> None:
        self._number, self.passed = number, 0

    def __call__(self, point: str) -> None:
        self.passed += 1
        if self.passed == self._number:
            os.kill(os.getpid(), signal.SIGKILL)


class WatchedLedger(Ledger):
    """Passes a point before and after each transaction, from whatever thread."""

    at: Callable[[str], None]

    def write(self, work: Any, *args: Any, **kwargs: Any) -> Any:
        self.at("before a transaction")
        found = super().write(work, *args, **kwargs)
        self.at("after a transaction")
        return found


def open_ledger(settings: Settings, at: Callable[[str], None]) -> WatchedLedger:
    plain = connect(sqlite_url(settings.data_dir / "ledger.db"))
    ledger = WatchedLedger(plain.engine)
    ledger.at = at
    return ledger


def settings_in(folder: Path) -> Settings:
    training = TrainingSettings(base="/models/base", trackers=[])
    return Settings(data_dir=folder, training=training)  # and the model server, from the environment


def night_in(folder: Path, number: int) -> int:
    """Runs one night in a process of its own, killed at a point; returns how many points it passed, 0 when killed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        killer = Killer(number)
        settings = settings_in(folder)
        run(house(settings, open_ledger(settings, killer), steps=stand_ins(killer)))
        os.write(writing, str(killer.passed).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        passed = told.read()
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise RuntimeError(f"the night broke at point {number} in {folder}")
    return int(passed or 0)


def new_home(folder: Path) -> Path:
    template = folder.parent / "new"
    if not template.exists():
        template.mkdir(parents=True)
        ledger = connect(sqlite_url(template / "ledger.db"))
        upgrade(ledger)
        ledger.close()
    shutil.copytree(template, folder)
    return folder


def seen(folder: Path) -> tuple[dict[str, Any], list[str]]:
    """What anybody sees of the nights and voices, and what of it is not whole."""
    ledger = connect(sqlite_url(folder / "ledger.db"))
    try:
        rows = ledger.read(voices.every)
        done = [one.night for one in ledger.read(nights.page)]
        noted = [(one.actor, one.act, one.subject) for one in ledger.read(_audit)]
    finally:
        ledger.close()
    half = [one.name for one in rows if digest_of(folder / one.path) != one.digest]
    home = folder / "voices"
    for one in sorted(home.iterdir()) if home.exists() else ():
        if not one.name.startswith("."):
            read_weights(one)
    told = {
        "voices": [one.model_dump(mode="json", exclude={"id"}) for one in rows],
        "audit": noted,
        "nights": [one.model_dump(mode="json", exclude={"id"}) for one in done],
    }
    return told, half


def _audit(session: Session) -> list[AuditEntry]:
    return list(session.exec(select(AuditEntry)))


def main(home: Path) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    points = night_in(new_home(home / "whole"), 0)
    expected, _ = seen(home / "whole")
    half_written, different = [], []
    for number in range(1, points + 1):
        folder = new_home(home / str(number))
        night_in(folder, number)
        told, half = seen(folder)
        half_written += half
        if not any(one["ended_at"] for one in told["nights"]):
            night_in(folder, 0)
            told, _ = seen(folder)
        if told != expected:
            different.append({"point": number, "found": told})
    told = {"points": points, "half_written": half_written, "different": different}
    sys.stdout.write(json.dumps({**told, "expected": expected}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
