"""One number for a reply to a prompt, read off its last token."""

from collections.abc import Sequence

from torch import Tensor

from training.cast import padded
from training.models import Base


def scoring_inputs(
    base: Base, prompts: Sequence[Sequence[int]], replies: Sequence[Sequence[int]]
) -> dict[str, Tensor]:
    """Prompt and reply in one row [B, T], padded on the right; for an encoder-decoder, each in its own."""
    if base.kind == "causal":
        rows = [[*prompt, *reply] for prompt, reply in zip(prompts, replies, strict=True)]
        ids, mask = padded(rows, base.pad_id, left=False, device=base.device)
        return {"input_ids": ids, "attention_mask": mask}
    start = base.model.config.decoder_start_token_id
    ids, mask = padded(prompts, base.pad_id, left=False, device=base.device)
    begun = [[base.pad_id if start is None else start, *reply] for reply in replies]
    reply_ids, reply_mask = padded(begun, base.pad_id, left=False, device=base.device)
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "decoder_input_ids": reply_ids,
        "decoder_attention_mask": reply_mask,
    }
