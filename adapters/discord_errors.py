"""What Discord's refusals mean. Pure functions."""

from collections.abc import Mapping
from typing import Any, Final

from adapters.errors import (
    AccountRestricted,
    AdapterError,
    Permanent,
    RateLimited,
    RejectedContent,
    TargetGone,
    Transient,
)
from adapters.http import DEFAULT_RETRY_AFTER_S
from adapters.text import clean, parse_count


def told_wait(data: Any) -> object:
    """Seconds to wait, from the body of a 429."""
    return data.get("retry_after") if isinstance(data, Mapping) else None


def refusal(what: str, status: int, data: Any, excerpt: str) -> AdapterError:
    """The error for an answer of 400 or more, by Discord's own code."""
    details = data if isinstance(data, Mapping) else {}
    code = parse_count(details.get("code"))
    message = details.get("message")
    said = clean(message)[:200] if isinstance(message, str) else excerpt
    line = f"discord: {what} is refused ({status}, code {code}): {said or 'no reason given'}"
    if code == INVALID_FORM:
        return _by_field(details, line)
    if code in WRITE_LIMITS:
        return RateLimited(line, retry_after=_seconds(told_wait(data)))
    if code in OVERLOADED:
        return Transient(line, ambiguous=False)
    for meaning, (codes, advice) in MEANINGS.items():
        if code in codes:
            return meaning(f"{line}{advice}")
    return Permanent(line)


INVALID_FORM: Final = 50035
NO_TARGET: Final = ("REPLIES_UNKNOWN_MESSAGE", "MESSAGE_REFERENCE_UNKNOWN_MESSAGE")
WRITE_LIMITS: Final = frozenset({20016, 20022, 20028, 20029})
OVERLOADED: Final = frozenset({130000})
MEANINGS: Final[dict[type[AdapterError], tuple[frozenset[int], str]]] = {
    TargetGone: (frozenset({10003, 10008, 50083, 160005}), ""),
    RejectedContent: (frozenset({50006, 200000, 240000}), ""),
    AccountRestricted: (
        frozenset({10004, 20001, 20018, 40001, 40002, 40007, 40333, 50001, 50013, 160002}),
        "; invite the bot again, and let it view the channel, read its history and send messages",
    ),
}


def _by_field(data: Mapping[str, Any], line: str) -> AdapterError:
    errors = data.get("errors")
    fields = errors if isinstance(errors, Mapping) else {}
    reference = fields.get("message_reference")
    faults = reference.get("_errors") if isinstance(reference, Mapping) else None
    for fault in faults if isinstance(faults, list) else []:
        if isinstance(fault, Mapping) and fault.get("code") in NO_TARGET:
            return TargetGone(line)
    return RejectedContent(line) if "content" in fields else Permanent(line)


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 86_400:
        return DEFAULT_RETRY_AFTER_S
    return float(value)
