"""Gradient checkpointing: activations are computed again in the backward pass instead of being held."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


def checkpoint(model: Any) -> None:
    """From now on, inside `learning`."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        for name in ("dropout", "attention_dropout", "dropout_rate"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)
    model.activation_checkpointing_enable({"use_reentrant": False})


@contextmanager
def learning(model: Any) -> Iterator[None]:
    """transformers checkpoints in training mode only, and caches no keys there. Dropout is off all the same: what is
    learned from must be as likely as it was when it was written.
    """
    model.train()
    try:
        yield
    finally:
        model.eval()
