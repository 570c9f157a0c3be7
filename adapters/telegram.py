"""The adapter of Telegram: the comments under a channel's posts, which stand in its discussion group (Bot API).

A bot has no history to look into: Telegram hands every message out once, keeps it for a day at most, and forgets it
when the next call asks for later ones. So one poll is one call, and the cursor is saved with the comments before the
next call confirms them: a process that dies in between reads them again. Nobody can look whether a reply has arrived;
an unclear send goes to a person. Telegram does not tell a bot what it wrote itself, nor that a comment was deleted.

One program only may read a bot's news. All groups of a bot therefore belong to one channel, and a webhook must be
off; calls by webhook are not used.

aiogram, the well-kept library for this, is not used: 3.31 asks for an older pydantic than the service has, reads
answers of any length, drops a whole batch for one message that it cannot read, and shows the address, which holds the
token, in errors. The calls go through `adapters.http`.

Cursor: `from` (epoch seconds of the baseline), `offset` (first update not taken yet), `heard` (epoch seconds of the
last one), `posts`, `threads`, `roots` (see `telegram_reading`) and `lost` (groups that the bot cannot read any more).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Final

import aiohttp
import structlog
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
    AccountRestricted,
    Permanent,
    ReauthRequired,
    RejectedContent,
    Transient,
    Unsupported,
)
from adapters.http import Answer, Http
from adapters.telegram_answers import (
    account_of,
    object_of,
    result_of,
    split_id,
    stored_ref,
    text_or_empty,
    told_wait,
)
from adapters.telegram_options import TelegramOptions
from adapters.telegram_reading import GONE, Reading
from adapters.telegram_rows import Group, Me, utf16_units

MAX_UPDATES: Final = 100
ALLOWED: Final = '["message","my_chat_member"]'
# After a week without news Telegram numbers updates anew; an old offset would confirm what was never read.
IDLE_S: Final = 6 * 86_400.0
KEPT_SENT: Final = 100

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class TelegramAdapter:
    """See `adapters.base.PlatformAdapter`."""

    Options: ClassVar[type[BaseModel]] = TelegramOptions

    def __init__(
        self,
        options: TelegramOptions,
        *,
        http: aiohttp.ClientSession,
        clock: Clock,
        vault: Vault | None = None,
    ) -> None:
        self.capabilities = Capabilities(
            max_reply_chars=options.max_chars,
            reply_depth="any",
            idempotent_reply=False,
            can_find_own=False,
            settle_s=options.settle_s,
            min_reply_gap_s=options.reply_gap_s,
            min_poll_s=options.min_poll_s,
        )
        self._options = options
        self._clock = clock
        token = options.token.get_secret_value()
        number, _, secret = token.partition(":")
        self._http = Http(
            http,
            f"{options.base_url}/bot{token}",
            clock=clock,
            timeout_s=options.timeout_s,
            secret=secret,
            wait_in=told_wait,
        )
        self._me = Me(number, frozenset(str(one) for one in options.own_ids))
        self._groups = {chat: Group(chat) for chat in options.groups}
        self._sent: dict[str, tuple[str, str]] = {}

    async def open(self) -> Account:
        """Say which bot we are, and look whether it may read and write in every group."""
        _, me = await self._read("getMe")
        account = account_of(me)
        _, hook = await self._read("getWebhookInfo")
        if object_of("getWebhookInfo", hook).get("url"):
            raise Permanent("telegram: the bot has a webhook, so nothing can be polled; call deleteWebhook")
        self._me = Me(account.id, self._me.owners)
        can = {"read": True, "reply": True}
        for chat in self._options.groups:
            reads, writes = await self._enter(chat, sees_all=me.get("can_read_all_group_messages") is True)
            can = {"read": can["read"] and reads, "reply": can["reply"] and writes}
        return Account(account.id, account.name, can)

    async def refresh_auth(self) -> None:
        """A bot's token lasts until it is revoked. Raises ReauthRequired."""
        raise ReauthRequired("telegram: the token is not accepted; get a new one from @BotFather and set it")

    async def baseline(self, since: datetime) -> Cursor:
        """The cursor that starts at `since`, or a day ago: Telegram keeps nothing longer."""
        answer, _ = await self._read("getMe")
        # Telegram's times are whole seconds.
        start = answer.server_time(since).replace(microsecond=0).timestamp()
        return {
            "from": start,
            "offset": None,
            "heard": 0,
            "posts": {},
            "threads": [],
            "roots": {},
            "lost": {},
        }

    async def poll(self, cursor: Cursor, budget: Budget) -> CommentPage:
        """One batch of news. It confirms what came before the cursor; what it brings, the next poll confirms."""
        reading = Reading(cursor, self._groups, self._me, general=self._options.general)
        await self._look_for_lost(reading)
        limit = max(1, min(MAX_UPDATES, budget.comments))
        updates = await self._updates(reading, limit)
        before = reading.offset
        reading.remember(self._sent)
        reading.take(updates)
        if updates:
            reading.heard = self._clock().timestamp()
            if reading.offset == before:
                raise Transient(
                    "telegram: the news have no numbers, so they cannot be taken", ambiguous=False
                )
        return CommentPage(
            comments=tuple(reading.comments),
            posts=reading.posts(),
            cursor=reading.cursor(),
            complete=len(updates) < limit,
            malformed=reading.malformed,
        )

    async def reply(self, target: CommentRef, text: str, key: str) -> ReplyRef:
        """Answer `target`; Telegram stores a second reply when it is sent twice, whatever the `key`."""
        units = utf16_units(text)
        if units > self._options.max_chars:
            raise RejectedContent(
                f"telegram: the reply has {units} characters, over {self._options.max_chars}"
            )
        chat, message = split_id(target.comment_id)
        body = {
            "chat_id": chat,
            "text": text,
            "reply_parameters": {"message_id": message, "allow_sending_without_reply": False},
            "link_preview_options": {"is_disabled": True},
        }
        answer = await self._http.write("POST", "/sendMessage", body=body)
        stored = stored_ref(result_of("sendMessage", answer, writes=True), target, text)
        self._sent[stored.id] = (target.thread_id, target.post_id)
        if len(self._sent) > KEPT_SENT:
            del self._sent[next(iter(self._sent))]
        return stored

    async def find_own_replies(self, target: CommentRef, since: datetime) -> list[ReplyRef]:
        """Raises Unsupported: a bot cannot look into a group's history."""
        raise Unsupported("telegram: a bot cannot look up what stands in a group")

    async def aclose(self) -> None:
        """Nothing to let go of: the session belongs to the caller."""

    async def _enter(self, chat: int, *, sees_all: bool) -> tuple[bool, bool]:
        """Learn a group's name and channel; whether the bot may read and write there."""
        _, found = await self._read("getChat", chat_id=str(chat))
        details = object_of("getChat", found)
        channel = details.get("linked_chat_id")
        self._groups[chat] = Group(
            chat,
            title=text_or_empty(details.get("title")),
            username=text_or_empty(details.get("username")),
            channel=channel if isinstance(channel, int) else None,
        )
        member = await self._member(chat)
        status = member.get("status")
        if status in GONE:
            raise AccountRestricted(f"telegram: the bot is not in group {chat}; add it as an administrator")
        reads = sees_all or status == "administrator"
        if not reads:
            log.warning("telegram: the bot sees no comments; make it an administrator", group=chat)
        return reads, status != "restricted" or member.get("can_send_messages") is True

    async def _member(self, chat: int) -> Mapping[str, Any]:
        _, member = await self._read("getChatMember", chat_id=str(chat), user_id=self._me.id)
        return object_of("getChatMember", member)

    async def _look_for_lost(self, reading: Reading) -> None:
        """A group that has thrown the bot out is silent; that must not look like quiet."""
        for chat, why in [*reading.lost.items()]:
            if chat not in self._groups:
                del reading.lost[chat]
            elif "supergroup" in why:
                raise Permanent(f"telegram: group {chat} is closed: {why}")
            elif (await self._member(chat)).get("status") in GONE:
                raise AccountRestricted(f"telegram: group {chat} cannot be read: {why}")
            else:
                del reading.lost[chat]

    async def _updates(self, reading: Reading, limit: int) -> list[Any]:
        params = {"timeout": "0", "limit": str(limit), "allowed_updates": ALLOWED}
        if self._clock().timestamp() - reading.heard > IDLE_S:
            reading.offset = None
        if reading.offset is not None:
            params["offset"] = str(reading.offset)
        _, updates = await self._read("getUpdates", **params)
        if not isinstance(updates, list):
            raise Transient("telegram: getUpdates: the answer holds no list", ambiguous=False)
        return updates

    async def _read(self, method: str, **params: str) -> tuple[Answer, Any]:
        answer = await self._http.read(f"/{method}", params=params)
        return answer, result_of(method, answer, writes=False)
