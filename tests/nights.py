"""Nights in the ledger, with the files that they leave."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bot.models import Night, NightStatus
from bot.store import nights
from bot.store.ledger import Ledger
from bot.store.nights import NewNight

OWNER = "trainer-1"
LEASE = timedelta(minutes=5)


def begin(ledger: Ledger, now: datetime, **told: Any) -> Night:
    """A night that has just begun."""
    return ledger.write(nights.begin, NewNight(**told), owner=OWNER, now=now, lease=LEASE)


def note(ledger: Ledger, night: Night, step: str, **told: Any) -> None:
    """It is at `step`."""
    ledger.write(nights.note_step, night.id or 0, step, owner=OWNER, **told)


def end(
    ledger: Ledger,
    night: Night,
    status: NightStatus,
    now: datetime,
    *,
    error: str = "",
    refusals: Sequence[Mapping[str, Any]] = (),
) -> None:
    told = {"error": error, "refusals": refusals}
    ledger.write(nights.end, night.id or 0, status, owner=OWNER, now=now, **told)


def leave(
    data_dir: Path,
    night: Night,
    *,
    report: Any = None,
    page: str | None = None,
    curves: Sequence[Mapping[str, Any]] = (),
) -> Path:
    """The files of the night; gives their folder."""
    folder = data_dir / night.folder
    (folder / "evaluation").mkdir(parents=True, exist_ok=True)
    (folder / "ppo").mkdir(exist_ok=True)
    if report is not None:
        (folder / "evaluation" / "report.json").write_text(json.dumps(report), encoding="utf-8")
    if page is not None:
        (folder / "evaluation" / "report.html").write_text(page, encoding="utf-8")
    lines = "".join(json.dumps(row) + "\n" for row in curves)
    (folder / "ppo" / "curves.jsonl").write_text(lines, encoding="utf-8")
    return folder
