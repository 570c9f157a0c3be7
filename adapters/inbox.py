"""The inbox: an account on a platform without an official comment API.

Comments are not polled but brought in (see `adapters.inbox_rows`). Replies go out by a person, by a program that asks
for them, or by a call of the owner's address; nothing here drives a browser or a private API.
"""

import hashlib
import hmac
import json
from datetime import datetime
from typing import ClassVar, Final

import aiohttp
from pydantic import BaseModel

from adapters.base import (
    Account,
    Budget,
    Capabilities,
    Clock,
    CommentPage,
    CommentRef,
    Cursor,
    ReplyRef,
    Vault,
)
from adapters.errors import (
    AlreadyReplied,
    AuthExpired,
    Permanent,
    ReauthRequired,
    RejectedContent,
    TargetGone,
    Unsupported,
)
from adapters.http import Http, unexpected
from adapters.inbox_options import InboxOptions
from adapters.inbox_rows import account_of

_RARELY_S: Final = 86_400.0
"""There is nothing to poll."""
_MOST_ANSWER: Final = 64 * 1024


def capabilities_of(options: InboxOptions) -> Capabilities:
    return Capabilities(
        max_reply_chars=options.max_reply_chars,
        reply_depth="any",
        idempotent_reply=options.delivery == "webhook" and options.dedupes,
        can_find_own=False,
        settle_s=0.0,
        min_reply_gap_s=options.reply_gap_s,
        min_poll_s=_RARELY_S,
        writes="auto" if options.delivery == "webhook" else "assist",
    )


class InboxAdapter:
    """See `adapters.base.PlatformAdapter`."""

    Options: ClassVar[type[BaseModel]] = InboxOptions

    def __init__(
        self,
        options: InboxOptions,
        *,
        http: aiohttp.ClientSession,
        clock: Clock,
        vault: Vault | None = None,
    ) -> None:
        self.capabilities = capabilities_of(options)
        self._options = options
        self._clock = clock
        url = options.webhook_url or "http://localhost"
        self._http = Http(http, url, clock=clock, timeout_s=options.timeout_s, max_bytes=_MOST_ANSWER)

    async def open(self) -> Account:
        """Who the owner says we are; nobody is asked."""
        return account_of(self._options)

    async def refresh_auth(self) -> None:
        """Raises Unsupported: there is no token."""
        raise Unsupported("inbox: there is no token to renew")

    async def baseline(self, since: datetime) -> Cursor:
        return {}

    async def poll(self, cursor: Cursor, budget: Budget) -> CommentPage:
        """Nothing: comments come by import."""
        if cursor:
            raise Permanent("inbox: the cursor is of another platform; read anew with 'channels backfill'")
        return CommentPage((), (), {}, complete=True)

    async def reply(self, target: CommentRef, text: str, key: str) -> ReplyRef:
        """Hand the reply to the owner's address, signed; `key` lets it tell a second call from a new reply."""
        secret = self._options.webhook_secret
        if self._options.delivery != "webhook" or secret is None:
            raise Unsupported("inbox: a person or a program brings replies out; see docs/platforms/inbox.md")
        if len(text) > self._options.max_reply_chars:
            raise RejectedContent(
                f"inbox: the reply has {len(text)} characters; {self._options.max_reply_chars} are the most"
            )
        body, now = _told(target, text, key), self._clock()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Rejoinder",
            "X-Rejoinder-Event": "reply",
            "Idempotency-Key": key,
            "X-Rejoinder-Signature": signature(secret.get_secret_value(), body, now),
        }
        try:
            answer = await self._http.write("POST", "", headers=headers, raw=body)
        except AuthExpired as exc:
            raise ReauthRequired(
                "inbox: the receiver refuses the signature (401); set the same webhook_secret on both sides"
            ) from exc
        reply_id = _id_in(answer.data)
        if answer.status == 409:
            raise AlreadyReplied(f"inbox: the receiver had reply {key} already", reply_id=reply_id)
        if answer.status == 410:
            raise TargetGone(f"inbox: the receiver says that comment {target.comment_id} is gone")
        if answer.status == 422:
            raise RejectedContent(f"inbox: the receiver refuses the reply: {answer.excerpt or 'no reason'}")
        if not 200 <= answer.status < 300:
            raise unexpected("inbox: webhook", answer)
        return ReplyRef(reply_id or key, target.comment_id, text, now)

    async def find_own_replies(self, target: CommentRef, since: datetime) -> list[ReplyRef]:
        """Raises Unsupported: there is nobody to ask."""
        raise Unsupported("inbox: the platform cannot be asked for our replies")

    async def aclose(self) -> None:
        """There is nothing to let go of; the session belongs to the caller."""


def signature(secret: str, body: bytes, now: datetime) -> str:
    """Over the time and the raw body, as that of the service's notices: an old call cannot be made anew."""
    seconds = int(now.timestamp())
    told = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={told}"


def _told(target: CommentRef, text: str, key: str) -> bytes:
    value = {
        "event": "reply",
        "key": key,
        "text": text,
        "comment": {
            "id": target.comment_id,
            "thread": target.thread_id,
            "post": target.post_id,
            "created_at": target.created_at.isoformat(),
        },
    }
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def _id_in(data: object) -> str | None:
    """The platform's id of the reply, where the receiver tells one that can be kept."""
    told = data.get("id") if isinstance(data, dict) else None
    return told if isinstance(told, str) and 0 < len(told) <= 255 and told.isprintable() else None
