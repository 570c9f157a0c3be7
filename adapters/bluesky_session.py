"""The session of a Bluesky account: a short-lived access token, a refresh token that changes with each use.

Both are kept in the vault beside `identifier`, because logging in is rationed (300 times a day) and a used refresh
token is worth nothing. Another process may have refreshed: the vault is asked first.
"""

from collections.abc import Mapping
from typing import Any

from adapters.base import Vault
from adapters.bluesky_options import BlueskyOptions
from adapters.bluesky_rows import refusal
from adapters.errors import AccountRestricted, AuthExpired, ReauthRequired, Transient
from adapters.http import Answer, Http

SERVER = "/xrpc/com.atproto.server."


class Session:
    """Who is logged in, and with which tokens."""

    def __init__(self, http: Http, options: BlueskyOptions, vault: Vault) -> None:
        self._http = http
        self._options = options
        self._vault = vault
        self._access = ""
        self._refresh = ""

    def headers(self) -> dict[str, str]:
        """Raises AuthExpired while there is no access token."""
        if not self._access:
            raise AuthExpired("bluesky: there is no access token yet")
        return {"Authorization": f"Bearer {self._access}"}

    def forget(self) -> None:
        self._access = self._refresh = ""

    async def start(self) -> None:
        """The session of last time, or a new one. Raises ReauthRequired when the app password is refused."""
        if not self._access and not self._take(await self._vault.load()):
            await self._log_in()

    async def renew(self) -> None:
        """A new access token: another process's, a refreshed one, or that of a new log-in. Raises ReauthRequired."""
        saved = await self._vault.load()
        if saved.get("access_jwt") != self._access and self._take(saved):
            return
        if not await self._refreshed():
            await self._log_in()

    def _take(self, saved: Mapping[str, str]) -> bool:
        access, refresh = saved.get("access_jwt", ""), saved.get("refresh_jwt", "")
        if saved.get("identifier") != self._options.identifier or not (access and refresh):
            return False
        self._access, self._refresh = access, refresh
        return True

    async def _refreshed(self) -> bool:
        """False when the refresh token is used up, so that only a log-in helps."""
        if not self._refresh:
            return False
        headers = {"Authorization": f"Bearer {self._refresh}"}
        try:
            answer = await self._http.write("POST", f"{SERVER}refreshSession", headers=headers)
        except AuthExpired:
            return False
        if isinstance(refusal("refreshSession", answer), AuthExpired):
            return False
        await self._keep("refreshSession", answer)
        return True

    async def _log_in(self) -> None:
        body = {"identifier": self._options.identifier, "password": await self._password()}
        try:
            answer = await self._http.write("POST", f"{SERVER}createSession", body=body)
        except AuthExpired as exc:
            raise ReauthRequired(
                f"bluesky: the app password of {self._options.identifier} is refused; make a new app password"
            ) from exc
        await self._keep("createSession", answer)

    async def _password(self) -> str:
        if self._options.app_password is not None:
            return self._options.app_password.get_secret_value()
        kept = (await self._vault.load()).get("app_password", "")
        if not kept:
            raise ReauthRequired(
                "bluesky: there is no app password; set app_password in the channel's options"
            )
        return kept

    async def _keep(self, what: str, answer: Answer) -> None:
        if answer.status != 200:
            raise refusal(what, answer)
        access, refresh = _token(answer.data, "accessJwt"), _token(answer.data, "refreshJwt")
        if not (access and refresh):
            raise Transient(f"bluesky: {what}: no tokens in the answer", ambiguous=False)
        kept = {**await self._vault.load(), "identifier": self._options.identifier}
        # Kept before it is used: the refresh token that brought it is spent.
        await self._vault.save({**kept, "access_jwt": access, "refresh_jwt": refresh})
        self._access, self._refresh = access, refresh


def _token(data: Any, name: str) -> str:
    value = data.get(name) if isinstance(data, Mapping) else None
    # A token outside printable ASCII cannot travel in a header.
    return value if isinstance(value, str) and value.isascii() and value.isprintable() else ""


def check_standing(data: Mapping[str, Any], identifier: str) -> None:
    """Raises AccountRestricted for a session of an account that is not active."""
    status = data.get("status")
    if data.get("active") is False or status in {"takendown", "suspended", "deactivated"}:
        raise AccountRestricted(
            f"bluesky: the account {identifier} is {status or 'not active'}; see Bluesky's own mail about it"
        )
