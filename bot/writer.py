"""Text by a model that is no reply: a translation, a summary. The protocol, and asking a served model."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from bot.generator import GeneratorError
from bot.prompt import Message

if TYPE_CHECKING:
    from bot.modelserver import ModelServer

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
    """Asks one model on an OpenAI-compatible server, for the likeliest text."""

    def __init__(self, server: "ModelServer", model: str) -> None:
        """`server` is closed with the writer."""
        self._server, self._model = server, model

    async def write(
        self, messages: Sequence[Message], *, max_tokens: int, schema: Schema | None = None
    ) -> str:
        form = {} if schema is None else {"response_format": _form(schema)}
        answer = await self._server.chat(
            messages, model=self._model, max_tokens=max_tokens, temperature=0.0, **form
        )
        choice = answer.choices[0]
        # Servers leave out what they have not got; the client's records don't show it.
        said = (choice.message.content if choice.message else None) or ""
        if choice.finish_reason == "length":
            raise TextRefused(f"{self._model} did not finish within {max_tokens} tokens; try a shorter text")
        return said.strip()

    async def aclose(self) -> None:
        await self._server.aclose()


def _form(schema: Schema) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "text", "strict": True, "schema": dict(schema)}}
