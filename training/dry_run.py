"""A model and the roles that PPO puts on it, built on torch's meta device: shapes, and no numbers in them.

Takes seconds and no memory for 7B, and needs no weights: what does not fit together fails here.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import AutoModelForCausalLM
from transformers.pytorch_utils import Conv1D

from bot.training_settings import LoraSettings
from training.activations import checkpoint, learning
from training.cast import Cast
from training.errors import BadBase
from training.models import Base, quiet

PROBE = 53
"""Tokens that are run through it; no width of a model is a multiple of it."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What of a model decides its memory. Numbers of weights, unless it says bytes."""

    parameters: int
    quantized: int
    """Of the parameters, those in linear layers, which the 4-bit form takes in."""
    largest: int
    """Of the widest of these layers, which is unpacked to be used."""
    adapter: int
    """Of one role."""
    layers: int
    vocabulary: int
    cached: int
    """What the KV cache keeps for one token."""
    passing: int
    """Bytes for one token that a pass which learns nothing holds at most."""
    kept: int
    """Bytes for one token that a pass and its gradients hold at most."""
    checkpointed: int
    """The same with gradient checkpointing."""
    number: int
    """Bytes of one number of the base."""


@dataclass(frozen=True, slots=True)
class DryRun:
    """The roles on a model without numbers: what they are made of, and the shapes that come out."""

    sizes: Sizes
    roles: dict[str, int]
    """Parameters of each role, its head included."""
    shapes: dict[str, tuple[int, ...]]
    """For one sequence of `PROBE` tokens."""


@quiet()
def dry_run(config: Any, lora: LoraSettings, dtype: torch.dtype = torch.bfloat16) -> DryRun:
    """Raises BadBase."""
    if config.is_encoder_decoder:
        raise BadBase("the account of memory is for decoder-only models; this one is an encoder-decoder")
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype).requires_grad_(False).eval()
        linear = _linear(model)
        parameters = sum(one.numel() for one in model.parameters())
        cast = Cast(Base(model, None, "causal", "", 0, 0, PROBE, int(config.hidden_size)))
        for role in ("policy", "critic"):
            cast.add(role, lora, head=role == "critic", train=True)
        for role in ("reference", "reward"):
            cast.add(role, lora, head=role == "reward")
        shapes, cached = _shapes(cast)
        passing, kept, checkpointed = _bytes_a_token(cast)
        sizes = Sizes(
            parameters=parameters,
            quantized=sum(linear),
            largest=max(linear),
            adapter=sum(one.numel() for one in cast.parameters("policy")),
            layers=int(config.num_hidden_layers),
            vocabulary=shapes["policy"][-1],
            cached=cached,
            passing=passing,
            kept=kept,
            checkpointed=checkpointed,
            number=dtype.itemsize,
        )
    roles = {
        role: sum(one.numel() for one in cast.parameters(role))
        for role in ("policy", "critic", "reference", "reward")
    }
    return DryRun(sizes, roles, shapes)


def _linear(model: Any) -> list[int]:
    """bitsandbytes leaves the output layer as it is, which the embeddings may share."""
    output = model.get_output_embeddings()
    return [
        module.weight.numel()
        for module in model.modules()
        if isinstance(module, nn.Linear | Conv1D) and module is not output
    ]


def _shapes(cast: Cast) -> tuple[dict[str, tuple[int, ...]], int]:
    """Of what the roles give, and how many numbers the KV cache holds for one token."""
    inputs = _inputs()
    with torch.no_grad():
        shapes = {role: tuple(cast.logits(role, **inputs).shape) for role in ("policy", "reference")}
        shapes |= {role: tuple(cast.values(role, **inputs).shape) for role in ("critic", "reward")}
        with cast.playing("policy") as model:
            layers = model(**inputs, use_cache=True).past_key_values.layers
    return shapes, sum(layer.keys.numel() + layer.values.numel() for layer in layers) // PROBE


def _bytes_a_token(cast: Cast) -> tuple[int, int, int]:
    """`passing`, `kept`, `checkpointed`."""
    model = cast.base.model
    for one in cast.parameters("policy"):
        one.grad = torch.zeros_like(one)  # counted with the adapters
    with torch.no_grad(), Held(model) as passing:
        cast.hidden("policy", **_inputs())
    with Held(model) as kept:
        cast.hidden("policy", **_inputs()).sum().backward()
    checkpoint(model)
    with Held(model) as checkpointed, learning(model):
        cast.hidden("policy", **_inputs()).sum().backward()
    return passing.most // PROBE, kept.most // PROBE, checkpointed.most // PROBE


class Held(TorchDispatchMode):
    """Counts the bytes of all tensors that are held beside the model's weights and their gradients."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.most = 0
        weights = list(model.parameters())
        known = [*weights, *(one.grad for one in weights if one.grad is not None)]
        self._known = {one.untyped_storage()._cdata for one in known}
        self._held: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default and args[0].is_meta:
            return 1  # what is asked is whether a mask hides nothing
        out = func(*args, **(kwargs or {}))
        for storage in (one.untyped_storage() for one in tree_leaves(out) if isinstance(one, torch.Tensor)):
            if storage._cdata not in self._known:
                self._held[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
        self._held = {key: held for key, held in self._held.items() if not held[0].expired()}
        self.most = max(self.most, sum(size for _, size in self._held.values()))
        return out


def _inputs() -> dict[str, torch.Tensor]:
    # No mask and no positions: the model looks into those, and there is nothing in them here.
    return {"input_ids": torch.zeros(1, PROBE, dtype=torch.long)}
