"""What fine-tuning and the reward model share: the trainer's arguments, and how it is stopped.

TRL's trainers are given token ids, in the order in which they are learned, so that a run that was killed goes on with
the row that it would have had next.
"""

import errno
import json
import math
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import PrinterCallback, TrainerCallback

from bot.training_settings import RewardSettings, SftSettings, TrainingSettings
from training.errors import Diverged, NoRoom, OutOfBudget
from training.folders import FULL
from training.models import device_of, dtype_of
from training.processes import anywhere
from training.run import Run

CHECKPOINTS = 10
"""How often a run is saved."""
STATE = "trainer_state.json"
"""The last file of a checkpoint that the trainer writes."""
_FIGURES = ("loss", "learning_rate", "grad_norm", "mean_token_accuracy", "accuracy", "margin")
_OS_ERROR = re.compile(r"\(os error (\d+)\)")


def arguments(
    part: SftSettings | RewardSettings, settings: TrainingSettings, run: Run, work: Path, rows: int
) -> dict[str, Any]:
    """What `transformers.TrainingArguments` and TRL's both take; `rows`: how many there are in all, over the epochs."""
    devices = int(os.environ.get("WORLD_SIZE", "1"))  # as `accelerate launch` tells it
    micro = max(1, min(part.micro_batch, part.batch // devices))
    accumulated = max(1, round(part.batch / (micro * devices)))
    steps = math.ceil(rows / (micro * devices * accumulated))
    cuda = device_of(settings).type == "cuda"
    return {
        "output_dir": str(work),
        "seed": run.seed,
        "num_train_epochs": 1.0,  # `training.draws` has made them all one
        "train_sampling_strategy": "sequential",
        "per_device_train_batch_size": micro,
        "per_device_eval_batch_size": micro,
        "gradient_accumulation_steps": accumulated,
        "learning_rate": part.learning_rate,
        "warmup_steps": min(10, steps // 10),
        "bf16": dtype_of(settings) is torch.bfloat16,
        "use_cpu": not cuda,
        "dataloader_pin_memory": cuda,
        "gradient_checkpointing": settings.gradient_checkpointing,
        "gradient_checkpointing_kwargs": {"use_reentrant": False}
        if settings.gradient_checkpointing
        else None,
        "ddp_find_unused_parameters": False,
        "save_strategy": "steps",
        "save_steps": max(1, steps // CHECKPOINTS),
        "save_total_limit": 2,  # the newer may be half-written
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "prediction_loss_only": True,
        "report_to": [],
        "disable_tqdm": True,
    }


def matrices_only(model: Any) -> Any:
    """PEFT's `model`, which saves neither the row that padding may have needed nor a page for a model hub."""
    model.save_pretrained = partial(model.save_pretrained, save_embedding_layers=False)
    model.create_or_update_model_card = _no_card
    return model


def _no_card(folder: str) -> None:
    """None is written."""


class Watch(TrainerCallback):
    """Tells the run how far the trainer is, and stops it for want of budget or when it diverges."""

    def __init__(self, run: Run, what: str) -> None:
        self.stopped: OutOfBudget | None = None
        self.losses: list[float] = []
        self._run = run
        self.what = what

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **known: Any) -> None:
        """A gradient that is no number must not reach the weights. Raises Diverged."""
        gradients = [one.grad for one in known["model"].parameters() if one.grad is not None]
        if not all(bool(torch.isfinite(one).all()) for one in gradients):
            raise Diverged(f"{self.what}: the loss of step {state.global_step + 1} is no number")

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **known: Any) -> None:
        if "loss" not in logs:
            return
        self.losses.append(float(logs["loss"]))
        try:
            told = {name: float(logs[name]) for name in _FIGURES if name in logs}
            self._run.advance(state.global_step, state.max_steps, **told)
        except OutOfBudget as error:
            self.stopped = error
        if anywhere(self.stopped is not None):
            self.stopped = self.stopped or OutOfBudget(f"{self.what}: another process ran out of its budget")
            control.should_save = True
            control.should_training_stop = True


class Unheard:
    """Mixed into trainers: sends nobody a report of its use, prints nothing, and writes no page for a model hub."""

    def __init__(self, *known: Any, **named: Any) -> None:
        super().__init__(*known, **named)
        self.remove_callback(PrinterCallback)  # type: ignore[attr-defined]

    def _send_telemetry(self) -> None:
        """Nobody is told."""

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """None is written."""


def learn(trainer: Any, watch: Watch, work: Path) -> None:
    """Train from the last whole checkpoint in `work` to the end. Raises Diverged, NoRoom, OutOfBudget, OSError."""
    trainer.add_callback(watch)
    with room(work), plain_errors():
        try:
            trainer.train(resume_from_checkpoint=last_checkpoint(work))
        except Diverged as error:
            raise _kept(error, trainer, work) from error
        except torch.OutOfMemoryError as error:
            raise OutOfBudget(
                f"{watch.what}: the device has too little memory; lower micro_batch, or set gradient_checkpointing or "
                "load_4bit, then start again"
            ) from error
    if watch.stopped is not None:
        raise watch.stopped


def last_checkpoint(work: Path) -> str | None:
    """The newest that is whole; what a killed process left half-written is cleared away."""
    found = sorted(work.glob("checkpoint-*"), key=lambda one: int(one.name.rpartition("-")[2]))
    while found:
        if _whole(found[-1]):
            return str(found[-1])
        shutil.rmtree(found.pop(), ignore_errors=True)  # of several processes one is first
    return None


@contextmanager
def room(folder: Path) -> Iterator[None]:
    """Raises NoRoom where the disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        last_checkpoint(folder)
        raise NoRoom(f"{folder} cannot be written: the disk is full; make room, then start again") from error


@contextmanager
def plain_errors() -> Iterator[None]:
    """A full disk is an OSError, whichever library wrote."""
    try:
        yield
    except SafetensorError as error:
        if found := _OS_ERROR.search(str(error)):
            number = int(found[1])
            raise OSError(errno.ENOSPC if number in FULL else number, str(error)) from error
        raise
    except RuntimeError as error:
        if "PytorchStreamWriter failed" in str(error) or "inline_container" in str(error):
            raise OSError(errno.ENOSPC, "the file could not be written whole") from error
        raise


def _whole(checkpoint: Path) -> bool:
    try:
        return "global_step" in json.loads((checkpoint / STATE).read_bytes())
    except (OSError, ValueError):
        return False


def _kept(error: Diverged, trainer: Any, work: Path) -> Diverged:
    done = trainer.state.global_step
    if not done:
        return Diverged(f"{error}, so nothing was learned; lower learning_rate, or look at the rows")
    good = work / "last-good"
    trainer.save_model(str(good))
    return Diverged(
        f"{error}; the weights of step {done} are kept in {good}; lower learning_rate, then start again"
    )
