"""The client of one OpenAI-compatible server: one try within a deadline, errors in our own words.

vLLM's endpoints beyond that API are used where they are there.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import isfinite
from typing import Any

import openai
from openai.types.chat import ChatCompletion
from prometheus_client.parser import text_string_to_metric_families

from bot.generator import (
    GeneratorError,
    GeneratorHealth,
    GeneratorMisconfigured,
    GeneratorUnavailable,
    ModelMissing,
    OnText,
    RequestRefused,
    VoiceRefused,
    VoiceUnusable,
)
from bot.prompt import Message
from bot.serving.http import LASTS, bounded_client, refused, untold
from bot.serving.shape import as_completion
from bot.serving.streamed import collect, runs_on

_PASSES = re.compile(r"out of memory|not enough memory|no free lora slots|too many open files", re.IGNORECASE)
"""What keeps a server from loading any weights, however good, and may pass."""
CHECK_S = 5.0
"""How long questions about the server itself may take."""
LOAD_S = 60.0
"""How long a server may take to read a voice from its disk."""


@dataclass(frozen=True, slots=True)
class ServedModel:
    """One name that a server answers to."""

    name: str
    root: str = ""
    """Folder or repository of the weights, as the server sees it; empty where it doesn't tell."""
    parent: str | None = None
    """The base model's name, for a voice."""
    max_model_len: int | None = None
    """Longest prompt and reply together, in tokens; told for base models only."""


@dataclass(frozen=True, slots=True)
class ServerFigures:
    """What vLLM counts; the cache's are tokens since its start."""

    running: int = 0
    waiting: int = 0
    cache_hits: int = 0
    cache_queries: int = 0


class ModelServer:
    """One server, which may serve several models.

    Every request gets one try within `deadline_s` seconds; repeating it is another's business. `base_url` is told
    without user and password. Raises GeneratorMisconfigured when `base_url` is no HTTP address, or `api_key` no key.
    """

    def __init__(self, *, base_url: str, api_key: str | None = None, deadline_s: float = 30.0) -> None:
        if not re.match(r"https?://[^/\s]", base_url):
            raise GeneratorMisconfigured(
                f"{untold(base_url)!r} is not an HTTP address; "
                "set generator.base_url to one such as http://127.0.0.1:8000/v1"
            )
        if api_key and not (api_key.isascii() and api_key.isprintable()):
            raise GeneratorMisconfigured(
                "generator.api_key holds a line break or a character beyond ASCII, which no key has; set it anew"
            )
        self.base_url = untold(base_url)
        self.deadline_s, self.load_s = deadline_s, LOAD_S
        self._secret = api_key if api_key else ""
        # What vLLM has beyond the OpenAI API stands beside /v1.
        self._root = re.sub(r"/v1/?$", "", base_url.rstrip("/"))
        self._client = openai.AsyncOpenAI(
            base_url=base_url,
            # The client insists on a key; servers without one ignore it.
            api_key=api_key if api_key else "none",
            max_retries=0,
            # `_translated` keeps the one deadline.
            timeout=None,
            http_client=bounded_client(),
        )

    async def chat(
        self,
        messages: Sequence[Message],
        *,
        model: str,
        on_text: OnText | None = None,
        **options: Any,
    ) -> ChatCompletion:
        """A completion with at least one choice; `options` as the API names them. With `on_text` it is streamed, and
        `on_text` gets the first choice piece by piece. Raises GeneratorError.
        """
        asked: dict[str, Any] = {"model": model, "messages": list(messages), **options}
        async with self._translated(self.deadline_s, model):
            if on_text is None:
                # Not `chat.completions.create`: it walks through the request by its types, for 3 ms.
                answer = await self._client.post("/chat/completions", body=asked, cast_to=ChatCompletion)
            else:
                asked |= {"stream": True, "stream_options": {"include_usage": True}}
                stream: Any = await self._client.chat.completions.create(**asked)
                answer = await collect(stream, on_text, options.get("max_tokens"))
        completion = as_completion(answer)
        if completion is None:
            raise GeneratorUnavailable(
                f"{self.base_url} answered without a chat completion; "
                "check that generator.base_url is an OpenAI-compatible server and ends with /v1"
            )
        if runs_on(completion, options.get("max_tokens")):
            raise GeneratorUnavailable(f"{self.base_url} wrote on beyond max_tokens; {LASTS}")
        return completion

    async def complete(self, prompt: Sequence[int], *, model: str, **options: Any) -> list[int]:
        """The reply to `prompt`, both as token ids; with the token that ended it, where one did. vLLM's own addition
        to the API. Raises GeneratorError.
        """
        asked = {"model": model, "prompt": list(prompt), "return_token_ids": True, **options}
        answer = await self._post("/completions", asked, model, self.deadline_s)
        choices = answer.get("choices") if isinstance(answer, dict) else None
        first = choices[0] if isinstance(choices, list) and choices else None
        ids = first.get("token_ids") if isinstance(first, dict) else None
        if not isinstance(ids, list) or not ids or not all(type(one) is int for one in ids):
            raise GeneratorMisconfigured(
                f"{self.base_url} answered without token ids; is it vLLM, and no older than 0.10.2?"
            )
        return ids

    async def models(self) -> list[ServedModel]:
        """Every name that it serves. Raises GeneratorError."""
        answer = await self._get("/models")
        entries = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(entries, list):
            raise GeneratorMisconfigured(
                f"{self.base_url} lists no models; check that generator.base_url is an OpenAI-compatible server"
            )
        return [_served(entry) for entry in entries if isinstance(entry, dict)]

    async def version(self) -> str | None:
        """vLLM's version; None where the server is another program. Raises GeneratorError."""
        try:
            answer = await self._get(f"{self._root}/version")
        except ModelMissing:
            return None
        told = answer.get("version") if isinstance(answer, dict) else None
        return told[:40] if isinstance(told, str) else None

    async def count_tokens(self, messages: Sequence[Message], model: str, **options: Any) -> int | None:
        """Tokens of the prompt, the beginning of the reply included; None where the server cannot count them.

        Raises GeneratorError; RequestRefused where the chat template does not take the messages.
        """
        asked = {"model": model, "messages": list(messages), **options}
        try:
            answer = await self._post(f"{self._root}/tokenize", asked, model)
        except ModelMissing as error:
            if _names_model(error):
                raise
            return None
        count = answer.get("count") if isinstance(answer, dict) else None
        return count if isinstance(count, int) and count > 0 else None

    async def figures(self) -> ServerFigures | None:
        """None where the server is not vLLM. Raises GeneratorError."""
        try:
            answer = await self._get(f"{self._root}/metrics")
        except ModelMissing:
            return None
        try:
            return read_figures(answer) if isinstance(answer, str) else None
        except ValueError:
            return None

    async def load_voice(self, name: str, path: str) -> None:
        """Have the server load the weights at `path`, as it sees its disk, under `name`; fine where it has them.

        Raises VoiceRefused when it does not take them (VoiceUnusable: they are to blame), GeneratorUnavailable when it
        does not answer.
        """
        try:
            await self._post("/load_lora_adapter", {"lora_name": name, "lora_path": path}, name, self.load_s)
        except GeneratorUnavailable as error:
            # Bad weights give status 500; a server out of order does not speak of add_lora, or of what it lacks.
            if "add_lora" not in str(error) or _PASSES.search(str(error)):
                raise
            raise VoiceUnusable(f"voice {name!r} cannot be loaded: {error}") from error
        except GeneratorMisconfigured as error:
            if "already been loaded" not in str(error):
                raise VoiceRefused(f"voice {name!r} cannot be loaded: {error}") from error

    async def unload_voice(self, name: str) -> None:
        """Have the server forget a voice; fine where it does not know it. Raises GeneratorError."""
        try:
            await self._post("/unload_lora_adapter", {"lora_name": name}, name)
        except ModelMissing as error:
            if "cannot be found" not in str(error):
                raise

    async def loads_voices(self) -> bool:
        """Whether voices can be loaded while it runs. Changes nothing. Raises GeneratorError."""
        try:
            await self._post("/load_lora_adapter", {}, "")
        except ModelMissing:
            return False
        except GeneratorMisconfigured:
            return True  # the empty request was read and refused
        return True

    async def check(self, model: str) -> GeneratorHealth:
        """Whether the server answers and serves `model`."""
        try:
            served = [entry.name for entry in await self.models()]
        except GeneratorError as error:
            return GeneratorHealth(False, str(error))
        if model in served:
            return GeneratorHealth(True, f"{self.base_url} serves {model}")
        return GeneratorHealth(
            False,
            f"{self.base_url} does not serve {model!r}; set generator.model to one of: "
            f"{', '.join(served)[:200] if served else '(it serves none)'}",
        )

    async def aclose(self) -> None:
        await self._client.close()

    async def _get(self, path: str) -> object:
        try:
            async with self._translated(min(CHECK_S, self.deadline_s), ""):
                return await self._client.get(path, cast_to=object)
        except RequestRefused as error:
            # There is nothing in the question that another server would mind: this is no server of a model.
            raise GeneratorMisconfigured(f"{error}; is generator.base_url right?") from error

    async def _post(self, path: str, body: object, model: str, deadline_s: float = CHECK_S) -> object:
        async with self._translated(deadline_s, model):
            return await self._client.post(path, body=body, cast_to=object)

    @asynccontextmanager
    async def _translated(self, deadline_s: float, model: str) -> AsyncIterator[None]:
        """Gives the block `deadline_s` seconds, and turns the client's errors into ours."""
        try:
            async with asyncio.timeout(deadline_s):
                yield
        except TimeoutError as error:
            raise GeneratorUnavailable(
                f"{self.base_url} did not answer within {deadline_s:g} s; {LASTS}"
            ) from error
        except (openai.OpenAIError, ValueError, RecursionError) as error:
            raise refused(self.base_url, error, model, self._secret) from error


def _served(entry: dict[str, Any]) -> ServedModel:
    parent, length = entry.get("parent"), entry.get("max_model_len")
    return ServedModel(
        name=str(entry.get("id"))[:200],
        root=str(entry.get("root") or "")[:500],
        parent=str(parent)[:200] if parent else None,
        max_model_len=length if isinstance(length, int) and length > 0 else None,
    )


def _names_model(error: ModelMissing) -> bool:
    return "does not exist" in str(error)


_FIGURES = {
    "vllm:num_requests_running": "running",
    "vllm:num_requests_waiting": "waiting",
    "vllm:prefix_cache_hits_total": "cache_hits",
    "vllm:prefix_cache_queries_total": "cache_queries",
}


def read_figures(text: str) -> ServerFigures:
    """The figures in what vLLM's /metrics says, over all its engines. Raises ValueError where it is another form."""
    totals = dict.fromkeys(_FIGURES.values(), 0)
    # The parser takes a tenth of a second for all that vLLM tells.
    told = "".join(
        f"{line}\n" for line in text.splitlines() if re.split(r"[ {]", line, maxsplit=1)[0] in _FIGURES
    )
    if not told:
        raise ValueError("none of vLLM's figures are there")
    for family in text_string_to_metric_families(told):
        for sample in family.samples:
            if sample.name in _FIGURES:
                if not isfinite(sample.value):
                    raise ValueError(f"{sample.name} is {sample.value}")
                totals[_FIGURES[sample.name]] += int(sample.value)
    return ServerFigures(**totals)
