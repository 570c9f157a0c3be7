"""A YouTube Data API v3 on loopback, as strict as Google's about what is asked, with quota, expiry and faults.

Written from the discovery document and the documentation of youtube/v3; `tests/contract/test_youtube_google.py`
drives it with Google's own client and compares every exchange with that document.
"""

import base64
import json
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from adapters.base import Clock
from tests.platforms.youtube_store import Entry, Store, etag

FORCE_SSL = "https://www.googleapis.com/auth/youtube.force-ssl"
READONLY = "https://www.googleapis.com/auth/youtube.readonly"
OUR_CHANNEL = "UCcreator000000000000001"
STATUSES = {"published", "heldForReview", "likelySpam", "rejected"}
PARTS = {
    "commentThreads": {"id", "snippet", "replies"},
    "comments": {"id", "snippet"},
    "channels": {"id", "snippet", "status", "contentDetails"},
    "videos": {"id", "snippet", "status"},
}
COMMON = {"alt", "prettyPrint", "fields", "key", "quotaUser"}
KNOWN = {
    "GET commentThreads": {
        "part",
        "id",
        "allThreadsRelatedToChannelId",
        "videoId",
        "maxResults",
        "moderationStatus",
    }
    | {"order", "pageToken", "searchTerms", "textFormat"},
    "GET comments": {"part", "id", "parentId", "maxResults", "pageToken", "textFormat"},
    "POST comments": {"part"},
    "DELETE comments": {"id"},
    "POST comments/setModerationStatus": {"id", "moderationStatus", "banAuthor"},
    "GET channels": {"part", "id", "mine", "maxResults", "pageToken"},
    "GET videos": {"part", "id", "maxResults", "pageToken"},
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Refused(Exception):
    def __init__(self, status: int, reason: str, message: str = "refused") -> None:
        super().__init__(reason)
        self.status, self.reason, self.message = status, reason, message


@dataclass
class Switches:
    """Faults. `refuse` holds, by `METHOD resource`, what the next calls are answered with."""

    refuse: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    new_envelope: bool = False
    lose_replies: int = 0
    """So many inserts are stored, and their answer never comes."""
    hold_replies: bool = False
    """Inserts are held for review."""
    skew: timedelta = timedelta(0)
    forget_pages: bool = False
    revoked: bool = False


@dataclass(frozen=True)
class Exchange:
    """A call and its answer, for whoever compares them with the discovery document."""

    method: str
    path: str
    query: list[tuple[str, str]]
    body: Any
    status: int
    answer: Any


class YouTube:
    """The server's state; `app()` serves it."""

    def __init__(self, clock: Clock, *, quota: int = 10_000, ttl_s: float = 3_599) -> None:
        self.switches = Switches()
        self._now = clock
        self.store = Store(self.now, OUR_CHANNEL, "Creator")
        self.client = ("client-id", "client-secret")
        self.refresh_token = "1//refresh-token"
        self.scope = FORCE_SSL
        self.ttl_s = ttl_s
        self.quota = quota
        self.units = 0
        self.calls: Counter[str] = Counter()
        self.refreshes = 0
        self.exchanges: list[Exchange] | None = None
        """Set to a list to have every call of the API noted."""
        self._tokens: dict[str, datetime] = {}

    def now(self) -> datetime:
        return self._now() + self.switches.skew

    def expire_tokens(self) -> None:
        self._tokens.clear()

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._around])
        app.router.add_post("/token", self._token)
        base = "/youtube/v3"
        app.router.add_get(f"{base}/channels", self._channels)
        app.router.add_get(f"{base}/videos", self._videos)
        app.router.add_get(f"{base}/commentThreads", self._list_threads)
        app.router.add_get(f"{base}/comments", self._list_comments)
        app.router.add_post(f"{base}/comments", self._insert)
        app.router.add_delete(f"{base}/comments", self._delete)
        app.router.add_post(f"{base}/comments/setModerationStatus", self._moderate)
        return app

    @web.middleware
    async def _around(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith("/youtube/v3/"):
            return await self._dated(await handler(request))
        call = f"{request.method} {request.path.removeprefix('/youtube/v3/')}"
        self.calls[call] += 1
        self.units += 1 if request.method == "GET" else 50
        try:
            self._check(call, request)
            response = await handler(request)
        except Refused as exc:
            response = web.json_response(self._envelope(exc), status=exc.status)
        await self._note(request, response)
        return await self._dated(response)

    async def _dated(self, response: web.StreamResponse) -> web.StreamResponse:
        response.headers["Date"] = format_datetime(self.now(), usegmt=True)
        return response

    async def _note(self, request: web.Request, response: web.StreamResponse) -> None:
        if self.exchanges is None or not isinstance(response, web.Response):
            return
        body, text = await request.text(), response.text
        self.exchanges.append(
            Exchange(
                request.method,
                request.path,
                list(request.query.items()),
                json.loads(body) if body else None,
                response.status,
                json.loads(text) if text else None,
            )
        )

    def _check(self, call: str, request: web.Request) -> None:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        expires = self._tokens.get(token)
        if expires is None or expires <= self.now() or self.switches.revoked:
            raise Refused(401, "authError", "Invalid Credentials")
        if self.units > self.quota:
            raise Refused(403, "quotaExceeded", "The request cannot be completed")
        if waiting := self.switches.refuse.get(call):
            raise Refused(*waiting.pop(0))
        if unknown := set(request.query) - KNOWN.get(call, set()) - COMMON:
            raise Refused(400, "badRequest", f'Invalid JSON payload received. Unknown name "{min(unknown)}"')
        if "omment" in call and FORCE_SSL not in self.scope.split():
            raise Refused(403, "insufficientPermissions", "Request had insufficient authentication scopes.")

    def _envelope(self, exc: Refused) -> dict[str, Any]:
        status = {401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}.get(
            exc.status, "INVALID_ARGUMENT"
        )
        error: dict[str, Any] = {"code": exc.status, "message": exc.message, "status": status}
        if self.switches.new_envelope:
            info = {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": exc.reason,
                "domain": "youtube",
            }
            return {"error": {**error, "details": [info]}}
        entry = {"message": exc.message, "domain": "youtube.comment", "reason": exc.reason}
        return {"error": {**error, "errors": [entry]}}

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        self.refreshes += 1
        if form.get("grant_type") != "refresh_token":
            return web.json_response({"error": "unsupported_grant_type"}, status=400)
        if (form.get("client_id"), form.get("client_secret")) != self.client:
            return web.json_response({"error": "invalid_client"}, status=401)
        if form.get("refresh_token") != self.refresh_token or self.switches.revoked:
            return web.json_response(
                {"error": "invalid_grant", "error_description": "Bad Request"}, status=400
            )
        token = f"ya29.{secrets.token_urlsafe(24)}"
        self._tokens[token] = self.now() + timedelta(seconds=self.ttl_s)
        granted = {"access_token": token, "expires_in": int(self.ttl_s), "token_type": "Bearer"}
        return web.json_response({**granted, "scope": self.scope})

    async def _channels(self, request: web.Request) -> web.StreamResponse:
        parts = _parts(request, "channels")
        if request.query.get("mine") != "true":
            raise Refused(400, "missingRequiredParameter", "No filter selected.")
        rows = [self.store.channel_row(parts)] if self.store.channel else []
        return _page("channel", rows, 5)

    async def _videos(self, request: web.Request) -> web.StreamResponse:
        parts = _parts(request, "videos")
        ids = _ids(request)
        if not 1 <= len(ids) <= 50:
            raise Refused(400, "invalidFilters", "The request specifies an invalid filter parameter.")
        rows = [self.store.video_row(video, parts) for video in ids if video in self.store.videos]
        return _page("video", rows, len(rows))

    async def _list_threads(self, request: web.Request) -> web.StreamResponse:
        query, parts, plain = request.query, _parts(request, "commentThreads"), _plain(request)
        filters = [key for key in ("id", "videoId", "allThreadsRelatedToChannelId") if key in query]
        if len(filters) != 1:
            raise Refused(400, "missingRequiredParameter", "No or several filters selected.")
        if "id" in query:
            if {"order", "pageToken", "maxResults", "moderationStatus", "searchTerms"} & set(query):
                raise Refused(400, "operationNotSupported", "incompatible with id")
            found = [entry for one in _ids(request) if (entry := self.store.find(one)) and not entry.parent]
            return _page(
                "commentThread", [self.store.thread_row(one, parts, plain=plain) for one in found], 20
            )
        if query.get("allThreadsRelatedToChannelId", self.store.channel) != self.store.channel:
            raise Refused(404, "channelNotFound", "The channel could not be found.")
        if query.get("videoId") in self.store.closed:
            raise Refused(403, "commentsDisabled", "The video has disabled comments.")
        status = _one_of(query, "moderationStatus", STATUSES, "published")
        _one_of(query, "order", {"time", "relevance"}, "time")
        limit, before = _limit(query), self._place(query)
        rows: list[Entry] = []
        for entry in self.store.threads(status, before):
            if query.get("videoId", entry.video) == entry.video and len(rows) <= limit:
                rows.append(entry)
            if len(rows) > limit:
                break
        following = _token(self.store.place(rows[limit - 1])) if len(rows) > limit else None
        shown = [self.store.thread_row(entry, parts, plain=plain) for entry in rows[:limit]]
        return _page("commentThread", shown, limit, following)

    async def _list_comments(self, request: web.Request) -> web.StreamResponse:
        query, parts, plain = request.query, _parts(request, "comments"), _plain(request)
        if ("id" in query) == ("parentId" in query):
            raise Refused(400, "missingRequiredParameter", "No filter selected.")
        if "id" in query:
            found = [entry for one in _ids(request) if (entry := self.store.find(one))]
            rows = [self.store.comment_row(entry, parts, plain=plain, listed=True) for entry in found]
            return _page("comment", rows, 20)
        top = self.store.find(query["parentId"])
        if top is None:
            raise Refused(404, "commentNotFound", "One or more of the specified comments cannot be found.")
        if top.video in self.store.closed:
            raise Refused(403, "commentsDisabled", "The video has disabled comments.")
        limit, place = _limit(query), self._place(query)
        replies = sorted(top.public_replies(), key=lambda one: (one.at, one.id), reverse=True)
        if place:
            replies = [one for one in replies if (one.at, one.id) < (place[0], place[2])]
        following = (
            _token((replies[limit - 1].at, 0, replies[limit - 1].id)) if len(replies) > limit else None
        )
        shown = [self.store.comment_row(one, parts, plain=plain, listed=True) for one in replies[:limit]]
        return _page("comment", shown, limit, following)

    async def _insert(self, request: web.Request) -> web.StreamResponse:
        if "snippet" not in _parts(request, "comments"):
            raise Refused(400, "missingRequiredParameter", "part")
        try:
            snippet = (await request.json())["snippet"]
        except (ValueError, TypeError, KeyError) as exc:
            raise Refused(400, "invalidCommentMetadata", "no snippet") from exc
        top, text = self._parent(snippet.get("parentId")), snippet.get("textOriginal")
        if not isinstance(text, str) or not text.strip():
            raise Refused(400, "commentTextRequired", "The comment has no text.")
        if len(text) > 10_000:
            raise Refused(400, "commentTextTooLong", "The comment is too long.")
        status = "heldForReview" if self.switches.hold_replies else "published"
        stored = self.store.add(text, parent=top.id, author=OUR_CHANNEL, name="Creator", status=status)
        if self.switches.lose_replies:
            self.switches.lose_replies -= 1
            assert request.transport is not None
            request.transport.abort()
        return web.json_response(self.store.comment_row(stored, {"snippet"}, plain=False))

    def _parent(self, parent: object) -> Entry:
        if not isinstance(parent, str) or not parent:
            raise Refused(400, "parentIdMissing", "The comment must have a parent id.")
        top = self.store.find(parent)
        if top is None:
            raise Refused(404, "parentCommentNotFound", "The parent comment could not be found.")
        if top.parent is not None:
            raise Refused(400, "invalidCommentMetadata", "The parent is itself a reply.")
        if top.video in self.store.closed:
            raise Refused(403, "commentsDisabled", "The video has disabled comments.")
        return top

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        entry = self.store.find(request.query.get("id", ""))
        if entry is None:
            raise Refused(404, "commentNotFound", "The comment could not be found.")
        self.store.remove(entry.id)
        return web.Response(status=204)

    async def _moderate(self, request: web.Request) -> web.StreamResponse:
        status = _one_of(request.query, "moderationStatus", STATUSES, "")
        found = [self.store.find(one) for one in _ids(request)]
        if not found or None in found:
            raise Refused(404, "commentNotFound", "One or more of the comments could not be found.")
        for entry in found:
            assert entry is not None
            entry.status = status
        return web.Response(status=204)

    def _place(self, query: Mapping[str, str]) -> tuple[datetime, int, str] | None:
        if "pageToken" not in query:
            return None
        try:
            if self.switches.forget_pages:
                raise ValueError("forgotten")
            at, number, name = json.loads(base64.urlsafe_b64decode(query["pageToken"]))
            return datetime.fromisoformat(at), int(number), str(name)
        except (ValueError, TypeError) as exc:
            raise Refused(400, "invalidPageToken", "The request specifies an invalid page token.") from exc


@asynccontextmanager
async def serving(fake: YouTube, routes: Iterable[web.RouteDef] = ()) -> AsyncIterator[str]:
    """Address of the fake while the block runs; `routes` are served beside it."""
    app = fake.app()
    app.add_routes(routes)
    server = TestServer(app)
    await server.start_server(shutdown_timeout=0.1)
    try:
        yield str(server.make_url("")).rstrip("/")
    finally:
        await server.close()


def _token(place: tuple[datetime, int, str]) -> str:
    said = json.dumps([place[0].isoformat(), place[1], place[2]])
    return base64.urlsafe_b64encode(said.encode()).decode()


def _page(kind: str, rows: list[dict[str, Any]], limit: int, following: str | None = None) -> web.Response:
    head = {"kind": f"youtube#{kind}ListResponse", "etag": etag(rows)}
    token = {"nextPageToken": following} if following else {}
    # `totalResults` counts this page, whatever its name says.
    info = {"totalResults": len(rows), "resultsPerPage": limit}
    return web.json_response({**head, **token, "pageInfo": info, "items": rows})


def _parts(request: web.Request, resource: str) -> set[str]:
    parts = {one for value in request.query.getall("part", []) for one in value.split(",")}
    if not parts:
        raise Refused(400, "missingRequiredParameter", "part")
    if not parts <= PARTS[resource]:
        raise Refused(400, "unknownPart", "part")
    return parts


def _ids(request: web.Request) -> list[str]:
    return [one for value in request.query.getall("id", []) for one in value.split(",") if one]


def _plain(request: web.Request) -> bool:
    return _one_of(request.query, "textFormat", {"html", "plainText"}, "html") == "plainText"


def _one_of(query: Mapping[str, str], key: str, values: set[str], default: str) -> str:
    value = query.get(key, default)
    if value not in values:
        raise Refused(400, "invalidParameter", key)
    return value


def _limit(query: Mapping[str, str]) -> int:
    value = query.get("maxResults", "20")
    if not value.isdigit() or not 1 <= int(value) <= 100:
        raise Refused(400, "invalidParameter", "Values must be within the range: [1, 100]")
    return int(value)
