"""Prompts with their replies as tensors, and what the roles say about them.

Rows are padded on the right: a causal model then needs no attention mask, as nobody looks ahead, and no positions.
What is asked for is only the reply's tokens: the N tokens of a batch's replies stand in one flat row, and a rectangle
[B, T], T the longest reply, where their place counts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from training import prefix
from training.cast import Cast, padded
from training.logprobs import Head, token_logprobs
from training.models import Base
from training.samples import Sample


@dataclass(frozen=True, slots=True)
class Episodes:
    """Replies ready for the model."""

    inputs: dict[str, Any]
    """Of the forward pass. The last token of the longest reply is left out: nothing follows it."""
    rows: Tensor
    """[N] row of each reply token."""
    columns: Tensor
    """[N] column whose hidden state says it: that of the token before."""
    tokens: Tensor
    """[N]"""
    mask: Tensor
    """[B, T]"""
    prefix: Tensor | None = None
    """[1, L]: what all rows begin with, and `inputs` goes on from."""

    def rectangle(self, flat: Tensor) -> Tensor:
        """[N] → [B, T], with 0 for padding; differentiable."""
        return torch.zeros(self.mask.shape, dtype=flat.dtype, device=flat.device).masked_scatter(
            self.mask, flat
        )


def episodes(base: Base, samples: Sequence[Sample], *, share: bool = True) -> Episodes:
    """`share`: with what the prompts have in common apart. Not together with gradient checkpointing, under which
    transformers takes no keys and values over.
    """
    prompts = [one.prompt_ids for one in samples]
    shared = prefix.common(prompts) if share and base.kind == "causal" else 0
    rows = [row for row, one in enumerate(samples) for _ in one.reply_ids]
    begins = [0 if base.kind == "seq2seq" else len(one) - 1 - shared for one in prompts]
    columns = [begins[row] + t for row, one in enumerate(samples) for t in range(len(one.reply_ids))]
    tokens = [token for one in samples for token in one.reply_ids]
    places = torch.tensor([rows, columns, tokens], dtype=torch.long, device=base.device)
    start = torch.tensor([prompts[0][:shared]], device=base.device) if shared else None
    mask = mask_of(samples, base.device)
    return Episodes(_inputs(base, samples, shared), places[0], places[1], places[2], mask, start)


def mask_of(samples: Sequence[Sample], device: torch.device) -> Tensor:
    """[B, T], true where a reply has a token."""
    counts = torch.tensor([len(one.reply_ids) for one in samples], device=device)
    return torch.arange(max(len(one.reply_ids) for one in samples), device=device) < counts[:, None]


def by_length(samples: Sequence[Sample], rows: int) -> Iterator[list[int]]:
    """Places of the samples, `rows` at a time, such that those of about one length are together."""
    order = sorted(
        range(len(samples)), key=lambda at: len(samples[at].prompt_ids) + len(samples[at].reply_ids)
    )
    yield from (order[at : at + rows] for at in range(0, len(order), rows))


def logprobs_of(cast: Cast, role: str | None, head: Head, batch: Episodes, temperature: float) -> Tensor:
    """[N], float32: what the role thinks of each token."""
    return token_logprobs(head, _states(cast, role, batch), batch.tokens, temperature)


def values_of(cast: Cast, role: str, batch: Episodes) -> Tensor:
    """[N], float32: what the critic expects before each token."""
    head = cast.heads[role]
    found: Tensor = head(_states(cast, role, batch).to(head.weight.dtype))[:, 0].float()
    return found


def _states(cast: Cast, role: str | None, batch: Episodes) -> Tensor:
    """[N, hidden]"""
    inputs = batch.inputs
    with cast.playing(role) as model:
        if batch.prefix is not None:
            cache = prefix.read(model, batch.prefix, batch.rows.new_zeros(len(batch.mask)))
            inputs = {**inputs, "past_key_values": cache, "use_cache": True}
        return cast.hidden(role, **inputs)[batch.rows, batch.columns]


def _inputs(base: Base, samples: Sequence[Sample], shared: int) -> dict[str, Any]:
    if base.kind == "causal":
        whole = [[*one.prompt_ids, *one.reply_ids][shared:-1] for one in samples]
        ids, _ = padded(whole, base.pad_id, left=False, device=base.device)
        return {"input_ids": ids, "use_cache": False}
    ids, mask = padded([one.prompt_ids for one in samples], base.pad_id, left=False, device=base.device)
    start = base.model.config.decoder_start_token_id
    written = [[start, *one.reply_ids][:-1] or [start] for one in samples]
    decoder, _ = padded(written, base.pad_id, left=False, device=base.device)
    return {"input_ids": ids, "attention_mask": mask, "decoder_input_ids": decoder, "use_cache": False}
