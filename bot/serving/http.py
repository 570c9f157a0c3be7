"""What keeps a model server's answers in bounds, and turns its errors into ours."""

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import openai

from adapters.text import clean
from bot.generator import (
    GeneratorError,
    GeneratorMisconfigured,
    GeneratorUnavailable,
    ModelMissing,
    RequestRefused,
    TooLong,
)

MAX_BYTES = 16 * 1024**2
"""Longest answer: eight candidates of some thousand tokens with their log-probabilities."""
MAX_SAID = 200
"""Characters of a server's own words in a message of ours."""
CONNECT_S = 5.0
LASTS = "if this lasts, look at the server's log"
"""What to do about a server that may work again by itself."""

_TOO_LONG = re.compile(r"maximum context length|context_length_exceeded|max_model_len", re.IGNORECASE)


class Unending(httpx2.ReadError):
    """More came than any answer needs."""


class Packed(httpx2.ReadError):
    """The answer is compressed."""


class Unreadable(ValueError):
    """The answer came and is none; the message says how."""


def bounded_client() -> httpx2.AsyncClient:
    """Follows no redirect, since the next address would get the key and the prompt, and reads `MAX_BYTES` at most.

    Nothing is unpacked: 16 MB of gzip can be 16 GB of text.
    """
    return openai.DefaultAioHttpClient(
        follow_redirects=False,
        headers={"Accept-Encoding": "identity"},
        timeout=httpx2.Timeout(None, connect=CONNECT_S),
        event_hooks={"response": [_bound]},
    )


async def _bound(response: httpx2.Response) -> None:
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Packed("packed, which was not asked for")
    response.stream = _Bounded(response.stream)


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = MAX_BYTES
        async for chunk in self._stream:
            left -= len(chunk)
            if left < 0:
                raise Unending(f"over {MAX_BYTES // 1024**2} MB")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


def untold(address: str) -> str:
    """`address` without the user and password that it may hold."""
    return re.sub(r"//[^/@]*@", "//", address)


def refused(url: str, error: Exception, model: str, secret: str = "") -> GeneratorError:
    """What an error of the client means to us. `secret` is kept out of the message."""
    if isinstance(error, openai.APIStatusError):
        return _from_status(url, error.status_code, _said(error, secret), model)
    if isinstance(error, Unreadable):
        return GeneratorUnavailable(f"{url} {error}; {LASTS}")
    if isinstance(error, openai.APIConnectionError):
        # The aiohttp transport calls a refused connection a timeout; only the cause tells.
        cause = error.__cause__ if error.__cause__ is not None else error
        if isinstance(cause, Unending):
            return GeneratorUnavailable(f"{url} sent an answer without end ({cause}); {LASTS}")
        if isinstance(cause, Packed):
            return GeneratorUnavailable(f"{url} sent an answer that is {cause}; is there a proxy in between?")
        if isinstance(cause, httpx2.ReadError):
            return GeneratorUnavailable(f"{url} broke off in the middle of its answer; {LASTS}")
        return GeneratorUnavailable(f"{url} cannot be reached ({_line(str(cause))}); is the server running?")
    return GeneratorUnavailable(f"{url} sent an answer that cannot be read ({type(error).__name__}); {LASTS}")


def _from_status(url: str, status: int, said: str, model: str) -> GeneratorError:
    heading = f"{url} answered {status}" + (f" ({said})" if said else "")
    if status in (408, 409, 425, 429) or status >= 500:
        return GeneratorUnavailable(f"{heading}; {LASTS}")
    if 300 <= status < 400:
        return GeneratorMisconfigured(
            f"{url} answered with a redirect ({status}), which is not followed; "
            "set generator.base_url to the address that it leads to"
        )
    if status in (401, 403):
        return GeneratorMisconfigured(f"{heading}; check generator.api_key and what it may use")
    if status in (404, 405):
        return ModelMissing(
            f"{heading}; check generator.base_url (it ends with /v1) and that the server serves {model!r}"
        )
    if _TOO_LONG.search(said):
        return TooLong(f"{heading}; the prompt is longer than the model's context")
    return RequestRefused(
        f"{heading}; check generator.model, generator.max_tokens and the model's context length"
    )


def _said(error: openai.APIStatusError, secret: str) -> str:
    """The server's own words, where they are words: a page of HTML says nothing."""
    body = error.body
    told = body.get("message") if isinstance(body, dict) else None
    if not isinstance(told, str):
        told = "" if isinstance(body, str) and body.lstrip().startswith("<") else error.message
    return _line(told.replace(secret, "***") if secret else told)


def _line(text: str) -> str:
    return " ".join(clean(text).split())[:MAX_SAID]
