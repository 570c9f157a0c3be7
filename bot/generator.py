"""The seam between the service and whatever writes a reply: records, the protocol and its errors.

GeneratorError
├── GeneratorUnavailable     wait and repeat: down, slow, overloaded
└── GeneratorMisconfigured   needs a person: wrong model name, refused key, wrong address
    ├── ModelMissing         load the voice and repeat; the base model's name is the settings' fault
    ├── VoiceRefused         a server does not take a voice: it is not where the server looks, or loading is off
    │   └── VoiceUnusable    the weights are to blame: damaged, for another base, of too high a rank: take another voice
    └── RequestRefused       no other server will take it either
        └── TooLong          shorten the prompt and repeat
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from bot.persona import Persona
from knowledge.base import ScoredPassage


class GeneratorError(Exception):
    """Base of everything a generator raises. The message says what happened and what to do."""


class GeneratorUnavailable(GeneratorError):
    """The same request may succeed later."""


class GeneratorMisconfigured(GeneratorError):
    """Repeating the request will not help until a person changes the settings or the server."""


class ModelMissing(GeneratorMisconfigured):
    """The server does not serve the model or voice that was asked for."""


class VoiceRefused(GeneratorMisconfigured):
    """The server answered, and does not take these weights."""


class VoiceUnusable(VoiceRefused):
    """The server has read the weights and can't use them."""


class RequestRefused(GeneratorMisconfigured):
    """The server understood the request and will not do it."""


class TooLong(RequestRefused):
    """The prompt has more tokens than the model's context."""


@dataclass(frozen=True, slots=True)
class ThreadTurn:
    """One earlier comment of the thread."""

    author: Literal["fan", "us"]
    text: str


@dataclass(frozen=True, slots=True)
class VoiceRef:
    """LoRA weights that a server can be told to load; see `bot.models.Voice`."""

    name: str
    """As people call it."""
    served_as: str
    """The model's name in requests; it holds a hash of the weights, so that no other weights ever answer to it."""
    path: str
    """The folder of the weights, as this process sees it."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An image that belongs to the comment or to its post, fetched and checked."""

    address: str
    """Where the platform has it; for people only."""
    media_type: str
    """`image/png`, `image/jpeg`, `image/gif` or `image/webp`, told from the bytes."""
    data: bytes
    of: Literal["comment", "post"] = "comment"


@dataclass(frozen=True, slots=True)
class ToolStep:
    """One call of one of the owner's tools, and what came of it."""

    tool: str
    arguments: str
    """As the model wrote them: JSON where it kept to the form."""
    result: str
    """What the tool said; where `failed`, what went wrong."""
    failed: bool = False
    grounds: bool = False
    """A reply may rest on the result: it came from the owner's own data, and it is not empty."""


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
    hint: str = ""
    """What the person who checks the replies asks of this one; empty where nobody does."""
    max_chars: int = 1000
    """Longest reply, greeting and signature included."""
    candidates: int = 1
    voice: VoiceRef | None = None
    """None: the base model."""
    pictures: tuple[Picture, ...] = ()
    until: float | None = field(default=None, compare=False)
    """When the reply must be there, by the event loop's clock; None: a generator's own deadline from its beginning."""


OnText = Callable[[str], None]
"""Gets each piece of a reply as it is written."""


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
    steps: tuple[ToolStep, ...] = ()
    """The tools that were called on the way, in order. A reply that rests on one cites no passage for it."""


@dataclass(frozen=True, slots=True)
class GeneratorHealth:
    ok: bool
    message: str
    """One line for a person: what was found, and what to do when it is not well."""


class Generator(Protocol):
    """Writes candidate replies. Safe to call from several tasks at once; raises only `GeneratorError`."""

    async def fit(self, request: GenerationRequest) -> GenerationRequest:
        """`request` with only as much as the prompt has room for: the last passages go first, then the oldest turns
        of the thread, then the end of the comment. What it returns is what `generate` shows the model, whole."""
        ...

    async def generate(self, request: GenerationRequest, on_text: OnText | None = None) -> list[Completion]:
        """At least one candidate and at most `request.candidates`, none longer than `request.max_chars`.

        `on_text` gets the first candidate as it is written, before anything is cut or checked.
        """
        ...

    async def sees_pictures(self) -> bool:
        """Whether `request.pictures` would be looked at; False also while that cannot be known."""
        ...

    @property
    def capacity(self) -> int | None:
        """How many requests it takes at once at present; None: any number."""
        ...

    async def check(self) -> GeneratorHealth:
        """Whether `generate` can work now. Never raises."""
        ...

    async def aclose(self) -> None:
        """Let go of everything. Safe to call twice."""
        ...
