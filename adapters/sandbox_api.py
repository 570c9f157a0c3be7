"""The creator's side of the sandbox site: a JSON API with bearer tokens, paging, and every fault on demand.

GET    /api/me                              {"id", "name"}
GET    /api/comments?since=&limit=&page=    {"comments": [...], "posts": [...], "next": token or null}
GET    /api/comments/ID/thread              {"comments": [...]}; 404 when comment ID is gone
POST   /api/comments/ID/replies {"text"}    201 and the reply; not idempotent, as on most platforms
DELETE /api/comments/ID                     204
GET    /api/stats                           {"comments", "replies": {comment id: count}}; never fails on purpose
POST   /api/token {"refresh_token"}         {"access_token", "expires_in"}; 400 when the refresh token is wrong
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from adapters.sandbox_faults import Faults
from adapters.sandbox_store import SandboxStore, SiteComment, to_us
from adapters.sandbox_tokens import Tokens
from adapters.text import parse_time

CREATOR_ID: Final = "creator"
MAX_PAGE: Final = 100
MAX_REPLY_CHARS: Final = 10_000
MAX_KEY: Final = 2**63 - 1
ID_FIELDS: Final = frozenset({"id", "post_id", "thread_id", "parent_id"})


@dataclass(frozen=True, slots=True)
class Result:
    """What a call answers when nothing goes wrong on purpose."""

    status: int
    body: dict[str, Any] | None


class CreatorApi:
    """Handlers of the creator's calls. `faults` may be replaced at any time."""

    def __init__(self, store: SandboxStore, tokens: Tokens, creator: str, faults: Faults) -> None:
        self.faults = faults
        self._store = store
        self._tokens = tokens
        self._creator = creator

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/me", self.me),
            web.get("/api/comments", self.list_comments),
            web.get("/api/comments/{id}/thread", self.thread),
            web.post("/api/comments/{id}/replies", self.reply),
            web.delete("/api/comments/{id}", self.delete),
            web.get("/api/stats", self.stats),
            web.post("/api/token", self.token),
        ]

    async def token(self, request: web.Request) -> web.StreamResponse:
        body = await read_json(request)
        token = self._tokens.issue(body.get("refresh_token"))
        if token is None:
            return problem(400, "invalid_grant: the refresh token is not valid")
        return web.json_response({"access_token": token, "expires_in": self._tokens.ttl_s})

    async def me(self, request: web.Request) -> web.StreamResponse:
        return await self._run("me", request, lambda: Result(200, {"id": CREATOR_ID, "name": self._creator}))

    async def list_comments(self, request: web.Request) -> web.StreamResponse:
        return await self._run("list", request, lambda: self._page(request))

    async def thread(self, request: web.Request) -> web.StreamResponse:
        return await self._run("thread", request, lambda: self._thread(request.match_info["id"]))

    async def reply(self, request: web.Request) -> web.StreamResponse:
        body = await read_json(request)
        return await self._run(
            "reply", request, lambda: self._reply(request.match_info["id"], body.get("text"))
        )

    async def delete(self, request: web.Request) -> web.StreamResponse:
        return await self._run("delete", request, lambda: self._delete(request.match_info["id"]))

    async def stats(self, request: web.Request) -> web.StreamResponse:
        if not self._tokens.accepts(_bearer(request)):
            return problem(401, "the access token is not valid")
        counts = {"comments": self._store.visitor_comments(), "replies": self._store.reply_counts()}
        return web.json_response(counts)

    async def _run(self, call: str, request: web.Request, act: Callable[[], Result]) -> web.StreamResponse:
        faults = self.faults
        if faults.hit("rate_limited", call):
            return problem(429, "slow down", {"Retry-After": f"{faults.retry_after_s:g}"})
        if faults.hit("expire_token", call):
            self._tokens.revoke_all()
        if not self._tokens.accepts(_bearer(request)):
            return problem(401, "the access token is not valid")
        if faults.hit("hang", call):
            await asyncio.sleep(faults.hang_s)
            return problem(504, "too slow")
        if faults.hit("error_before_store", call):
            return problem(500, "out of order")
        result = act()
        if call == "reply" and result.status == 201:
            broken = await self._break_after_store(request)
            if broken is not None:
                return broken
        return self._garble(call, result)

    async def _break_after_store(self, request: web.Request) -> web.StreamResponse | None:
        if self.faults.hit("error_after_store", "reply"):
            return problem(500, "stored, but out of order")
        if self.faults.hit("timeout_after_store", "reply"):
            await asyncio.sleep(self.faults.hang_s)
            return problem(504, "stored, but too slow")
        if self.faults.hit("drop_after_store", "reply"):
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)
        return None

    def _garble(self, call: str, result: Result) -> web.StreamResponse:
        if result.body is None:
            return web.Response(status=result.status)
        if self.faults.hit("html_page", call):
            return web.Response(
                text="<!doctype html><h1>Please come back later</h1>", content_type="text/html"
            )
        body = _with_numeric_ids(result.body) if self.faults.hit("numeric_ids", call) else result.body
        text = json.dumps(body)
        if self.faults.hit("malformed_json", call):
            text = text.replace(":", "=>")
        if self.faults.hit("truncated_json", call):
            text = text[: len(text) // 2]
        return web.Response(status=result.status, text=text, content_type="application/json")

    def _page(self, request: web.Request) -> Result:
        try:
            limit = min(max(int(request.query.get("limit", "50")), 1), MAX_PAGE)
            start = _start(request.query)
        except ValueError as exc:
            return _refusal(400, str(exc))
        if self.faults.hit("same_page", "list"):
            start = (0, 0)
            found = self._store.listing(*start, limit)
            return self._listed(found, more=True)
        found = self._store.listing(*start, limit + 1)
        return self._listed(found[:limit], more=len(found) > limit)

    def _listed(self, found: list[SiteComment], *, more: bool) -> Result:
        rows = [comment_row(comment) for comment in found]
        if rows and self.faults.hit("missing_fields", "list"):
            rows[0] = {"text": rows[0]["text"]}
        named = {comment.post_id for comment in found}
        posts = [
            {"id": post.id, "title": post.title, "text": post.text, "pictures": list(post.pictures)}
            for post in self._store.posts()
            if post.id in named
        ]
        following = f"{found[-1].created_us}.{found[-1].id}" if more and found else None
        return Result(200, {"comments": rows, "posts": posts, "next": following})

    def _thread(self, comment_id: str) -> Result:
        comment = self._store.comment(comment_id)
        if comment is None or comment.deleted:
            return _refusal(404, "no such comment")
        return Result(
            200, {"comments": [comment_row(other) for other in self._store.thread(comment.thread_id)]}
        )

    def _reply(self, comment_id: str, text: object) -> Result:
        if self.faults.hit("delete_target", "reply"):
            self._store.delete(comment_id)
        parent = self._store.comment(comment_id)
        if parent is None or parent.deleted:
            return _refusal(404, "no such comment")
        if not isinstance(text, str) or not 0 < len(text.strip()) <= MAX_REPLY_CHARS:
            return _refusal(422, f"text must have 1 to {MAX_REPLY_CHARS} characters")
        stored = self._store.add_comment(
            post_id=parent.post_id,
            parent=parent,
            author_id=CREATOR_ID,
            author_name=self._creator,
            text=text,
            by_creator=True,
        )
        return Result(201, comment_row(stored))

    def _delete(self, comment_id: str) -> Result:
        return Result(204, None) if self._store.delete(comment_id) else _refusal(404, "no such comment")


def comment_row(comment: SiteComment) -> dict[str, Any]:
    """A comment as the API shows it."""
    return {
        "id": comment.id,
        "post_id": comment.post_id,
        "thread_id": comment.thread_id,
        "parent_id": comment.parent_id,
        "author": {"id": comment.author_id, "name": comment.author_name},
        "text": comment.text,
        "created_at": comment.created_at,
        "pictures": list(comment.pictures),
        "likes": comment.likes,
        "hearted": comment.hearted,
    }


async def read_json(request: web.Request) -> dict[str, Any]:
    """The request's JSON object. Raises 400 or 415 as aiohttp's own exceptions."""
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="send JSON with the content type application/json")
    try:
        body = json.loads(await request.read())
    except (ValueError, RecursionError) as exc:
        raise web.HTTPBadRequest(text="the body is not JSON") from exc
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="the body is not a JSON object")
    return body


def problem(status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"error": message}, status=status, headers=headers)


def _refusal(status: int, message: str) -> Result:
    return Result(status, {"error": message})


def _bearer(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


def _start(query: Mapping[str, str]) -> tuple[int, int]:
    """The position to list from: a page token, or the last moment before `since`. Raises ValueError."""
    if "page" in query:
        created_us, _, comment_id = query["page"].partition(".")
        position = (int(created_us), int(comment_id))
        if not all(0 <= part <= MAX_KEY for part in position):
            raise ValueError("page: no token of this site")
        return position
    if "since" not in query:
        return 0, 0
    return to_us(parse_time(query["since"])) - 1, MAX_KEY


def _with_numeric_ids(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_numeric_ids(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _number(item) if key in ID_FIELDS else _with_numeric_ids(item) for key, item in value.items()
    }


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isdigit() else _with_numeric_ids(value)
