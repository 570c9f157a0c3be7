"""Pairs of replies as tensors: the prompt is read once for both.

A reply sees its whole prompt and nothing of the other reply, so that what the model makes of the prompt is the same for
both: this is exact, gradients included. Prompts are several times as long as replies, and so the work is nearly halved.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bot.training_settings import TrainingSettings
from training import prefix
from training.cast import padded
from training.models import Base
from training.rows import Pair
from training.scoring import scoring_inputs

_PROMPTS = ("prompt_ids", "prompt_mask")


@dataclass(frozen=True, slots=True)
class Encoded:
    """A pair as token ids; each reply has its end."""

    pair: Pair
    prompt: list[int]
    chosen: list[int]
    rejected: list[int]


def encoded(base: Base, pairs: Sequence[Pair]) -> tuple[list[Encoded], int]:
    """Those that the model can read whole, and how many others there are."""
    found = []
    for pair in pairs:
        prompt = base.prompt_ids(pair.prompt.messages)
        chosen, rejected = (base.reply_ids(text) for text in (pair.chosen, pair.rejected))
        if len(prompt) + max(len(chosen), len(rejected)) <= base.max_tokens:
            found.append(Encoded(pair, prompt, chosen, rejected))
    return found, len(pairs) - len(found)


def shares(base: Base, settings: TrainingSettings) -> bool:
    """Whether prompts can be read apart. Not together with gradient checkpointing, under which transformers takes no
    keys and values over.
    """
    return base.kind == "causal" and not settings.gradient_checkpointing and not prefix.windowed(base.model)


def pair_inputs(
    base: Base, prompts: Sequence[list[int]], replies: Sequence[list[int]], *, shared: bool
) -> dict[str, Tensor]:
    """[2B, ...] from B prompts and 2B replies, the chosen ones first; `shared`: with the prompts [B, P] apart, for
    `after_prompts`.
    """
    if not shared:
        return scoring_inputs(base, [*prompts, *prompts], replies)
    prompt_ids, prompt_mask = padded(prompts, base.pad_id, left=False, device=base.device)
    ids, mask = padded(replies, base.pad_id, left=False, device=base.device)
    begins = prompt_mask.sum(1).repeat(2)
    places = begins[:, None] + torch.arange(ids.shape[1], device=base.device)
    return {
        "prompt_ids": prompt_ids,
        "prompt_mask": prompt_mask,
        "input_ids": ids,
        "attention_mask": torch.cat((prompt_mask.repeat(2, 1), mask), dim=1),
        # Padding may lie beyond the last position that the model knows.
        "position_ids": places.clamp(max=base.max_tokens - 1),
    }


def after_prompts(model: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What the forward pass of `model`, a `PeftModel`, takes: of prompts apart, their keys and values."""
    if _PROMPTS[0] not in inputs:
        return dict(inputs)
    ids, mask = (inputs[name] for name in _PROMPTS)
    both = torch.arange(len(ids), device=ids.device).repeat(2)
    cache = prefix.read(model.get_base_model(), ids, both, mask=mask)
    return {name: one for name, one in inputs.items() if name not in _PROMPTS} | {"past_key_values": cache}
