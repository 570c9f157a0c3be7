"""The whole demo: base, nights, report. See `run_demo`."""

import shutil
from contextlib import closing
from pathlib import Path
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from training.demo.base import base_folder
from training.demo.days import LEDGER, open_ledger
from training.demo.nights import NightTold, Site, spend
from training.demo.report import DemoReport
from training.demo.settings import Plan
from training.demo.shop import asks, dice

PLAN = Plan()


def run_demo(
    out: Path, *, seed: int = 0, nights: int = 4, plan: Plan = PLAN, console: Console | None = None
) -> DemoReport:
    """Spend `nights` nights in a folder of this seed below `out`; the third and the fourth have a broken setting.

    The base is kept for the next demo of the same seed; an earlier demo's ledger and nights are cleared away.
    Progress goes to `console` (default: stderr). May be stopped at any time. Raises what `training.nightly.run` does.
    """
    began = monotonic()
    console = console if console is not None else Console(stderr=True)
    base = _base(out.absolute(), seed, plan, console)
    measured = asks(plan.measured, dice(f"measured {seed}"))
    folder = _cleared(out.absolute() / f"demo-{seed}")
    done: list[NightTold] = []
    with closing(open_ledger(folder)) as ledger:
        site = Site(plan, folder, base, seed, ledger, measured)
        for number in range(1, nights + 1):
            console.print(f"Night {number} of {nights} · 第 {number} 夜，共 {nights} 夜")
            done.append(spend(site, number))
    return DemoReport(seed, plan, folder, tuple(done), measured, monotonic() - began)


def _base(out: Path, seed: int, plan: Plan, console: Console) -> Path:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:
        task = bars.add_task("A tiny base model, from scratch · 从零训练小模型", total=None)
        return base_folder(
            out,
            seed=seed,
            size=plan.base,
            progress=lambda step, steps: bars.update(task, completed=step, total=steps),
        )


def _cleared(folder: Path) -> Path:
    """An empty folder; only what an earlier demo has left is removed."""
    if (folder / LEDGER).is_file():
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
