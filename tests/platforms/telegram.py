"""A Bot API server in memory, with one supergroup that discusses a channel's posts; written from the contract.

Like the real one it takes parameters in the query, as a form or as JSON, hands an update out until a later offset
confirms it, tells a bot nothing of its own messages, and does not say when a message was deleted. It is stricter in
one thing: a parameter that the method does not have is an error.
"""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

TOKEN = "4201:AAE-sandbox_Secret-0123456789abcdef"
BOT = {"id": 4201, "is_bot": True, "first_name": "Creator's bot", "username": "creator_bot"}
CHANNEL = {"id": -1009000000000001, "type": "channel", "title": "The channel", "username": "the_channel"}
GROUP = -1009000000000002
ANONYMOUS = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
CHANNEL_BOT = {"id": 136817688, "is_bot": True, "first_name": "Channel", "username": "Channel_Bot"}
TELEGRAM = {"id": 777000, "is_bot": False, "first_name": "Telegram"}
MAX_UNITS = 4096
RIGHTS = (
    "can_manage_chat", "can_delete_messages", "can_manage_video_chats",
    "can_restrict_members", "can_promote_members", "can_change_info", "can_invite_users", "can_post_stories",
    "can_edit_stories", "can_delete_stories", "can_send_welcome_messages",
)  # fmt: skip
FULL: dict[str, Any] = {
    "accent_color_id": 1,
    "max_reaction_count": 11,
    "accepted_gift_types": dict.fromkeys(
        ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels"),
        False,
    ),
}
NAMES: dict[str, frozenset[str]] = {
    "getMe": frozenset(),
    "getWebhookInfo": frozenset(),
    "getChat": frozenset({"chat_id"}),
    "getChatMember": frozenset({"chat_id", "user_id"}),
    "getUpdates": frozenset({"offset", "limit", "timeout", "allowed_updates"}),
    "sendMessage": frozenset({"chat_id", "text", "reply_parameters", "link_preview_options"}),
}


def utc_now() -> datetime:
    return datetime.now(UTC)


class Refused(Exception):
    def __init__(self, status: int, description: str, **parameters: object) -> None:
        super().__init__(description)
        self.status = status
        self.parameters = parameters


@dataclass
class Telegram:
    """The server's state, and switches for what can go wrong."""

    clock: Callable[[], datetime] = utc_now
    token: str = TOKEN
    webhook: str = ""
    sees_all: bool = False
    status: str = "administrator"
    moved_to: int | None = None
    wait_s: int = 0
    lose_answers: bool = False
    """Calls that write take effect, and their answer is lost."""
    refusal: Refused | None = None
    updates: list[dict[str, Any]] = field(default_factory=list)
    messages: dict[int, dict[str, Any]] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    people: dict[str, int] = field(default_factory=dict)
    next_update: int = 700_000_001
    next_message: int = 10

    # --- what people do ---

    def post(self, text: str) -> int:
        """The channel's post, as Telegram copies it into the group; the number of the copy."""
        return self._tell(
            {
                "from": TELEGRAM,
                "sender_chat": CHANNEL,
                "is_automatic_forward": True,
                "forward_origin": {"type": "channel", "chat": CHANNEL, "message_id": 5, "date": self._now()},
                "text": text,
            }
        )

    def write(self, text: str, *, thread: int | None, answers: int | None = None, **fields: Any) -> int:
        """A message of the group, by default of the person "Visitor"; `name=` gives another, None leaves out."""
        name = fields.pop("name", "Visitor")
        person = {"id": self.people.setdefault(name, 5_000_000_001 + len(self.people)), "is_bot": False}
        message: dict[str, Any] = {"from": {**person, "first_name": name}, "text": text or None, **fields}
        if thread is not None:
            message["message_thread_id"] = thread
        if answers is not None and answers in self.messages:
            above = self.messages[answers]
            message["reply_to_message"] = {k: v for k, v in above.items() if k != "reply_to_message"}
        return self._tell({k: v for k, v in message.items() if v is not None})

    def remove(self, message: int) -> None:
        """Nobody is told; the update that announced it stays."""
        del self.messages[message]

    def throw_out(self, status: str = "kicked") -> None:
        """The bot is thrown out, or let in again."""
        self.status = status
        change = {"chat": self.chat(), "from": TELEGRAM, "date": self._now()}
        self._announce({"my_chat_member": {**change, "new_chat_member": {"user": BOT, "status": status}}})

    def chat(self) -> dict[str, Any]:
        return {"id": GROUP, "type": "supergroup", "title": "The discussion"}

    def announce(self, update: dict[str, Any]) -> None:
        self._announce(update)

    def _tell(self, message: dict[str, Any]) -> int:
        number = self._store(message)
        self._announce({"message": self.messages[number]})
        return number

    def _store(self, message: dict[str, Any]) -> int:
        number = self.next_message
        self.next_message += 1
        self.messages[number] = {"message_id": number, "date": self._now(), "chat": self.chat(), **message}
        return number

    def _announce(self, update: dict[str, Any]) -> None:
        self.updates.append({"update_id": self.next_update, **update})
        self.next_update += 1

    def _now(self) -> int:
        return int(self.clock().timestamp())

    # --- what the bot calls ---

    async def handle(self, request: web.Request) -> web.StreamResponse:
        try:
            result = await self._result(request)
        except Refused as refused:
            body: dict[str, Any] = {"ok": False, "error_code": refused.status, "description": str(refused)}
            if refused.parameters:
                body["parameters"] = refused.parameters
            return web.json_response(body, status=refused.status)
        if self.lose_answers and request.match_info["method"] == "sendMessage":
            assert request.transport is not None
            request.transport.abort()
        return web.json_response({"ok": True, "result": result})

    async def _result(self, request: web.Request) -> Any:
        method = request.match_info["method"]
        if request.match_info["token"] != self.token:
            known = request.match_info["token"].partition(":")[0] == self.token.partition(":")[0]
            raise Refused(401, "Unauthorized") if known else Refused(404, "Not Found")
        if method not in NAMES:
            raise Refused(404, "Not Found")
        params = await parameters(request)
        self.calls.append((method, params))
        if unknown := sorted(params.keys() - NAMES[method]):
            raise Refused(400, f"Bad Request: parameter {unknown[0]} is not known")
        if self.wait_s:
            raise Refused(429, f"Too Many Requests: retry after {self.wait_s}", retry_after=self.wait_s)
        if self.refusal is not None:
            raise self.refusal
        return getattr(self, f"_{method}")(params)

    def _getMe(self, _: dict[str, Any]) -> dict[str, Any]:
        return {**BOT, "can_join_groups": True, "can_read_all_group_messages": self.sees_all}

    def _getWebhookInfo(self, _: dict[str, Any]) -> dict[str, Any]:
        return {
            "url": self.webhook,
            "has_custom_certificate": False,
            "pending_update_count": len(self.updates),
        }

    def _getChat(self, params: dict[str, Any]) -> dict[str, Any]:
        self._check_chat(params)
        return {**self.chat(), "linked_chat_id": CHANNEL["id"], **FULL}

    def _getChatMember(self, params: dict[str, Any]) -> dict[str, Any]:
        if int(params.get("chat_id", 0)) != GROUP:
            raise Refused(400, "Bad Request: chat not found")
        if int(params.get("user_id", 0)) != BOT["id"]:
            raise Refused(400, "Bad Request: PARTICIPANT_ID_INVALID")
        rights = (
            {**dict.fromkeys(RIGHTS, True), "can_be_edited": False, "is_anonymous": False}
            if self.status == "administrator"
            else {}
        )
        return {"user": BOT, "status": self.status, **rights}

    def _getUpdates(self, params: dict[str, Any]) -> list[dict[str, Any]]:
        if self.webhook:
            raise Refused(
                409,
                "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete it",
            )
        limit = int(params.get("limit", 100))
        if not 1 <= limit <= 100:
            raise Refused(400, "Bad Request: limit must be between 1 and 100")
        if "offset" in params:
            self.updates = [update for update in self.updates if update["update_id"] >= int(params["offset"])]
        kinds = params.get("allowed_updates") or ["message"]
        return [one for one in self.updates if any(kind in one for kind in kinds)][:limit]

    def _sendMessage(self, params: dict[str, Any]) -> dict[str, Any]:
        self._check_chat(params)
        text, reply = params.get("text"), params.get("reply_parameters") or {}
        if not isinstance(text, str) or not text.strip():
            raise Refused(400, "Bad Request: message text is empty")
        if len(text.encode("utf-16-le")) // 2 > MAX_UNITS:
            raise Refused(400, "Bad Request: message is too long")
        above = self.messages.get(reply.get("message_id", 0))
        if above is None and not reply.get("allow_sending_without_reply"):
            raise Refused(400, "Bad Request: message to be replied not found")
        message: dict[str, Any] = {"from": BOT, "text": text.strip()}
        if above is not None:
            message["reply_to_message"] = {k: v for k, v in above.items() if k != "reply_to_message"}
            thread = above.get("message_thread_id") or (
                above["message_id"] if above.get("is_automatic_forward") else None
            )
            message |= {"message_thread_id": thread} if thread else {}
        return self.messages[self._store(message)]

    def _check_chat(self, params: dict[str, Any]) -> None:
        if int(params.get("chat_id", 0)) != GROUP:
            raise Refused(400, "Bad Request: chat not found")
        if self.moved_to:
            raise Refused(
                400,
                "Bad Request: group chat was upgraded to a supergroup chat",
                migrate_to_chat_id=self.moved_to,
            )
        if self.status in {"kicked", "left"}:
            raise Refused(403, f"Forbidden: bot was {self.status} from the supergroup chat")


async def parameters(request: web.Request) -> dict[str, Any]:
    """The call's parameters, from wherever they stand; what looks like JSON is read as JSON."""
    given: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        given |= await request.json()
    elif request.can_read_body:
        given |= {name: str(value) for name, value in (await request.post()).items()}
    return {
        name: json.loads(value)
        if isinstance(value, str) and value[:1] in {"[", "{"} and name != "text"
        else value
        for name, value in given.items()
    }


@asynccontextmanager
async def serving(state: Telegram) -> AsyncIterator[str]:
    """The server's address."""
    app = web.Application()
    app.router.add_route("*", "/bot{token}/{method}", state.handle)
    server = TestServer(app)
    await server.start_server(shutdown_timeout=0.1)
    try:
        yield str(server.make_url("")).rstrip("/")
    finally:
        await server.close()
