"""A web address of the owner's that answers by POST with JSON. It may lie in a private network: the owner wrote it."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import aiohttp

from bot.schema import Schema
from bot.tools.base import ToolError

MAX_BYTES = 100_000
_CHUNK = 16_384


class WebHook:
    """The tool; see `bot.tools.base.Tool`.

    A redirect is not followed: the secret and the arguments are for this address alone.
    """

    grounds = True

    def __init__(
        self,
        name: str,
        description: str,
        *,
        url: str,
        parameters: Schema,
        timeout_s: float,
        headers: Mapping[str, str],
    ) -> None:
        self.name, self.description = name, description
        self._url, self._parameters, self._timeout_s, self._headers = url, parameters, timeout_s, headers

    @property
    def schema(self) -> Schema:
        return self._parameters

    async def call(self, arguments: Mapping[str, Any]) -> str:
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                aiohttp.ClientSession(trust_env=False, cookie_jar=aiohttp.DummyCookieJar()) as session,
                session.post(
                    self._url, json=dict(arguments), headers=self._headers, allow_redirects=False
                ) as response,
            ):
                return await self._answer(response)
        except TimeoutError as error:
            raise ToolError(f"{self._shown} did not answer within {self._timeout_s:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ToolError(
                f"{self._shown} cannot be reached ({type(error).__name__}); is it running?"
            ) from error

    async def _answer(self, response: aiohttp.ClientResponse) -> str:
        if response.status == 204:
            return ""
        if response.status != 200:
            raise ToolError(f"{self._shown} answered with status {response.status}; it must answer 200")
        data = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK):
            data += chunk
            if len(data) > MAX_BYTES:
                raise ToolError(f"{self._shown} answered with more than {MAX_BYTES // 1000} kB")
        try:
            return data.decode("utf-8-sig").strip()
        except UnicodeDecodeError as error:
            raise ToolError(f"{self._shown} answered with what is no UTF-8 text") from error

    @property
    def _shown(self) -> str:
        # What follows the ? may be a secret.
        return re.sub(r"[?#].*", "", self._url)
