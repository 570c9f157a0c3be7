"""Where PPO was when it stopped: one file, there whole or not at all."""

import hashlib
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bot.training_settings import TrainingSettings
from training.errors import NoRoom
from training.folders import FULL
from training.rows import Prompt

FILE = "ppo.pt"


@dataclass(slots=True)
class Progress:
    """All that a batch leaves behind. What is drawn follows from the seed and the batch's number."""

    made_with: str
    """Of which settings and data; what others made is no use."""
    batch: int = 0
    """Batches that are done."""
    kl_coef: float = 0.0
    weights: list[Tensor] = field(default_factory=list)
    """Of policy and critic."""
    optimizer: dict[str, Any] = field(default_factory=dict)
    good: list[Tensor] = field(default_factory=list)
    """The policy's as it was when last measured, and within bounds."""
    good_batch: int = 0
    """After how many batches that was."""
    stopped: str = ""
    """`kl`: it left the reference too far. `nan`: a loss was no number."""
    curves: list[dict[str, float]] = field(default_factory=list)


def fingerprint(settings: TrainingSettings, seed: int, prompts: Sequence[Prompt], *others: object) -> str:
    """Of what a run follows from, save the files' contents."""
    own = settings.model_dump(
        mode="json", include={"base", "ppo", "lora", "rewards", "load_4bit", "precision"}
    )
    asked = [one.messages for one in prompts]
    return hashlib.sha256(
        repr([own, seed, asked, *map(str, others)]).encode("utf-8", "backslashreplace")
    ).hexdigest()


def save(work: Path, progress: Progress) -> None:
    """Raises NoRoom, OSError."""
    # torch.save turns a full disk into a RuntimeError of its own.
    buffer = io.BytesIO()
    torch.save({name: getattr(progress, name) for name in Progress.__slots__}, buffer)
    part = work / f"{FILE}.part"
    try:
        work.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as opened:
            opened.write(buffer.getbuffer())
            opened.flush()
            os.fsync(opened.fileno())
        part.replace(work / FILE)
    except OSError as error:
        part.unlink(missing_ok=True)
        if error.errno in FULL:
            raise NoRoom(
                f"{part} cannot be written: the disk is full; make room, then start again"
            ) from error
        raise


def load(work: Path, made_with: str) -> Progress | None:
    """What was saved last, or None where there is nothing to go on with."""
    file = work / FILE
    if not file.is_file():
        return None
    found = Progress(**torch.load(file, map_location="cpu", weights_only=True))
    return found if found.made_with == made_with else None
