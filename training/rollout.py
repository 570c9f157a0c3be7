"""Writing replies, as the policy and everybody who compares voices needs them: sampled, many at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers import DynamicCache, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

from training import prefix
from training.cast import Cast, padded
from training.errors import BadData
from training.merged import merged
from training.models import Base
from training.rows import Prompt
from training.samples import Sample

ROWS = 64
"""Replies written at a time; a step with few rows takes as long as one with many."""


class NotANumber(Exception):
    """A probability, a loss or a gradient is none."""


class Sampler(Protocol):
    """Writes one reply to each prompt. The seed decides which."""

    def sample(self, prompts: Sequence[Prompt], seed: int) -> list[Sample]: ...


Samplers = Callable[[Cast, str], Sampler]
"""Makes the sampler for a role of a cast."""


class LocalSampler:
    """The model in this process, as `role` plays it: every word has the chance that the model gives it."""

    def __init__(self, cast: Cast, role: str | None, *, max_new_tokens: int, temperature: float) -> None:
        self._cast, self._role = cast, role
        self._longest, self._temperature = max_new_tokens, temperature

    @torch.no_grad()
    def sample(self, prompts: Sequence[Prompt], seed: int) -> list[Sample]:
        """Raises BadData for a prompt that leaves no room for a reply, NotANumber."""
        base = self._cast.base
        asked = [(prompt, prompt_ids(base, prompt, self._longest)) for prompt in prompts]
        order = sorted(range(len(asked)), key=lambda at: len(asked[at][1]))
        generator = torch.Generator(base.device).manual_seed(seed)
        found: dict[int, Sample] = {}
        with merged(self._cast, self._role) as model:
            for first in range(0, len(order), ROWS):
                places = order[first : first + ROWS]
                written = self._written(model, [asked[at][1] for at in places], generator)
                for at, (reply, logprobs) in zip(places, written, strict=True):
                    found[at] = _sample(base, *asked[at], reply, logprobs)
        return [found[at] for at in range(len(asked))]

    def _written(
        self, model: Any, prompts: Sequence[tuple[int, ...]], generator: torch.Generator
    ) -> list[tuple[list[int], list[float]]]:
        base = self._cast.base
        drawn = torch.full((len(prompts), self._longest), base.pad_id, device=base.device)
        logprobs = torch.zeros(drawn.shape, device=base.device)
        alive = torch.arange(len(prompts), device=base.device)
        state = _begun(base, model, prompts)
        for t in range(self._longest):
            token, logprob = _draw(state.logits / self._temperature, generator)
            drawn[alive, t], logprobs[alive, t] = token, logprob
            going = (token != base.eos_id).nonzero()[:, 0]
            alive = alive[going]
            if not len(alive) or t + 1 == self._longest:
                break
            state = _next(model, state, token, going)
        counts = _lengths(drawn, base.eos_id)
        rows = zip(drawn.tolist(), logprobs.tolist(), counts, strict=True)
        return [(tokens[:count], said[:count]) for tokens, said, count in rows]


def prompt_ids(base: Base, prompt: Prompt, max_new_tokens: int) -> tuple[int, ...]:
    """Raises BadData where the model is too short for the prompt and a reply."""
    ids = tuple(base.prompt_ids(prompt.messages))
    if len(ids) + max_new_tokens > base.max_tokens:
        raise BadData(
            f"a prompt of {len(ids)} tokens leaves no room for a reply of {max_new_tokens}: {base.source} takes "
            f"{base.max_tokens} together; lower training.ppo.max_new_tokens or generator.max_prompt_tokens"
        )
    return ids


def with_room(
    base: Base, prompts: Sequence[Prompt], weights: Sequence[float] | None, max_new_tokens: int
) -> tuple[list[Prompt], list[float], int]:
    """The prompts that leave room for a reply, their weights, and how many others there are: a comment of any length
    must not end the night. Raises BadData where none does, or none has a weight.
    """
    counts = weights if weights is not None else [1.0] * len(prompts)
    longest = base.max_tokens - max_new_tokens
    fitting = [
        (prompt, count)
        for prompt, count in zip(prompts, counts, strict=True)
        if len(base.prompt_ids(prompt.messages)) <= longest
    ]
    if not any(count > 0 for _, count in fitting):
        raise BadData(
            f"no prompt leaves room for a reply of {max_new_tokens} tokens: {base.source} takes {base.max_tokens} "
            "together; lower training.ppo.max_new_tokens or generator.max_prompt_tokens"
        )
    return [one for one, _ in fitting], [count for _, count in fitting], len(prompts) - len(fitting)


@dataclass(slots=True)
class _State:
    """Of a batch that is being written. Rows that ended are dropped from it."""

    logits: Tensor
    """[B, vocabulary], float32, of the next token."""
    cache: Any
    mask: Tensor
    """[B, tokens so far]; of an encoder-decoder, that of the prompts."""
    encoded: Tensor | None = None
    """[B, prompt, hidden] of an encoder-decoder."""


def _begun(base: Base, model: Any, prompts: Sequence[tuple[int, ...]]) -> _State:
    if base.kind == "causal":
        shared = 0 if prefix.windowed(model) else prefix.common(prompts)
        ids, mask = padded([one[shared:] for one in prompts], base.pad_id, left=True, device=base.device)
        cache: Any = DynamicCache(config=model.config)
        if shared:
            begin = torch.tensor([prompts[0][:shared]], device=base.device)
            cache = prefix.read(model, begin, begin.new_zeros(len(prompts)))
            mask = torch.nn.functional.pad(mask, (shared, 0), value=1)
        said = model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=(mask.cumsum(1) - 1).clamp(min=0)[:, shared:],
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return _State(said.logits[:, -1].float(), cache, mask)
    ids, mask = padded(prompts, base.pad_id, left=False, device=base.device)
    encoded = model.get_encoder()(input_ids=ids, attention_mask=mask).last_hidden_state
    cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
    start = torch.full((len(prompts), 1), model.config.decoder_start_token_id, device=base.device)
    return _decoded(model, start, _State(encoded.new_empty(0), cache, mask, encoded))


def _next(model: Any, state: _State, token: Tensor, going: Tensor) -> _State:
    if len(going) < len(token):
        state.cache.batch_select_indices(going)
        state.mask, token = state.mask[going], token[going]
        state.encoded = None if state.encoded is None else state.encoded[going]
    if state.encoded is not None:
        return _decoded(model, token[:, None], state)
    state.mask = torch.nn.functional.pad(state.mask, (0, 1), value=1)
    said = model(
        input_ids=token[:, None],
        attention_mask=state.mask,
        position_ids=state.mask.sum(1, keepdim=True) - 1,
        past_key_values=state.cache,
        use_cache=True,
    )
    state.logits = said.logits[:, -1].float()
    return state


def _decoded(model: Any, token: Tensor, state: _State) -> _State:
    said = model(
        decoder_input_ids=token,
        encoder_outputs=BaseModelOutput(last_hidden_state=state.encoded),
        attention_mask=state.mask,
        past_key_values=state.cache,
        use_cache=True,
    )
    state.logits = said.logits[:, -1].float()
    return state


def _draw(logits: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """[B, V] → the token drawn and its log-probability, [B] each."""
    logprobs = torch.log_softmax(logits, -1)
    if (
        logprobs[:, 0].isnan().any()
    ):  # one NaN makes its whole row NaN; drawing from it would end a CUDA process
        raise NotANumber("the model gives words no probability")
    token = torch.multinomial(logprobs.exp(), 1, generator=generator)
    return token[:, 0], logprobs.gather(1, token)[:, 0]


def _lengths(drawn: Tensor, eos: int) -> list[int]:
    """Tokens up to the end of text and with it, or all."""
    ends = (drawn == eos).long()
    first = torch.where(ends.any(1), ends.argmax(1) + 1, drawn.shape[1])
    return [int(one) for one in first]


def _sample(
    base: Base, prompt: Prompt, asked: tuple[int, ...], reply: list[int], logprobs: list[float]
) -> Sample:
    ended = reply[-1] == base.eos_id
    return Sample(prompt, asked, tuple(reply), base.text_of(reply), ended, tuple(logprobs))
