"""Replies from any OpenAI-compatible server; vLLM is the one it is tested for."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from openai.types.chat import ChatCompletion
from openai.types.chat.chat_completion import Choice

from adapters.text import clean
from bot.generator import Completion, GenerationRequest, GeneratorError, GeneratorHealth, OnText, TooLong
from bot.persona import cut, join, room, wrap
from bot.prompt import FENCE_OPEN, UNKNOWN, Message, build_messages, prompt_hash
from bot.serving.fitting import Density, fit
from bot.serving.fleet import Fleet
from bot.tools.base import Tool
from bot.tools.loop import MAX_STEPS, Toolbox
from bot.triage import visible
from knowledge.splitter import sentences

TOOL_S = 10.0
"""Longest that one call of a tool may take; all of them together take half of the deadline at most."""

_THOUGHTS = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_UNKNOWN = re.compile(rf"[\[［【]\s*{UNKNOWN.strip('[]')}\s*[\]］】]", re.IGNORECASE)
_JOINER = re.compile(r"(?<![\w\s])\u200d(?![\w\s])")
"""Makes one emoji of two."""
# Looks back, so that a long run of spaces is read once.
_CITATION = re.compile(r"(?<![ \t])[ \t]*[\[［【](\d{1,2}(?:\s*[,，、]\s*\d{1,2})*)[\]］】]")


class VLLMGenerator:
    """Asks a fleet of servers for replies, by `request.voice` or the base model. Closes the fleet."""

    def __init__(
        self,
        fleet: Fleet,
        *,
        max_tokens: int = 400,
        temperature: float = 0.3,
        tools: Sequence[Tool] = (),
    ) -> None:
        self.fleet = fleet
        self._tools = Toolbox(tools, timeout_s=min(TOOL_S, fleet.deadline_s / (2 * MAX_STEPS)))
        self._max_tokens, self._temperature = max_tokens, temperature
        self._density = Density()

    async def fit(self, request: GenerationRequest) -> GenerationRequest:
        """Raises GeneratorError; see `bot.serving.fitting.fit`."""
        context = await self.fleet.context()
        if context is None:
            return request
        taken = self._max_tokens + self._tools.tokens
        return await fit(request, context, taken, self.fleet.count_tokens, self._density)

    async def generate(self, request: GenerationRequest, on_text: OnText | None = None) -> list[Completion]:
        """As many candidates as the server returned; see `bot.generator.Generator`."""
        until = self.fleet.until() if request.until is None else request.until

        async def ask(
            messages: Sequence[Message], options: dict[str, Any], on_text: OnText | None = None
        ) -> ChatCompletion:
            asked = self._options(request.candidates) | options
            try:
                answer = await self.fleet.chat(
                    messages, voice=request.voice, on_text=on_text, until=until, **asked
                )
            except TooLong:
                self._density.forget()
                raise
            if answer.usage is not None:
                self._density.note(messages, answer.usage.prompt_tokens)
            return answer

        talk = await self._tools.consult(build_messages(request, tools=bool(self._tools)), request, ask)
        choices = [talk.choice] if talk.choice is not None and request.candidates == 1 else []
        if on_text is not None and choices:
            on_text(choices[0].message.content or "")
        if not choices:
            choices = (await ask(talk.messages, self._tools.options(may_call=False), on_text)).choices
        digest = prompt_hash(talk.messages)
        return [
            replace(self._completion(choice, request, digest), steps=talk.steps)
            for choice in choices[: request.candidates]
        ]

    async def sees_pictures(self) -> bool:
        return await self.fleet.sees_pictures()

    @property
    def capacity(self) -> int | None:
        return self.fleet.capacity

    async def check(self) -> GeneratorHealth:
        """Well when one server serves the model, and takes tools if there are any; the message tells of every one."""
        health = await self.fleet.check()
        if not health.ok:
            return health
        try:
            await self._tools.try_out(self.fleet.chat)
        except GeneratorError as error:
            return GeneratorHealth(False, str(error))
        return health

    async def aclose(self) -> None:
        await self.fleet.aclose()

    def _options(self, candidates: int) -> dict[str, Any]:
        # At a temperature of zero all candidates are the same one, and vLLM refuses to write more.
        count = candidates if self._temperature > 0 else 1
        return {
            "n": count,
            "max_tokens": self._max_tokens,
            "temperature": self._temperature,
            # They tell which candidate the model was surest of; on vLLM's CPU build they cost a sixth of its speed.
            "logprobs": count > 1,
            # A model that goes on with another comment after its reply begins a fence.
            "stop": [f"\n{FENCE_OPEN}"],
        }

    def _completion(self, choice: Choice, request: GenerationRequest, digest: str) -> Completion:
        body, known = read_reply(choice.message.content if choice.message else None)
        if choice.finish_reason == "length":
            body = whole_sentences(body)
        body, citations = take_citations(body, len(request.passages))
        answered = known and bool(body)
        if not body:
            body = request.persona.cannot_answer_in(request.language)
        body = cut(body, room(request.persona, request.language, request.max_chars))
        return Completion(
            text=wrap(request.persona, body, request.language, request.max_chars),
            answered=answered,
            citations=citations if answered else (),
            model=self.fleet.model,
            voice=None if request.voice is None else request.voice.name,
            prompt_hash=digest,
            logprobs=_token_logprobs(choice),
        )


def read_reply(content: str | None) -> tuple[str, bool]:
    """The reply without thoughts and without the mark for "I don't know"; False when that mark was there.

    Nothing invisible is in it: the checks would not know an address with a zero-width space again.
    """
    said = "\u200d".join(map(visible, _JOINER.split(clean(content if content is not None else ""))))
    text, marks = _UNKNOWN.subn("", _THOUGHTS.sub("", said))
    return text.strip(" :：\n"), not marks


def whole_sentences(text: str) -> str:
    """`text` without the sentence that broke off at its end; empty when there is no other."""
    parts = sentences(text)
    finished = parts and _CITATION.sub("", parts[-1]).rstrip().endswith(
        (".", "!", "?", "。", "！", "？", "…")
    )
    return join(parts if finished else parts[:-1])


def take_citations(text: str, passages: int) -> tuple[str, tuple[int, ...]]:
    """`text` without its [1] marks, and the indices they named, each once; marks beyond `passages` are dropped."""
    named = [int(number) - 1 for mark in _CITATION.finditer(text) for number in re.findall(r"\d+", mark[1])]
    cited = tuple(dict.fromkeys(index for index in named if 0 <= index < passages))
    return _CITATION.sub("", text).strip(), cited


def _token_logprobs(choice: Choice) -> tuple[float, ...] | None:
    tokens = choice.logprobs.content if choice.logprobs else None
    return tuple(token.logprob for token in tokens) if tokens is not None else None
