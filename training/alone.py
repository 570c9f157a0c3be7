"""One step by itself: on the files of a night, or on an export of the feedback. The ledger learns nothing of it.

Started by `accelerate launch -m training ...`, a step that can uses all the processes.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console

from bot.settings import Settings
from bot.store import nights
from bot.store.ledger import Ledger
from bot.store.nights import NightError
from training.errors import BadData
from training.folders import made
from training.nightly import House, work_of
from training.progress import Budget, Screen, Watch
from training.rows import Pair, Supervised, read_pairs, read_supervised, write_rows
from training.run import Run
from training.steps import STEPS, improver, prompts_of, sampler_of

ALSO = {"reward": ("reward", "judge")}
"""Steps that belong together."""

_Row = TypeVar("_Row", Supervised, Pair)


def on_night(settings: Settings, ledger: Ledger, name: str, night_id: int) -> list[Path]:
    """Does the step in the folder of a night. Raises NightError, TrainingError, OSError."""
    night = ledger.read(nights.get, night_id).night
    if nights.is_held(night, datetime.now(UTC)):
        raise NightError(
            f"night {night_id} runs; wait until it is over, 'rejoinder train status' shows how far it is"
        )
    work = work_of(House(settings, ledger), night)
    done = []
    for step in (one for one in STEPS if one.name in ALSO.get(name, (name,))):
        out = _new(work.folder / step.name)
        with _run_of(settings, step.name) as run:
            step.do(work, run, out)
        done.append(out)
    return done


def on_data(settings: Settings, name: str, data: Path, out: Path, **given: Path | None) -> Path:
    """Does the step on the rows in `data` and writes the folder `out`; `given`: weights, by the step that made them.

    `data` is a night's snapshot, or what `export feedback --format trl` wrote; of that, the newest comments are held
    out. Raises TrainingError, OSError.
    """
    _new(out)
    files = prepared(data, out.with_name(out.name + ".data"), settings.training.data.held_out)
    work = out.with_name(out.name + ".work")
    work.mkdir(parents=True, exist_ok=True)
    with _run_of(settings, name) as run:
        _DO[name](_Task(settings, files, out, run, work, given.get("start"), given.get("reward")))
    return out


@dataclass(frozen=True, slots=True)
class _Task:
    settings: Settings
    files: Path
    out: Path
    run: Run
    work: Path
    start: Path | None
    reward: Path | None


def _sft(task: _Task) -> None:
    from training.sft import fine_tune  # noqa: PLC0415

    training, files = task.settings.training, task.files
    fine_tune(
        training.base, files / "sft.jsonl", files / "sft-held.jsonl", task.out,
        start=task.start, settings=training, run=task.run, work=task.work,
    )  # fmt: skip


def _reward(task: _Task) -> None:
    from training.reward import train_reward  # noqa: PLC0415

    training, files = task.settings.training, task.files
    train_reward(
        training.base, files / "pairs.jsonl", files / "pairs-held.jsonl", task.out,
        settings=training, run=task.run, work=task.work,
    )  # fmt: skip


def _ppo(task: _Task) -> None:
    if task.start is None or task.reward is None:
        raise BadData(
            "PPO begins with what 'train sft' and 'train reward' made: give --start DIR and --reward DIR"
        )
    training = task.settings.training
    prompts, weights = prompts_of(task.files)
    improver(training)(
        training.base, task.start, task.reward, prompts, task.out,
        settings=training, run=task.run, work=task.work, weights=weights, sampler=sampler_of(task.settings),
    )  # fmt: skip


_DO: dict[str, Callable[[_Task], None]] = {"sft": _sft, "reward": _reward, "ppo": _ppo}


def prepared(data: Path, into: Path, part: float) -> Path:
    """A folder with rows to train on and rows held out. Raises BadData, OSError."""
    if (data / "sft-held.jsonl").exists():
        return data
    if not (data / "sft.jsonl").exists():
        raise BadData(
            f"{data} holds no sft.jsonl; write one: rejoinder export feedback --format trl --out DIR"
        )
    if not into.exists():
        with made(into) as folder:
            _write(folder, "sft", parted(read_supervised(data / "sft.jsonl"), part))
            _write(folder, "pairs", parted(read_pairs(data / "preferences.jsonl"), part))
    return into


def parted(rows: Sequence[_Row], part: float) -> tuple[list[_Row], list[_Row]]:
    """What is trained on and what is held out: the rows of the newest comments, `part` of all comments."""
    order = {_comment(row): None for row in reversed(rows)}
    held = set(list(order)[: round(len(order) * part)])
    return (
        [row for row in rows if _comment(row) not in held],
        [row for row in rows if _comment(row) in held],
    )


def _comment(row: Supervised | Pair) -> Any:
    """Replies to one comment are never on both sides."""
    return row.prompt.extra.get("thread", row.prompt.extra.get("comment"))


def _write(folder: Path, name: str, parts: tuple[list[_Row], list[_Row]]) -> None:
    write_rows(folder / f"{name}.jsonl", parts[0])
    write_rows(folder / f"{name}-held.jsonl", parts[1])


def _new(out: Path) -> Path:
    """Raises BadData."""
    if out.exists():
        raise BadData(f"{out} is there already; remove it to do the step again, or name another folder")
    return out


@contextmanager
def _run_of(settings: Settings, name: str) -> Iterator[Run]:
    training = settings.training
    first = os.environ.get("RANK", "0") == "0"  # of the processes that accelerate started
    with Screen(Console(stderr=True, quiet=not first)) as screen:
        budget = Budget(training.hours, training.memory_gb)
        yield Watch(seed=training.seed, budget=budget, screen=screen).of(name)
