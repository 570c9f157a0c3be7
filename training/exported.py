"""Fine-tuning and the preference model on what `rejoinder export feedback --format trl` wrote, without a night.

An export has no held-out part: here the comments with the newest verdicts are held out, each with all its rows.
"""

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any, TypeVar

from bot.training_settings import TrainingSettings
from training.errors import BadData
from training.reward import train_reward
from training.rows import Pair, Supervised, read_pairs, read_supervised, write_rows
from training.run import Run
from training.sft import fine_tune

Row = TypeVar("Row", Supervised, Pair)


def tune_on_export(
    source: str,
    export: Path,
    out: Path,
    *,
    start: Path | None,
    settings: TrainingSettings,
    run: Run,
    work: Path,
) -> dict[str, Any]:
    """As `training.sft.fine_tune`, on sft.jsonl. Raises BadData where there are rows of fewer than two comments."""
    file = export / "sft.jsonl"
    rows, held = _divided(file, read_supervised(file), settings, work)
    return fine_tune(source, rows, held, out, start=start, settings=settings, run=run, work=work)


def reward_on_export(
    source: str, export: Path, out: Path, *, settings: TrainingSettings, run: Run, work: Path
) -> dict[str, Any]:
    """As `training.reward.train_reward`, on preferences.jsonl. Raises BadData where there are too few pairs."""
    file = export / "preferences.jsonl"
    pairs, held = _divided(file, read_pairs(file), settings, work)
    return train_reward(source, pairs, held, out, settings=settings, run=run, work=work)


def newest_held_out(rows: Sequence[Row], part: float) -> tuple[list[Row], list[Row]]:
    """`part` of the comments, rounded up, are the second list; a row that names no comment is one of its own."""
    latest: dict[Any, str] = {}
    for number, row in enumerate(rows):
        comment = _comment(row, number)
        latest[comment] = max(latest.get(comment, ""), str(row.prompt.extra.get("at", "")))
    ordered = sorted(latest, key=lambda comment: latest[comment])
    held = set(ordered[len(ordered) - ceil(part * len(ordered)) :])
    sides: tuple[list[Row], list[Row]] = ([], [])
    for number, row in enumerate(rows):
        sides[_comment(row, number) in held].append(row)
    return sides


def _comment(row: Supervised | Pair, number: int) -> Any:
    return row.prompt.extra.get("comment", f"row {number}")


def _divided(file: Path, rows: Sequence[Row], settings: TrainingSettings, work: Path) -> tuple[Path, Path]:
    taught, held = newest_held_out(rows, settings.data.held_out)
    if not taught or not held:
        raise BadData(
            f"{file} has rows of fewer than two comments, of which one is held out; judge more drafts"
        )
    work.mkdir(parents=True, exist_ok=True)
    files = work / f"taught-{file.name}", work / f"held-{file.name}"
    for target, some in zip(files, (taught, held), strict=True):
        write_rows(target, some)
    return files
