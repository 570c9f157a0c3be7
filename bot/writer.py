"""Text by a model that is no reply: a translation, a summary. The protocol, and asking a served model."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from bot.generator import GeneratorError
from bot.prompt import Message

if TYPE_CHECKING:
    from bot.fleet import Fleet

_THOUGHTS = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_TEMPLATE_TOKENS = 64
"""What a chat template adds, at most."""

Schema = Mapping[str, Any]
"""A JSON schema whose strings and lists are bounded: weak models otherwise write without end."""


class TextRefused(GeneratorError):
    """What the model wrote was looked at and cannot be used; another try or another model may do better."""


class Writer(Protocol):
    """Safe to call from several tasks at once; raises only `GeneratorError`."""

    async def write(
        self, messages: Sequence[Message], *, max_tokens: int, schema: Schema | None = None
    ) -> str:
        """What the model says, unchecked and without surrounding space; JSON where `schema` asks for it."""
        ...

    async def aclose(self) -> None:
        """Let go of everything. Safe to call twice."""
        ...


class ModelWriter:
    """Asks the base model of a fleet for the likeliest text. Closes the fleet."""

    def __init__(self, fleet: "Fleet") -> None:
        self._fleet = fleet

    async def write(
        self, messages: Sequence[Message], *, max_tokens: int, schema: Schema | None = None
    ) -> str:
        form: dict[str, Any] = {} if schema is None else {"response_format": _form(schema)}
        room = await self._room(messages, max_tokens)
        answer = await self._fleet.chat(messages, max_tokens=room, temperature=0.0, **form)
        choice = answer.choices[0]
        if choice.finish_reason == "length":
            raise TextRefused(f"the model did not finish within {room} tokens; try a shorter text")
        # Servers leave out what they have not got; the client's records don't show it.
        said = (choice.message.content if choice.message else None) or ""
        return _THOUGHTS.sub("", said).strip()

    async def _room(self, messages: Sequence[Message], max_tokens: int) -> int:
        """`max_tokens`, or what the context leaves; a byte is at most one token."""
        context = await self._fleet.context()
        longest = _TEMPLATE_TOKENS + sum(len(message["content"].encode()) for message in messages)
        if context is None or longest + max_tokens <= context:
            return max_tokens
        tokens = await self._fleet.count_tokens(messages)
        return max_tokens if tokens is None else max(1, min(max_tokens, context - tokens))

    async def aclose(self) -> None:
        await self._fleet.aclose()


def _form(schema: Schema) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "text", "strict": True, "schema": dict(schema)}}
