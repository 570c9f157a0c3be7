"""What YouTube's refusals mean. Pure functions.

The HTTP status says little: 403 is an empty quota, a missing permission or a video without comments. The `reason`
decides; it stands in `errors` (YouTube's own envelope) or in `details` (that of newer Google services), and the
token address gives a bare word. Sources: the YouTube Data API's pages "Errors" and of each method.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from adapters.errors import (
    AccountRestricted,
    AdapterError,
    Permanent,
    QuotaExhausted,
    RateLimited,
    ReauthRequired,
    RejectedContent,
    TargetGone,
    Transient,
)
from adapters.http import Answer, parse_retry_after

ZONE: Final = "America/Los_Angeles"

_QUOTA = frozenset({"quotaexceeded", "dailylimitexceeded"})
_TOO_FAST = frozenset({"ratelimitexceeded", "userratelimitexceeded", "resourceexhausted"})
_GONE = frozenset(
    {"commentsdisabled", "commentnotfound", "commentthreadnotfound", "parentcommentnotfound", "videonotfound"}
    | {"parentcommentisprivate"}
)
_TEXT = frozenset({"commenttextrequired", "commenttexttoolong", "invalidcustomemoji"})
_ACCOUNT = frozenset(
    {
        "accountclosed",
        "accountsuspended",
        "authenticateduseraccountclosed",
        "authenticateduseraccountsuspended",
    }
    | {
        "ineligibleaccount",
        "accountdelegationforbidden",
        "channelclosed",
        "channelsuspended",
        "channelnotfound",
    }
)
_CONSENT = frozenset({"insufficientpermissions", "accesstokenscopeinsufficient", "insufficientscopes"})
_PROJECT = frozenset({"accessnotconfigured", "servicedisabled"})


class PageGone(Permanent):
    """The page token is no longer known: begin again at the first page."""


def reason_of(data: object) -> str:
    """The reason in small letters and without underscores, whichever envelope it came in; empty where there is none."""
    error = data.get("error") if isinstance(data, Mapping) else None
    if isinstance(error, str):
        return _plain(error)
    if not isinstance(error, Mapping):
        return ""
    entries = [*_entries(error, "errors"), *_entries(error, "details")]
    words = [entry.get("reason") for entry in entries] + [error.get("status")]
    return next((_plain(word) for word in words if isinstance(word, str) and word), "")


def refusal(what: str, answer: Answer, now: datetime, *, writes: bool) -> AdapterError:
    """The error for an answer of 4xx. `now` is by our clock, `writes` tells whether the call has an effect."""
    reason = reason_of(answer.data)
    said = f"{what}: YouTube refuses ({answer.status} {reason or 'no reason'})"
    if reason in _QUOTA:
        resets_at = next_day(answer.server_time(now)) - answer.skew
        return QuotaExhausted(f"{said}: the project's units for today are used up", resets_at=resets_at)
    if reason in _TOO_FAST:
        wait = parse_retry_after(answer.headers.get("Retry-After"), now)
        return RateLimited(f"{said}: wait {wait:g} s", retry_after=wait)
    if reason == "processingfailure":
        return Transient(f"{said}: it could not process the call", ambiguous=writes)
    if reason == "invalidpagetoken":
        return PageGone(f"{said}: the page is no longer known")
    return _lasting(reason, said, answer)


def _lasting(reason: str, said: str, answer: Answer) -> AdapterError:
    if reason in _GONE:
        return TargetGone(f"{said}: the comment is gone, or its video takes no comments any more")
    if reason in _TEXT:
        return RejectedContent(f"{said}: change the text")
    if reason in _ACCOUNT:
        return AccountRestricted(f"{said}: look at the account on YouTube")
    if reason in _CONSENT:
        return ReauthRequired(f"{said}: connect the account again and allow youtube.force-ssl")
    if reason in _PROJECT:
        return AccountRestricted(f"{said}: turn on the YouTube Data API v3 in the Google Cloud project")
    if answer.status == 404:
        return TargetGone(f"{said}: it is not there")
    return Permanent(f"{said}: {answer.excerpt or 'empty answer'}")


def next_day(now: datetime) -> datetime:
    """The next midnight in the Pacific time zone, where Google's day begins, as UTC."""
    zone = ZoneInfo(ZONE)
    tomorrow = now.astimezone(zone).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(0), tzinfo=zone).astimezone(UTC)


def _entries(error: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    entries = error.get(key)
    return [entry for entry in entries if isinstance(entry, Mapping)] if isinstance(entries, list) else []


def _plain(word: str) -> str:
    return word[:80].replace("_", "").casefold()
