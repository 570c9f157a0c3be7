"""Replies from any OpenAI-compatible server; vLLM is the one it is tested for."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import openai
from openai.types.chat import ChatCompletion, ChatCompletionMessageParam
from openai.types.chat.chat_completion import Choice

from bot.generator import (
    Completion,
    GenerationRequest,
    GeneratorError,
    GeneratorHealth,
    GeneratorMisconfigured,
    GeneratorUnavailable,
)
from bot.persona import cut, join, room, wrap
from bot.prompt import UNKNOWN, Message, build_messages, prompt_hash
from knowledge.splitter import sentences

CHECK_S = 5.0
"""How long `check` waits for the server."""

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
        if not re.match(r"https?://[^/\s]", base_url):
            raise GeneratorMisconfigured(
                f"{base_url!r} is not an HTTP address; set generator.base_url to one such as http://127.0.0.1:8000/v1"
            )
        self.base_url, self.model, self.voice = base_url, model, voice
        self._deadline_s, self._max_tokens, self._temperature = deadline_s, max_tokens, temperature
        self._logprobs = logprobs
        self._client = openai.AsyncOpenAI(
            base_url=base_url,
            # The client insists on a key; servers without one ignore it.
            api_key=api_key if api_key else "none",
            max_retries=0,
            # `_translated` keeps the one deadline.
            timeout=None,
            http_client=openai.DefaultAioHttpClient(),
        )

    async def generate(self, request: GenerationRequest) -> list[Completion]:
        """As many candidates as the server returned; see `bot.generator.Generator`."""
        messages = build_messages(request)
        async with self._translated(self._deadline_s):
            answer = await self._client.chat.completions.create(
                model=self._served_name,
                messages=_as_params(messages),
                n=request.candidates,
                max_tokens=self._max_tokens,
                temperature=self._temperature,
                logprobs=self._logprobs,
            )
        # The client hands through whatever came, unchecked: text for HTML, half-empty records for other JSON.
        if not isinstance(answer, ChatCompletion) or not answer.choices:
            raise GeneratorUnavailable(
                f"{self.base_url} answered without a chat completion; "
                "check that generator.base_url is an OpenAI-compatible server and ends with /v1"
            )
        digest = prompt_hash(messages)
        return [self._completion(choice, request, digest) for choice in answer.choices[: request.candidates]]

    async def check(self) -> GeneratorHealth:
        """Whether the server answers and serves the model."""
        try:
            served = await self._served_models()
        except GeneratorError as error:
            return GeneratorHealth(False, str(error))
        if self._served_name in served:
            return GeneratorHealth(True, f"{self.base_url} serves {self._served_name}")
        return GeneratorHealth(
            False,
            f"{self.base_url} does not serve {self._served_name!r}; set generator.model to one of: "
            f"{', '.join(served) if served else '(it serves none)'}",
        )

    async def aclose(self) -> None:
        await self._client.close()

    @property
    def _served_name(self) -> str:
        return self.voice if self.voice is not None else self.model

    async def _served_models(self) -> list[str]:
        async with self._translated(min(CHECK_S, self._deadline_s)):
            # Not `models.list()`: it breaks on anything that is not a list of models.
            answer = await self._client.get("/models", cast_to=object)
        models = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(models, list):
            raise GeneratorMisconfigured(
                f"{self.base_url} lists no models; check that generator.base_url is an OpenAI-compatible server"
            )
        return [str(model.get("id")) for model in models if isinstance(model, dict)]

    @asynccontextmanager
    async def _translated(self, deadline_s: float) -> AsyncIterator[None]:
        """Gives the block `deadline_s` seconds, and turns the client's errors into ours."""
        try:
            async with asyncio.timeout(deadline_s):
                yield
        except TimeoutError as error:
            raise GeneratorUnavailable(
                f"{self.base_url} did not answer within {deadline_s:g} s; the comment waits"
            ) from error
        except openai.APIConnectionError as error:
            # The aiohttp transport calls a refused connection a timeout; only the cause tells.
            cause = error.__cause__ if error.__cause__ is not None else error
            raise GeneratorUnavailable(
                f"{self.base_url} cannot be reached ({cause}); is the server running?"
            ) from error
        except openai.APIStatusError as error:
            raise self._from_status(error) from error
        except (openai.OpenAIError, ValueError) as error:
            raise GeneratorUnavailable(
                f"{self.base_url} sent an answer that cannot be read ({type(error).__name__}); the comment waits"
            ) from error

    def _from_status(self, error: openai.APIStatusError) -> GeneratorError:
        status, said = error.status_code, " ".join(error.message.split())[:200]
        if status in (408, 409, 425, 429) or status >= 500:
            return GeneratorUnavailable(f"{self.base_url} answered {status} ({said}); the comment waits")
        cures = {
            401: "check generator.api_key",
            403: "check generator.api_key and what it may use",
            404: f"check generator.base_url (it ends with /v1) and that the server serves {self._served_name!r}",
        }
        cure = cures.get(status, "check generator.model, generator.max_tokens and the model's context length")
        return GeneratorMisconfigured(f"{self.base_url} answered {status} ({said}); {cure}")

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


def _as_params(messages: Sequence[Message]) -> list[ChatCompletionMessageParam]:
    return [
        {"role": "system", "content": message["content"]}
        if message["role"] == "system"
        else {"role": "user", "content": message["content"]}
        for message in messages
    ]
