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
from bot.training_settings import GateSettings
from training.figures import Measure, Report, SampleRow
from training.gate import guards
from training.report import as_json

OWNER = "trainer-1"
LEASE = timedelta(minutes=5)
LONG = ("samples", "curves", "probe_rows")
"""Members of a report that stand in its file only."""


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


def measure(live: float, candidate: float) -> Measure:
    """The difference is known to a tenth."""
    changed = candidate - live
    return Measure(
        live=live, candidate=candidate, difference=changed, low=changed - 0.1, high=changed + 0.1, count=40
    )


def report(**changes: Any) -> Report:
    """Of a night that went well."""
    same = measure(0.9, 0.9)
    found = {
        "confidence": 0.95,
        "live_is_base": False,
        "temperature": 0.0,
        "prompts": 40,
        "left_out": 0,
        "judge": measure(-0.54, 1.09),
        "agreement": measure(0.31, 0.52),
        **dict.fromkeys(("ranking", "support", "ended", "probes"), same),
        **dict.fromkeys(("banned", "leaked", "empty"), measure(0, 0)),
        "length": measure(81, 96),
        "variety": 0.98,
        "variety_of_runs": 1.02,
        "human_length": 95.5,
        "kl": 4.25,
        "judge_accuracy": 0.93,
        "least_accuracy": 0.6,
        "stopped": "",
        "diverged": False,
        "samples": (sample("How long do I roast?", "A while.", "Ten minutes.", "Ten minutes, then stir."),),
        "curves": tuple(batch(number) for number in range(1, 101)),
    }
    return Report(**{**found, **changes})


def sample(comment: str, live: str, candidate: str, human: str = "") -> SampleRow:
    return SampleRow(comment=comment, language="en", human=human, candidate=candidate, live=live)


def batch(number: int) -> dict[str, float]:
    """A line of `curves.jsonl`."""
    return {
        "score": number / 50 - 0.5,
        "kl": number / 25,
        "length": 20 + number / 10,
        "eos_rate": 0.95,
        "distinct": 1 - number / 1000,
        "policy_loss": -0.01,
        "value_loss": 1 / number,
    }


def evaluation(found: Report) -> dict[str, Any]:
    """What the ledger keeps of a report."""
    return {name: told for name, told in json.loads(_text(found)).items() if name not in LONG}


def _text(found: Report) -> str:
    return as_json(found, guards(found, GateSettings()))


def leave(data_dir: Path, night: Night, found: Report | str, page: str | None = None) -> Path:
    """The files of the night, the report as it is or as text; gives their folder."""
    folder = data_dir / night.folder / "evaluation"
    folder.mkdir(parents=True)
    text = found if isinstance(found, str) else _text(found)
    (folder / "report.json").write_text(text, encoding="utf-8")
    if page is not None:
        (folder / "report.html").write_text(page, encoding="utf-8")
    return folder
