"""The adapter of Mastodon (https://joinmastodon.org), by its client API of version 4.

Reading. Who answers us or speaks to us mentions us, and mentions come as notifications; what we posted ourselves is
read too (see `mastodon_reading`). Private messages (visibility `direct`) are never returned: whoever writes one did
not write it for a review page, nor to be learned from.

Writing. A reply begins with the name of whom it answers, is never more visible than the comment, and carries an
idempotency key. The server keeps the key for an hour only, so the service looks before it sends again, as everywhere.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, ClassVar, Final
from urllib.parse import quote

import aiohttp
import structlog
from pydantic import BaseModel

from adapters import mastodon_reading as reading
from adapters.base import (
    Account,
    Budget,
    Capabilities,
    Clock,
    CommentPage,
    CommentRef,
    Cursor,
    MemoryVault,
    ReplyRef,
    Vault,
)
from adapters.errors import AccountRestricted, RejectedContent, Transient
from adapters.http import Answer, Http, rows_of
from adapters.mastodon_options import MastodonOptions
from adapters.mastodon_reading import MENTIONS, OLDEST, STREAMS
from adapters.mastodon_rows import Row, allowed, parse_mention, parse_status, refusal, reply_ref
from adapters.mastodon_server import Server
from adapters.mastodon_text import addressed, check_length, reply_visibility
from adapters.mastodon_threads import Threads
from adapters.text import clean, parse_count, parse_id, parse_text

MAX_MENTIONS: Final = 80
MAX_STATUSES: Final = 40
BASELINE_PAGES: Final = 50
DEFAULT_CHARS: Final = 500
# Room for the name that a reply begins with: Mastodon's own are at most 30 characters long.
NAME_CHARS: Final = 32
# Clocks tick apart within the second that `Http` cannot see.
MARGIN: Final = timedelta(seconds=2)

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class MastodonAdapter:
    """See `adapters.base.PlatformAdapter`."""

    Options: ClassVar[type[BaseModel]] = MastodonOptions

    def __init__(
        self,
        options: MastodonOptions,
        *,
        http: aiohttp.ClientSession,
        clock: Clock,
        vault: Vault | None = None,
    ) -> None:
        self._limit = options.max_chars or DEFAULT_CHARS
        self._url_chars = options.url_chars
        self.capabilities = Capabilities(
            max_reply_chars=max(self._limit - NAME_CHARS, 1),
            reply_depth="any",
            idempotent_reply=False,
            can_find_own=True,
            settle_s=options.settle_s,
            min_reply_gap_s=options.reply_gap_s,
            min_poll_s=options.min_poll_s,
        )
        self._options = options
        self._clock = clock
        calls = Http(http, options.base_url, clock=clock, timeout_s=options.timeout_s)
        self._server = Server(calls, options, vault or MemoryVault())
        self._threads = Threads(self._server)
        self._overlap = timedelta(seconds=options.overlap_s)
        self._me = ""

    async def open(self) -> Account:
        """Say who we are, learn what the token may do, and how long a status may be here."""
        await self._server.log_in()
        answer = await self._server.read("/api/v1/accounts/verify_credentials")
        try:
            account_id, name = parse_id(answer.data["id"]), parse_text(answer.data["acct"])
        except (ValueError, TypeError, KeyError) as exc:
            raise Transient(
                f"mastodon: the answer to who we are cannot be read ({exc})", ambiguous=False
            ) from exc
        if answer.data.get("suspended") is True:
            raise AccountRestricted(
                f"mastodon: the account {name} is suspended; see what the server's staff wrote"
            )
        self._me = account_id
        await self._learn_limits()
        app = await self._server.ask("/api/v1/apps/verify_credentials")
        scopes = app.data.get("scopes") if isinstance(app.data, dict) else None
        return Account(id=account_id, name=name, can=allowed(scopes))

    async def refresh_auth(self) -> None:
        """Take a token that a person put into the vault. Raises ReauthRequired: Mastodon's tokens do not expire."""
        await self._server.renew()

    async def baseline(self, since: datetime) -> Cursor:
        """The cursor that starts at `since`, told by the server's clock."""
        answer = await self._server.read("/api/v1/accounts/verify_credentials")
        # The server's times have milliseconds: what is written in this very second is not to be missed.
        start = answer.server_time(since).replace(microsecond=0)
        marks = {name: await self._mark(name, start) for name in STREAMS}
        return reading.make_cursor(reading.first(start, marks))

    async def poll(self, cursor: Cursor, budget: Budget) -> CommentPage:
        """What came in after the cursor. A page that was read is looked up whole, whatever the budget."""
        progress = reading.parse_cursor(cursor)
        rows: dict[str, Row] = {}
        malformed = 0
        for _ in range(budget.requests):
            if progress.complete or len(rows) >= budget.comments:
                break
            name = progress.todo[0]
            answer, listed = await self._page(
                name, {"min_id": progress.streams[name].position}, budget.comments - len(rows)
            )
            found, bad = self._parsed(name, listed)
            rows |= {row.id: row for row in found if row.came_at >= progress.start}
            malformed += bad
            now = answer.server_time(self._clock())
            progress = reading.advance(progress, name, reading.seen(listed), settled_by=now - self._overlap)
        comments, posts = await self._threads.place(list(rows.values()), me=self._me)
        return CommentPage(comments, posts, reading.make_cursor(progress), progress.complete, malformed)

    async def reply(self, target: CommentRef, text: str, key: str) -> ReplyRef:
        """Answer `target`; within an hour a second call with this `key` posts nothing."""
        text = clean(text)
        if not text.strip():
            raise RejectedContent("mastodon: the reply is empty")
        visibility = reply_visibility(target.extra.get("visibility"), self._options.visibility)
        status = addressed(text, target.extra.get("acct", ""))
        check_length(status, limit=self._limit, url_chars=self._url_chars)
        form = {"status": status, "in_reply_to_id": target.comment_id, "visibility": visibility}
        answer = await self._server.post("/api/v1/statuses", form, key=sha256(key.encode()).hexdigest())
        if answer.status != 200:
            raise refusal("reply", answer)
        try:
            row = parse_status(answer.data, me=self._me)
        except ValueError as exc:
            raise Transient(f"mastodon: the posted reply cannot be read ({exc})", ambiguous=True) from exc
        if row.parent != target.comment_id:
            raise Transient("mastodon: the answer does not name what the reply answers", ambiguous=True)
        return replace(reply_ref(row), text=text)

    async def find_own_replies(self, target: CommentRef, since: datetime) -> list[ReplyRef]:
        """Our replies to `target` written at `since` or later."""
        answer = await self._server.read(f"/api/v1/statuses/{quote(target.comment_id, safe='')}/context")
        below = rows_of("mastodon: context", answer.data, "descendants")
        # `since` may be a time of ours or one of the platform's: too much is found rather than too little.
        earliest = min(since, answer.server_time(since)) - MARGIN
        try:
            rows = [parse_status(item, me=self._me) for item in below]
        except ValueError as exc:
            # It may be our reply: saying "none" could answer twice.
            raise Transient(
                f"mastodon: a status of the thread cannot be read ({exc})", ambiguous=False
            ) from exc
        mine = [row for row in rows if row.author_id == self._me and row.parent == target.comment_id]
        return [reply_ref(row) for row in mine if row.created_at >= earliest]

    async def aclose(self) -> None:
        """Forget the token; the session belongs to the caller."""
        self._server.log_out()

    async def _learn_limits(self) -> None:
        """A server that does not tell its limits has those of the options."""
        answer = await self._server.ask("/api/v2/instance")
        statuses = answer.data
        for name in ("configuration", "statuses"):
            statuses = statuses.get(name) if isinstance(statuses, dict) else None
        told = statuses if isinstance(statuses, dict) else {}
        self._limit = self._options.max_chars or parse_count(told.get("max_characters")) or DEFAULT_CHARS
        self._url_chars = parse_count(told.get("characters_reserved_per_url")) or self._options.url_chars
        longest = max(self._limit - NAME_CHARS, 1)
        self.capabilities = replace(self.capabilities, max_reply_chars=longest)

    async def _mark(self, name: str, since: datetime) -> str:
        """The id of the newest row that is older than `since`, found from the newest one back."""
        place: dict[str, str] = {}
        for _ in range(BASELINE_PAGES):
            _, listed = await self._page(name, place, MAX_MENTIONS)
            page = reading.seen(listed)
            old = [row.id for row in page if row.came_at is not None and row.came_at < since]
            if old:
                return reading.newest(old)
            if not page:
                break
            place = {"max_id": min((row.id for row in page), key=lambda one: (len(one), one))}
        return OLDEST

    async def _page(self, name: str, place: dict[str, str], room: int) -> tuple[Answer, Sequence[Any]]:
        if name == MENTIONS:
            path, most, chosen = "/api/v1/notifications", MAX_MENTIONS, {"types[]": "mention"}
        else:
            path, most = f"/api/v1/accounts/{self._me}/statuses", MAX_STATUSES
            chosen = {"exclude_reblogs": "true"}
        limit = str(min(most, max(room, 1)))
        answer = await self._server.read(path, {**chosen, **place, "limit": limit})
        if not isinstance(answer.data, list):
            raise Transient(f"mastodon: the answer to {name} is no list", ambiguous=False)
        return answer, answer.data

    def _parsed(self, name: str, listed: Sequence[Any]) -> tuple[list[Row], int]:
        """The comments of a page, and how many rows could not be read."""
        rows, malformed = [], 0
        for item in listed:
            try:
                row = (
                    parse_mention(item, me=self._me) if name == MENTIONS else parse_status(item, me=self._me)
                )
            except ValueError as exc:
                log.warning("mastodon row cannot be read", listing=name, reason=str(exc))
                malformed += 1
                continue
            if row is not None and self._is_comment(name, row):
                rows.append(row)
        return rows, malformed

    def _is_comment(self, name: str, row: Row) -> bool:
        """Not a private message, not a bot's (two would go on for ever), not a status of ours that answers nothing."""
        ours = row.author_id == self._me
        return row.visibility != "direct" and (
            not ours and not row.by_bot if name == MENTIONS else ours and row.parent is not None
        )
