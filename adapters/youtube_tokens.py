"""The access token of a Google account: used while it is good, renewed from a refresh token, kept in the vault."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import aiohttp

from adapters.base import Clock, Vault
from adapters.errors import AuthExpired, ReauthRequired, Transient
from adapters.http import Answer, Http
from adapters.text import clean, parse_count, parse_time
from adapters.youtube_errors import reason_of
from adapters.youtube_options import YouTubeOptions

# A token is left alone shortly before its end, so that it does not expire on the way.
MARGIN: Final = timedelta(seconds=60)
DEFAULT_LIFE_S: Final = 3600
MAX_LIFE_S: Final = 86_400


class Tokens:
    """In the vault: `access_token`, `expires_at` (ISO time), `scope`, and `refresh_token` where Google gave one."""

    def __init__(
        self, options: YouTubeOptions, *, http: aiohttp.ClientSession, clock: Clock, vault: Vault
    ) -> None:
        self._options = options
        self._http = Http(http, options.token_url, clock=clock, timeout_s=options.timeout_s)
        self._clock = clock
        self._vault = vault
        self._access = ""
        self._expires_at: datetime | None = None
        self.scopes: frozenset[str] | None = None
        """What the person allowed; None where Google has not said."""

    @property
    def usable(self) -> bool:
        return bool(self._access) and self._expires_at is not None and self._expires_at > self._clock()

    def headers(self) -> dict[str, str]:
        """Raises AuthExpired when there is no token, or it is past its end: asking with it would cost a unit."""
        if not self.usable:
            raise AuthExpired("youtube: there is no access token that is still good")
        return {"Authorization": f"Bearer {self._access}"}

    def forget(self) -> None:
        self._access = ""

    async def refresh(self) -> None:
        """Take the token that another process got, or get a new one. Raises ReauthRequired."""
        saved = dict(await self._vault.load())
        if saved.get("access_token") != self._access and self._adopt(saved):
            return
        said = "there is no refresh token"
        for refresh_token in self._refresh_tokens(saved):
            answer = await self._ask(refresh_token)
            if answer.status == 200:
                tokens = {**saved, **parse_grant(answer, self._clock())}
                await self._vault.save(tokens)
                self._adopt(tokens)
                return
            said = (
                f"Google refuses the refresh token ({answer.status} {reason_of(answer.data) or 'no reason'})"
            )
        raise ReauthRequired(f"youtube: {said}; connect the account again")

    def _refresh_tokens(self, saved: Mapping[str, str]) -> list[str]:
        """Both are tried: the vault's is from when the account was connected, the options' may be older or newer."""
        given = self._options.refresh_token
        tokens = [saved.get("refresh_token", ""), given.get_secret_value() if given else ""]
        return [token for token in dict.fromkeys(tokens) if token]

    async def _ask(self, refresh_token: str) -> Answer:
        form = {
            "grant_type": "refresh_token",
            "client_id": self._options.client_id,
            "client_secret": self._options.client_secret.get_secret_value(),
            "refresh_token": refresh_token,
        }
        try:
            return await self._http.write("POST", "", form=form)
        except AuthExpired as exc:
            raise ReauthRequired("youtube: Google refuses client_id or client_secret; check both") from exc
        except Transient as exc:
            # Nothing was said on the platform, whatever became of the call.
            raise Transient(str(exc), ambiguous=False) from exc

    def _adopt(self, tokens: Mapping[str, str]) -> bool:
        """Use what is saved; False when that is no token that is still good."""
        try:
            expires_at = parse_time(tokens.get("expires_at"))
        except ValueError:
            return False
        access = tokens.get("access_token", "")
        if not _travels(access) or expires_at <= self._clock():
            return False
        self._access, self._expires_at = access, expires_at
        self.scopes = frozenset(tokens["scope"].split()) if tokens.get("scope") else None
        return True


def parse_grant(answer: Answer, now: datetime) -> dict[str, str]:
    """What an answer to a refresh says, as the vault keeps it. Raises Transient."""
    data: Mapping[str, Any] = answer.data if isinstance(answer.data, Mapping) else {}
    access = data.get("access_token")
    if not isinstance(access, str) or not _travels(access):
        raise Transient("youtube: Google's answer holds no access token", ambiguous=False)
    life = parse_count(data.get("expires_in")) or DEFAULT_LIFE_S
    # Of a life shorter than the margin, half is left: a token is never past its end before it was used.
    length = timedelta(seconds=min(life, MAX_LIFE_S))
    scope, refresh = data.get("scope"), data.get("refresh_token")
    told = {"scope": clean(scope)} if isinstance(scope, str) and scope else {}
    if isinstance(refresh, str) and _travels(refresh):
        told["refresh_token"] = refresh
    return {
        "access_token": access,
        "expires_at": (now + max(length - MARGIN, length / 2)).isoformat(),
        **told,
    }


def _travels(token: str) -> bool:
    """A token outside printable ASCII cannot stand in a header."""
    return bool(token) and token.isascii() and token.isprintable()
