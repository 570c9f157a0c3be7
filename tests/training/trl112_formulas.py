"""The lines of TRL 1.12's PPOTrainer that compute something, taken out of its source and run on given tensors.

They stand in the middle of one long method. `tests.bench.trl112` installs that release in a folder of its own.
"""

import ast
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.bench import trl112

TRAINER = trl112.PACKAGES / "trl" / "experimental" / "ppo" / "ppo_trainer.py"
UTILS = trl112.PACKAGES / "trl" / "trainer" / "utils.py"


def require() -> None:
    if not trl112.present():
        pytest.skip("TRL 1.12 is not there; python -m tests.bench.trl112 installs it")


def advantages(config: dict[str, Any], **tensors: torch.Tensor) -> dict[str, Any]:
    """From log-probabilities, values and scores to whitened advantages and returns."""
    return _run("# 4. compute rewards", "empty_cache()", args=SimpleNamespace(**config), **tensors)


def losses(config: dict[str, Any], **tensors: torch.Tensor) -> dict[str, Any]:
    """From new log-probabilities and values to the two losses."""
    rows = torch.arange(len(tensors["vpred"]))
    names = {"args": SimpleNamespace(**config), "micro_batch_inds": rows, **tensors}
    return _run("vpredclipped = torch.clamp(", "loss = pg_loss", **names)


def selective_log_softmax(logits: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    found: torch.Tensor = _functions(UTILS, "selective_log_softmax")["selective_log_softmax"](logits, tokens)
    return found


def _run(first: str, last: str, **names: Any) -> dict[str, Any]:
    source = TRAINER.read_text("utf-8")
    begin = source.rindex("\n", 0, source.index(first)) + 1
    end = source.rindex("\n", 0, source.index(last, begin)) + 1
    space = {**_functions(TRAINER, "masked_mean", "masked_var", "masked_whiten"), **names}
    exec(textwrap.dedent(source[begin:end]), space)
    return space


def _functions(file: Path, *wanted: str) -> dict[str, Any]:
    tree = ast.parse(file.read_text("utf-8"))
    found = [one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name in wanted]
    space: dict[str, Any] = {"torch": torch, "F": torch.nn.functional}
    exec(compile(ast.Module(found, []), str(file), "exec"), space)
    return space
