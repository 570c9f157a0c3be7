"""The adapter of the embedded sandbox platform, and the plainest example of an adapter."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import ClassVar, Final
from urllib.parse import quote

import aiohttp
import structlog
from pydantic import BaseModel, ConfigDict, Field, SecretStr

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
from adapters.errors import AuthExpired, ReauthRequired, RejectedContent, TargetGone, Transient
from adapters.http import Answer, BaseUrl, Http, TooLarge, rows_of, unexpected
from adapters.sandbox_reading import (
    Walk,
    advance,
    described_posts,
    make_cursor,
    moment,
    parse_comment,
    reply_ref,
    start,
)
from adapters.text import parse_id, parse_text

MAX_PAGE: Final = 100
# Clocks tick apart within the second that `Http` cannot see.
MARGIN: Final = timedelta(seconds=2)

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class SandboxOptions(BaseModel):
    """Options of a sandbox channel."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: BaseUrl
    refresh_token: SecretStr
    timeout_s: float = Field(default=20.0, gt=0)
    settle_s: float = Field(default=2.0, ge=0)
    overlap_s: float = Field(default=5.0, ge=0)
    min_poll_s: float = Field(default=1.0, ge=0)


class SandboxAdapter:
    """See `adapters.base.PlatformAdapter`."""

    Options: ClassVar[type[BaseModel]] = SandboxOptions

    def __init__(
        self,
        options: SandboxOptions,
        *,
        http: aiohttp.ClientSession,
        clock: Clock,
        vault: Vault | None = None,
    ) -> None:
        self.capabilities = Capabilities(
            max_reply_chars=10_000,
            reply_depth="any",
            idempotent_reply=False,
            can_find_own=True,
            settle_s=options.settle_s,
            min_reply_gap_s=0.0,
            min_poll_s=options.min_poll_s,
        )
        self._options = options
        self._http = Http(http, options.base_url, clock=clock, timeout_s=options.timeout_s)
        self._overlap = timedelta(seconds=options.overlap_s)
        self._access_token = ""
        self._me = ""
        self._limit = MAX_PAGE

    async def open(self) -> Account:
        """Log in and say who we are."""
        if not self._access_token:
            await self.refresh_auth()
        answer = await self._read("/api/me")
        try:
            account = Account(id=parse_id(answer.data["id"]), name=parse_text(answer.data["name"]))
        except (ValueError, TypeError, KeyError) as exc:
            raise Transient(
                f"sandbox: the answer to who we are cannot be read ({exc})", ambiguous=False
            ) from exc
        self._me = account.id
        return account

    async def refresh_auth(self) -> None:
        """Get a new access token. Raises ReauthRequired when the refresh token is refused."""
        body = {"refresh_token": self._options.refresh_token.get_secret_value()}
        try:
            answer = await self._http.write("POST", "/api/token", body=body)
        except AuthExpired as exc:
            raise ReauthRequired("sandbox: the refresh token is refused; set a new one") from exc
        if answer.status in {400, 403}:
            raise ReauthRequired("sandbox: the refresh token is refused; set a new one")
        token = answer.data.get("access_token") if isinstance(answer.data, dict) else None
        # A token outside printable ASCII cannot travel in a header.
        if (
            answer.status != 200
            or not isinstance(token, str)
            or not (token.isascii() and token.isprintable())
        ):
            raise Transient(f"sandbox: no access token in the answer ({answer.status})", ambiguous=False)
        self._access_token = token

    async def baseline(self, since: datetime) -> Cursor:
        """The cursor that starts at `since`, told by the site's clock."""
        answer = await self._read("/api/me")
        start = answer.server_time(since)
        return make_cursor(start, start, None)

    async def poll(self, cursor: Cursor, budget: Budget) -> CommentPage:
        """Comments from the cursor on, five seconds before it included."""
        walk = start(cursor)
        while not walk.finished and walk.requests < budget.requests and len(walk.rows) < budget.comments:
            walk = await self._step(walk, budget.comments - len(walk.rows))
        parsed = [self._parse(row) for row in walk.rows]
        readable = [comment for comment in parsed if comment is not None]
        # The overlap reaches back before the baseline, and a site may ignore `since`: neither brings back the past.
        first = moment(cursor, "from")
        floor = max(first, moment(cursor, "since") - self._overlap)
        comments = sorted((c for c in readable if c.ref.created_at >= floor), key=lambda c: c.ref.created_at)
        return CommentPage(
            comments=tuple(comments),
            posts=described_posts(comments, walk.posts, self._options.base_url),
            cursor=make_cursor(first, walk.newest, None if walk.finished else walk.page),
            complete=walk.finished,
            malformed=len(parsed) - len(readable),
        )

    async def reply(self, target: CommentRef, text: str, key: str) -> ReplyRef:
        """Answer `target`; the site stores a second reply when it is sent twice, whatever the `key`."""
        answer = await self._write(
            "POST", f"/api/comments/{quote(target.comment_id, safe='')}/replies", {"text": text}
        )
        if answer.status == 404:
            raise TargetGone(f"sandbox: comment {target.comment_id} is gone")
        if answer.status == 422:
            raise RejectedContent(f"sandbox: reply to {target.comment_id} refused: {answer.excerpt}")
        if answer.status != 201:
            raise unexpected("sandbox: reply", answer)
        comment = self._parse(answer.data)
        if comment is None or comment.parent_id != target.comment_id:
            raise Transient("sandbox: the stored reply cannot be read from the answer", ambiguous=True)
        return reply_ref(comment)

    async def find_own_replies(self, target: CommentRef, since: datetime) -> list[ReplyRef]:
        """Our replies to `target` written at `since` or later."""
        path = f"/api/comments/{quote(target.comment_id, safe='')}/thread"
        answer = await self._http.read(path, headers=self._headers())
        if answer.status == 404:
            raise TargetGone(f"sandbox: comment {target.comment_id} is gone")
        if answer.status != 200:
            raise unexpected("sandbox: thread", answer)
        rows = rows_of("sandbox: thread", answer.data, "comments")
        found = [self._parse(row) for row in rows]
        if None in found:
            # One of the unreadable rows may be our reply: saying "none" could answer twice.
            raise Transient("sandbox: a comment of the thread cannot be read", ambiguous=False)
        # `since` may be a time of ours or, as of a comment, of theirs already: looking back too far loses nothing.
        earliest = min(since, answer.server_time(since)) - MARGIN
        return [
            reply_ref(comment)
            for comment in found
            if comment and comment.is_own and comment.parent_id == target.comment_id
            if comment.ref.created_at >= earliest
        ]

    async def delete(self, comment_id: str) -> None:
        """Delete a comment of this site, ours or a visitor's. Raises TargetGone when there is none."""
        answer = await self._write("DELETE", f"/api/comments/{quote(comment_id, safe='')}", None)
        if answer.status == 404:
            raise TargetGone(f"sandbox: comment {comment_id} is gone")
        if answer.status != 204:
            raise unexpected("sandbox: delete", answer)

    async def aclose(self) -> None:
        """Forget the access token; the session belongs to the caller."""
        self._access_token = ""

    async def _step(self, walk: Walk, room: int) -> Walk:
        """One request further; a page that is too large is asked for again in smaller pieces."""
        limit = min(self._limit, max(room, 1))
        place = {"page": walk.page} if walk.page else {"since": (walk.newest - self._overlap).isoformat()}
        try:
            answer = await self._http.read(
                "/api/comments", params={**place, "limit": str(limit)}, headers=self._headers()
            )
        except TooLarge:
            if limit == 1:
                raise
            self._limit = limit // 2
            return replace(walk, requests=walk.requests + 1)
        self._limit = min(MAX_PAGE, self._limit * 2)
        if answer.status == 400 and walk.page:
            # The site no longer knows the page: begin again at the last time that was read whole.
            return replace(walk, page=None, requests=walk.requests + 1)
        if answer.status != 200:
            raise unexpected("sandbox: comments", answer)
        return advance(walk, answer)

    async def _read(self, path: str) -> Answer:
        answer = await self._http.read(path, headers=self._headers())
        if answer.status != 200:
            raise unexpected(f"sandbox: {path}", answer)
        return answer

    async def _write(self, method: str, path: str, body: object) -> Answer:
        return await self._http.write(method, path, headers=self._headers(), body=body)

    def _headers(self) -> dict[str, str]:
        if not self._access_token:
            raise AuthExpired("sandbox: there is no access token yet")
        return {"Authorization": f"Bearer {self._access_token}"}

    def _parse(self, row: object) -> Comment | None:
        try:
            return parse_comment(row, me=self._me, base_url=self._options.base_url)
        except ValueError as exc:
            log.warning("sandbox row cannot be read", reason=str(exc))
            return None
