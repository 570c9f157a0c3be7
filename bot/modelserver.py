"""The client of an OpenAI-compatible server: one try within a deadline, errors in our own words."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import openai
from openai.types.chat import ChatCompletion, ChatCompletionMessageParam

from bot.generator import GeneratorError, GeneratorHealth, GeneratorMisconfigured, GeneratorUnavailable
from bot.prompt import Message

CHECK_S = 5.0
"""How long `check` waits for the server."""


class ModelServer:
    """One server, which may serve several models.

    Every request gets one try within `deadline_s` seconds; repeating it is the ledger's business. Raises
    GeneratorMisconfigured when `base_url` is no HTTP address.
    """

    def __init__(self, *, base_url: str, api_key: str | None = None, deadline_s: float = 30.0) -> None:
        if not re.match(r"https?://[^/\s]", base_url):
            raise GeneratorMisconfigured(
                f"{base_url!r} is not an HTTP address; set generator.base_url to one such as http://127.0.0.1:8000/v1"
            )
        self.base_url = base_url
        self._deadline_s = deadline_s
        self._client = openai.AsyncOpenAI(
            base_url=base_url,
            # The client insists on a key; servers without one ignore it.
            api_key=api_key if api_key else "none",
            max_retries=0,
            # `_translated` keeps the one deadline.
            timeout=None,
            http_client=openai.DefaultAioHttpClient(),
        )

    async def chat(self, messages: Sequence[Message], *, model: str, **options: Any) -> ChatCompletion:
        """A completion with at least one choice; `options` as the API names them. Raises GeneratorError."""
        async with self._translated(self._deadline_s, model):
            answer = await self._client.chat.completions.create(
                model=model, messages=_as_params(messages), **options
            )
        # The client hands through whatever came, unchecked: text for HTML, half-empty records for other JSON.
        if not isinstance(answer, ChatCompletion) or not answer.choices:
            raise GeneratorUnavailable(
                f"{self.base_url} answered without a chat completion; "
                "check that generator.base_url is an OpenAI-compatible server and ends with /v1"
            )
        return answer

    async def check(self, model: str) -> GeneratorHealth:
        """Whether the server answers and serves `model`."""
        try:
            served = await self._served_models(model)
        except GeneratorError as error:
            return GeneratorHealth(False, str(error))
        if model in served:
            return GeneratorHealth(True, f"{self.base_url} serves {model}")
        return GeneratorHealth(
            False,
            f"{self.base_url} does not serve {model!r}; set generator.model to one of: "
            f"{', '.join(served) if served else '(it serves none)'}",
        )

    async def aclose(self) -> None:
        await self._client.close()

    async def _served_models(self, model: str) -> list[str]:
        async with self._translated(min(CHECK_S, self._deadline_s), model):
            # Not `models.list()`: it breaks on anything that is not a list of models.
            answer = await self._client.get("/models", cast_to=object)
        models = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(models, list):
            raise GeneratorMisconfigured(
                f"{self.base_url} lists no models; check that generator.base_url is an OpenAI-compatible server"
            )
        return [str(entry.get("id")) for entry in models if isinstance(entry, dict)]

    @asynccontextmanager
    async def _translated(self, deadline_s: float, model: str) -> AsyncIterator[None]:
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
            raise self._from_status(error, model) from error
        except (openai.OpenAIError, ValueError) as error:
            raise GeneratorUnavailable(
                f"{self.base_url} sent an answer that cannot be read ({type(error).__name__}); the comment waits"
            ) from error

    def _from_status(self, error: openai.APIStatusError, model: str) -> GeneratorError:
        status, said = error.status_code, " ".join(error.message.split())[:200]
        if status in (408, 409, 425, 429) or status >= 500:
            return GeneratorUnavailable(f"{self.base_url} answered {status} ({said}); the comment waits")
        cures = {
            401: "check generator.api_key",
            403: "check generator.api_key and what it may use",
            404: f"check generator.base_url (it ends with /v1) and that the server serves {model!r}",
        }
        cure = cures.get(status, "check generator.model, generator.max_tokens and the model's context length")
        return GeneratorMisconfigured(f"{self.base_url} answered {status} ({said}); {cure}")


def _as_params(messages: Sequence[Message]) -> list[ChatCompletionMessageParam]:
    return [
        {"role": "system", "content": message["content"]}
        if message["role"] == "system"
        else {"role": "user", "content": message["content"]}
        for message in messages
    ]
