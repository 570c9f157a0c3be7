"""`make bench-training`: PPO beside TRL 1.12's PPOTrainer, and the demo's nights. The last line is one JSON object.

- ppo: three seeds. The same tiny base, data, reward model and episodes; each side trains in a process of its own, with
  nothing beside it and the same number of threads, and they take turns in who begins. Timed from the ready model to the
  last step. Taste and KL of both are measured afterwards by one function (`tests.bench.training_world`).
- memory: two batches of each on a base of 150 million random parameters; peak resident memory above the imports'.
- demo: five seeds of `rejoinder train demo`, two at a time with a thread each.
- hh: the preference model on real preferences, where ../shared/eval has them.

`--parts ppo,memory` runs some of them, `--seeds 0` one seed. Bases and reward models stay in `.cache/bench-training`.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import torch
import transformers

from tests.bench import training_memory, training_world, trl112
from tests.bench.training_job import ROOT, Job, run
from training.models import quiet

KEPT = ROOT / ".cache" / "bench-training"
SEEDS, DEMO_SEEDS = (0, 1, 2), (0, 1, 2, 3, 4)
OURS, TRL = "tests.bench.training_ours", "tests.bench.training_trl"
TARGETS = {
    "taste_ours": ">= taste_trl",
    "kl_ours": "<= kl_trl",
    "time_ratio": "<= .67",
    "cpu_ratio": "(of processor time)",
    "memory_ratio": "<= .6",
    "demo_taste_before": "about .1",
    "demo_taste_after": ">= .5",
    "demo_kl": "<= 5",
    "demo_ended": ">= .9",
    "demo_distinct": ">= .9",
    "bad_nights_refused": "10 of 10",
    "rm_accuracy": ">= .95",
    "rm_accuracy_verdicts": "(slips and equals count)",
    "hh_accuracy": "(near .5)",
}
Figures = dict[str, Any]


def ppo(seeds: Sequence[int], threads: int) -> Figures:
    rows = [_both(seed, threads, turned=place % 2 == 1) for place, seed in enumerate(seeds)]
    middle = {name: median(row[name] for row in rows) for name in rows[0]}
    return {name: round(value, 4) for name, value in middle.items()}


def _both(seed: int, threads: int, *, turned: bool) -> Figures:
    """One seed, both sides one after the other."""
    torch.set_num_threads(threads)
    world = training_world.build(KEPT, seed)
    before = training_world.measure(world, world.start)
    row: Figures = {"taste_before": before.taste, "bench_rm_accuracy": world.accuracy}
    with tempfile.TemporaryDirectory(prefix="bench-training-") as name:
        for side in ("trl", "ours") if turned else ("ours", "trl"):
            out = Path(name, side, "adapter")
            took = _run(side, _job(world, out, seed, threads))
            row |= {f"seconds_{side}": took["seconds"], f"cpu_seconds_{side}": took["cpu_seconds"]}
            after = training_world.measure(world, out)
            row |= {f"taste_{side}": after.taste, f"kl_{side}": after.kl, f"ended_{side}": after.ended}
    row["time_ratio"] = row["seconds_ours"] / row["seconds_trl"]
    row["cpu_ratio"] = row["cpu_seconds_ours"] / row["cpu_seconds_trl"]
    _say(f"ppo, seed {seed}: " + ", ".join(f"{key} {value:.3f}" for key, value in row.items()))
    return row


def _job(world: training_world.World, out: Path, seed: int, threads: int) -> Job:
    settings = training_world.SETTINGS.ppo
    return Job(
        base=str(world.base),
        start=str(world.start),
        reward=str(world.reward),
        prompts=str(world.prompts),
        out=str(out),
        seed=seed,
        batches=settings.batches,
        batch=settings.batch,
        micro_batch=settings.batch,
        look_batch=settings.batch,
        max_new_tokens=settings.max_new_tokens,
        learning_rate=settings.learning_rate,
        threads=threads,
    )


def memory(seeds: Sequence[int], threads: int) -> Figures:
    """One run of each: chance has no part in it."""
    with tempfile.TemporaryDirectory(prefix="bench-training-") as name:
        job = training_memory.job_of(Path(name), threads)
        jobs = training_memory.both(job, Path(name))
        found = {f"memory_{side}_mb": round(_run(side, jobs[side])["peak_kb"] / 1024) for side in jobs}
    _say(f"memory: {found}")
    return {**found, "memory_ratio": round(found["memory_ours_mb"] / found["memory_trl_mb"], 3)}


def _run(side: str, job: Job) -> dict[str, float]:
    if side == "trl":
        return run(TRL, job, Path(job.out).parent, trl112.environment())
    return run(OURS, job, Path(job.out).parent, os.environ | {"PYTHONPATH": str(ROOT)})


def demo(seeds: Sequence[int], threads: int) -> Figures:
    with tempfile.TemporaryDirectory(prefix="bench-demo-") as name, ThreadPoolExecutor(2) as pool:
        rows = list(pool.map(lambda seed: _demo(seed, Path(name)), seeds))
    same = ("demo_taste_before", "demo_taste_after", "demo_kl", "rm_accuracy", "rm_accuracy_verdicts")
    return {
        **{key: median(row[key] for row in rows) for key in same},
        "demo_ended": median(row["ended"] for row in rows),
        "demo_distinct": median(row["distinct_ratio"] for row in rows),
        "demo_seconds": median(row["seconds"] for row in rows),
        "bad_nights_refused": sum(row["bad_nights_refused"] for row in rows),
    }


def _demo(seed: int, folder: Path) -> Figures:
    found = _last_line(
        [sys.executable, "-m", "training", "demo", "--json", "--seed", str(seed), "--out", str(folder)],
        os.environ | {"OMP_NUM_THREADS": "1"},
    )
    nights = ", ".join(f"{night['status']} ({night['error'] or night['taste']})" for night in found["nights"])
    _say(f"demo, seed {seed}: {nights}")
    return found


def hh(seeds: Sequence[int], threads: int) -> Figures:
    data = ROOT.parent / "shared" / "eval"
    if not (data / "hh-rlhf").is_dir():
        _say(f"hh: skipped, {data}/hh-rlhf is not there")
        return {}
    command = [sys.executable, "-m", "tests.bench.hh_rlhf", "--data", str(data), "--seeds", *map(str, seeds)]
    found = _last_line(command, os.environ | {"OMP_NUM_THREADS": str(threads)})
    return {f"hh_{name.removeprefix('hh_')}": value for name, value in found.items()}


def _last_line(command: Sequence[str], environment: Any) -> Figures:
    """Of what a program prints, which is JSON: on one line, or the whole of it."""
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    try:
        whole: Figures = json.loads(done.stdout)
    except ValueError:
        whole = json.loads(done.stdout.strip().splitlines()[-1])
    return whole


PARTS: dict[str, Callable[[Sequence[int], int], Figures]] = {
    "ppo": ppo,
    "memory": memory,
    "demo": demo,
    "hh": hh,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--parts", default=",".join(PARTS), help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--seeds", help="such as 0,1,2 (default: three; of the demo, five)")
    parser.add_argument(
        "--threads", type=int, default=os.cpu_count() or 1, help="of each side (default: all cores)"
    )
    given = parser.parse_args()
    if unknown := set(given.parts.split(",")) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    trl112.install()
    figures: Figures = {}
    load = os.getloadavg()[0]
    with quiet():
        for part in given.parts.split(","):
            usual = DEMO_SEEDS if part == "demo" else SEEDS
            seeds = [int(seed) for seed in given.seeds.split(",")] if given.seeds else usual
            figures |= PARTS[part](seeds, given.threads)
    _show(figures, load, given.threads)


def _show(figures: Figures, load: float, threads: int) -> None:
    print(
        f"\n{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, torch "
        f"{torch.__version__}, transformers {transformers.__version__}, {threads} threads, load before {load:.1f}\n"
    )
    for name, value in figures.items():
        print(f"  {name:<20} {value!s:>10}   {TARGETS.get(name, '')}")
    print(f"\n{json.dumps(figures)}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
