"""Douyin's error codes, old and new, as one table. Pure.

HTTP is 200 whatever happened: what counts is `data.error_code`, then `extra.error_code` and `extra.sub_error_code`.
Any of them may be a string of digits. Source: the platform's page of status codes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import Enum
from typing import Any, Final
from zoneinfo import ZoneInfo

from adapters.douyin_options import DouyinOptions
from adapters.errors import (
    AccountRestricted,
    AdapterError,
    AuthExpired,
    Permanent,
    QuotaExhausted,
    RateLimited,
    ReauthRequired,
    RejectedContent,
    TargetGone,
    Transient,
)
from adapters.text import clean

ZONE: Final = ZoneInfo("Asia/Shanghai")
RESETS_AT: Final = time(8)
MAX_CODE: Final = 2**63
_TOKEN: Final = re.compile(r"\b(?:act|rft|clt)\.\S+")


class Meaning(Enum):
    """What a code asks for."""

    BUSY = "repeat later"
    EXPIRED = "refresh the access token"
    REAUTH = "connect the account again"
    QUOTA = "wait for 08:00 in Beijing"
    OFTEN = "call less often"
    RISK = "leave the account alone for a while"
    RESTRICTED = "the account is closed or banned; see the Douyin app"
    APP = "the application may not do this; see the console of the open platform"
    REQUEST = "this very call is refused"


MEANINGS: Final[Mapping[int, Meaning]] = {
    28001005: Meaning.BUSY,
    28001006: Meaning.BUSY,
    28001007: Meaning.REQUEST,
    28001008: Meaning.EXPIRED,
    28001012: Meaning.REAUTH,
    28001014: Meaning.APP,
    28001015: Meaning.REAUTH,
    28001016: Meaning.APP,
    28001017: Meaning.APP,
    28001018: Meaning.APP,
    28001019: Meaning.APP,
    28001020: Meaning.APP,
    28001021: Meaning.APP,
    28001045: Meaning.RESTRICTED,
    28001046: Meaning.RESTRICTED,
    28001047: Meaning.APP,
    28001052: Meaning.RISK,
    28001056: Meaning.APP,
    28003017: Meaning.QUOTA,
    28003018: Meaning.OFTEN,
    10008: Meaning.EXPIRED,
    10010: Meaning.REAUTH,
    10020: Meaning.REAUTH,
    2100004: Meaning.BUSY,
    2100005: Meaning.REQUEST,
    2100007: Meaning.APP,
    2100009: Meaning.RESTRICTED,
    2190001: Meaning.QUOTA,
    2190002: Meaning.EXPIRED,
    2190008: Meaning.EXPIRED,
}


class RefusedCall(Permanent):
    """One call was refused, perhaps for its video or comment only; others may well succeed."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The codes that are not 0, one at least, and the platform's words."""

    codes: tuple[int, ...]
    said: str

    @property
    def code(self) -> int:
        """The one that tells most: a general code may stand before the one that says why."""
        known = [code for code in self.codes if code in MEANINGS]
        telling = [code for code in known if MEANINGS[code] is not Meaning.REQUEST]
        return next(iter([*telling, *known, *self.codes]))


def number(value: object) -> int:
    """A whole number that may come as a string. Raises ValueError."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,19}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MAX_CODE:
        raise ValueError("not a whole number of 64 bits")
    return value


def refusal_of(answer: object) -> Refusal | None:
    """Why the platform refused; None where it did not. Raises ValueError when a code is no number."""
    if not isinstance(answer, Mapping):
        raise ValueError("the answer is no object")
    data, extra = _part(answer, "data"), _part(answer, "extra")
    told = [(data, "error_code"), (extra, "error_code"), (extra, "sub_error_code")]
    codes = [number(part[key]) for part, key in told if part.get(key) not in (None, "")]
    refused = [code for code in codes if code != 0]
    if not refused:
        return None
    words = [data.get("description"), extra.get("sub_description"), extra.get("description")]
    return Refusal(
        tuple(refused), next((_words(said) for said in words if isinstance(said, str) and said), "")
    )


def _part(answer: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = answer.get(key)
    return part if isinstance(part, Mapping) else {}


def _words(said: str) -> str:
    return _TOKEN.sub("(token)", " ".join(clean(said).split()))[:200]


def error_for(
    what: str, refusal: Refusal, *, options: DouyinOptions, now: datetime, writes: bool
) -> AdapterError:
    """The error for a refused call; `now` by the platform's clock."""
    told = f"{what}: refused with {', '.join(map(str, refusal.codes))} ({refusal.said or 'no reason given'})"
    if set(refusal.codes) & set(options.gone_codes):
        return TargetGone(told)
    if set(refusal.codes) & set(options.rejected_codes):
        return RejectedContent(told)
    meaning = MEANINGS.get(refusal.code, Meaning.REQUEST)
    told = f"{told}; {meaning.value}"
    match meaning:
        case Meaning.BUSY:
            # The platform may have failed behind the point where it stored the reply.
            return Transient(told, ambiguous=writes)
        case Meaning.EXPIRED:
            return AuthExpired(told)
        case Meaning.REAUTH:
            return ReauthRequired(told)
        case Meaning.QUOTA:
            return QuotaExhausted(told, resets_at=next_reset(now))
        case Meaning.OFTEN:
            return RateLimited(told, retry_after=options.often_wait_s)
        case Meaning.RISK:
            return RateLimited(told, retry_after=options.risk_wait_s)
        case Meaning.RESTRICTED:
            return AccountRestricted(told)
        case Meaning.APP:
            return Permanent(told)
        case Meaning.REQUEST:
            return RefusedCall(told)


def next_reset(now: datetime) -> datetime:
    """The next 08:00 in Beijing after `now` (aware)."""
    here = now.astimezone(ZONE)
    today = datetime.combine(here.date(), RESETS_AT, ZONE)
    return today if here < today else today + timedelta(days=1)
