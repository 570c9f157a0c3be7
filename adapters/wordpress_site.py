"""Calls of one account to one WordPress site's REST API."""

from collections.abc import Awaitable, Mapping
from typing import Any, Final

import aiohttp

from adapters.base import Clock
from adapters.errors import AdapterError, AuthExpired, Permanent, ReauthRequired, Transient
from adapters.http import Answer, Http
from adapters.wordpress_options import WordPressOptions
from adapters.wordpress_rows import Me, parse_me, refusal

QUERY: Final = "?rest_route="
CONNECT_AGAIN: Final = (
    "make a new application password (Users, Profile, Application Passwords) and connect the account again; if it is "
    "right, the web server keeps the Authorization header from PHP, or the site is not on https"
)


class Site:
    """Routes are those below `wp/v2`, such as `comments/7`. Raises ReauthRequired where we are not let in."""

    def __init__(self, options: WordPressOptions, http: aiohttp.ClientSession, clock: Clock) -> None:
        self._options = options
        self._http = Http(http, options.base_url, clock=clock, timeout_s=options.timeout_s)
        secret = options.application_password.get_secret_value()
        self._headers = {"Authorization": aiohttp.encode_basic_auth(options.username, secret)}
        self._me: Me | None = None

    async def me(self) -> Me:
        """Who we are, asked for once."""
        if self._me is None:
            self._me = await self._ask_who()
        return self._me

    def forget_me(self) -> None:
        """Ask again next time: what the account may do has changed."""
        self._me = None

    async def read(self, route: str, params: Mapping[str, str]) -> Answer:
        path, place = self._place(route)
        return await _known(self._http.read(path, params={**place, **params}, headers=self._headers))

    async def rows(self, route: str, params: Mapping[str, str]) -> tuple[Answer, list[Any]]:
        """A listing. Raises Permanent where it is refused, Transient where it is none."""
        answer = await self.read(route, params)
        if answer.status != 200:
            # To a listing, a post that we may not read is no news of a comment.
            raise Permanent(str(self.refused(route, answer)))
        if not isinstance(answer.data, list):
            raise Transient(f"wordpress: {route}: the answer is no list", ambiguous=False)
        return answer, answer.data

    async def write(
        self, method: str, route: str, *, params: Mapping[str, str] | None = None, body: object = None
    ) -> Answer:
        path, place = self._place(route)
        call = self._http.write(
            method, path, params={**place, **(params or {})}, headers=self._headers, body=body
        )
        return await _known(call)

    def refused(self, what: str, answer: Answer) -> AdapterError:
        """The error for an answer that is none of those wanted."""
        return refusal(what, answer, flood_s=self._options.flood_s)

    def _place(self, route: str) -> tuple[str, dict[str, str]]:
        if self._options.api == QUERY:
            return "/", {"rest_route": f"/wp/v2/{route}"}
        return f"{self._options.api}/wp/v2/{route}", {}

    async def _ask_who(self) -> Me:
        answer = await self.read("users/me", {"context": "edit", "_fields": "id,name,capabilities"})
        if answer.status == 404:
            raise Permanent(
                f"wordpress: no REST API of WordPress answers at {self._options.base_url}{self._options.api}; check "
                f"base_url, or set api to {QUERY} for a site without permalinks"
            )
        if answer.status != 200:
            raise self.refused("users/me", answer)
        try:
            return parse_me(answer.data)
        except ValueError as exc:
            raise Transient(f"wordpress: users/me: {exc}", ambiguous=False) from exc


async def _known(call: Awaitable[Answer]) -> Answer:
    try:
        return await call
    except AuthExpired as exc:
        raise ReauthRequired(f"wordpress: does not let us in (401); {CONNECT_AGAIN}") from exc
