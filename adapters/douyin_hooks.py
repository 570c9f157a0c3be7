"""What Douyin's calls to us say (Webhooks). Pure, but for `Recent`.

The signature is the SHA-1 of the application's secret followed by the raw body, in hexadecimal. Nothing signed tells
when a call was made, but for the time of the comment it is about; a call that was seen before wakes nobody.
"""

import hashlib
import hmac
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import SecretStr

from adapters.base import Hook
from adapters.douyin_errors import number
from adapters.douyin_options import DouyinOptions
from adapters.errors import Permanent
from adapters.text import parse_id, parse_time

SIGNATURE: Final = "x-douyin-signature"
TRIED: Final = "verify_webhook"
COMMENTED: Final = "item_comment_reply"
REMEMBERED: Final = 512


@dataclass(frozen=True, slots=True)
class Event:
    """One call."""

    kind: str
    client_key: str = ""
    to: str = ""
    """The account whose video it is about."""
    challenge: int | None = None
    item: str = ""
    """The video that was commented on."""
    at: datetime | None = None
    """When the comment was written."""


def is_signed(headers: Mapping[str, str], body: bytes, secret: SecretStr | None) -> bool:
    """Whether whoever knows the application's secret made `body`. The time it takes tells nothing of the secret."""
    told = next((value for name, value in headers.items() if name.lower() == SIGNATURE), "")
    if secret is None or not told:
        return False
    wanted = hashlib.sha1(secret.get_secret_value().encode() + body).hexdigest()  # noqa: S324 - the platform's choice
    return hmac.compare_digest(told.strip().lower().encode("utf-8", "replace"), wanted.encode())


def parse_event(body: bytes) -> Event:
    """Raises ValueError when it is no event; of a comment only what is readable is taken."""
    try:
        data = json.loads(body)
    except RecursionError as exc:
        raise ValueError("the call is nested too deep") from exc
    if not isinstance(data, Mapping) or not isinstance(data.get("event"), str):
        raise ValueError("the call names no event")
    content = _content(data.get("content"))
    key = data.get("client_key")
    return Event(
        kind=data["event"],
        client_key=key if isinstance(key, str) else "",
        to=_id(data.get("to_user_id")),
        challenge=_number(content.get("challenge")),
        item=_id(content.get("reply_to_item_id")),
        at=_moment(content.get("create_time")),
    )


def is_late(event: Event, now: datetime, options: DouyinOptions) -> bool:
    return event.at is not None and now - event.at > timedelta(seconds=options.hook_age_s)


class Recent:
    """The calls that came last, by a hash of their bodies."""

    def __init__(self) -> None:
        self._seen: deque[bytes] = deque(maxlen=REMEMBERED)

    def is_new(self, body: bytes) -> bool:
        """True once for each body."""
        mark = hashlib.sha256(body).digest()
        if mark in self._seen:
            return False
        self._seen.append(mark)
        return True


def proven(headers: Mapping[str, str], body: bytes, options: DouyinOptions) -> Event:
    """The event of a call that the platform made for our application. Raises Permanent."""
    signed = is_signed(headers, body, options.client_secret)
    if not signed and not options.unsigned_challenge:
        raise Permanent("douyin: a call to us bears no valid signature; check client_secret")
    try:
        event = parse_event(body)
    except ValueError as exc:
        raise Permanent(f"douyin: a call to us cannot be read ({exc})") from exc
    if not signed and event.kind != TRIED:
        raise Permanent("douyin: a call to us bears no valid signature; check client_secret")
    if event.client_key not in ("", options.client_key):
        raise Permanent("douyin: a call to us is for another application; check client_key")
    return event


def hook_of(event: Event, *, fresh: bool) -> Hook:
    """What the platform hears back, and whether to poll."""
    if event.kind == TRIED:
        return Hook(answer=None if event.challenge is None else {"challenge": event.challenge})
    return Hook(poll=fresh and event.kind == COMMENTED)


def _content(value: Any) -> Mapping[str, Any]:
    """An object, or the text of one."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, Mapping) else {}


def _number(value: object) -> int | None:
    try:
        return number(value)
    except ValueError:
        return None


def _id(value: object) -> str:
    try:
        return parse_id(value)
    except ValueError:
        return ""


def _moment(value: object) -> datetime | None:
    try:
        return parse_time(number(value))
    except ValueError:
        return None
