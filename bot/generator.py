"""The seam between the service and whatever writes a reply: records, the protocol and its errors.

GeneratorError
├── GeneratorUnavailable     wait and repeat: down, slow, overloaded
└── GeneratorMisconfigured   needs a person: wrong model name, refused key, wrong address
"""

from dataclasses import dataclass, field
from typing import Literal, Protocol

from bot.persona import Persona
from knowledge.base import ScoredPassage


class GeneratorError(Exception):
    """Base of everything a generator raises. The message says what happened and what to do."""


class GeneratorUnavailable(GeneratorError):
    """The same request may succeed later; the comment waits."""


class GeneratorMisconfigured(GeneratorError):
    """Repeating the request will not help until a person changes the settings or the server."""


@dataclass(frozen=True, slots=True)
class ThreadTurn:
    """One earlier comment of the thread."""

    author: Literal["fan", "us"]
    text: str


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """All that a reply may be written from."""

    comment: str
    language: str
    """Language of the comment: `en`, `zh`, another ISO code, or `und`."""
    post_title: str = ""
    post_text: str = ""
    thread: tuple[ThreadTurn, ...] = ()
    """Oldest first, without the comment itself."""
    passages: tuple[ScoredPassage, ...] = ()
    """Best first."""
    persona: Persona = field(default_factory=Persona)
    max_chars: int = 1000
    """Longest reply, greeting and signature included."""
    candidates: int = 1


@dataclass(frozen=True, slots=True)
class Completion:
    """One candidate reply, ready to be checked."""

    text: str
    answered: bool
    """False when the text says that the documents don't hold the answer, or when it is empty."""
    citations: tuple[int, ...]
    """Indices into the request's `passages`, in the order of use."""
    model: str
    voice: str | None
    prompt_hash: str
    logprobs: tuple[float, ...] | None = None
    """Log-probability of each token that was written, where the generator knows them."""


@dataclass(frozen=True, slots=True)
class GeneratorHealth:
    ok: bool
    message: str
    """One line for a person: what was found, and what to do when it is not well."""


class Generator(Protocol):
    """Writes candidate replies. Safe to call from several tasks at once; raises only `GeneratorError`."""

    async def generate(self, request: GenerationRequest) -> list[Completion]:
        """At least one candidate and at most `request.candidates`, none longer than `request.max_chars`."""
        ...

    async def check(self) -> GeneratorHealth:
        """Whether `generate` can work now. Never raises."""
        ...

    async def aclose(self) -> None:
        """Let go of everything. Safe to call twice."""
        ...
