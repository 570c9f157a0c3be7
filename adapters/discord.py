"""The adapter of Discord: messages in channels of a server, and in their threads, polled over its REST API (v10).

Every message of a person is a comment; the channel, or the thread, is the post; a reply stands below what it answers.
Messages of other bots and of webhooks are left out, so that two programs never talk to each other.

Sending. Discord keeps a reply's `nonce` for a few minutes and answers a repeated one with the message it has, so that
an attempt that is repeated soon sends nothing twice; later ones are looked up first, as everywhere.

discord.py, the well-kept library for this, is not used: 2.7 repeats a POST by itself up to five times when the answer
is a 5xx or the connection breaks, waits out a 429 inside the call, reads answers of any length, and opens a session
of its own. The calls go through `adapters.http`.

Cursor: `from` (baseline), `since` (everything older was read), `newest` (seen so far), `began` (what `since` becomes at
the end of the round), all ids; `queue` (what is left of the round) and `roots` (see `discord_reading`).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

import aiohttp
import structlog
from pydantic import BaseModel

from adapters.base import (
    Account,
    Budget,
    Capabilities,
    Clock,
    Comment,
    CommentPage,
    CommentRef,
    Cursor,
    ReplyRef,
    Vault,
)
from adapters.discord_errors import refusal, told_wait
from adapters.discord_options import DiscordOptions
from adapters.discord_reading import Reading
from adapters.discord_rows import (
    READABLE,
    Me,
    Place,
    first_at,
    is_comment,
    nonce,
    parse_comment,
    reply_ref,
    snowflake,
)
from adapters.discord_steps import Known
from adapters.errors import Permanent, ReauthRequired, RejectedContent, Transient
from adapters.http import Answer, Http
from adapters.text import parse_id, parse_text

# Clocks tick apart within the second that `Http` cannot see.
MARGIN: Final = timedelta(seconds=2)
MESSAGE_CONTENT: Final = 1 << 18 | 1 << 19
"""Flags of an application that may read what people write; the second one in servers of less than 100 members."""
PAGE: Final = 100
SUPPRESS_EMBEDS: Final = 1 << 2

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class DiscordAdapter:
    """See `adapters.base.PlatformAdapter`."""

    Options: ClassVar[type[BaseModel]] = DiscordOptions

    def __init__(
        self,
        options: DiscordOptions,
        *,
        http: aiohttp.ClientSession,
        clock: Clock,
        vault: Vault | None = None,
    ) -> None:
        self.capabilities = Capabilities(
            max_reply_chars=options.max_chars,
            reply_depth="any",
            # Its memory of nonces is too short to rely on.
            idempotent_reply=False,
            can_find_own=True,
            settle_s=options.settle_s,
            min_reply_gap_s=options.reply_gap_s,
            min_poll_s=options.min_poll_s,
        )
        self._options = options
        self._http = Http(http, options.base_url, clock=clock, timeout_s=options.timeout_s, wait_in=told_wait)
        self._headers = {
            "Authorization": f"Bot {options.token.get_secret_value()}",
            "User-Agent": options.user_agent,
        }
        self._me = Me("", frozenset(options.own_ids))
        self._known = Known()

    async def open(self) -> Account:
        """Say which bot we are, and look whether it may read every channel and what people write there."""
        answer = await self._who()
        try:
            account = Account(parse_id(answer.data.get("id")), parse_text(answer.data.get("username")))
        except (ValueError, AttributeError) as exc:
            raise Transient(f"discord: who we are cannot be read ({exc})", ambiguous=False) from exc
        self._me = Me(account.id, self._me.owners)
        await self._check_intent()
        reads = [await self._sees(channel) for channel in self._options.channels]
        return Account(account.id, account.name, {"read": all(reads)})

    async def refresh_auth(self) -> None:
        """A bot's token lasts until it is reset. Raises ReauthRequired."""
        raise ReauthRequired(
            "discord: the token is not accepted; reset it in the Developer Portal and set the new one"
        )

    async def baseline(self, since: datetime) -> Cursor:
        """The cursor that starts at `since`, told by Discord's clock."""
        answer = await self._who()
        start = str(max(0, first_at(answer.server_time(since) - MARGIN) - 1))
        return {"from": start, "since": start, "newest": start, "began": start, "queue": [], "roots": {}}

    async def poll(self, cursor: Cursor, budget: Budget) -> CommentPage:
        """What was written since the round before the last one, channel by channel, thread by thread."""
        reading = self._reading(cursor)
        await reading.run(budget, overlap_s=self._options.overlap_s, site_url=self._options.site_url)
        if reading.hidden:
            # A text may be missing for another reason; Discord knows.
            await self._check_intent()
        return CommentPage(
            comments=tuple(reading.comments),
            posts=await reading.posts(),
            cursor=reading.cursor(),
            complete=reading.complete,
            malformed=reading.malformed,
        )

    async def reply(self, target: CommentRef, text: str, key: str) -> ReplyRef:
        """Answer `target`, mentioning nobody and with no preview of links; within minutes a repeated `key` brings the
        first reply back.
        """
        if len(text) > self._options.max_chars:
            raise RejectedContent(
                f"discord: the reply has {len(text)} characters, over {self._options.max_chars}"
            )
        body = {
            "content": text,
            "nonce": nonce(key),
            "enforce_nonce": True,
            "message_reference": {"message_id": _checked(target.comment_id), "fail_if_not_exists": True},
            "allowed_mentions": {"parse": []},
            "flags": SUPPRESS_EMBEDS,
        }
        path = f"/channels/{_checked(target.post_id)}/messages"
        answer = await self._http.write("POST", path, headers=self._headers, body=body)
        if answer.status >= 400:
            raise refusal("the reply", answer.status, answer.data, answer.excerpt)
        return self._stored(answer, target, text)

    async def find_own_replies(self, target: CommentRef, since: datetime) -> list[ReplyRef]:
        """Our replies to `target` written at `since` or later."""
        place = _checked(target.post_id)
        answer = await self._read(f"/channels/{place}/messages/{_checked(target.comment_id)}", {})
        if answer.status != 200:
            raise refusal("the comment", answer.status, answer.data, answer.excerpt)
        # `since` may be a time of ours or one of Discord's.
        earliest = min(since, answer.server_time(since)) - MARGIN
        after = max(int(target.comment_id), first_at(earliest) - 1)
        found: list[ReplyRef] = []
        for _ in range(self._options.look_pages):
            rows = await self._page(place, after)
            last = _newest(rows)
            comments = [self._parse(row, place) for row in rows if is_comment(row)]
            found += [reply_ref(c) for c in comments if c.is_own and c.parent_id == target.comment_id]
            if len(rows) < PAGE:
                return sorted(found, key=lambda ref: ref.created_at)
            after = last
        raise Permanent(
            f"discord: over {PAGE * self._options.look_pages} messages since the comment; look at the channel by hand"
        )

    async def aclose(self) -> None:
        """Nothing to let go of: the session belongs to the caller."""

    def _reading(self, cursor: Cursor) -> Reading:
        options = self._options
        return Reading(
            self._read, options.channels, cursor, self._known, me=self._me, threads=options.threads
        )

    async def _who(self) -> Answer:
        answer = await self._read("/users/@me", {})
        if answer.status != 200:
            raise refusal("who we are", answer.status, answer.data, answer.excerpt)
        return answer

    async def _check_intent(self) -> None:
        """Raises Permanent when the bot may not read what people write."""
        answer = await self._read("/applications/@me", {})
        flags = answer.data.get("flags") if isinstance(answer.data, Mapping) else None
        if answer.status != 200 or not isinstance(flags, int):
            raise Transient(f"discord: what the bot may read is not told ({answer.status})", ambiguous=False)
        if not flags & MESSAGE_CONTENT:
            raise Permanent(
                "discord: the bot sees messages without their text; switch on Message Content Intent for it"
                " in the Developer Portal, under Bot"
            )

    async def _sees(self, channel: str) -> bool:
        """False where the bot seems to lack the right to read the history: Discord then shows an empty channel."""
        start = {"from": "0", "since": "0", "newest": "0", "began": "0", "queue": [], "roots": {}}
        place = await self._reading(start).channel(channel)
        if place.kind not in READABLE or not place.last:
            return True
        answer = await self._read(f"/channels/{channel}/messages", {"limit": "1"})
        if answer.status != 200:
            raise refusal("the channel's messages", answer.status, answer.data, answer.excerpt)
        if answer.data == []:
            log.warning("discord shows no messages; let the bot read the message history", channel=channel)
        return bool(answer.data != [])

    async def _page(self, place: str, after: int) -> list[Any]:
        answer = await self._read(f"/channels/{place}/messages", {"after": str(after), "limit": str(PAGE)})
        if answer.status != 200:
            raise refusal("the comment's channel", answer.status, answer.data, answer.excerpt)
        if not isinstance(answer.data, list):
            raise Transient("discord: the answer holds no list of messages", ambiguous=False)
        return answer.data

    def _parse(self, row: Mapping[str, Any], place: str) -> Comment:
        """Raises Transient: an unreadable message may be our reply, and saying "none" could answer twice."""
        try:
            return parse_comment(row, Place(place), me=self._me, thread=place)
        except ValueError as exc:
            raise Transient(f"discord: a message cannot be read ({exc})", ambiguous=False) from exc

    def _stored(self, answer: Answer, target: CommentRef, text: str) -> ReplyRef:
        try:
            row = answer.data if isinstance(answer.data, Mapping) else {}
            stored = parse_comment(row, Place(target.post_id), me=self._me, thread=target.thread_id)
        except ValueError as exc:
            raise Transient(f"discord: the sent reply cannot be read ({exc})", ambiguous=True) from exc
        if stored.parent_id != target.comment_id:
            raise Transient("discord: the sent reply answers something else", ambiguous=True)
        return ReplyRef(stored.ref.comment_id, target.comment_id, text, stored.ref.created_at)

    async def _read(self, path: str, params: Mapping[str, str]) -> Answer:
        return await self._http.read(path, params=params, headers=self._headers)


def _newest(rows: list[Any]) -> int:
    """The highest id. Raises Transient where one of the rows has none: it may be our reply."""
    try:
        return max((snowflake(row["id"]) for row in rows), default=0)
    except (ValueError, KeyError, TypeError) as exc:
        raise Transient(f"discord: a message cannot be read ({exc})", ambiguous=False) from exc


def _checked(number: str) -> str:
    try:
        return str(snowflake(number))
    except ValueError as exc:
        raise Permanent(f"discord: {exc}") from exc
