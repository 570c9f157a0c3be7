"""A Douyin open platform on loopback, as strict as its pages: a wrong parameter or a missing header is its own error.

HTTP is always 200. Refusals come in either of the platform's two layers, numbers as numbers or as strings, replies
wait for a review, tokens end, and the quota of the day runs out.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

KEY, SECRET, ME = "awtestkey", "a secret of the test", "open-id-of-the-creator"
DAY = 86_400
COMMON = {"open_id"}
DEVICE = {"device_brand", "device_platform", "device_type", "ip", "os_version", "shark_channel"}
SORTS = {"time", "time_asc"}
BAD_PARAMS, EXPIRED, MISMATCH, QUOTA = 28001007, 28001008, 28001015, 28003017
OLD = {BAD_PARAMS: 2100005, EXPIRED: 2190008, QUOTA: 2190001}
"""The codes of before for the same refusals."""


class Refused(Exception):
    def __init__(self, code: int, said: str = "refused") -> None:
        super().__init__(said)
        self.code = code


@dataclass
class Stored:
    """A comment or a reply."""

    id: str
    author: str
    name: str
    text: str
    at: int
    thread: str | None = None
    shown: bool = True
    pinned: bool = False


@dataclass
class Faults:
    """What goes wrong on purpose."""

    layer: str = "data"
    """`data`, `extra`, `sub`: where a refusal is told."""
    old_codes: bool = False
    numbers_as_text: bool = False
    review: bool = False
    """Replies are not shown before `approve`."""
    needs_device: bool = False
    quota: int | None = None
    """Calls left today."""
    lose_answers: int = 0
    """Replies that are stored, and whose answer never arrives."""
    refuse: list[tuple[str, int]] = field(default_factory=list)
    """The next call whose path ends with the text is refused with the code."""
    status: int = 200


class Douyin:
    """The platform with one application and one account."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.clock = clock
        self.faults = Faults()
        self.items: dict[str, list[Stored]] = {}
        self.calls: list[str] = []
        self.raw: list[str] = []
        self.refused_items: set[str] = set()
        self.access: dict[str, float] = {}
        self.refresh: dict[str, float] = {}
        self.renewals = 0
        self._count = 0
        self.url = ""

    def now(self) -> int:
        return int(self.clock().timestamp())

    def number(self) -> int:
        self._count += 1
        return self._count

    def new_access(self, days: float = 15) -> str:
        token = f"act.{self.number():08d}"
        self.access[token] = self.now() + days * DAY
        return token

    def new_refresh(self, days: float = 30) -> str:
        token = f"rft.{self.number():08d}"
        self.refresh[token] = self.now() + days * DAY
        return token

    def add_item(self) -> str:
        item = f"@8hx+{self.number()}/T0=="
        self.items[item] = []
        return item

    def write(self, item: str, text: str, thread: str | None = None, **more: Any) -> Stored:
        comment = Stored(f"@9Vw+{self.number()}/A==", "visitor-1", "访客", text, self.now(), thread)
        for name, value in more.items():
            setattr(comment, name, value)
        self.items[item].append(comment)
        return comment

    def remove(self, comment_id: str) -> None:
        for item, comments in self.items.items():
            self.items[item] = [one for one in comments if comment_id not in (one.id, one.thread)]

    def approve(self) -> None:
        for comments in self.items.values():
            for one in comments:
                one.shown = True

    def sign(self, body: bytes) -> dict[str, str]:
        return {"X-Douyin-Signature": hashlib.sha1(SECRET.encode() + body).hexdigest(), "Msg-Id": "m1"}

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get("/item/comment/list/", self._scoped(self._comments)),
                web.get("/item/comment/reply/list/", self._scoped(self._replies)),
                web.post("/item/comment/reply/", self._scoped(self._reply)),
                web.post("/oauth/refresh_token/", self._open(self._refresh)),
                web.post("/oauth/renew_refresh_token/", self._open(self._renew)),
            ]
        )
        return app

    def _open(self, handler: Any) -> Any:
        async def answered(request: web.Request) -> web.StreamResponse:
            self.calls.append(request.path)
            self.raw.append(request.raw_path)
            try:
                self._strike(request.path)
                data = await handler(request)
            except Refused as refused:
                return self._told(*self._refusal(refused))
            return self._told({**data, "error_code": 0, "description": ""}, {"error_code": 0})

        return answered

    def _scoped(self, handler: Any) -> Any:
        async def checked(request: web.Request) -> dict[str, Any]:
            self._check(request)
            found: dict[str, Any] = await handler(request)
            if self.faults.lose_answers and request.method == "POST":
                self.faults.lose_answers -= 1
                assert request.transport is not None
                request.transport.abort()
            return found

        return self._open(checked)

    def _strike(self, path: str) -> None:
        for strike in self.faults.refuse:
            if path.endswith(strike[0]):
                self.faults.refuse.remove(strike)
                raise Refused(strike[1])

    def _check(self, request: web.Request) -> None:
        if request.content_type != "application/json":
            raise Refused(BAD_PARAMS, "content-type")
        if self.faults.quota is not None:
            if self.faults.quota <= 0:
                raise Refused(QUOTA, "quota")
            self.faults.quota -= 1
        if self.access.get(request.headers.get("access-token", ""), 0) <= self.now():
            raise Refused(EXPIRED, "access_token")
        if request.query.get("open_id") != ME:
            raise Refused(MISMATCH, "open_id")

    def _refusal(self, refused: Refused) -> tuple[dict[str, Any], dict[str, Any]]:
        code = OLD.get(refused.code, refused.code) if self.faults.old_codes else refused.code
        told = {"error_code": code, "description": str(refused)}
        match self.faults.layer:
            case "extra":
                return {}, told
            case "sub":
                return {}, {"error_code": BAD_PARAMS if code != BAD_PARAMS else 1, "sub_error_code": code}
        return told, {"error_code": code}

    def _told(self, data: dict[str, Any], extra: dict[str, Any]) -> web.Response:
        extra = {"logid": "2026", "now": self.now() * 1000, "sub_error_code": 0, "description": "", **extra}
        answer = {"data": data, "extra": extra, "message": "success"}
        if self.faults.numbers_as_text:
            answer = _as_text(answer)
        date = format_datetime(self.clock().astimezone(UTC), usegmt=True)
        return web.Response(
            text=json.dumps(answer, ensure_ascii=False),
            status=self.faults.status,
            content_type="application/json",
            headers={"Date": date},
        )

    def _asked(self, request: web.Request, needed: set[str]) -> tuple[int, int]:
        """Where the page begins, and how long it is."""
        query = request.query
        device = DEVICE if self.faults.needs_device else set()
        if (needed | COMMON | device) - query.keys() or query.keys() - needed - COMMON - DEVICE - {
            "count", "cursor", "sort_type",
        }:  # fmt: skip
            raise Refused(BAD_PARAMS, "parameters")
        if query.get("sort_type", "time") not in SORTS:
            raise Refused(BAD_PARAMS, "sort_type")
        try:
            count, cursor = int(query["count"]), int(query.get("cursor", "0"))
        except (KeyError, ValueError) as exc:
            raise Refused(BAD_PARAMS, "count") from exc
        if not 1 <= count <= 20 or 0 < cursor <= 1000 or cursor < 0:
            raise Refused(BAD_PARAMS, "cursor")
        return (cursor - 1000 if cursor else 0), count

    def _item(self, item: str | None) -> list[Stored]:
        if item not in self.items or item in self.refused_items:
            raise Refused(BAD_PARAMS, "item_id")
        return self.items[item]

    async def _comments(self, request: web.Request) -> dict[str, Any]:
        place = self._asked(request, {"item_id"})
        comments = self._item(request.query["item_id"])
        return self._page([one for one in comments if one.thread is None], comments, request, *place)

    async def _replies(self, request: web.Request) -> dict[str, Any]:
        place = self._asked(request, {"item_id", "comment_id"})
        comments, thread = self._item(request.query["item_id"]), request.query["comment_id"]
        if thread not in {one.id for one in comments if one.thread is None}:
            raise Refused(BAD_PARAMS, "comment_id")
        return self._page([one for one in comments if one.thread == thread], comments, request, *place)

    def _page(
        self, rows: list[Stored], all_: list[Stored], request: web.Request, at: int, count: int
    ) -> dict[str, Any]:
        shown = [one for one in rows if one.shown]
        if request.query.get("sort_type") == "time":
            shown.reverse()
        shown.sort(key=lambda one: not one.pinned)
        page = shown[at : at + count]
        return {
            "list": [_row(one, all_) for one in page],
            "cursor": at + len(page) + 1000,
            "has_more": at + count < len(shown),
        }

    async def _reply(self, request: web.Request) -> dict[str, Any]:
        body = await request.json()
        if request.query.keys() - COMMON - DEVICE or body.keys() != {"item_id", "comment_id", "content"}:
            raise Refused(BAD_PARAMS, "parameters")
        comments = self._item(body["item_id"])
        target = next((one for one in comments if one.id == body["comment_id"]), None)
        if target is None:
            raise Refused(BAD_PARAMS, "comment_id")
        if not 0 < len(body["content"]) <= 100:
            raise Refused(BAD_PARAMS, "content")
        more = {"author": ME, "name": "创作者", "shown": not self.faults.review}
        return {
            "comment_id": self.write(body["item_id"], body["content"], target.thread or target.id, **more).id
        }

    async def _refresh(self, request: web.Request) -> dict[str, Any]:
        form = await self._form(request, {"client_key", "grant_type", "refresh_token"})
        if form["grant_type"] != "refresh_token":
            raise Refused(BAD_PARAMS, "grant_type")
        self._live(form["refresh_token"])
        left = int(self.refresh[form["refresh_token"]] - self.now())
        return {
            "access_token": self.new_access(),
            "expires_in": str(15 * DAY),
            "refresh_token": form["refresh_token"],
            "refresh_expires_in": str(left),
            "open_id": ME,
            "scope": "item.comment,renew_refresh_token",
        }

    async def _renew(self, request: web.Request) -> dict[str, Any]:
        form = await self._form(request, {"client_key", "refresh_token"})
        self._live(form["refresh_token"])
        if self.renewals >= 5:
            raise Refused(10020, "renew limit")
        self.renewals += 1
        del self.refresh[form["refresh_token"]]
        return {"refresh_token": self.new_refresh(), "expires_in": str(30 * DAY)}

    async def _form(self, request: web.Request, needed: set[str]) -> dict[str, str]:
        form = {name: str(value) for name, value in (await request.post()).items()}
        if request.content_type != "application/x-www-form-urlencoded" or form.keys() != needed:
            raise Refused(BAD_PARAMS, "form")
        if form["client_key"] != KEY:
            raise Refused(10003, "client_key")
        return form

    def _live(self, refresh_token: str) -> None:
        if self.refresh.get(refresh_token, 0) <= self.now():
            raise Refused(10010, "refresh_token")


def _row(one: Stored, comments: list[Stored]) -> dict[str, Any]:
    row = {
        "comment_id": one.id,
        "comment_user_id": one.author,
        "content": one.text,
        "create_time": one.at,
        "digg_count": 3,
        "reply_comment_total": sum(other.thread == one.id and other.shown for other in comments),
        "top": one.pinned,
        "nick_name": one.name,
        "avatar": "https://example.org/a.png",
        "a_field_of_tomorrow": {"x": 1},
    }
    return row


def _as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_text(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_as_text(inner) for inner in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


@asynccontextmanager
async def running(world: Douyin) -> AsyncIterator[Douyin]:
    server = TestServer(world.app())
    await server.start_server(shutdown_timeout=0.1)
    world.url = str(server.make_url("")).rstrip("/")
    try:
        yield world
    finally:
        await server.close()
