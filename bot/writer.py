"""Text by a model that is no reply: a translation, a summary. The protocol, and asking a served model."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from bot.generator import GeneratorError
from bot.prompt import Message

if TYPE_CHECKING:
    from bot.serving.fleet import Fleet

_THOUGHTS = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)

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
        answer = await self._fleet.chat(messages, max_tokens=max_tokens, temperature=0.0, **form)
        choice = answer.choices[0]
        if choice.finish_reason == "length":
            # Also where the context had no room for `max_tokens`: vLLM cuts them in silence.
            raise TextRefused(
                f"the model did not finish within {max_tokens} tokens; try again with less text"
            )
        # Servers leave out what they have not got; the client's records don't show it.
        said = (choice.message.content if choice.message else None) or ""
        return _THOUGHTS.sub("", said).strip()

    async def aclose(self) -> None:
        await self._fleet.aclose()


def _form(schema: Schema) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "text", "strict": True, "schema": dict(schema)}}
