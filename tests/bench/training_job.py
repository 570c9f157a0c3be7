"""One run of PPO as both sides of the benchmark get it: files, the same numbers, and what comes back."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Job:
    """What a side is told; its answer is one JSON object on its last line."""

    base: str
    start: str
    """The adapter that it begins with; what it is compared with is the same."""
    reward: str
    """Adapter and head of the reward model."""
    prompts: str
    """JSON Lines of `{"prompt": messages, "ids": token ids}`."""
    out: str
    """Where the trained adapter goes."""
    seed: int
    batches: int
    batch: int
    micro_batch: int
    look_batch: int
    """Rows of the peer's passes that learn nothing."""
    max_new_tokens: int
    learning_rate: float = 1e-3
    kl_coef: float = 0.05
    epochs: int = 2
    missing_eos_penalty: float = 1.0
    rank: int = 16
    threads: int = 2


def told(arguments: list[str]) -> Job:
    """In the process of a side."""
    return Job(**json.loads(Path(arguments[1]).read_text("utf-8")))


def answer(**figures: float) -> None:
    print(json.dumps(figures), flush=True)


def peak_kb() -> int:
    """Most resident memory of this process so far: VmHWM."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


def run(side: str, job: Job, folder: Path, environment: Mapping[str, str]) -> dict[str, float]:
    """`side` is a module of this package. Raises RuntimeError with its last words."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "job.json"
    file.write_text(json.dumps(asdict(job)), "utf-8")
    threads = {"OMP_NUM_THREADS": str(job.threads), "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", side, str(file)],
        cwd=folder,  # not the repository, which would come before the peer's packages
        env={**environment, **threads},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{side} failed: {done.stderr.strip()[-1500:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found
