"""PPO on replies (Schulman et al. 2017; for language models, Ziegler et al. 2019, Stiennon et al. 2020).

Four roles on one base: the policy π_θ and the critic V_φ, which learn, the reference π_ref, which is the policy as it
began, and the reward r. One batch is

    1  roll out      y ~ π_θ(·|x) for prompts x, drawn by their weight
    2  score         r(x, y), less a penalty where y does not end by itself
    3  look          log π_ref(y_t) and V_φ before each token; log π_θ(y_t) came with the rollout
    4  reward        R_t = -β (log π_θ - log π_ref) + [t is last] r,   then A_t by GAE, whitened
    5  learn         epochs × minibatches of the clipped losses
    6  control       β, the stop on KL, a checkpoint

B is the number of episodes of this process, T the longest reply, N the number of reply tokens.
"""

import hashlib
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from bot.training_settings import TrainingSettings
from training import checkpoints, losses
from training.cast import Cast
from training.checkpoints import Progress
from training.episodes import by_length, episodes, logprobs_of, values_of
from training.errors import BadData, Diverged, OutOfBudget
from training.folders import made
from training.logprobs import language_head
from training.models import load_base
from training.processes import Processes
from training.rewards import composite
from training.rollout import LocalSampler, Sampler
from training.rows import Prompt
from training.run import Run
from training.samples import Sample, Scorer

CURVES = "curves.jsonl"


def improve(
    source: str,
    start: Path,
    reward: Path,
    prompts: Sequence[Prompt],
    out: Path,
    *,
    settings: TrainingSettings,
    run: Run,
    work: Path,
    extra: Sequence[Scorer] = (),
    weights: Sequence[float] | None = None,
    sampler: Sampler | None = None,
) -> dict[str, Any]:
    """From the adapter in `start` to a better one in `out`, with metrics.json and curves.jsonl.

    `extra` is scored beside the settings' rewards, with weight 1; `weights` are the prompts', else all count the same;
    `sampler` writes the replies instead of the model here. Goes on from the checkpoint in `work` where there is one.
    Raises BadBase, BadData, Diverged, NoRoom, OutOfBudget, OSError.
    """
    if not prompts:
        raise BadData("there are no prompts to improve the replies to")
    processes = Processes(settings)
    learner = Learner(source, start, reward, settings, processes, extra, sampler)
    chances = torch.tensor(weights if weights is not None else [1.0] * len(prompts), dtype=torch.float64)
    progress = checkpoints.load(work, _made_with(settings, run, prompts, start, reward))
    stopped = ""
    ...
