"""Several servers of one model: the one with the least to do is asked, and another when it fails."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from openai.types.chat import ChatCompletion

from bot.deadline import done_by
from bot.generator import (
    GeneratorError,
    GeneratorHealth,
    GeneratorMisconfigured,
    GeneratorUnavailable,
    ModelMissing,
    OnText,
    RequestRefused,
    VoiceRef,
)
from bot.prompt import Message, without_system
from bot.serving.asking import Heard, Told, or_none, refuse_other_voice, worse
from bot.serving.breaker import next_limit
from bot.serving.http import LASTS
from bot.serving.member import Clock, Member, path_there
from bot.serving.server import ModelServer, ServedModel

LOOK_S = 1.0
"""Least time between two looks at a server's queue."""


@dataclass(frozen=True, slots=True)
class ServerUse:
    """What this process has asked of one server since it started."""

    url: str
    outstanding: int
    limit: int
    well: bool
    prompt_tokens: int
    """Of the answers that told how many were cached."""
    cached_tokens: int


class Fleet:
    """Servers of one base model. Voices are loaded where they are missing, before they are asked.

    `voices_here` is the folder of all voices on this machine, `voices_there` the same folder as the servers see it;
    empty: under the same path. Closes the servers. Safe to call from several tasks at once.
    """

    def __init__(
        self,
        servers: Sequence[ModelServer],
        *,
        model: str,
        concurrency: int = 16,
        deadline_s: float = 30.0,
        voices_here: str = "",
        voices_there: str = "",
        clock: Clock = monotonic,
    ) -> None:
        self.model, self.deadline_s = model, deadline_s
        self._most, self._clock = concurrency, clock
        self._here, self._there = voices_here, voices_there
        self._members = [Member(server, model, concurrency, clock) for server in servers]
        self._looking: set[asyncio.Task[None]] = set()

    @property
    def capacity(self) -> int:
        """How many requests the servers that are well take at once; at least 1."""
        return max(1, sum(member.limit for member in self._members if self._well(member)))

    def outstanding(self, served_as: str) -> int:
        """Requests to this voice (or to the base model, by its name) that are under way."""
        return sum(member.outstanding[served_as] for member in self._members)

    def uses(self) -> list[ServerUse]:
        return [
            ServerUse(m.url, m.load, m.limit, self._well(m), m.prompt_tokens, m.cached_tokens)
            for m in self._members
        ]

    def until(self) -> float:
        """When a comment that is begun now must be done, by the event loop's clock; for `chat`."""
        return asyncio.get_running_loop().time() + self.deadline_s

    async def chat(
        self,
        messages: Sequence[Message],
        *,
        voice: VoiceRef | None = None,
        on_text: OnText | None = None,
        until: float | None = None,
        **options: Any,
    ) -> ChatCompletion:
        """A completion with at least one choice, by `voice` or the base model; `options` as the API names them.

        A server that fails before any text came is followed by each other one, once, until `until` (None: the whole
        deadline from now). Raises GeneratorError.
        """
        end = self.until() if until is None else until
        heard = None if on_text is None else Heard(on_text)

        def over() -> bool:
            return (heard is not None and heard.any) or asyncio.get_running_loop().time() >= end

        async def ask(member: Member) -> ChatCompletion:
            if over():
                raise GeneratorUnavailable(f"no time was left to ask {member.url}; {LASTS}")
            name = self.model if voice is None else voice.served_as
            with member.asked(name):
                async with done_by(end, f"{member.url} did not answer within generator.deadline_s; {LASTS}"):
                    answer = await self._chat(member, messages, voice, on_text=heard, **options)
                refuse_other_voice(answer, member.url, voice)
            self._count(member, answer)
            return answer

        return await self._first_that_works(ask, voice, over)

    async def count_tokens(self, messages: Sequence[Message], voice: VoiceRef | None = None) -> int | None:
        """Tokens of the prompt, by a server's own tokenizer; None where it cannot count. Raises GeneratorError."""

        async def ask(member: Member) -> int | None:
            with member.asked(self.model):
                traits = await member.learn()
                shown = messages if traits.system_role else without_system(messages)
                return await member.server.count_tokens(shown, self.model)

        try:
            return await self._first_that_works(ask, voice)
        except RequestRefused:
            return None  # the prompt itself may be fine: not every server's /tokenize takes messages

    async def context(self) -> int | None:
        """The smallest context, in tokens, of the servers that were asked so far; None where they don't tell.

        Raises GeneratorError when no server answers.
        """

        async def ask(member: Member) -> None:
            with member.asked(self.model):
                await member.learn()

        if all(member.traits is None for member in self._members):
            await self._first_that_works(ask, None)
        told = (member.traits.context for member in self._members if member.traits is not None)
        return min((length for length in told if length is not None), default=None)

    async def sees_pictures(self) -> bool:
        """Whether every server that answers looks at pictures; False also when none does."""
        asked = [member for member in self._members if self._well(member)]
        seen = await asyncio.gather(*(or_none(member.looks()) for member in asked))
        known = [sees for sees in seen if sees is not None]
        return bool(known) and all(known)

    async def load(self, voice: VoiceRef) -> list[tuple[str, GeneratorError | None]]:
        """Every server's address with what kept it from loading `voice`; None: it has it."""

        async def ask(member: Member) -> None:
            member.loaded.discard(voice.served_as)
            await member.ensure(voice, self._path(voice))

        return await self._of_all(ask)

    async def unload(self, served_as: str) -> list[tuple[str, GeneratorError | None]]:
        """Every server's address with what kept it from forgetting the voice. Ask `outstanding` before."""

        async def ask(member: Member) -> None:
            member.loaded.discard(served_as)
            await member.server.unload_voice(served_as)

        return await self._of_all(ask)

    async def served(self) -> dict[str, list[ServedModel] | GeneratorError]:
        """For every server's address, what it serves, or why that could not be asked."""

        async def ask(member: Member) -> list[ServedModel] | GeneratorError:
            try:
                entries = await member.server.models()
            except GeneratorError as error:
                return error
            member.loaded = {entry.name for entry in entries if entry.parent is not None}
            return entries

        told = await asyncio.gather(*(ask(member) for member in self._members))
        return dict(zip((member.url for member in self._members), told, strict=True))

    async def check(self) -> GeneratorHealth:
        """Well when one server serves the base model; the message tells of every server. Never raises."""
        found = await asyncio.gather(*(member.server.check(self.model) for member in self._members))
        return GeneratorHealth(
            any(health.ok for health in found), "; ".join(health.message for health in found)
        )

    async def aclose(self) -> None:
        for task in self._looking:
            task.cancel()
        await asyncio.gather(*self._looking, return_exceptions=True)
        for member in self._members:
            await member.server.aclose()

    async def _chat(
        self, member: Member, messages: Sequence[Message], voice: VoiceRef | None, **options: Any
    ) -> ChatCompletion:
        traits = await member.learn()
        shown = messages if traits.system_role else without_system(messages)
        if voice is None:
            return await member.server.chat(shown, model=self.model, **options)
        await member.ensure(voice, self._path(voice))
        try:
            return await member.server.chat(shown, model=voice.served_as, **options)
        except ModelMissing:
            # It was restarted, or somebody unloaded the voice.
            member.loaded.discard(voice.served_as)
        await member.ensure(voice, self._path(voice))
        return await member.server.chat(shown, model=voice.served_as, **options)

    async def _first_that_works(
        self,
        ask: Callable[[Member], Awaitable[Told]],
        voice: VoiceRef | None,
        over: Callable[[], bool] = lambda: False,
    ) -> Told:
        """What the first server says that does not fail; `over` tells that it is too late for another."""
        failed: GeneratorError | None = None
        for member in self._in_turn(voice):
            try:
                return await ask(member)
            except RequestRefused:
                raise
            except GeneratorError as error:
                failed = worse(failed, error)
                if over():
                    break
        raise (
            failed
            if failed is not None
            else GeneratorMisconfigured("there is no model server; set generator.base_url")
        )

    def _in_turn(self, voice: VoiceRef | None) -> list[Member]:
        """The servers in the order in which to ask them. Where none is well, the one that rests the shortest."""
        name = "" if voice is None else voice.served_as
        well = [member for member in self._members if self._well(member)]
        if not well:
            return sorted(self._members, key=lambda member: member.breaker.until or 0.0)[:1]
        return sorted(
            well, key=lambda m: (m.load >= m.limit, bool(name) and name not in m.loaded, m.load / m.limit)
        )

    def _well(self, member: Member) -> bool:
        return member.breaker.lets_through(self._clock())

    def _path(self, voice: VoiceRef) -> str:
        return path_there(voice.path, self._here, self._there)

    def _count(self, member: Member, answer: ChatCompletion) -> None:
        usage = answer.usage
        details = usage.prompt_tokens_details if usage else None
        if usage and details and details.cached_tokens is not None:
            member.prompt_tokens += usage.prompt_tokens or 0
            member.cached_tokens += details.cached_tokens
        now = self._clock()
        if member.looked_at is None or now - member.looked_at >= LOOK_S:
            member.looked_at = now
            task = asyncio.create_task(self._look(member))
            self._looking.add(task)
            task.add_done_callback(self._looking.discard)

    async def _look(self, member: Member) -> None:
        """At the server's queue, which others may fill too."""
        figures = await or_none(member.server.figures())
        waiting = 0 if figures is None else figures.waiting
        member.limit = next_limit(member.limit, self._most, waiting)

    async def _of_all(
        self, ask: Callable[[Member], Awaitable[None]]
    ) -> list[tuple[str, GeneratorError | None]]:
        async def outcome(member: Member) -> GeneratorError | None:
            try:
                await ask(member)
            except GeneratorError as error:
                return error
            return None

        outcomes = await asyncio.gather(*(outcome(member) for member in self._members))
        return list(zip((member.url for member in self._members), outcomes, strict=True))
