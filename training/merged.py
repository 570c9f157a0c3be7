"""A role's adapter added to the base's weights, for passes that learn nothing.

Writing a reply is one short pass a token, of which the LoRA layers of a small model take a third.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from peft.tuners.lora import Linear
from torch import Tensor

from training.cast import Cast

MOST = 64_000_000
"""Weights of a model that is still merged: their sum is held beside the base as long as that lasts."""


@contextmanager
def merged(cast: Cast, role: str | None) -> Iterator[Any]:
    """The language model as `role` plays it. The base's own weights are put back as they were, not computed back."""
    with cast.playing(role) as model:
        layers = _layers(model, role) if role is not None and _pays(model) else []
        weights = [layer.base_layer.weight for layer in layers]
        kept = [weight.data for weight in weights]
        try:
            for layer, weight in zip(layers, weights, strict=True):
                weight.data = _sum(layer, str(role))
                layer._disable_adapters = True  # its setter would also freeze the adapters
            yield model
        finally:
            for layer, weight, data in zip(layers, weights, kept, strict=True):
                weight.data = data
                layer._disable_adapters = False


def _pays(model: Any) -> bool:
    """In 16 bits a sum is rounded, and would not be the policy that is trained."""
    parameters = list(model.parameters())
    return parameters[0].dtype is torch.float32 and sum(int(one.numel()) for one in parameters) <= MOST


def _layers(model: Any, role: str) -> list[Any]:
    return [one for one in model.modules() if isinstance(one, Linear) and role in one.lora_A]


@torch.no_grad()
def _sum(layer: Any, role: str) -> Tensor:
    found: Tensor = layer.base_layer.weight.data + layer.get_delta_weight(role)
    return found
