"""The calls to a Mastodon server, as the account that is logged in."""

from collections.abc import Mapping
from typing import Final

from adapters.base import Vault
from adapters.errors import AuthExpired, ReauthRequired
from adapters.http import Answer, Http, Params
from adapters.mastodon_options import MastodonOptions
from adapters.mastodon_rows import refusal

KEPT_AS: Final = "access_token"
"""The token's name in the vault."""


class Server:
    """Holds the access token, which lives until somebody revokes it."""

    def __init__(self, http: Http, options: MastodonOptions, vault: Vault) -> None:
        self._http = http
        self._vault = vault
        self._given = options.access_token
        self._token = ""

    async def log_in(self) -> None:
        """Raises ReauthRequired when there is no token."""
        self._token = await self._known()
        if not (self._token.isascii() and self._token.isprintable() and self._token):
            raise ReauthRequired(
                "mastodon: there is no usable access token; set access_token in the channel's options"
            )

    async def renew(self) -> None:
        """Take a token that was put into the vault in the meantime. Raises ReauthRequired when there is none."""
        token = await self._known()
        if not token or token == self._token:
            raise ReauthRequired(
                "mastodon: the access token was revoked; make a new one and give it to the channel"
            )
        self._token = token

    def log_out(self) -> None:
        self._token = ""

    async def read(self, path: str, params: Params | None = None) -> Answer:
        """A good answer. Raises AdapterError for any other."""
        answer = await self.ask(path, params)
        if answer.status != 200:
            raise refusal(path.removeprefix("/api/"), answer)
        return answer

    async def ask(self, path: str, params: Params | None = None) -> Answer:
        """Any answer. Raises AdapterError."""
        return await self._http.read(path, params=params, headers=self._headers())

    async def post(self, path: str, form: Mapping[str, str], *, key: str) -> Answer:
        """Any answer; the server answers a second post with this `key` as it did the first, for an hour."""
        headers = {**self._headers(), "Idempotency-Key": key}
        return await self._http.write("POST", path, headers=headers, form=form)

    async def _known(self) -> str:
        if self._given is not None:
            return self._given.get_secret_value()
        return (await self._vault.load()).get(KEPT_AS, "")

    def _headers(self) -> dict[str, str]:
        if not self._token:
            raise AuthExpired("mastodon: there is no access token yet")
        return {"Authorization": f"Bearer {self._token}"}
