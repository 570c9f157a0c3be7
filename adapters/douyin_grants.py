"""Gets Douyin's tokens, and keeps them in the vault before they are used."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import structlog

from adapters.base import Clock, Vault
from adapters.douyin_errors import error_for, refusal_of
from adapters.douyin_options import DouyinOptions
from adapters.douyin_tokens import (
    DAY_S,
    MAX_RENEWALS,
    Tokens,
    chosen,
    kept_as,
    parse_granted,
    parse_renewed,
    parse_tokens,
    renewal_due,
)
from adapters.errors import AdapterError, AuthExpired, Permanent, ReauthRequired, Transient
from adapters.http import Answer, Http, unexpected

RETRY_S: Final = 6 * 3600.0
RENEWED_OUT: Final = 10020

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class RenewedOut(ReauthRequired):
    """The refresh token was renewed as often as it may be."""


class Grants:
    """Keeps the tokens of one account fresh."""

    def __init__(self, http: Http, options: DouyinOptions, clock: Clock, vault: Vault) -> None:
        self._http = http
        self._options = options
        self._clock = clock
        self._vault = vault
        self._tokens: Tokens | None = None
        self._renew_from = 0.0

    async def load(self) -> None:
        """Take what the vault and the options hold. Raises ReauthRequired where that is nothing."""
        self._tokens = await self._newest()
        if not self._tokens.access:
            await self.refresh()

    def forget(self) -> None:
        self._tokens = None

    def header(self) -> dict[str, str]:
        """The header that proves who calls. Raises AuthExpired before the first token."""
        if self._tokens is None or not self._tokens.access:
            raise AuthExpired("douyin: there is no access token yet")
        return {"access-token": self._tokens.access, "content-type": "application/json"}

    async def refresh(self) -> None:
        """A new access token, unless another process has got one, and a new refresh token where it is time to."""
        known, tokens = self._tokens, await self._newest()
        if known is not None and tokens.access and tokens.access != known.access:
            self._tokens = tokens  # another process was faster
        else:
            data = await self._refreshed(tokens)
            if data is not None:
                await self._keep(_read(lambda: parse_granted(data, tokens, self._now())))
        if self._tokens is not None and self._is_due(self._tokens):
            await self._renew(self._tokens, self._now())

    def require_renewed(self) -> None:
        """Raises AuthExpired when the refresh token is to be renewed: `refresh` does it, one process at a time."""
        if self._tokens is not None and self._is_due(self._tokens):
            raise AuthExpired("douyin: the refresh token ends soon and is to be renewed")

    def _is_due(self, tokens: Tokens) -> bool:
        now = self._now()
        return now >= self._renew_from and renewal_due(tokens, now, self._options.renew_left_days * DAY_S)

    async def _renew(self, tokens: Tokens, now: float) -> None:
        """A renewal that fails is tried again some hours later: the access token still works."""
        self._renew_from = now + RETRY_S
        form = {"client_key": self._options.client_key, "refresh_token": tokens.refresh}
        try:
            data = await self._ask("/oauth/renew_refresh_token/", form)
            renewed = _read(lambda: parse_renewed(data, tokens, now))
        except RenewedOut as error:
            await self._keep(replace(tokens, renewals=MAX_RENEWALS))
            log.warning("douyin renews the refresh token no more", reason=str(error))
            return
        except AdapterError as error:
            log.warning("douyin did not renew the refresh token; trying again later", reason=str(error))
            return
        await self._keep(renewed)

    async def _refreshed(self, tokens: Tokens) -> Any:
        """What the platform granted; None where another process has used the refresh token up and kept the result."""
        form = {"client_key": self._options.client_key, "grant_type": "refresh_token"}
        try:
            return await self._ask("/oauth/refresh_token/", {**form, "refresh_token": tokens.refresh})
        except ReauthRequired as error:
            later = await self._newest()
            if later.access and later.access != tokens.access:
                self._tokens = later
                return None
            raise ReauthRequired(_over(tokens, str(error))) from error

    async def _ask(self, path: str, form: Mapping[str, str]) -> Any:
        what = f"douyin: {path.strip('/').rpartition('/')[2]}"
        try:
            answer = await self._http.write("POST", path, form=form)
        except AuthExpired as error:
            raise ReauthRequired(f"{what}: refused; connect the account again") from error
        refused = self._refusal(what, answer)
        if refused is not None:
            raise refused
        data = answer.data.get("data") if isinstance(answer.data, Mapping) else None
        if answer.status != 200:
            raise unexpected(what, answer)
        if not isinstance(data, Mapping):
            raise Transient(f"{what}: the answer holds no object 'data'", ambiguous=False)
        return data

    def _refusal(self, what: str, answer: Answer) -> AdapterError | None:
        try:
            refusal = refusal_of(answer.data)
        except ValueError as exc:
            if answer.status != 200:
                return unexpected(what, answer)
            return Transient(f"{what}: the answer cannot be read ({exc})", ambiguous=False)
        if refusal is None:
            return None
        now = answer.server_time(self._clock())
        found = error_for(what, refusal, options=self._options, now=now, writes=False)
        if RENEWED_OUT in refusal.codes:
            return RenewedOut(str(found))
        if isinstance(found, AuthExpired | Permanent):
            return ReauthRequired(f"{found}; check client_key, then connect the account again")
        return found

    async def _newest(self) -> Tokens:
        try:
            kept = parse_tokens(await self._vault.load())
        except ValueError:
            log.warning("douyin: the kept tokens cannot be read; going on with those of the options")
            kept = None
        tokens = chosen(kept, self._options)
        if tokens is None:
            raise ReauthRequired(
                "douyin: there is no refresh token; connect the account, or set refresh_token"
            )
        return tokens

    async def _keep(self, tokens: Tokens) -> None:
        await self._vault.save(kept_as(tokens))
        self._tokens = tokens

    def _now(self) -> float:
        return self._clock().timestamp()


def _read(parse: Callable[[], Tokens]) -> Tokens:
    try:
        return parse()
    except ValueError as exc:
        raise Transient(f"douyin: the granted token cannot be read ({exc})", ambiguous=False) from exc


def _over(tokens: Tokens, told: str) -> str:
    if tokens.renewals >= MAX_RENEWALS:
        return (
            f"{told}: the account's consent was renewed {MAX_RENEWALS} times, as often as Douyin allows;"
            " connect the account again"
        )
    return f"{told}: connect the account again"
