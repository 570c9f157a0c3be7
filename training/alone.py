"""One step by itself: on the files of a night, or on an export of the feedback. The ledger learns nothing of it.

Started by `accelerate launch -m training ...`, a step that can uses all the processes.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from bot.settings import Settings
from bot.store import nights
from bot.store.ledger import Ledger
from bot.store.nights import NightError
from training.errors import BadData
from training.nightly import House, work_of
from training.progress import Budget, Screen, Watch
from training.run import Run
from training.steps import STEPS, improver, prompts_of, sampler_of

ALSO = {"reward": ("reward", "judge")}
"""Steps that belong together."""


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

    `data` is a night's snapshot, or what `export feedback --format trl` wrote. Raises TrainingError, OSError.
    """
    if not (data / "sft.jsonl").exists():
        raise BadData(
            f"{data} holds no sft.jsonl; write one: rejoinder export feedback --format trl --out DIR"
        )
    _new(out)
    work = out.with_name(out.name + ".work")
    work.mkdir(parents=True, exist_ok=True)
    with _run_of(settings, name) as run:
        _DO[name](_Task(settings, data, out, run, work, given.get("start"), given.get("reward")))
    return out


@dataclass(frozen=True, slots=True)
class _Task:
    settings: Settings
    data: Path
    out: Path
    run: Run
    work: Path
    start: Path | None
    reward: Path | None

    @property
    def is_snapshot(self) -> bool:
        return (self.data / "sft-held.jsonl").exists()

    @property
    def told(self) -> dict[str, Any]:
        """What every step is given."""
        return {"settings": self.settings.training, "run": self.run, "work": self.work}


def _sft(task: _Task) -> None:
    from training.exported import tune_on_export  # noqa: PLC0415
    from training.sft import fine_tune  # noqa: PLC0415

    base, data = task.settings.training.base, task.data
    if task.is_snapshot:
        rows, held = data / "sft.jsonl", data / "sft-held.jsonl"
        fine_tune(base, rows, held, task.out, start=task.start, **task.told)
    else:
        tune_on_export(base, data, task.out, start=task.start, **task.told)


def _reward(task: _Task) -> None:
    from training.exported import reward_on_export  # noqa: PLC0415
    from training.reward import train_reward  # noqa: PLC0415

    base, data = task.settings.training.base, task.data
    if task.is_snapshot:
        train_reward(base, data / "pairs.jsonl", data / "pairs-held.jsonl", task.out, **task.told)
    else:
        reward_on_export(base, data, task.out, **task.told)


def _ppo(task: _Task) -> None:
    if task.start is None or task.reward is None:
        raise BadData(
            "PPO begins with what 'train sft' and 'train reward' made: give --start DIR and --reward DIR"
        )
    training = task.settings.training
    prompts, weights = prompts_of(task.data)
    sampler = sampler_of(task.settings)
    improver(training)(
        training.base,
        task.start,
        task.reward,
        prompts,
        task.out,
        weights=weights,
        sampler=sampler,
        **task.told,
    )


_DO: dict[str, Callable[[_Task], None]] = {"sft": _sft, "reward": _reward, "ppo": _ppo}


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
