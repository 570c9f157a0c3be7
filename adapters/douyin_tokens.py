"""Douyin's tokens: the access token lives 15 days, the refresh token 30, and may itself be renewed five times.

Refreshing hands out an access token and leaves the refresh token's end where it was; renewing hands out a refresh
token with 30 days of its own. After the fifth renewal only a person can go on. Pure functions; the calls are in
`douyin_grants`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final

from pydantic import SecretStr

from adapters.douyin_errors import number
from adapters.douyin_options import DouyinOptions

MAX_RENEWALS: Final = 5
DAY_S: Final = 86_400.0
LONGEST_S: Final = 400 * DAY_S


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the vault keeps."""

    access: str
    refresh: str
    ends: float = 0.0
    """When the refresh token does, in epoch seconds; 0 where nobody has said."""
    renewals: int = 0
    given: str = ""
    """A hash of the refresh token in the options: another one there means that a person has connected again."""


def parse_tokens(kept: Mapping[str, str]) -> Tokens | None:
    """The vault's tokens; None where it holds none. Raises ValueError."""
    if not kept.get("refresh_token"):
        return None
    return Tokens(
        access=kept.get("access_token", ""),
        refresh=kept["refresh_token"],
        ends=float(number((kept.get("refresh_ends") or "0").partition(".")[0])),
        renewals=number(kept.get("renewals") or "0"),
        given=kept.get("given", ""),
    )


def kept_as(tokens: Tokens) -> dict[str, str]:
    """The other way round."""
    return {
        "access_token": tokens.access,
        "refresh_token": tokens.refresh,
        "refresh_ends": str(int(tokens.ends)),
        "renewals": str(tokens.renewals),
        "given": tokens.given,
    }


def chosen(kept: Tokens | None, options: DouyinOptions) -> Tokens | None:
    """The vault's tokens, unless a person has put others into the options since; None where nobody has any."""
    if options.refresh_token is None:
        return kept
    refresh, access = options.refresh_token.get_secret_value(), _secret(options.access_token)
    given = sha256(refresh.encode("utf-8", "replace")).hexdigest()[:16]
    if kept is not None and kept.given in ("", given):
        return kept
    return Tokens(access=access, refresh=refresh, given=given)


def parse_granted(data: Any, tokens: Tokens, now: float) -> Tokens:
    """What a refresh granted. Raises ValueError."""
    refresh = data.get("refresh_token") or tokens.refresh
    ends = data.get("refresh_expires_in")
    return replace(
        tokens,
        access=parse_token(data.get("access_token")),
        refresh=parse_token(refresh),
        ends=now + seconds(ends) if ends not in (None, "") else tokens.ends,
    )


def parse_renewed(data: Any, tokens: Tokens, now: float) -> Tokens:
    """What a renewal granted. Raises ValueError."""
    return replace(
        tokens,
        refresh=parse_token(data.get("refresh_token")),
        ends=now + seconds(data.get("expires_in")),
        renewals=tokens.renewals + 1,
    )


def parse_token(value: object) -> str:
    """A token that can travel in a header. Raises ValueError."""
    if not isinstance(value, str) or not value or not (value.isascii() and value.isprintable()):
        raise ValueError("no usable token")
    return value


def seconds(value: object) -> float:
    """A lifetime. Raises ValueError."""
    found = number(value)
    if not 0 < found <= LONGEST_S:
        raise ValueError("not a lifetime")
    return float(found)


def renewal_due(tokens: Tokens, now: float, left_s: float) -> bool:
    return 0 < tokens.ends < now + left_s and tokens.renewals < MAX_RENEWALS


def _secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value is not None else ""
