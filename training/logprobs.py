"""Log-probabilities of given tokens, without ever holding the logits of all of them.

The logits of a batch are by far its largest tensor: 8 replies of 256 tokens over 150,000 words take 1.2 GB, and as
much again for each step of the softmax. Here they are made and dropped a piece at a time, and what the backward pass
needs, the gradient with respect to the hidden state [hidden], is computed on the way.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from training.errors import BadBase
from training.models import Base

Head = Callable[[Tensor], Tensor]
"""Hidden states [N, hidden] → logits [N, vocabulary]."""

PIECE = 1 << 24
"""Most logits at a time: 64 MB in float32, three or four times that with the softmax and its gradient."""


def language_head(base: Base) -> Head:
    """What the model does with its last hidden states. Raises BadBase where that is not known."""
    linear, scale, cap = base.model.get_output_embeddings(), *_after(base)

    def head(states: Tensor) -> Tensor:
        logits = linear(states.to(linear.weight.dtype)) * scale
        return logits if cap is None else cap * torch.tanh(logits / cap)

    _check(base, head)
    return head


def token_logprobs(head: Head, states: Tensor, tokens: Tensor, temperature: float) -> Tensor:
    """log π(token) at each state: [N, hidden], [N] → [N], float32. Differentiable in the states, not in the head."""
    found: Tensor = _TokenLogprobs.apply(states, tokens, head, temperature)
    return found


class _TokenLogprobs(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, states: Tensor, tokens: Tensor, head: Head, temperature: float) -> Tensor:
        learns = ctx.needs_input_grad[0]
        found, slopes = [], []
        for some, wanted in zip(*_pieces(states, tokens, head), strict=True):
            with torch.set_grad_enabled(learns):
                piece = some.detach().requires_grad_(learns)
                logits = head(piece).float() / temperature
                chosen = logits.gather(1, wanted[:, None])[:, 0] - logits.logsumexp(1)
                if learns:
                    # Each token's probability depends on its own state only: the sum's gradient has all of them.
                    slopes += torch.autograd.grad(chosen.sum(), piece)
            found.append(chosen.detach())
        if learns:
            ctx.save_for_backward(torch.cat(slopes))
        return torch.cat(found)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        (slopes,) = ctx.saved_tensors
        return (grads[0][:, None] * slopes).to(slopes.dtype), None, None, None


def _pieces(states: Tensor, tokens: Tensor, head: Head) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    with torch.no_grad():
        words = head(states[:1].detach()).shape[-1]
    rows = max(1, PIECE // words)
    return states.split(rows), tokens.split(rows)


def _after(base: Base) -> tuple[float, float | None]:
    """What follows the matrix in the families that add something: a factor, and a soft cap."""
    config = base.model.config
    scale = float(getattr(config, "logit_scale", None) or 1.0)  # Cohere
    scale /= float(getattr(config, "logits_scaling", None) or 1.0)  # Granite
    # transformers ties all of T5, of which the first generation alone is scaled.
    tied = config.model_type == "umt5" and config.tie_word_embeddings
    if getattr(config, "scale_decoder_outputs", tied):
        scale *= float(config.d_model) ** -0.5
    return scale, getattr(config, "final_logit_softcapping", None)  # Gemma


def _check(base: Base, head: Head) -> None:
    model, some = base.model, torch.tensor([[base.eos_id, base.eos_id]], device=base.device)
    inputs = {"input_ids": some, **({"decoder_input_ids": some} if base.kind == "seq2seq" else {})}
    with torch.no_grad():
        said = model(**inputs, output_hidden_states=True)
    states = said.decoder_hidden_states if base.kind == "seq2seq" else said.hidden_states
    # bfloat16 has 8 bits of precision.
    if not torch.allclose(said.logits.float(), head(states[-1]).float(), rtol=2e-2, atol=2e-2):
        raise BadBase(
            f"{base.source} ({model.config.model_type}) does something with its logits that PPO does not know; "
            "set training.ppo.method = 'rloo'"
        )
