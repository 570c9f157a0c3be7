"""A Mastodon server on loopback, written from the documentation of its client API.

Strict where it helps: a parameter that the documentation does not know is refused, though the real server ignores it.
Pages run from new to old, whichever way they were asked for, as on the real one.
"""

import html
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import regex
from aiohttp import web
from aiohttp.test_utils import TestServer

URL = re.compile(r"https?://[^\s<>\"]+")
MENTION = re.compile(r"(?<![\w/])@(\w+(?:[.-]+\w+)*)(?:@([\w.-]+\w))?")
VISIBILITIES = ("public", "unlisted", "private", "direct")
Answerer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ApiError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Account:
    id: str
    username: str
    name: str
    domain: str = ""
    """Empty for accounts of this server."""
    bot: bool = False

    @property
    def acct(self) -> str:
        return f"{self.username}@{self.domain}" if self.domain else self.username


@dataclass
class Status:
    id: str
    author: Account
    text: str
    created_at: datetime
    parent: str | None = None
    parent_author: str | None = None
    visibility: str = "public"
    mentions: list[Account] = field(default_factory=list)
    warning: str = ""


@dataclass
class Notification:
    id: str
    kind: str
    created_at: datetime
    account: Account
    status: Status


@dataclass
class Instance:
    """The state of the fake, and its switches."""

    token: str = "access-token-of-the-creator"
    scopes: tuple[str, ...] = ("read", "write:statuses")
    max_chars: int = 500
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    accounts: list[Account] = field(default_factory=list)
    statuses: dict[str, Status] = field(default_factory=dict)
    notifications: list[Notification] = field(default_factory=list)
    keys: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    limited_until: datetime | None = None
    """All calls are answered with 429 before this."""
    lose_answers: int = 0
    """So many posts take effect, and their connection breaks before the answer."""
    disabled: bool = False
    """The staff has closed the account."""
    old: bool = False
    """A server before 4.3, which does not tell an app's scopes."""
    skew: timedelta = timedelta(0)
    """How far this server's clock runs ahead."""
    _number: int = 0

    @property
    def me(self) -> Account:
        return self.accounts[0]

    def now(self) -> datetime:
        moment = self.clock() + self.skew
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    def add_account(self, name: str, domain: str = "") -> Account:
        number = len(self.accounts) + 1
        account = Account(str(109_000_000_000_000_000 + number), f"person{number}", name, domain)
        self.accounts.append(account)
        return account

    def next_status_id(self) -> str:
        """Ids of statuses hold their time, above 16 bits that differ."""
        self._number += 1
        return str((int(self.now().timestamp() * 1000) << 16) + self._number % 65_536)

    def post(
        self,
        author: Account,
        text: str,
        parent: str | None = None,
        *,
        visibility: str = "public",
        warning: str = "",
    ) -> Status:
        """Somebody posts; who is mentioned is notified."""
        above = self.statuses.get(parent or "")
        named = {self.find(match[1], match[2] or "") for match in MENTION.finditer(text)} - {None}
        status = Status(
            self.next_status_id(),
            author,
            text,
            self.now(),
            above.id if above else None,
            above.author.id if above else None,
            visibility,
            [account for account in self.accounts if account.acct in named],
            warning,
        )
        self.statuses[status.id] = status
        if self.me in status.mentions and author is not self.me:
            self.notify("mention", author, status)
        return status

    def notify(self, kind: str, account: Account, status: Status) -> None:
        number = str(34_975_535 + len(self.notifications))
        self.notifications.append(Notification(number, kind, self.now(), account, status))

    def find(self, username: str, domain: str) -> str | None:
        for account in self.accounts:
            if account.username.lower() == username.lower() and account.domain == domain:
                return account.acct
        return None

    def remove(self, status_id: str) -> None:
        """What answered the status answers nothing from now on."""
        del self.statuses[status_id]
        self.notifications = [one for one in self.notifications if one.status.id != status_id]
        for status in self.statuses.values():
            if status.parent == status_id:
                status.parent = None

    def ancestors(self, status: Status) -> list[Status]:
        found: list[Status] = []
        above = self.statuses.get(status.parent or "")
        while above is not None:
            found.append(above)
            above = self.statuses.get(above.parent or "")
        return found[::-1]

    def descendants(self, status: Status) -> list[Status]:
        below = [one for one in self.statuses.values() if one.parent == status.id]
        return [one for child in below for one in (child, *self.descendants(child))]


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rendered(status: Status) -> str:
    """A text as HTML: links, names and line breaks as Mastodon makes them."""
    parts, position = [], 0
    for match in sorted(
        [*URL.finditer(status.text), *MENTION.finditer(status.text)], key=lambda m: m.start()
    ):
        if match.start() < position:
            continue
        parts.append(html.escape(status.text[position : match.start()], quote=False))
        parts.append(link(match[0]) if match.re is URL else name(match, status))
        position = match.end()
    parts.append(html.escape(status.text[position:], quote=False))
    paragraphs = re.split(r"\n\n+", "".join(parts))
    return "".join(f"<p>{paragraph.replace(chr(10), '<br />')}</p>" for paragraph in paragraphs)


def link(address: str) -> str:
    shown = html.escape(address)
    scheme = re.match("https?://", shown)
    assert scheme is not None
    rest = shown[scheme.end() :]
    start = f'<span class="invisible">{scheme[0]}</span><span class="ellipsis">{rest[:30]}</span>'
    return f'<a href="{shown}" rel="nofollow noopener">{start}<span class="invisible">{rest[30:]}</span></a>'


def name(match: re.Match[str], status: Status) -> str:
    known = [one for one in status.mentions if one.username.lower() == match[1].lower()]
    if not known:
        return html.escape(match[0])
    address = f"https://example.social/@{known[0].acct}"
    return (
        f'<span class="h-card"><a href="{address}" class="u-url mention">@<span>{match[1]}</span></a></span>'
    )


class Api:
    """The calls that a client of a comment service needs."""

    def __init__(self, instance: Instance) -> None:
        self.site = instance

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/v1/accounts/verify_credentials", self.with_care(self.whoami, "read:accounts")),
            web.get("/api/v1/apps/verify_credentials", self.with_care(self.app, "")),
            web.get("/api/v2/instance", self.with_care(self.instance, "")),
            web.get("/api/v1/notifications", self.with_care(self.notifications, "read:notifications")),
            web.get("/api/v1/accounts/{id}/statuses", self.with_care(self.account_statuses, "read:statuses")),
            web.get("/api/v1/statuses/{id}", self.with_care(self.status, "read:statuses")),
            web.get("/api/v1/statuses/{id}/context", self.with_care(self.context, "read:statuses")),
            web.post("/api/v1/statuses", self.with_care(self.publish, "write:statuses")),
            web.delete("/api/v1/statuses/{id}", self.with_care(self.delete, "write:statuses")),
        ]

    def with_care(self, handler: Answerer, scope: str) -> Answerer:
        async def careful(request: web.Request) -> web.StreamResponse:
            self.site.asked.append(f"{request.method} {request.path}")
            try:
                self.check(request, scope)
                return await handler(request)
            except ApiError as exc:
                return self.answer({"error": str(exc)}, exc.status)

        return careful

    def check(self, request: web.Request, scope: str) -> None:
        site = self.site
        if site.limited_until and site.clock() < site.limited_until:
            raise ApiError(429, "Too many requests")
        if request.headers.get("Authorization") != f"Bearer {site.token}":
            raise ApiError(401, "The access token is invalid")
        if scope and not {scope, scope.partition(":")[0]} & set(site.scopes):
            raise ApiError(403, "This action is outside the authorized scopes")
        if scope and site.disabled:
            raise ApiError(403, "Your login is currently disabled")

    def answer(self, data: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
        until = self.site.limited_until or self.site.clock() + timedelta(minutes=5)
        shown = {
            "Date": (self.site.clock() + self.site.skew).strftime("%a, %d %b %Y %H:%M:%S GMT"),
            "X-RateLimit-Limit": "300",
            "X-RateLimit-Remaining": "0" if status == 429 else "299",
            "X-RateLimit-Reset": (until + self.site.skew).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
        return web.json_response(data, status=status, headers={**shown, **(headers or {})})

    async def whoami(self, _: web.Request) -> web.StreamResponse:
        return self.answer({**self.person(self.site.me), "source": {"privacy": "public"}})

    async def app(self, _: web.Request) -> web.StreamResponse:
        data: dict[str, Any] = {"name": "Rejoinder", "website": None, "vapid_key": "x"}
        return self.answer(data if self.site.old else {**data, "id": "1", "scopes": list(self.site.scopes)})

    async def instance(self, _: web.Request) -> web.StreamResponse:
        statuses = {"max_characters": self.site.max_chars, "characters_reserved_per_url": 23}
        return self.answer({"domain": "example.social", "configuration": {"statuses": statuses}})

    def page(self, request: web.Request, rows: list[Any], most: int, also: set[str]) -> list[Any]:
        """The rows that the paging parameters choose, newest on top; `rows` run from old to new."""
        query = request.query
        if unknown := set(query) - {"min_id", "max_id", "since_id", "limit"} - also:
            raise ApiError(422, f"found unpermitted parameters: {sorted(unknown)}")
        limit = int(query.get("limit", most // 2))
        if not 1 <= limit <= most:
            raise ApiError(422, f"limit must be between 1 and {most}")
        lowest, highest = int(query.get("since_id", "0")), int(query.get("max_id", str(2**63)))
        found = [row for row in rows if lowest < int(row.id) < highest]
        if "min_id" in query:
            found = [row for row in found if int(row.id) > int(query["min_id"])][:limit]
        return found[-limit:][::-1]

    async def notifications(self, request: web.Request) -> web.StreamResponse:
        kinds = request.query.getall("types[]", [])
        chosen = [one for one in self.site.notifications if not kinds or one.kind in kinds]
        rows = [
            {
                "id": one.id,
                "type": one.kind,
                "created_at": iso(one.created_at),
                "group_key": f"ungrouped-{one.id}",
                "account": self.person(one.account),
                "status": self.shown(one.status),
            }
            for one in self.page(request, chosen, 80, {"types[]"})
        ]
        return self.answer(rows)

    async def account_statuses(self, request: web.Request) -> web.StreamResponse:
        mine = [one for one in self.site.statuses.values() if one.author.id == request.match_info["id"]]
        mine.sort(key=lambda status: int(status.id))
        return self.answer([self.shown(one) for one in self.page(request, mine, 40, {"exclude_reblogs"})])

    def found(self, request: web.Request) -> Status:
        status = self.site.statuses.get(request.match_info["id"])
        if status is None:
            raise ApiError(404, "Record not found")
        return status

    async def status(self, request: web.Request) -> web.StreamResponse:
        return self.answer(self.shown(self.found(request)))

    async def context(self, request: web.Request) -> web.StreamResponse:
        status = self.found(request)
        above, below = self.site.ancestors(status), self.site.descendants(status)
        return self.answer(
            {
                "ancestors": [self.shown(one) for one in above],
                "descendants": [self.shown(one) for one in below],
            }
        )

    async def publish(self, request: web.Request) -> web.StreamResponse:
        if request.content_type != "application/x-www-form-urlencoded":
            raise ApiError(422, "Validation failed: Text can't be blank")
        form = {key: str(value) for key, value in (await request.post()).items()}
        self.site.forms.append(form)
        if unknown := set(form) - {"status", "in_reply_to_id", "visibility", "language", "sensitive"}:
            raise ApiError(422, f"found unpermitted parameters: {sorted(unknown)}")
        key = request.headers.get("Idempotency-Key", "")
        known = self.site.keys.get(key)
        if known and self.site.clock() - known[0] < timedelta(hours=1) and known[1] in self.site.statuses:
            return self.answer(self.shown(self.site.statuses[known[1]]))
        status = self.checked(form)
        if key:
            self.site.keys[key] = (self.site.clock(), status.id)
        if self.site.lose_answers:
            self.site.lose_answers -= 1
            assert request.transport is not None
            request.transport.abort()
        return self.answer(self.shown(status))

    def checked(self, form: dict[str, str]) -> Status:
        text, parent, visibility = form.get("status", ""), form.get("in_reply_to_id"), form.get("visibility")
        if parent is not None and parent not in self.site.statuses:
            raise ApiError(404, "The post you are trying to reply to does not appear to exist.")
        if not text.strip():
            raise ApiError(422, "Validation failed: Text can't be blank")
        short = MENTION.sub(lambda match: f"@{match[1]}", URL.sub("x" * 23, text))
        if len(regex.findall(r"\X", short)) > self.site.max_chars:
            raise ApiError(422, f"Validation failed: Text character limit of {self.site.max_chars} exceeded")
        if visibility not in VISIBILITIES:
            raise ApiError(422, "'visibility' is not included in the list")
        return self.site.post(self.site.me, text, parent, visibility=visibility)

    async def delete(self, request: web.Request) -> web.StreamResponse:
        status = self.found(request)
        if status.author is not self.site.me:
            raise ApiError(404, "Record not found")
        self.site.remove(status.id)
        return self.answer({**self.shown(status), "text": status.text})

    def person(self, account: Account) -> dict[str, Any]:
        return {
            "id": account.id,
            "username": account.username,
            "acct": account.acct,
            "display_name": account.name,
            "url": f"https://example.social/@{account.acct}",
            "bot": account.bot,
            "emojis": [],
            "fields": [],
        }

    def shown(self, status: Status) -> dict[str, Any]:
        return {
            "id": status.id,
            "created_at": iso(status.created_at),
            "in_reply_to_id": status.parent,
            "in_reply_to_account_id": status.parent_author if status.parent else None,
            "sensitive": bool(status.warning),
            "spoiler_text": status.warning,
            "visibility": status.visibility,
            "language": None,
            "uri": f"https://example.social/statuses/{status.id}",
            "url": f"https://example.social/@{status.author.acct}/{status.id}",
            "replies_count": 0,
            "reblogs_count": 0,
            "favourites_count": 0,
            "favourited": False,
            "content": rendered(status),
            "reblog": None,
            "account": self.person(status.author),
            "media_attachments": [],
            "mentions": [
                {
                    "id": one.id,
                    "username": one.username,
                    "acct": one.acct,
                    "url": f"https://example.social/@{one.acct}",
                }
                for one in status.mentions
            ],
            "tags": [],
            "emojis": [],
            "a_field_of_tomorrow": {"x": [1]},
        }


@asynccontextmanager
async def running(instance: Instance) -> AsyncIterator[str]:
    """The fake's address, as long as the block lasts."""

    async def nothing(_: web.Request) -> web.StreamResponse:
        return web.json_response({"error": "Not Found"}, status=404)

    app = web.Application()
    app.add_routes(Api(instance).routes())
    app.router.add_route("*", "/{tail:.*}", nothing)
    server = TestServer(app)
    await server.start_server(shutdown_timeout=0.1)
    try:
        yield str(server.make_url("")).rstrip("/")
    finally:
        await server.close()
