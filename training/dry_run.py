"""A model and the roles that PPO puts on it, built on torch's meta device: shapes, and no numbers in them.

Takes seconds and no memory for 7B, and needs no weights: what does not fit together fails here.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForCausalLM
from transformers.pytorch_utils import Conv1D

from bot.training_settings import LoraSettings
from training.cast import Cast
from training.errors import BadBase
from training.models import Base

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
    hidden: int
    vocabulary: int
    cached: int
    """What the KV cache keeps for one token."""
    kept: int
    """Bytes for one token that one layer keeps until its gradient is known. Without the attention's square, which
    the kernels for GPUs don't keep."""
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
        layers = int(config.num_hidden_layers)
        sizes = Sizes(
            parameters=parameters,
            quantized=sum(linear),
            largest=max(linear),
            adapter=sum(one.numel() for one in cast.parameters("policy")),
            layers=layers,
            hidden=int(config.hidden_size),
            vocabulary=shapes["policy"][-1],
            cached=cached,
            kept=_kept(cast) // layers,
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


def _kept(cast: Cast) -> int:
    """Bytes for one token that a forward pass of all layers keeps for the gradient."""
    weights = {one.untyped_storage()._cdata for one in cast.parameters("policy")}
    weights |= {one.untyped_storage()._cdata for one in cast.base.model.parameters()}
    held: dict[int, torch.Tensor] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.shape[-2:] != (PROBE, PROBE):
            held[tensor.untyped_storage()._cdata] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        cast.hidden("policy", **_inputs())
    sizes = [int(one.untyped_storage().nbytes()) for key, one in held.items() if key not in weights]
    return sum(sizes) // PROBE


def _inputs() -> dict[str, torch.Tensor]:
    # No mask and no positions: the model looks into those, and there is nothing in them here.
    return {"input_ids": torch.zeros(1, PROBE, dtype=torch.long)}
