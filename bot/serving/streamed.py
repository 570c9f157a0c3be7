"""A completion put together from the pieces in which a server streams it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import openai
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.chat_completion_chunk import Choice, ChoiceDeltaToolCall

from bot.generator import OnText
from bot.serving.http import Unreadable
from bot.serving.shape import as_chunk

MOST_CHARS_A_TOKEN = 64
"""A long run of spaces or dashes is one token; more than this on average is no text."""
MOST_CHOICES = 64


@dataclass
class _Written:
    """One choice so far."""

    content: list[str] = field(default_factory=list)
    chars: int = 0
    """Of its text and of the arguments of its calls."""
    tokens: list[Any] = field(default_factory=list)
    calls: dict[int, dict[str, Any]] = field(default_factory=dict)
    ended: str | None = None


async def collect(
    stream: openai.AsyncStream[ChatCompletionChunk], on_text: OnText, max_tokens: int | None = None
) -> ChatCompletion:
    """The whole completion; `on_text` gets the text of the first choice as it comes.

    Raises Unreadable when a choice has no end, or when it runs on beyond what `max_tokens` can be.
    """
    most = None if max_tokens is None else max_tokens * MOST_CHARS_A_TOKEN
    written: dict[int, _Written] = {}
    usage: Any = None
    first: ChatCompletionChunk | None = None
    async with stream:
        async for chunk in _chunks(stream):
            first, usage = first or chunk, chunk.usage or usage
            for choice in chunk.choices or ():
                text = _add(written, choice)
                if text and choice.index == 0:
                    on_text(text)
            if most is not None and sum(one.chars for one in written.values()) > most * max(1, len(written)):
                raise Unreadable("wrote on beyond max_tokens")
    if first is None or not written or any(one.ended is None for one in written.values()):
        raise Unreadable("broke off in the middle of its answer")
    return _completion(first, written, usage)


def runs_on(answer: ChatCompletion, max_tokens: int | None) -> bool:
    """Whether a choice is longer than `max_tokens` can be."""
    longest = max(len(choice.message.content or "") if choice.message else 0 for choice in answer.choices)
    return max_tokens is not None and longest > max_tokens * MOST_CHARS_A_TOKEN


async def _chunks(stream: openai.AsyncStream[ChatCompletionChunk]) -> AsyncIterator[ChatCompletionChunk]:
    async for piece in stream:
        chunk = as_chunk(piece)
        if chunk is None:
            raise Unreadable("streamed something else than a chat completion")
        yield chunk


def _add(written: dict[int, _Written], choice: Choice) -> str:
    """The piece is added to its choice; returns its text."""
    if not 0 <= choice.index < MOST_CHOICES:
        raise Unreadable("streamed something else than a chat completion")
    one = written.setdefault(choice.index, _Written())
    text = choice.delta.content if choice.delta and choice.delta.content else ""
    one.content += [text] if text else []
    one.chars += len(text)
    if choice.logprobs and choice.logprobs.content:
        one.tokens += [token.model_dump(warnings=False) for token in choice.logprobs.content]
    for piece in (choice.delta.tool_calls if choice.delta else None) or ():
        _add_call(one, piece)
    one.ended = choice.finish_reason or one.ended
    return text


def _add_call(one: _Written, piece: ChoiceDeltaToolCall) -> None:
    call = one.calls.setdefault(
        piece.index, {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
    )
    call["id"] = piece.id or call["id"]
    if piece.function:
        call["function"]["name"] += piece.function.name or ""
        call["function"]["arguments"] += piece.function.arguments or ""
        one.chars += len(piece.function.arguments or "")


def _completion(first: ChatCompletionChunk, written: dict[int, _Written], usage: Any) -> ChatCompletion:
    return ChatCompletion.model_validate(
        {
            "id": first.id,
            "created": first.created,
            "model": first.model,
            "object": "chat.completion",
            "choices": [_choice(index, one) for index, one in sorted(written.items())],
            "usage": None if usage is None else usage.model_dump(warnings=False),
        }
    )


def _choice(index: int, one: _Written) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": "".join(one.content) or None, "refusal": None}
    if one.calls:
        message["tool_calls"] = [call for _, call in sorted(one.calls.items())]
    return {
        "index": index,
        "message": message,
        "finish_reason": one.ended,
        "logprobs": {"content": one.tokens, "refusal": None} if one.tokens else None,
    }
