"""What all prompts of a batch begin with, the rules and the persona, is read once and not once a row.

A causal model sees nothing but what came before, so that the states of a common beginning are the same in every row:
this is exact, gradients included, which flow back through all rows into the one pass over the beginning.
"""

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from torch import Tensor
from transformers import DynamicCache

WORTH = 8
"""Tokens from which it pays."""


def common(prompts: Sequence[tuple[int, ...]]) -> int:
    """How many tokens all begin with, such that each prompt has one left; 0 where it does not pay."""
    # What lies between the first and the last in alphabetical order begins as both do.
    pairs = zip(min(prompts), max(prompts), strict=False)
    same = len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))
    found = min(same, min(map(len, prompts)) - 1)
    return found if len(prompts) > 1 and found >= WORTH else 0


def read(model: Any, prefix: Tensor, rows: int) -> DynamicCache:
    """The keys and values of the beginning [1, L], for each of the rows."""
    cache = DynamicCache(config=model.config)
    getattr(model, model.base_model_prefix)(input_ids=prefix, past_key_values=cache, use_cache=True)
    cache.batch_repeat_interleave(rows)
    return cache
