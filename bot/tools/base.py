"""The seam between the model and what the owner lets it call.

ToolError
└── BadArguments     the model's fault: it is told, and may try again
"""

import re
from collections.abc import Mapping
from typing import Any, Literal, Protocol

from bot.schema import Schema


class ToolError(Exception):
    """A call that brought nothing; one line that says what happened and what to do. It holds no secret."""


class BadArguments(ToolError):
    """What the model asked for cannot be answered as it stands."""


class Tool(Protocol):
    """Answers questions from the owner's own data. Safe to call from several tasks at once."""

    name: str
    description: str
    """For the model, in every language that the owner wrote it in."""
    grounds: bool
    """A reply may rest on what it says. False where the result is worth only as much as the arguments."""

    @property
    def schema(self) -> Schema:
        """Of the arguments; see `bot.schema`."""
        ...

    async def call(self, arguments: Mapping[str, Any]) -> str:
        """The answer as text; empty when there is none. `arguments` keep to `schema`. Raises ToolError."""
        ...


def shortened(text: str, most: int) -> str:
    """`text` in at most `most` characters: whole lines of it, or else no half number at its end."""
    if len(text) <= most:
        return text
    lines, newline, _ = text[: most + 1].rpartition("\n")
    return lines if newline else re.sub(r"[\d.,]+\Z", "", text[:most])


def describe(description: Mapping[Literal["en", "zh"], str]) -> str:
    """One text of the descriptions, English first."""
    languages: tuple[Literal["en", "zh"], ...] = ("en", "zh")
    return " / ".join(description[language] for language in languages if language in description)
