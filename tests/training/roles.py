"""Adapters to begin PPO with, and what the tests reward."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import torch

from bot.training_settings import TrainingSettings
from tests.training.conftest import build_base, make_prompt
from training.cast import Cast
from training.errors import OutOfBudget
from training.models import load_base
from training.run import Quiet
from training.samples import Sample

PROMPTS = [make_prompt(number) for number in range(8)]


def lively_base(folder: Path) -> str:
    """As the fixture `tiny_base`, but with words so far apart that an adapter can change what is said."""
    return str(build_base(folder, initializer_range=0.3))


def adapters(settings: TrainingSettings, folder: Path) -> tuple[Path, Path]:
    """A voice that is not the base, and a preference model."""
    cast = Cast(load_base(settings.base, settings))
    torch.manual_seed(1)
    for role in ("start", "reward"):
        cast.add(role, settings.lora, head=role == "reward")
        for one in cast.parameters(role):
            one.data.normal_(0.0, 0.1)
        cast.save(role, folder / role)
    return folder / "start", folder / "reward"


def weights_of(folder: Path) -> bytes:
    return (folder / "adapter_model.safetensors").read_bytes()


class Wanted:
    """Rewards the part of a reply's tokens that are among the first `below` of the vocabulary."""

    name = "wanted"

    def __init__(self, below: int = 100) -> None:
        self.below = below
        self.means: list[float] = []

    def score(self, samples: Sequence[Sample]) -> list[float]:
        parts = [
            sum(one < self.below for one in sample.reply_ids) / len(sample.reply_ids) for sample in samples
        ]
        self.means.append(sum(parts) / len(parts))
        return [10.0 * part for part in parts]


class Broken:
    """No number from its `after`-th call on."""

    name = "broken"

    def __init__(self, after: int) -> None:
        self.left = after

    def score(self, samples: Sequence[Sample]) -> list[float]:
        self.left -= 1
        return [0.0 if self.left >= 0 else float("nan") for _ in samples]


class Ends(Quiet):
    """Its budget is used up, or its process is killed, after some batches."""

    def __init__(self, after: int, *, killed: bool = False, seed: int = 0) -> None:
        super().__init__(seed)
        self._after, self._killed = after, killed

    def advance(self, done: int, total: int, **figures: float) -> None:
        if done == self._after and self._killed:
            os.kill(os.getpid(), signal.SIGKILL)
        if done == self._after:
            raise OutOfBudget("the hours of the settings are over")
