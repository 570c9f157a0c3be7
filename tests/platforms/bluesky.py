"""A personal data server and its view of the network, on loopback, written from the AT Protocol's contract.

Strict: an unknown parameter, a body of another shape or a record that the lexicon forbids is refused as the real one
refuses it. Lists run from new to old by the earlier of a post's two times, in real pages.
"""

import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import regex
from aiohttp import web
from aiohttp.test_utils import TestServer

POSTS, GATES = "app.bsky.feed.post", "app.bsky.feed.threadgate"
RKEY = {POSTS: re.compile(r"[234567abcdefghij][234567a-z]{12}"), GATES: re.compile(r"[234567a-z]{13}")}
HANDLE = re.compile(r"([a-z0-9-]+\.)+[a-z]{2,}")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class XrpcError(Exception):
    def __init__(self, name: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.name, self.status = name, status


@dataclass
class Person:
    did: str
    handle: str
    name: str
    status: str | None = None


@dataclass
class Stored:
    """A record, and when the network saw it."""

    did: str
    uri: str
    cid: str
    value: dict[str, Any]
    indexed_at: datetime

    @property
    def sort_at(self) -> datetime:
        return min(datetime.fromisoformat(self.value["createdAt"]), self.indexed_at)


@dataclass
class Network:
    """The state of the fake, and its switches."""

    password: str = "abcd-efgh-ijkl-mnop"
    token_s: float = 7200.0
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    people: dict[str, Person] = field(default_factory=dict)
    records: dict[str, Stored] = field(default_factory=dict)
    access: dict[str, datetime] = field(default_factory=dict)
    refresh: set[str] = field(default_factory=set)
    logins: int = 0
    refreshes: int = 0
    commits: int = 0
    asked: list[str] = field(default_factory=list)
    limited_until: datetime | None = None
    """All calls are answered with 429 before this."""
    lose_answers: int = 0
    """So many writes take effect, and their connection breaks before the answer."""
    forget_places: bool = False
    """Cursors of lists are no longer known."""
    closed_threads: set[str] = field(default_factory=set)
    """Roots under which our account may not reply."""
    blockers: set[str] = field(default_factory=set)
    """Accounts that block ours."""
    deaf: bool = False
    """An older server, which tells everything whatever `reasons` asks for."""
    skew: timedelta = timedelta(0)
    """How far this server's clock runs ahead."""
    _number: int = 0

    def now(self) -> datetime:
        """In milliseconds, and never the same twice."""
        moment = self.clock() + self.skew
        moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        last = max((one.indexed_at for one in self.records.values()), default=moment - timedelta(seconds=1))
        return moment if moment > last else last + timedelta(milliseconds=1)

    def add_person(self, name: str) -> Person:
        number = len(self.people) + 1
        did = "did:plc:" + f"{number:024d}".translate(str.maketrans("0189", "abcd"))
        person = Person(did, f"person{number}.example.org", name)
        self.people[did] = person
        return person

    @property
    def me(self) -> Person:
        return next(iter(self.people.values()))

    def next_key(self) -> str:
        self._number += 1
        return f"3k{self._number:011o}".translate(str.maketrans("01", "ab"))

    def put(self, did: str, collection: str, rkey: str, value: dict[str, Any]) -> Stored:
        uri = f"at://{did}/{collection}/{rkey}"
        digest = hashlib.sha256(json.dumps(value, sort_keys=True).encode()).digest()
        cid = "bafyrei" + base64.b32encode(digest).decode().lower().rstrip("=")
        known = self.records.get(uri)
        if known and known.cid == cid:
            return known
        self.commits += 1
        stored = Stored(did, uri, cid, value, known.indexed_at if known else self.now())
        self.records[uri] = stored
        return stored

    def post(self, author: Person, text: str, parent: str | None = None, **more: Any) -> Stored:
        """Somebody writes, with an app that does it right."""
        value: dict[str, Any] = {"$type": POSTS, "text": text, "createdAt": iso(self.now()), **more}
        if parent:
            above = self.records[parent]
            root = above.value.get("reply", {}).get("root") or {"uri": above.uri, "cid": above.cid}
            value["reply"] = {"root": root, "parent": {"uri": above.uri, "cid": above.cid}}
        return self.put(author.did, POSTS, self.next_key(), value)

    def posts(self) -> list[Stored]:
        found = [one for one in self.records.values() if f"/{POSTS}/" in one.uri]
        return sorted(found, key=lambda one: (one.sort_at, one.uri), reverse=True)

    def answers(self, uri: str) -> list[Stored]:
        return [one for one in reversed(self.posts()) if parent_of(one) == uri]

    def reason(self, post: Stored) -> str | None:
        """Why our account is told of a post: it answers one of ours, at most five levels up, or mentions us."""
        if post.did == self.me.did:
            return None
        above: str | None = parent_of(post)
        for _ in range(5):
            if above is None:
                break
            if above.startswith(f"at://{self.me.did}/"):
                return "reply"
            above = parent_of(self.records[above]) if above in self.records else None
        features = [feature for facet in post.value.get("facets", []) for feature in facet["features"]]
        return "mention" if any(feature.get("did") == self.me.did for feature in features) else None


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parent_of(post: Stored) -> str | None:
    reply = post.value.get("reply")
    return reply["parent"]["uri"] if reply else None


def refuse(message: str, name: str = "InvalidRequest") -> XrpcError:
    return XrpcError(name, message)


# --- what the lexicons allow ---


def check_post(value: dict[str, Any], key: str) -> None:
    known = {"$type", "text", "createdAt", "reply", "facets", "langs", "embed"}
    if value.get("$type") != POSTS or not isinstance(value.get("text"), str) or set(value) - known:
        raise refuse("Invalid app.bsky.feed.post record: Record must have the property text")
    text = value["text"]
    if len(regex.findall(r"\X", text)) > 300:
        raise refuse("Invalid app.bsky.feed.post record: grapheme too big (maximum 300)")
    if len(text.encode()) > 3000:
        raise refuse("Invalid app.bsky.feed.post record: Record/text must not be longer than 3000 characters")
    check_time(value.get("createdAt"))
    if "reply" in value:
        for part in ("root", "parent"):
            reference = value["reply"].get(part)
            if not isinstance(reference, dict) or set(reference) - {"$type"} != {"uri", "cid"}:
                raise refuse(f"Invalid app.bsky.feed.post record: Record/reply/{part} must be a strongRef")
    for facet in value.get("facets", []):
        check_facet(facet, text)
    if not RKEY[POSTS].fullmatch(key):
        raise refuse("Invalid record key: not a TID")


def check_facet(facet: dict[str, Any], text: str) -> None:
    start, end = facet["index"]["byteStart"], facet["index"]["byteEnd"]
    if not 0 <= start < end <= len(text.encode()):
        raise refuse("Invalid app.bsky.feed.post record: facet index out of range")
    try:
        text.encode()[start:end].decode()
    except UnicodeDecodeError as exc:
        raise refuse("Invalid app.bsky.feed.post record: facet cuts a character") from exc
    for feature in facet["features"]:
        kinds = {"app.bsky.richtext.facet#link": "uri", "app.bsky.richtext.facet#mention": "did"}
        if set(feature) != {"$type", kinds.get(feature.get("$type"), "?")}:
            raise refuse("Invalid app.bsky.feed.post record: facet feature")


def check_gate(value: dict[str, Any], key: str) -> None:
    hidden = value.get("hiddenReplies", [])
    if value.get("$type") != GATES or not str(value.get("post", "")).endswith(f"/{POSTS}/{key}"):
        raise refuse("Invalid app.bsky.feed.threadgate record: post must match the record key")
    if not isinstance(hidden, list) or len(hidden) > 300:
        raise refuse(
            "Invalid app.bsky.feed.threadgate record: hiddenReplies must not have more than 300 elements"
        )
    check_time(value.get("createdAt"))


def check_time(value: object) -> None:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value):
        raise refuse("Invalid record: createdAt must be an valid atproto datetime")


# --- the calls ---


class Calls:
    """The XRPC methods that a client of a comment service needs."""

    def __init__(self, network: Network) -> None:
        self.net = network

    def table(self) -> dict[str, tuple[str, Handler, frozenset[str]]]:
        def names(*allowed: str) -> frozenset[str]:
            return frozenset(allowed)

        return {
            "com.atproto.server.createSession": ("POST", self.create_session, names()),
            "com.atproto.server.refreshSession": ("POST", self.refresh_session, names()),
            "com.atproto.server.getSession": ("GET", self.get_session, names()),
            "app.bsky.notification.listNotifications": (
                "GET", self.notifications, names("reasons", "limit", "cursor", "priority", "seenAt"),
            ),
            "app.bsky.feed.getAuthorFeed": (
                "GET", self.author_feed, names("actor", "filter", "limit", "cursor", "includePins"),
            ),
            "app.bsky.feed.getPosts": ("GET", self.get_posts, names("uris")),
            "app.bsky.feed.getPostThread": ("GET", self.thread, names("uri", "depth", "parentHeight")),
            "com.atproto.identity.resolveHandle": ("GET", self.resolve, names("handle")),
            "com.atproto.repo.getRecord": ("GET", self.get_record, names("repo", "collection", "rkey", "cid")),
            "com.atproto.repo.putRecord": ("POST", self.put_record, names()),
            "com.atproto.repo.deleteRecord": ("POST", self.delete_record, names()),
        }  # fmt: skip

    async def handle(self, request: web.Request) -> web.StreamResponse:
        method = request.path.removeprefix("/xrpc/")
        self.net.asked.append(method)
        if self.net.limited_until and self.net.clock() < self.net.limited_until:
            reset = str(int((self.net.limited_until + self.net.skew).timestamp()))
            headers = {"RateLimit-Limit": "3000", "RateLimit-Remaining": "0", "RateLimit-Reset": reset}
            return self.answer({"error": "RateLimitExceeded", "message": "Rate Limit Exceeded"}, 429, headers)
        try:
            if method not in self.table():
                raise XrpcError("MethodNotImplemented", "Method Not Implemented", 501)
            verb, handler, allowed = self.table()[method]
            if request.method != verb:
                raise refuse(f"Incorrect HTTP method ({request.method}) expected {verb}")
            if unknown := set(request.query) - allowed:
                raise refuse(f"Unknown parameters: {sorted(unknown)}")
            return await handler(request)
        except XrpcError as exc:
            return self.answer({"error": exc.name, "message": str(exc)}, exc.status)

    def answer(self, data: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
        date = (self.net.clock() + self.net.skew).strftime("%a, %d %b %Y %H:%M:%S GMT")
        return web.json_response(data, status=status, headers={"Date": date, **(headers or {})})

    def require_access(self, request: web.Request) -> Person:
        token = self.bearer(request)
        if token in self.net.refresh:
            raise XrpcError("InvalidToken", "Bad token scope")
        if token not in self.net.access:
            raise XrpcError("InvalidToken", "Token could not be verified")
        if self.net.clock() >= self.net.access[token]:
            raise XrpcError("ExpiredToken", "Token has expired")
        return self.net.me

    def bearer(self, request: web.Request) -> str:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not token:
            raise XrpcError("AuthMissing", "Authentication Required", 401)
        return token

    async def body(self, request: web.Request, required: set[str], optional: set[str]) -> dict[str, Any]:
        if request.content_type != "application/json":
            raise refuse(f"Wrong request encoding (Content-Type): {request.content_type}")
        data = json.loads(await request.read())
        if not isinstance(data, dict) or required - set(data) or set(data) - required - optional:
            raise refuse("Input does not match the lexicon")
        return data

    def session(self) -> web.Response:
        number, expires = self.net.logins + self.net.refreshes, timedelta(seconds=self.net.token_s)
        access = self.token("com.atproto.appPass", number, expires)
        refresh = self.token("com.atproto.refresh", number, timedelta(days=90))
        self.net.access[access] = self.net.clock() + expires
        self.net.refresh.add(refresh)
        me = self.net.me
        found = {
            "did": me.did,
            "handle": me.handle,
            "accessJwt": access,
            "refreshJwt": refresh,
            "active": True,
        }
        return self.answer(found)

    def token(self, scope: str, number: int, lasts: timedelta) -> str:
        now = self.net.clock()
        times = {"iat": int(now.timestamp()), "exp": int((now + lasts).timestamp())}
        claims = {"scope": scope, "sub": self.net.me.did, "jti": str(number), "aud": "did:web:pds", **times}
        parts = [{"typ": "at+jwt", "alg": "HS256"}, claims]
        shown = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
        return ".".join([*shown, "c2lnbmF0dXJl"])

    async def create_session(self, request: web.Request) -> web.StreamResponse:
        body = await self.body(request, {"identifier", "password"}, {"authFactorToken", "allowTakendown"})
        me = self.net.me
        if body["identifier"] not in {me.did, me.handle} or body["password"] != self.net.password:
            raise XrpcError("AuthenticationRequired", "Invalid identifier or password", 401)
        if me.status == "takendown":
            raise XrpcError("AccountTakedown", "Account has been taken down", 401)
        self.net.logins += 1
        return self.session()

    async def refresh_session(self, request: web.Request) -> web.StreamResponse:
        if await request.read() or "Content-Type" in request.headers:
            raise refuse("A request body was provided when none was expected")
        token = self.bearer(request)
        if token not in self.net.refresh:
            raise XrpcError("ExpiredToken", "Token has been revoked")
        self.net.refresh.discard(token)
        self.net.refreshes += 1
        return self.session()

    async def get_session(self, request: web.Request) -> web.StreamResponse:
        me = self.require_access(request)
        data: dict[str, Any] = {"did": me.did, "handle": me.handle, "active": me.status is None}
        return self.answer({**data, "status": me.status} if me.status else data)

    def listing(self, request: web.Request, posts: list[Stored]) -> tuple[list[Stored], dict[str, str]]:
        """A page of `posts`, and the cursor of the next one."""
        limit = int(request.query.get("limit", "50"))
        if not 1 <= limit <= 100:
            raise refuse("Error: limit must be between 1 and 100")
        at = request.query.get("cursor")
        if at is not None and self.net.forget_places:
            raise refuse("Malformed cursor")
        left = [post for post in posts if at is None or iso(post.sort_at) < at]
        page = left[:limit]
        return page, {"cursor": iso(page[-1].sort_at)} if len(left) > limit else {}

    async def notifications(self, request: web.Request) -> web.StreamResponse:
        self.require_access(request)
        reasons = set(request.query.getall("reasons", []))
        told = [post for post in self.net.posts() if self.net.reason(post)]
        page, place = self.listing(request, [post for post in told if self.net.reason(post) in reasons])
        rows = [
            {**self.view(post, counts=False), "reason": self.net.reason(post), "isRead": False}
            for post in page
        ]
        return self.answer({**place, "notifications": rows, "priority": False, "unheardOf": {"a": [1]}})

    async def author_feed(self, request: web.Request) -> web.StreamResponse:
        self.require_access(request)
        actor = request.query.get("actor")
        if actor not in self.net.people:
            raise refuse("Profile not found")
        if request.query.get("filter") != "posts_with_replies":
            raise refuse("this fake has only the filter posts_with_replies")
        page, place = self.listing(request, [post for post in self.net.posts() if post.did == actor])
        return self.answer({**place, "feed": [{"post": self.view(post)} for post in page]})

    async def get_posts(self, request: web.Request) -> web.StreamResponse:
        self.require_access(request)
        uris = request.query.getall("uris", [])
        if not 1 <= len(uris) <= 25 or any(not uri.startswith("at://") for uri in uris):
            raise refuse("Error: uris must have between 1 and 25 at-uris")
        found = [self.net.records[uri] for uri in uris if uri in self.net.records]
        return self.answer({"posts": [self.view(post) for post in found]})

    async def thread(self, request: web.Request) -> web.StreamResponse:
        self.require_access(request)
        post = self.net.records.get(request.query["uri"])
        if post is None:
            raise XrpcError("NotFound", f"Post not found: {request.query['uri']}")
        if post.did in self.net.blockers:
            gone = {"$type": "app.bsky.feed.defs#blockedPost", "uri": post.uri, "blocked": True}
            return self.answer({"thread": {**gone, "author": {"did": post.did}}})
        replies = [
            {"$type": "app.bsky.feed.defs#threadViewPost", "post": self.view(reply), "replies": []}
            for reply in self.net.answers(post.uri)
        ]
        view = {"$type": "app.bsky.feed.defs#threadViewPost", "post": self.view(post)}
        return self.answer(
            {"thread": {**view, "replies": replies if request.query.get("depth") != "0" else []}}
        )

    async def resolve(self, request: web.Request) -> web.StreamResponse:
        handle = request.query.get("handle", "")
        if not HANDLE.fullmatch(handle):
            raise refuse("Error: handle must be a valid handle")
        for person in self.net.people.values():
            if person.handle == handle:
                return self.answer({"did": person.did})
        raise refuse("Unable to resolve handle")

    async def get_record(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        uri = f"at://{query['repo']}/{query['collection']}/{query['rkey']}"
        stored = self.net.records.get(uri)
        if stored is None:
            raise XrpcError("RecordNotFound", f"Could not locate record: {uri}")
        return self.answer({"uri": uri, "cid": stored.cid, "value": stored.value})

    async def put_record(self, request: web.Request) -> web.StreamResponse:
        me = self.require_access(request)
        body = await self.body(
            request, {"repo", "collection", "rkey", "record"}, {"validate", "swapRecord", "swapCommit"}
        )
        if body["repo"] not in {me.did, me.handle}:
            raise XrpcError("AuthRequiredError", "Invalid repo", 401)
        collection, rkey, record = body["collection"], body["rkey"], body["record"]
        {POSTS: check_post, GATES: check_gate}[collection](record, rkey)
        known = self.net.records.get(f"at://{me.did}/{collection}/{rkey}")
        same = known is not None and known.value == record
        if "swapRecord" in body and not same and body["swapRecord"] != (known and known.cid):
            raise refuse(f"Record was at {known and known.cid}", "InvalidSwap")
        stored = self.net.put(me.did, collection, rkey, record)
        if self.net.lose_answers:
            self.net.lose_answers -= 1
            assert request.transport is not None
            request.transport.abort()
        return self.answer({"uri": stored.uri, "cid": stored.cid, "validationStatus": "valid"})

    async def delete_record(self, request: web.Request) -> web.StreamResponse:
        me = self.require_access(request)
        body = await self.body(request, {"repo", "collection", "rkey"}, {"swapRecord", "swapCommit"})
        self.net.records.pop(f"at://{me.did}/{body['collection']}/{body['rkey']}", None)
        return self.answer({})

    def view(self, post: Stored, *, counts: bool = True) -> dict[str, Any]:
        author = self.net.people[post.did]
        person: dict[str, Any] = {"did": author.did, "handle": author.handle, "displayName": author.name}
        person["viewer"] = {"muted": False, "blockedBy": author.did in self.net.blockers}
        view = {
            "uri": post.uri,
            "cid": post.cid,
            "author": person,
            "record": post.value,
            "indexedAt": iso(post.indexed_at),
            "labels": [],
        }
        if not counts:
            return view
        root = post.value.get("reply", {}).get("root", {}).get("uri", post.uri)
        closed = {"replyDisabled": True} if root in self.net.closed_threads else {}
        return {**view, "likeCount": 0, "replyCount": len(self.net.answers(post.uri)), "viewer": closed}


@asynccontextmanager
async def running(network: Network) -> AsyncIterator[str]:
    """The fake's address, as long as the block lasts."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", Calls(network).handle)
    server = TestServer(app)
    await server.start_server(shutdown_timeout=0.1)
    try:
        yield str(server.make_url("")).rstrip("/")
    finally:
        await server.close()
