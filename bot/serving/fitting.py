"""Makes a prompt small enough for the model's context, by the server's own tokenizer."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil

from bot.generator import GenerationRequest, GeneratorMisconfigured
from bot.persona import shorten
from bot.prompt import Message, build_messages

TEMPLATE_TOKENS = 32
"""What a chat template puts around the messages, at most."""
PICTURE_TOKENS = 1280
"""What a picture of ordinary size takes, by the models that take most."""
LEAST_COMMENT_CHARS = 40
MOST_COUNTS = 4

LEAST_SEEN, MARGIN = 20, 1.25
"""Prompts that a density is told from, and how much denser than all of them the next one may be."""

Count = Callable[[Sequence[Message]], Awaitable[int | None]]
"""Tokens of messages; None where nobody can tell."""


@dataclass(slots=True)
class Density:
    """How many tokens a prompt has at most, by what its server told of others: most prompts need no counting.

    English is dense to the same degree everywhere, so that a prompt's ASCII is reckoned by the densest one that was
    seen. Of other writing nothing is assumed: a byte of it may be a token.
    """

    most: float = 0.0
    """Tokens a byte."""
    seen: int = 0

    def note(self, messages: Sequence[Message], tokens: int) -> None:
        """A prompt that had `tokens`, all told."""
        ascii_bytes, others = _bytes(messages)
        if ascii_bytes and others * 10 <= ascii_bytes:
            self.most, self.seen = max(self.most, tokens / ascii_bytes), self.seen + 1

    def forget(self) -> None:
        """Count again: a prompt was longer than reckoned."""
        self.most, self.seen = 0.0, 0

    def bound(self, messages: Sequence[Message]) -> int:
        """Tokens, at most."""
        ascii_bytes, others = _bytes(messages)
        share = min(1.0, self.most * MARGIN) if self.seen >= LEAST_SEEN else 1.0
        return ceil(ascii_bytes * share) + others


def _bytes(messages: Sequence[Message]) -> tuple[int, int]:
    """(of ASCII, of all else) in the texts of messages."""
    parts = [message["content"] for message in messages if isinstance(message["content"], str)]
    whole = sum(len(text.encode("utf-8", "replace")) for text in parts)
    ascii_bytes = sum(len(text.encode("ascii", "ignore")) for text in parts)
    return ascii_bytes, whole - ascii_bytes


def smaller(request: GenerationRequest) -> GenerationRequest | None:
    """`request` less what is missed least: the last passage, then the oldest turn of the thread, then the post's
    text, then a quarter of the comment; None when only the rules are left.
    """
    if request.passages:
        return replace(request, passages=request.passages[:-1])
    if request.thread:
        return replace(request, thread=request.thread[1:])
    if request.post_text:
        return replace(request, post_text="")
    shorter = shorten(request.comment, len(request.comment) * 3 // 4)
    return replace(request, comment=shorter) if len(shorter) >= LEAST_COMMENT_CHARS else None


def size(request: GenerationRequest) -> int:
    """Bytes of the messages. A token of a byte-level tokenizer is at least one of them."""
    return sum(_bytes(_texts(request)))


def _texts(request: GenerationRequest) -> list[Message]:
    """The messages without pictures, which are reckoned by number."""
    return build_messages(replace(request, pictures=()))


def within(request: GenerationRequest, most: int) -> GenerationRequest | None:
    """The first of ever smaller requests whose messages have at most `most` bytes; None when none has."""
    made: GenerationRequest | None = request
    while made is not None and size(made) > most:
        made = smaller(made)
    return made


async def fit(
    request: GenerationRequest, context: int, max_tokens: int, count: Count, density: Density
) -> GenerationRequest:
    """`request` with only as much as leaves `max_tokens` of `context` for the reply. Most requests need no count.

    Raises GeneratorMisconfigured when not even the shortest prompt fits, and what `count` raises.
    """
    room = context - max_tokens - TEMPLATE_TOKENS - PICTURE_TOKENS * len(request.pictures)
    for _ in range(MOST_COUNTS):
        texts = _texts(request)
        if density.bound(texts) <= room:
            return request
        tokens = await count(texts)
        if tokens is None:
            return request
        density.note(texts, tokens)
        if tokens <= room:
            return request
        # As many bytes a token as there were now, and a little less, since the next part may be denser.
        shorter = within(request, int(size(request) * room / tokens * 0.97))
        if shorter is None:
            raise _too_small(context, max_tokens, tokens)
        request = shorter
    shorter = within(request, room)
    if shorter is None:
        raise _too_small(context, max_tokens, room)
    return shorter


def _too_small(context: int, max_tokens: int, tokens: int) -> GeneratorMisconfigured:
    return GeneratorMisconfigured(
        f"a context of {context} tokens is too small for the rules, a comment and {max_tokens} tokens of reply "
        f"(the prompt had {tokens}); start the server with a larger --max-model-len, or lower generator.max_tokens"
    )
