"""Makes a prompt small enough for the model's context, by the server's own tokenizer."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from bot.generator import GenerationRequest, GeneratorMisconfigured
from bot.persona import shorten
from bot.prompt import Message, build_messages

TEMPLATE_TOKENS = 32
"""What a chat template puts around the messages, at most."""
PICTURE_TOKENS = 1280
"""What a picture of ordinary size takes, by the models that take most."""
LEAST_COMMENT_CHARS = 40
MOST_COUNTS = 4

Count = Callable[[Sequence[Message]], Awaitable[int | None]]
"""Tokens of messages; None where nobody can tell."""


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
    return sum(len(message["content"].encode("utf-8", "replace")) for message in _texts(request))


def _texts(request: GenerationRequest) -> list[Message]:
    """The messages without pictures, which are reckoned by number."""
    return build_messages(replace(request, pictures=()))


def within(request: GenerationRequest, most: int) -> GenerationRequest | None:
    """The first of ever smaller requests whose messages have at most `most` bytes; None when none has."""
    made: GenerationRequest | None = request
    while made is not None and size(made) > most:
        made = smaller(made)
    return made


async def fit(request: GenerationRequest, context: int, max_tokens: int, count: Count) -> GenerationRequest:
    """`request` with only as much as leaves `max_tokens` of `context` for the reply. Most requests need no count.

    Raises GeneratorMisconfigured when not even the shortest prompt fits, and what `count` raises.
    """
    room = context - max_tokens - TEMPLATE_TOKENS - PICTURE_TOKENS * len(request.pictures)
    for _ in range(MOST_COUNTS):
        if size(request) <= room:
            return request
        tokens = await count(_texts(request))
        if tokens is None or tokens <= room:
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
