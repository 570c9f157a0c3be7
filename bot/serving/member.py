"""One server of a fleet, and what is known of it at present."""

import asyncio
import struct
import zlib
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from bot.generator import GeneratorError, RequestRefused, VoiceRef, VoiceRefused
from bot.prompt import Message
from bot.serving.breaker import Breaker
from bot.serving.server import ModelServer

Clock = Callable[[], float]
"""Seconds of a clock that only goes forward."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What a server is; asked once, and again after it was away."""

    context: int | None
    """Longest prompt and reply together, in tokens; None where it doesn't tell."""
    system_role: bool
    """Whether its chat template takes system messages."""


@dataclass
class Member:
    server: ModelServer
    model: str
    limit: int
    """How many requests it gets at once at present."""
    clock: Clock
    breaker: Breaker = field(default_factory=Breaker)
    outstanding: Counter[str] = field(default_factory=Counter)
    """Requests under way, by the name of the model or voice."""
    loaded: set[str] = field(default_factory=set)
    """Voices that it has, as far as we know."""
    traits: Traits | None = None
    sees: bool | None = None
    """Whether it looks at pictures; None: not asked yet."""
    prompt_tokens: int = 0
    """Of the answers that told how many of them were cached."""
    cached_tokens: int = 0
    looked_at: float | None = None
    """When its queue was last looked at."""
    _learning: asyncio.Lock = field(default_factory=asyncio.Lock)
    _loading: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Another, since weights may take a minute to load, and who asks other voices is not to wait for them."""

    @property
    def url(self) -> str:
        return self.server.base_url

    @property
    def load(self) -> int:
        return self.outstanding.total()

    def away(self) -> None:
        """It may come back as another program, without its voices: nothing is known of it any more."""
        self.loaded.clear()
        self.traits = self.sees = None

    @contextmanager
    def asked(self, name: str) -> Iterator[None]:
        """Counts a request to `name` while it is under way, and lets the breaker know how it went."""
        self.outstanding[name] += 1
        self.breaker = self.breaker.asked(self.clock())
        try:
            yield
        except (RequestRefused, VoiceRefused):
            self.breaker = self.breaker.worked()  # it answers
            raise
        except GeneratorError:
            self.breaker = self.breaker.failed(self.clock())
            self.away()
            raise
        except BaseException:
            self.breaker = self.breaker.gave_up()
            raise
        else:
            self.breaker = self.breaker.worked()
        finally:
            self.outstanding[name] -= 1

    async def learn(self) -> Traits:
        """Raises GeneratorError."""
        async with self._learning:
            if self.traits is None:
                lengths = {entry.name: entry.max_model_len for entry in await self.server.models()}
                self.traits = Traits(lengths.get(self.model), await self._takes_system())
            return self.traits

    async def _takes_system(self) -> bool:
        """Also where every count is refused, as by servers whose /tokenize is another: then nobody can tell."""
        system: Message = {"role": "system", "content": "x"}
        user: Message = {"role": "user", "content": "x"}
        return await self._counts([system, user]) or not await self._counts([user])

    async def _counts(self, messages: list[Message]) -> bool:
        try:
            await self.server.count_tokens(messages, self.model)
        except RequestRefused:
            return False
        return True

    async def ensure(self, voice: VoiceRef, path: str) -> None:
        """Have the server load `voice` from `path`, as it sees its disk, unless it has it.

        Raises VoiceRefused, GeneratorUnavailable.
        """
        if voice.served_as in self.loaded:
            return
        async with self._loading:
            if voice.served_as in self.loaded:
                return
            try:
                await self.server.load_voice(voice.served_as, path)
            except VoiceRefused:
                # Loading while it runs may be switched off, and the voice be there from the start.
                if voice.served_as not in {entry.name for entry in await self.server.models()}:
                    raise
            self.loaded.add(voice.served_as)

    async def looks(self) -> bool:
        """Whether the model sees pictures, tried out with one. Raises GeneratorError."""
        if self.sees is None:
            try:
                await self.server.chat(_SEE, model=self.model, max_tokens=1)
            except RequestRefused:
                self.sees = False
            else:
                self.sees = True
        return self.sees


def path_there(path: str, here: str, there: str) -> str:
    """Where a server finds `path`, a folder under `here` on this machine, when it has `here` as `there`."""
    whole = Path(path).absolute()
    if there and whole.is_relative_to(here):
        return str(PurePosixPath(there, *whole.relative_to(here).parts))
    return str(whole)


def _png(side: int) -> bytes:
    """A grey square. A single pixel would be too small for models that cut a picture into patches."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\x80" * side) * side)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


_PICTURE = f"data:image/png;base64,{b64encode(_png(64)).decode()}"
_SEE: list[Message] = [
    {
        "role": "user",
        "content": [
            {"type": "image_url", "image_url": {"url": _PICTURE}},
            {"type": "text", "text": "What is this?"},
        ],
    }
]
