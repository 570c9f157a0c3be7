"""Calls to the YouTube Data API, each counted in units before it leaves: a refused call costs as much."""

from collections.abc import Mapping
from typing import Final

import aiohttp

from adapters.base import Clock
from adapters.errors import Transient
from adapters.http import Answer, Http
from adapters.youtube_errors import refusal
from adapters.youtube_options import YouTubeOptions
from adapters.youtube_tokens import Tokens

READ_UNITS: Final = 1
WRITE_UNITS: Final = 50


class Api:
    """The API as one account uses it."""

    def __init__(
        self, options: YouTubeOptions, *, http: aiohttp.ClientSession, clock: Clock, tokens: Tokens
    ) -> None:
        self._http = Http(http, options.base_url, clock=clock, timeout_s=options.timeout_s)
        self._clock = clock
        self._tokens = tokens
        self._units = 0

    def take_units(self) -> int:
        units, self._units = self._units, 0
        return units

    async def read(self, resource: str, params: Mapping[str, str]) -> Answer:
        """A list of a resource, such as `comments`. Raises what `refusal` says."""
        headers = self._tokens.headers()
        self._units += READ_UNITS
        answer = await self._http.read(f"/youtube/v3/{resource}", params=params, headers=headers)
        what = f"youtube: {resource}"
        if answer.status >= 400:
            raise refusal(what, answer, self._clock(), writes=False)
        if not isinstance(answer.data, Mapping):
            raise Transient(f"{what}: the answer is no object", ambiguous=False)
        return answer

    async def write(self, resource: str, params: Mapping[str, str], body: object = None) -> Answer:
        """A call with an effect. Raises what `refusal` says."""
        headers = self._tokens.headers()
        self._units += WRITE_UNITS
        answer = await self._http.write(
            "POST", f"/youtube/v3/{resource}", params=params, headers=headers, body=body
        )
        if answer.status >= 400:
            raise refusal(f"youtube: {resource}", answer, self._clock(), writes=True)
        return answer
