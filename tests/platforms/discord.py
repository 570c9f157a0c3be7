"""Discord's REST API in memory, with one server; written from the contract and strict about what is sent.

Messages come newest first, those after an id as the ones next to it; ids are snowflakes of the given clock.
"""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

TOKEN = "MTA0MjAx.sandbox.Secret-0123456789abcdef"
BOT = {
    "id": "104201",
    "username": "creator_bot",
    "discriminator": "0042",
    "global_name": None,
    "avatar": None,
    "bot": True,
}
GUILD = "200000000000000001"
CHANNEL = "200000000000000002"
FORUM = "200000000000000003"
EPOCH = datetime(2015, 1, 1, tzinfo=UTC)
NONCE_LASTS = timedelta(minutes=3)
APPLICATION: dict[str, Any] = {
    "id": "1", "name": "Creator's bot", "icon": None, "description": "", "bot_public": True,
    "bot_require_code_grant": False, "verify_key": "00", "team": None, "summary": "",
    "owner": {"id": "9", "username": "creator", "discriminator": "0", "avatar": None},
}  # fmt: skip
BODY = frozenset(
    {
        "content",
        "nonce",
        "enforce_nonce",
        "tts",
        "flags",
        "message_reference",
        "allowed_mentions",
        "attachments",
        "components",
    }
)
PARAMS = {
    "messages": frozenset({"after", "before", "around", "limit"}),
    "public": frozenset({"before", "limit"}),
}


def utc_now() -> datetime:
    return datetime.now(UTC)


class Refused(Exception):
    def __init__(self, status: int, code: int, message: str, **more: object) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"message": message, "code": code, **more}


def answer(data: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Discord names no character set, and discord.py takes an answer that does for text."""
    raw = json.dumps(data).encode()
    return web.Response(body=raw, status=status, headers=headers, content_type="application/json")


def bad_form(name: str, code: str, message: str) -> Refused:
    errors = {name: {"_errors": [{"code": code, "message": message}]}}
    return Refused(400, 50035, "Invalid Form Body", errors=errors)


@dataclass
class Discord:
    """The server's state, and switches for what can go wrong."""

    clock: Callable[[], datetime] = utc_now
    token: str = TOKEN
    flags: int = 1 << 19
    history: bool = True
    wait_s: float = 0.0
    everywhere: bool = False
    lose_answers: bool = False
    """Calls that write take effect, and their answer is lost."""
    refusal: Refused | None = None
    fail_writes: int = 0
    """Writes that take effect and are answered with 500."""
    channels: dict[str, dict[str, Any]] = field(default_factory=dict)
    messages: dict[str, dict[int, dict[str, Any]]] = field(default_factory=dict)
    nonces: dict[str, tuple[datetime, dict[str, Any]]] = field(default_factory=dict)
    people: dict[str, int] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    count: int = 0

    def __post_init__(self) -> None:
        self.add_channel(CHANNEL, 0, name="questions", topic="Ask here")
        self.add_channel(FORUM, 15, name="forum", topic="")

    # --- what people do ---

    def add_channel(self, channel: str, kind: int, **fields: Any) -> str:
        self.channels[channel] = {
            "id": channel, "type": kind, "guild_id": GUILD, "last_message_id": None, "flags": 0, "position": 0,
            "permission_overwrites": [], "nsfw": False, "rate_limit_per_user": 0, **fields
        }  # fmt: skip
        self.messages[channel] = {}
        return channel

    def write(self, text: str, *, channel: str = CHANNEL, answers: str | None = None, **fields: Any) -> str:
        """A message of a person, by default of "Visitor"; `name=` gives another. Its id."""
        name = fields.pop("name", "Visitor")
        number = self.people.setdefault(name, 300_000_000_000_000_001 + len(self.people))
        author = {
            "id": str(number),
            "username": name,
            "discriminator": "0",
            "global_name": name,
            "avatar": None,
        }
        message: dict[str, Any] = {"author": author, "content": text, **fields}
        if answers is not None:
            message |= self._answering(channel, answers)
        return str(self._store(channel, message)["id"])

    def start_thread(
        self, name: str, *, message: str | None = None, parent: str = CHANNEL, text: str = ""
    ) -> str:
        """A thread that hangs on a message, or a post in a forum with `text` as its first message."""
        thread = message or str(self._snowflake())
        self.add_channel(
            thread, 11, name=name, parent_id=parent, owner_id="1", member_count=1, message_count=0,
            thread_metadata={
                "archived": False, "auto_archive_duration": 60, "locked": False,
                "archive_timestamp": self.clock().isoformat(),
            },
        )  # fmt: skip
        if message is None:
            self.write(text, channel=thread, id=thread)
        return thread

    def archive(self, thread: str) -> None:
        self.channels[thread]["thread_metadata"] |= {
            "archived": True,
            "archive_timestamp": self.clock().isoformat(),
        }

    def remove(self, message: str) -> None:
        for stored in self.messages.values():
            stored.pop(int(message), None)

    def _store(self, channel: str, message: dict[str, Any]) -> dict[str, Any]:
        number = int(message.pop("id", 0)) or self._snowflake()
        self.messages[channel][number] = {
            "id": str(number), "type": 0, "channel_id": channel, "tts": False, "pinned": False, "flags": 0,
            "timestamp": self.clock().isoformat(), "edited_timestamp": None, "mention_everyone": False,
            "mentions": [], "mention_roles": [], "attachments": [], "embeds": [], "components": [], **message,
        }  # fmt: skip
        self.channels[channel]["last_message_id"] = str(number)
        return self.messages[channel][number]

    def _answering(self, channel: str, answers: str) -> dict[str, Any]:
        above = self.messages[channel].get(int(answers))
        reference = {"type": 0, "message_id": answers, "channel_id": channel, "guild_id": GUILD}
        shown = None if above is None else {k: v for k, v in above.items() if k != "referenced_message"}
        return {"type": 19, "message_reference": reference, "referenced_message": shown}

    def _snowflake(self) -> int:
        self.count += 1
        return ((self.clock() - EPOCH) // timedelta(milliseconds=1) << 22) | (self.count & 0xFFF)

    # --- what the bot calls ---

    async def handle(self, request: web.Request) -> web.StreamResponse:
        try:
            result = await self._result(request)
        except Refused as refused:
            headers = {"Via": "1.1 sandbox"} if refused.status == 429 else {}
            if refused.status == 429:
                headers["Retry-After"] = str(int(self.wait_s) + 1)
            return answer(refused.body, status=refused.status, headers=headers)
        if request.method == "POST" and self.lose_answers:
            assert request.transport is not None
            request.transport.abort()
        if request.method == "POST" and self.fail_writes:
            self.fail_writes -= 1
            return answer({"message": "500: Internal Server Error", "code": 0}, status=500)
        return answer(result)

    async def _result(self, request: web.Request) -> Any:
        if not request.headers.get("User-Agent", "").startswith("DiscordBot "):
            raise Refused(403, 40333, "internal network error")
        if request.headers.get("Authorization") != f"Bot {self.token}":
            raise Refused(401, 0, "401: Unauthorized")
        self.calls.append(f"{request.method} {request.path_qs}")
        if self.wait_s:
            told = {"retry_after": self.wait_s, "global": self.everywhere}
            raise Refused(429, 0, "You are being rate limited.", **told)
        if self.refusal is not None:
            raise self.refusal
        parts = request.path.removeprefix("/api/v10").strip("/").split("/")
        match [request.method, *parts]:
            case ["GET", "users", "@me"]:
                return BOT
            case ["GET", "applications", "@me"] | ["GET", "oauth2", "applications", "@me"]:
                return {**APPLICATION, "flags": self.flags}
            case ["GET", "channels", channel]:
                return self._channel(channel)
            case ["GET", "guilds", guild, "threads", "active"] if guild == GUILD:
                return {"threads": self._threads(archived=False), "members": []}
            case ["GET", "channels", channel, "threads", "archived", "public"]:
                return self._archived(channel, self._params(request, "public"))
            case ["GET", "channels", channel, "messages"]:
                return self._page(channel, self._params(request, "messages"))
            case ["GET", "channels", channel, "messages", number]:
                return self._message(channel, number)
            case ["POST", "channels", channel, "messages"]:
                return self._send(channel, await request.json())
        raise Refused(404, 0, "404: Not Found")

    def _params(self, request: web.Request, name: str) -> dict[str, str]:
        for unknown in sorted(request.query.keys() - PARAMS[name]):
            raise bad_form(unknown, "UNKNOWN_PARAMETER", "is not known")
        if not 1 <= int(request.query.get("limit", 50)) <= 100:
            raise bad_form("limit", "NUMBER_TYPE_MAX", "int value should be less than or equal to 100.")
        return dict(request.query)

    def _channel(self, channel: str) -> dict[str, Any]:
        if channel not in self.channels:
            raise Refused(404, 10003, "Unknown Channel")
        return self.channels[channel]

    def _threads(self, *, archived: bool, parent: str | None = None) -> list[dict[str, Any]]:
        threads = [one for one in self.channels.values() if one["type"] in {11, 12}]
        return [
            one
            for one in threads
            if one["thread_metadata"]["archived"] is archived and parent in {None, one["parent_id"]}
        ]

    def _archived(self, channel: str, params: dict[str, str]) -> dict[str, Any]:
        self._channel(channel)
        threads = sorted(
            self._threads(archived=True, parent=channel),
            key=lambda one: str(one["thread_metadata"]["archive_timestamp"]),
            reverse=True,
        )
        if "before" in params:
            before = datetime.fromisoformat(params["before"])
            threads = [
                one
                for one in threads
                if datetime.fromisoformat(one["thread_metadata"]["archive_timestamp"]) < before
            ]
        limit = int(params.get("limit", 50))
        return {"threads": threads[:limit], "members": [], "has_more": len(threads) > limit}

    def _page(self, channel: str, params: dict[str, str]) -> list[dict[str, Any]]:
        if self._channel(channel)["type"] == 15:
            raise Refused(400, 50024, "Cannot execute action on this channel type")
        if len(params.keys() & {"after", "before", "around"}) > 1:
            raise bad_form("after", "EXCLUSIVE", "before, after and around exclude each other")
        numbers = sorted(self.messages[channel]) if self.history else []
        limit = int(params.get("limit", 50))
        if "after" in params:
            numbers = [one for one in numbers if one > int(params["after"])][:limit]
        elif "before" in params:
            numbers = [one for one in numbers if one < int(params["before"])]
        return [self._shown(self.messages[channel][one]) for one in numbers[::-1][:limit]]

    def _message(self, channel: str, number: str) -> dict[str, Any]:
        self._channel(channel)
        if not self.history:
            raise Refused(403, 50001, "Missing Access")
        if int(number) not in self.messages[channel]:
            raise Refused(404, 10008, "Unknown Message")
        return self._shown(self.messages[channel][int(number)])

    def _shown(self, message: dict[str, Any]) -> dict[str, Any]:
        if self.flags or message["author"]["id"] == BOT["id"]:
            return message
        return {**message, "content": "", "attachments": [], "embeds": [], "components": []}

    def _send(self, channel: str, body: dict[str, Any]) -> dict[str, Any]:
        self._channel(channel)
        self.bodies.append(body)
        self._check(channel, body)
        nonce = body.get("nonce")
        if nonce and body.get("enforce_nonce") and nonce in self.nonces:
            moment, message = self.nonces[nonce]
            if self.clock() - moment < NONCE_LASTS:
                return message
        message = {"author": BOT, "content": body["content"].strip(), "nonce": nonce}
        if reference := body.get("message_reference"):
            message |= self._answering(channel, reference["message_id"])
        stored = self._store(channel, message)
        if nonce:
            self.nonces[nonce] = (self.clock(), stored)
        return stored

    def _check(self, channel: str, body: dict[str, Any]) -> None:
        for unknown in sorted(body.keys() - BODY):
            raise bad_form(unknown, "UNKNOWN_FIELD", "is not known")
        content = body.get("content")
        if not isinstance(content, str) or not content.strip():
            raise Refused(400, 50006, "Cannot send an empty message")
        if len(content) > 2000:
            raise bad_form("content", "BASE_TYPE_MAX_LENGTH", "Must be 2000 or fewer in length.")
        if len(str(body.get("nonce", ""))) > 25:
            raise bad_form("nonce", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
        reference = body.get("message_reference")
        known = reference is None or int(reference["message_id"]) in self.messages[channel]
        if not known and reference.get("fail_if_not_exists", True):
            raise bad_form("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")


@asynccontextmanager
async def serving(state: Discord) -> AsyncIterator[str]:
    """The server's address."""
    app = web.Application()
    app.router.add_route("*", "/api/v10/{tail:.*}", state.handle)
    server = TestServer(app)
    await server.start_server(shutdown_timeout=0.1)
    try:
        yield f"{str(server.make_url('')).rstrip('/')}/api/v10"
    finally:
        await server.close()
