"""What a night shows of itself while it runs, and what stops it: bars, curves, the budget of time and memory."""

import importlib
import importlib.util
import os
import resource
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from training.errors import OutOfBudget

log = structlog.get_logger()

GIB = 1024**3
QUIET_S = 30.0
"""Least time between two lines about one step, where there is no terminal to draw bars on."""


class Budget:
    """Time and memory that one start of a night may use."""

    def __init__(
        self,
        hours: float,
        memory_gb: float = 0.0,
        *,
        clock: Callable[[], float] = monotonic,
        used: Callable[[], int] | None = None,
    ) -> None:
        self._hours, self._memory = hours, memory_gb
        self._clock, self._used = clock, used if used is not None else used_bytes
        self._until = clock() + hours * 3600

    def check(self) -> None:
        """Raises OutOfBudget."""
        if self._clock() >= self._until:
            raise OutOfBudget(
                f"training.hours = {self._hours:g} are over; what is done is kept, start again to go on with it"
            )
        if self._memory and (used := self._used() / GIB) > self._memory:
            raise OutOfBudget(
                f"{used:.1f} GB are in use, more than training.memory_gb = {self._memory:g}; raise it, or lower "
                "micro_batch of the step, then start again"
            )


def used_bytes() -> int:
    """Of the GPU that this process trains on; without one, of this process's memory."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return int(torch.cuda.max_memory_reserved())
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:  # no Linux: the most that it ever had, in bytes on macOS
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return pages * os.sysconf("SC_PAGE_SIZE")


class Tracker(Protocol):
    """Keeps curves."""

    def note(self, step: str, at: int, figures: Mapping[str, float]) -> None: ...

    def close(self) -> None: ...


class TensorBoard:
    def __init__(self, folder: Path) -> None:
        module = importlib.import_module("torch.utils.tensorboard")
        self._writer: Any = module.SummaryWriter(str(folder))

    def note(self, step: str, at: int, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            self._writer.add_scalar(f"{step}/{name}", value, at)

    def close(self) -> None:
        self._writer.close()


class WeightsAndBiases:
    """A run that goes on where an earlier start of the same night left it."""

    def __init__(self, folder: Path, title: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        module = importlib.import_module("wandb")
        self._run: Any = module.init(
            project="rejoinder", name=title, id=title, resume="allow", dir=str(folder)
        )

    def note(self, step: str, at: int, figures: Mapping[str, float]) -> None:
        # Its own count of steps only grows, while every step of the night counts from 1.
        self._run.log({f"{step}/at": at, **{f"{step}/{name}": value for name, value in figures.items()}})

    def close(self) -> None:
        self._run.finish()


class Late:
    """Opens a tracker when there is something to keep: a night that is skipped keeps nothing."""

    def __init__(self, opens: Callable[[], Tracker]) -> None:
        self._opens = opens
        self._opened: Tracker | None = None

    def note(self, step: str, at: int, figures: Mapping[str, float]) -> None:
        if figures:
            if self._opened is None:
                self._opened = self._opens()
            self._opened.note(step, at, figures)

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()


@contextmanager
def trackers(names: Sequence[str], folder: Path, title: str) -> Iterator[list[Tracker]]:
    """Those of `names` that are installed; what is not is told in the log, and nothing is kept by it."""
    known: dict[str, Callable[[], Tracker]] = {
        "tensorboard": partial(TensorBoard, folder),
        "wandb": partial(WeightsAndBiases, folder, title),
    }
    there = [name for name in dict.fromkeys(names) if importlib.util.find_spec(name) is not None]
    for name in set(names) - set(there):
        log.warning(
            "no curves are kept by it; pip install it, or take it out of training.trackers", tracker=name
        )
    opened: list[Tracker] = [Late(known[name]) for name in there]
    try:
        yield opened
    finally:
        for one in opened:
            one.close()


class Screen:
    """Bars on a terminal; elsewhere a line now and then."""

    def __init__(self, console: Console, *, clock: Callable[[], float] = monotonic) -> None:
        columns = (
            TextColumn("{task.description:<11}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[said]}", markup=False),
        )
        self._bars = Progress(*columns, console=console, disable=not console.is_terminal)
        self._drawn = console.is_terminal
        self._tasks: dict[str, TaskID] = {}
        self._clock, self._said_at = clock, -QUIET_S

    def __enter__(self) -> "Screen":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def show(self, step: str, done: int, total: int, figures: Mapping[str, float]) -> None:
        said = "  ".join(f"{name} {value:.4g}" for name, value in list(figures.items())[:4])
        if self._drawn:
            if step not in self._tasks:
                self._tasks[step] = self._bars.add_task(step, said="")
            self._bars.update(self._tasks[step], completed=done, total=total, said=said)
        elif done >= total or self._clock() - self._said_at >= QUIET_S:
            self._said_at = self._clock()
            log.info("step of the night", step=step, done=done, total=total, figures=said)


class Watch:
    """Over one start of a night. `of(step)` is the `Run` of a step."""

    def __init__(
        self,
        *,
        seed: int,
        budget: Budget,
        screen: Screen,
        trackers: Sequence[Tracker] = (),
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.seed, self.budget, self.screen = seed, budget, screen
        self.trackers, self.check = trackers, check

    def of(self, step: str) -> "StepRun":
        return StepRun(self, step)


class StepRun:
    """A `training.run.Run`."""

    def __init__(self, watch: Watch, step: str) -> None:
        self._watch, self._step = watch, step

    @property
    def seed(self) -> int:
        return self._watch.seed

    def advance(self, done: int, total: int, **figures: float) -> None:
        """Shows and keeps the figures, then looks whether there is time, memory and a lease left.

        Raises OutOfBudget, NightLost.
        """
        self._watch.screen.show(self._step, done, total, figures)
        for tracker in self._watch.trackers:
            tracker.note(self._step, done, figures)
        self._watch.check()
        self._watch.budget.check()
