"""The sandbox site's access tokens."""

import hashlib
import hmac
from datetime import timedelta

from adapters.base import Clock
from adapters.sandbox_store import to_us


class Tokens:
    """Access tokens that carry their own expiry under a signature, so that they survive a restart."""

    def __init__(self, refresh_token: str, ttl_s: float, clock: Clock) -> None:
        self._refresh_token = refresh_token
        self.ttl_s = ttl_s
        self._clock = clock
        self._round = 0

    def issue(self, refresh_token: object) -> str | None:
        """A new access token; None when the refresh token is wrong."""
        if not isinstance(refresh_token, str) or not _equal(refresh_token, self._refresh_token):
            return None
        claim = f"{self._round}.{to_us(self._clock() + timedelta(seconds=self.ttl_s))}"
        return f"{claim}.{self._signature(claim)}"

    def accepts(self, token: str) -> bool:
        claim, _, signature = token.rpartition(".")
        if not _equal(signature, self._signature(claim)):
            return False
        made_in, _, expires_us = claim.partition(".")
        return int(made_in) >= self._round and int(expires_us) > to_us(self._clock())

    def revoke_all(self) -> None:
        self._round += 1

    def _signature(self, claim: str) -> str:
        return hmac.new(self._refresh_token.encode(), claim.encode(), hashlib.sha256).hexdigest()


def _equal(a: str, b: str) -> bool:
    return hmac.compare_digest(a.encode("utf-8", "surrogatepass"), b.encode("utf-8", "surrogatepass"))
