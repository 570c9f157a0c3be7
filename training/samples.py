"""What a model wrote to a prompt, and what it is given for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from training.rows import Prompt


@dataclass(frozen=True, slots=True)
class Sample:
    """One reply, as token ids: decoding loses the end-of-text token, and a reward model must see it."""

    prompt: Prompt
    prompt_ids: tuple[int, ...]
    reply_ids: tuple[int, ...]
    """With the end-of-text token where the model ended by itself; never with padding."""
    text: str
    """Without special tokens."""
    ended: bool
    logprobs: tuple[float, ...] | None = None
    """Of each token of the reply as it was drawn, where the sampler knows them."""


class Scorer(Protocol):
    """Gives a number to each reply; more is better."""

    @property
    def name(self) -> str: ...

    def score(self, samples: Sequence[Sample]) -> list[float]: ...
