"""The people's side of the sandbox site: the page, and the calls that its script makes.

    GET  /                           the page; `?lang=en` or `?lang=zh` before Accept-Language
    GET  /static/NAME                its script and style sheet
    GET  /visitor/changes?after=SEQ  {"seq", "changes": [...]}: comments written or deleted since
    POST /visitor/comments           {"post_id", "parent_id"?, "name", "text"} -> 201 and the comment

A visitor needs no account. Writing takes a JSON content type (no form of another site can send one), an `Origin`
that is this site where the browser names one, and a `Host` that this site is known by (no rebound DNS name is).
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import jinja2
from aiohttp import web

from adapters.sandbox_api import CREATOR_ID, problem, read_json
from adapters.sandbox_store import SandboxStore, SiteComment

MAX_NAME_CHARS: Final = 80
MAX_TEXT_CHARS: Final = 2_000_000
CHANGES_PER_CALL: Final = 500
_TEMPLATES: Final = Path(__file__).parent / "templates"
_STATIC: Final = {"sandbox.js": "text/javascript", "sandbox.css": "text/css"}
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
STRINGS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "title": "Sandbox",
        "lead": "A small site to try Rejoinder on: write a comment and watch the reply arrive.",
        "name": "Your name",
        "text": "Write a comment",
        "send": "Post comment",
        "reply": "Reply",
        "send_reply": "Post reply",
        "cancel": "Cancel",
        "creator": "Creator",
        "deleted": "This comment was deleted.",
        "empty": "No comments yet. Be the first.",
        "failed": "That was not posted:",
        "offline": "The site does not answer; trying again.",
        "no_posts": "There are no posts yet.",
        "no_script": "This page needs JavaScript.",
        "other": "中文",
        "other_code": "zh",
    },
    "zh": {
        "title": "演示站点",
        "lead": "用来体验 Rejoinder 的小站点：写一条评论，看看回复如何出现。",
        "name": "你的名字",
        "text": "写一条评论",
        "send": "发表评论",
        "reply": "回复",
        "send_reply": "发表回复",
        "cancel": "取消",
        "creator": "作者",
        "deleted": "该评论已删除。",
        "empty": "还没有评论，来写第一条吧。",
        "failed": "没有发表成功：",
        "offline": "站点没有响应，正在重试。",
        "no_posts": "还没有内容。",
        "no_script": "本页面需要启用 JavaScript。",
        "other": "English",
        "other_code": "en",
    },
}


class VisitorPages:
    """Handlers of the page and of what visitors write."""

    def __init__(self, store: SandboxStore, creator: str, allowed_hosts: frozenset[str]) -> None:
        self._store = store
        self._creator = creator
        self._hosts = allowed_hosts | {"localhost", "127.0.0.1", "::1"}
        loader = jinja2.FileSystemLoader(_TEMPLATES)
        self._page = jinja2.Environment(loader=loader, autoescape=True).get_template("sandbox.html")

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self.page),
            web.get("/static/{name}", self.static),
            web.get("/visitor/changes", self.changes),
            web.post("/visitor/comments", self.comment),
        ]

    async def page(self, request: web.Request) -> web.StreamResponse:
        language = choose_language(request.query.get("lang"), request.headers.get("Accept-Language", ""))
        words = STRINGS[language]
        text = self._page.render(
            language=language, words=words, posts=self._store.posts(), creator=self._creator
        )
        # A lone surrogate in a title has no UTF-8 form.
        body = text.encode("utf-8", "replace")
        return web.Response(body=body, content_type="text/html", charset="utf-8", headers=_HEADERS)

    async def static(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in _STATIC:
            raise web.HTTPNotFound
        return web.FileResponse(_TEMPLATES / name, headers=_HEADERS | {"Content-Type": _STATIC[name]})

    async def changes(self, request: web.Request) -> web.StreamResponse:
        after = request.query.get("after", "0")
        if not (after.isascii() and after.isdigit() and len(after) < 18):
            return problem(400, "after: must be a whole number")
        found = self._store.changes(int(after), CHANGES_PER_CALL)
        seq = found[-1].seq if found else int(after)
        return web.json_response({"seq": seq, "changes": [_row(comment) for comment in found]})

    async def comment(self, request: web.Request) -> web.StreamResponse:
        self._check_source(request)
        body = await read_json(request)
        name, text = _named(body, "name", MAX_NAME_CHARS), _named(body, "text", MAX_TEXT_CHARS)
        parent = self._parent(body.get("parent_id"))
        post_id = parent.post_id if parent else body.get("post_id")
        if not isinstance(post_id, str) or not self._store.has_post(post_id):
            return problem(404, "no such post")
        stored = self._store.add_comment(
            post_id=post_id,
            parent=parent,
            author_id=visitor_id(name),
            author_name=name,
            text=text,
            by_creator=False,
        )
        return web.json_response(_row(stored), status=201)

    def _parent(self, parent_id: object) -> SiteComment | None:
        if parent_id is None:
            return None
        parent = self._store.comment(parent_id) if isinstance(parent_id, str) else None
        if parent is None or parent.deleted:
            raise web.HTTPNotFound(text="no such comment")
        return parent

    def _check_source(self, request: web.Request) -> None:
        host = request.headers.get("Host", "")
        origin = request.headers.get("Origin")
        try:
            name, source = urlsplit(f"//{host}").hostname, urlsplit(origin or "").netloc
        except ValueError as error:
            raise web.HTTPForbidden(text="Host or Origin is no address") from error
        if (name or "") not in self._hosts:
            raise web.HTTPForbidden(text="this site is not known by that host name")
        if origin is not None and source != host:
            raise web.HTTPForbidden(text="comments are written on this site's own page")


def visitor_id(name: str) -> str:
    """A visitor's id, the same for the same name; never the creator's."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"visitor-{digest[:16]}"


def choose_language(asked: str | None, accept: str) -> str:
    """`en` or `zh`: what was asked for, else the first of the browser's languages that the page has."""
    if asked in STRINGS:
        return str(asked)
    wishes = []
    for entry in accept.split(","):
        tag, _, quality = entry.strip().partition(";q=")
        try:
            weight = float(quality or "1")
        except ValueError:
            weight = 0.0
        wishes.append((-weight, tag.split("-")[0].lower()))
    return next((tag for _, tag in sorted(wishes, key=lambda wish: wish[0]) if tag in STRINGS), "en")


def _named(body: Mapping[str, Any], key: str, longest: int) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not 0 < len(value.strip()) <= longest:
        raise web.HTTPUnprocessableEntity(text=f"{key}: 1 to {longest} characters")
    return value


def _row(comment: SiteComment) -> dict[str, Any]:
    return {
        "id": comment.id,
        "post_id": comment.post_id,
        "thread_id": comment.thread_id,
        "parent_id": comment.parent_id,
        "name": comment.author_name,
        "text": comment.text,
        "created_at": comment.created_at,
        "by_creator": comment.author_id == CREATOR_ID,
        "deleted": comment.deleted,
    }
