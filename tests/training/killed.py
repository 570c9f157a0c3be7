"""Kills nights with signal 9 at every point, starts them again, and compares: `python -m tests.training.killed DIR`.

Forks, so that the imports are paid once. Prints one JSON object.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bot.models import NightStatus
from bot.settings import Settings
from bot.store import nights, voices
from bot.store.ledger import Ledger, connect, sqlite_url
from bot.store.migrate import upgrade
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
    training = {"base": "/models/base", "trackers": [], "canary": False}
    return Settings.model_validate({"data_dir": folder, "training": training})


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
    folder.mkdir(parents=True)
    ledger = connect(sqlite_url(folder / "ledger.db"))
    upgrade(ledger)
    ledger.close()
    return folder


def seen(folder: Path) -> tuple[dict[str, Any], list[str]]:
    """What anybody sees of the nights and voices, and what of it is not whole."""
    ledger = connect(sqlite_url(folder / "ledger.db"))
    try:
        rows = ledger.read(voices.every)
        done = [one.night for one in ledger.read(nights.page)]
    finally:
        ledger.close()
    half = [one.name for one in rows if digest_of(folder / one.path) != one.digest]
    home = folder / "voices"
    for one in sorted(home.iterdir()) if home.exists() else ():
        if not one.name.startswith("."):
            read_weights(one)
    told = {
        "voices": [one.model_dump(mode="json", exclude={"id"}) for one in rows],
        "nights": [one.model_dump(mode="json", exclude={"id"}) for one in done],
    }
    return told, half


def main(home: Path) -> None:
    points = night_in(new_home(home / "whole"), 0)
    expected, _ = seen(home / "whole")
    half_written, different = [], []
    for number in range(1, points + 1):
        folder = new_home(home / str(number))
        night_in(folder, number)
        half_written += seen(folder)[1]
        night_in(folder, 0)
        told, _ = seen(folder)
        again = _same_night(told)
        if again != _same_night(expected):
            different.append({"point": number, "found": again})
    sys.stdout.write(json.dumps({"points": points, "half_written": half_written, "different": different}))


def _same_night(told: dict[str, Any]) -> dict[str, Any]:
    """Killed after its end, a night is over, and the next start is another night with another name."""
    first = [one for one in told["nights"] if one["folder"] == "nights/1"]
    assert all(one["status"] != NightStatus.RUNNING for one in told["nights"])
    return {"voices": told["voices"][:1], "nights": first}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
