"""Replies from any OpenAI-compatible server; vLLM is the one it is tested for."""

import re

from openai.types.chat.chat_completion import Choice

from bot.generator import Completion, GenerationRequest, GeneratorHealth, OnText
from bot.modelserver import ModelServer
from bot.persona import cut, join, room, wrap
from bot.prompt import UNKNOWN, build_messages, prompt_hash
from knowledge.splitter import sentences

_THOUGHTS = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_CITATION = re.compile(r"[ \t]*\[(\d{1,2}(?:\s*[,，、]\s*\d{1,2})*)\]")


class VLLMGenerator:
    """Asks one model on one server.

    Every request gets one try within `deadline_s` seconds; repeating it is the ledger's business. `voice` names LoRA
    weights that the server has loaded, and takes the place of `model` in requests. Raises GeneratorMisconfigured when
    `base_url` is no HTTP address.
    """

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        api_key: str | None = None,
        voice: str | None = None,
        deadline_s: float = 30.0,
        max_tokens: int = 400,
        temperature: float = 0.3,
        logprobs: bool = False,
    ) -> None:
        self._server = ModelServer(base_url=base_url, api_key=api_key, deadline_s=deadline_s)
        self.base_url, self.model, self.voice = base_url, model, voice
        self._max_tokens, self._temperature, self._logprobs = max_tokens, temperature, logprobs

    async def fit(self, request: GenerationRequest) -> GenerationRequest:
        return request

    async def generate(self, request: GenerationRequest, on_text: OnText | None = None) -> list[Completion]:
        """As many candidates as the server returned; see `bot.generator.Generator`."""
        messages = build_messages(request)
        answer = await self._server.chat(
            messages,
            model=self._served_name,
            n=request.candidates,
            max_tokens=self._max_tokens,
            temperature=self._temperature,
            logprobs=self._logprobs,
        )
        digest = prompt_hash(messages)
        return [self._completion(choice, request, digest) for choice in answer.choices[: request.candidates]]

    async def sees_pictures(self) -> bool:
        return False

    @property
    def capacity(self) -> int | None:
        return None

    async def check(self) -> GeneratorHealth:
        """Whether the server answers and serves the model."""
        return await self._server.check(self._served_name)

    async def aclose(self) -> None:
        await self._server.aclose()

    @property
    def _served_name(self) -> str:
        return self.voice if self.voice is not None else self.model

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
            model=self.model,
            voice=self.voice,
            prompt_hash=digest,
            logprobs=_token_logprobs(choice),
        )


def read_reply(content: str | None) -> tuple[str, bool]:
    """The reply without thoughts and without the mark for "I don't know"; False when that mark was there."""
    text = _THOUGHTS.sub("", content if content is not None else "").strip()
    known = UNKNOWN not in text.lower()
    return re.sub(re.escape(UNKNOWN), "", text, flags=re.IGNORECASE).strip(" :：\n"), known


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
