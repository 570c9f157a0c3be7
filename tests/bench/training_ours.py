"""Our side of the benchmark: `training.ppo.improve` on a job. Run in a process of its own."""

import json
import sys
import time
from pathlib import Path

import torch

from bot.training_settings import TrainingSettings
from tests.bench.training_job import Job, answer, peak_kb, told
from training.ppo import improve
from training.rows import Prompt
from training.run import Quiet


class Timed(Quiet):
    """Notes when each batch was done."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.done: list[float] = []
        self.first = 0.0

    def advance(self, done: int, total: int, **figures: float) -> None:
        self.done.append(time.monotonic())
        self.first = self.first or figures["seconds"]

    @property
    def seconds(self) -> float:
        """From the first batch's beginning to the last one's end; loading the model comes before."""
        return self.done[-1] - self.done[0] + self.first


def main() -> None:
    imports = peak_kb()
    job = told(sys.argv)
    torch.set_num_threads(job.threads)
    timed = Timed(job.seed)
    out = Path(job.out)
    improve(
        job.base,
        Path(job.start),
        Path(job.reward),
        _prompts(Path(job.prompts)),
        out,
        settings=settings_of(job),
        run=timed,
        work=out.with_name(f"{out.name}-work"),
    )
    answer(seconds=timed.seconds, peak_kb=peak_kb() - imports)


def settings_of(job: Job) -> TrainingSettings:
    ppo = {
        "learning_rate": job.learning_rate,
        "batches": job.batches,
        "batch": job.batch,
        "micro_batch": job.micro_batch,
        "epochs": job.epochs,
        "kl_coef": job.kl_coef,
        "kl_stop": 1000.0,  # the peer has no stop
        "max_new_tokens": job.max_new_tokens,
        "missing_eos_penalty": job.missing_eos_penalty,
        "checkpoint_every": job.batches + 1,  # nor does it write any
    }
    return TrainingSettings.model_validate(
        {"device": "cpu", "trackers": [], "lora": {"rank": job.rank, "alpha": 2 * job.rank}, "ppo": ppo}
    )


def _prompts(file: Path) -> list[Prompt]:
    rows = map(json.loads, file.read_text("utf-8").splitlines())
    return [Prompt(tuple(row["prompt"])) for row in rows]


if __name__ == "__main__":
    main()
