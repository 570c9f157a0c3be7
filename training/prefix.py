"""What several rows begin with, such as the rules and the persona, is read once and not once a row.

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


def read(model: Any, ids: Tensor, rows: Tensor, *, mask: Tensor | None = None) -> DynamicCache:
    """The keys and values of beginnings [B, L], for each row that of the beginning that `rows` [R] names; `mask`
    [B, L]: 0 for padding on the right.
    """
    cache = DynamicCache(config=model.config)
    more = {} if mask is None else {"attention_mask": mask}
    inner = getattr(model, model.base_model_prefix)
    inner(input_ids=ids, past_key_values=cache, use_cache=True, **more)
    cache.batch_select_indices(rows)
    return cache


def windowed(model: Any) -> bool:
    """Some layers look back over so many places of the cache only, and padding after a beginning takes some."""
    config = model.config.get_text_config()
    return any(getattr(config, name, None) for name in ("sliding_window", "attention_chunk_size"))
