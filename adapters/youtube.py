"""The adapter of YouTube: the comments under all videos of one channel, by the Data API v3.

Everything costs units of a day's quota that a whole Google project shares: reading a page 1, a reply 50. Replies
hang flat under the top comment, whichever comment they answer. How a poll reads: `adapters.youtube_reading`.
Contract: the discovery document of youtube/v3, and developers.google.com/youtube/v3/docs.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

import aiohttp
import structlog
from pydantic import BaseModel

from adapters import youtube_cursor
from adapters.base import (
    Account,
    Budget,
    Capabilities,
    Clock,
    Comment,
    CommentPage,
    CommentRef,
    Cursor,
    MemoryVault,
    Quota,
    ReplyRef,
    Vault,
)
from adapters.errors import AuthExpired, ReauthRequired, RejectedContent, TargetGone, Transient
from adapters.http import Answer, rows_of
from adapters.text import parse_id, parse_text
from adapters.youtube_api import READ_UNITS, WRITE_UNITS, Api
from adapters.youtube_errors import ZONE
from adapters.youtube_options import YouTubeOptions
from adapters.youtube_reading import Reading
from adapters.youtube_rows import Row, in_order, parse_comment, reply_ref
from adapters.youtube_titles import Titles
from adapters.youtube_tokens import Tokens

SCOPE: Final = "https://www.googleapis.com/auth/youtube.force-ssl"
"""What every call about comments asks for, reading too."""
PAGE: Final = 100
MAX_PAGES: Final = 50
# YouTube tells whole seconds, and clocks tick apart within the two seconds that `Http` cannot see.
MARGIN: Final = timedelta(seconds=3)

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class YouTubeAdapter:
    """See `adapters.base.PlatformAdapter`, `Metered` and `Moderates`."""

    Options: ClassVar[type[BaseModel]] = YouTubeOptions

    def __init__(
        self,
        options: YouTubeOptions,
        *,
        http: aiohttp.ClientSession,
        clock: Clock,
        vault: Vault | None = None,
    ) -> None:
        self.capabilities = _capabilities(options)
        self._options = options
        self._clock = clock
        self._tokens = Tokens(options, http=http, clock=clock, vault=vault or MemoryVault())
        self._api = Api(options, http=http, clock=clock, tokens=self._tokens)
        self._titles = Titles(self._api, wanted=options.titles)
        self._me = ""

    async def open(self) -> Account:
        """Log in and say which channel we are. Raises ReauthRequired when the Google account has none."""
        if not self._tokens.usable:
            await self.refresh_auth()
        try:
            answer = await self._mine()
        except AuthExpired:
            # The vault's token was taken back before its time.
            await self.refresh_auth()
            answer = await self._mine()
        account = parse_account(answer, self._tokens.scopes)
        self._me = account.id
        return account

    async def refresh_auth(self) -> None:
        """Get a new access token, or the one that another process got. Raises ReauthRequired."""
        await self._tokens.refresh()

    async def baseline(self, since: datetime) -> Cursor:
        """The cursor that starts at `since`, told by YouTube's clock. The first poll looks through old threads."""
        answer = await self._mine()
        return youtube_cursor.dump(youtube_cursor.start(answer.server_time(since) - MARGIN))

    async def poll(self, cursor: Cursor, budget: Budget) -> CommentPage:
        """What was written since the baseline and is new or within `late_s` of the newest."""
        me = await self._whoami()
        reading = Reading(self._api, self._titles, self._options, self._clock, cursor, me=me)
        await reading.run(budget)
        comments = self._parse(reading.rows)
        # A long thread's first replies come with the thread, and once more with all of them.
        once = {comment.ref.comment_id: comment for comment in comments}
        return CommentPage(
            comments=in_order(list(once.values())),
            posts=await self._titles.posts(comment.ref.post_id for comment in comments),
            cursor=reading.cursor(),
            complete=reading.complete,
            malformed=len(reading.rows) - len(comments),
        )

    async def reply(self, target: CommentRef, text: str, key: str) -> ReplyRef:
        """Answer in the target's thread; YouTube stores a second reply when it is sent twice, whatever the `key`."""
        if not text.strip() or len(text) > self._options.max_reply_chars:
            raise RejectedContent(
                f"youtube: a reply has 1 to {self._options.max_reply_chars} characters, this one {len(text)}"
            )
        body = {"snippet": {"parentId": target.thread_id, "textOriginal": text}}
        answer = await self._api.write("comments", {"part": "snippet"}, body)
        try:
            stored = parse_comment(Row(target.post_id, answer.data), me=self._me)
        except ValueError as exc:
            raise Transient(f"youtube: the stored reply cannot be read ({exc})", ambiguous=True) from exc
        if stored.parent_id != target.thread_id:
            raise Transient("youtube: the answer names another thread than was answered", ambiguous=True)
        return replace(reply_ref(stored), text=text)

    async def find_own_replies(self, target: CommentRef, since: datetime) -> list[ReplyRef]:
        """Our replies in the target's thread written at `since` or later; two units, and one more a hundred replies."""
        me = await self._whoami()
        if target.comment_id == target.thread_id:
            await self._look_at(target)
        rows, answer = await self._replies(target)
        comments = self._parse(rows)
        if len(comments) < len(rows):
            # One of the unreadable rows may be our reply: saying "none" could answer twice.
            raise Transient("youtube: a comment of the thread cannot be read", ambiguous=False)
        if target.comment_id not in {target.thread_id, *(comment.ref.comment_id for comment in comments)}:
            raise TargetGone(f"youtube: comment {target.comment_id} is gone")
        # `since` may be a time of ours or one of the platform's: too much is found rather than too little.
        earliest = min(since, answer.server_time(since)) - MARGIN
        mine = [comment for comment in in_order(comments) if comment.author_id == me]
        return [reply_ref(comment) for comment in mine if comment.ref.created_at >= earliest]

    async def hide(self, target: CommentRef) -> None:
        """Take a comment from the public's eyes, as `hide_as` says; 50 units."""
        params = {"id": target.comment_id, "moderationStatus": self._options.hide_as}
        await self._api.write("comments/setModerationStatus", params)

    def take_units(self) -> int:
        """See `adapters.base.Metered`; getting a token costs none."""
        return self._api.take_units()

    async def aclose(self) -> None:
        """Forget the access token; the session belongs to the caller."""
        self._tokens.forget()

    async def _whoami(self) -> str:
        if not self._me:
            self._me = parse_account(await self._mine(), None).id
        return self._me

    async def _mine(self) -> Answer:
        return await self._api.read("channels", {"part": "snippet", "mine": "true"})

    async def _look_at(self, target: CommentRef) -> None:
        """Raises TargetGone when the comment is not there: a list of its replies may be merely empty."""
        answer = await self._api.read("comments", {"part": "id", "id": target.comment_id})
        if not rows_of("youtube: comments", answer.data, "items"):
            raise TargetGone(f"youtube: comment {target.comment_id} is gone")

    async def _replies(self, target: CommentRef) -> tuple[list[Row], Answer]:
        """All replies of the target's thread, and the last answer."""
        rows: list[Row] = []
        params = {"part": "snippet", "parentId": target.thread_id, "textFormat": "plainText"}
        for _ in range(MAX_PAGES):
            answer = await self._api.read("comments", {**params, "maxResults": str(PAGE)})
            found = rows_of("youtube: comments", answer.data, "items")
            rows += [Row(target.post_id, data) for data in found]
            following = answer.data.get("nextPageToken")
            if not isinstance(following, str) or not following:
                return rows, answer
            params["pageToken"] = following
        raise Transient(
            f"youtube: thread {target.thread_id} has too many replies to look for ours", ambiguous=False
        )

    def _parse(self, rows: Sequence[Row]) -> list[Comment]:
        comments = []
        for row in rows:
            try:
                comments.append(parse_comment(row, me=self._me))
            except ValueError as exc:
                log.warning("youtube row cannot be read", video=row.post_id, reason=str(exc))
        return comments


def _capabilities(options: YouTubeOptions) -> Capabilities:
    return Capabilities(
        max_reply_chars=options.max_reply_chars,
        reply_depth="thread",
        idempotent_reply=False,
        can_find_own=True,
        settle_s=options.settle_s,
        min_reply_gap_s=options.reply_gap_s,
        min_poll_s=options.min_poll_s,
        quota=Quota(
            units=options.quota_units,
            reply_units=WRITE_UNITS,
            poll_units=READ_UNITS,
            zone=ZONE,
            shared_by=hashlib.sha256(options.client_id.encode()).hexdigest()[:16],
        ),
    )


def parse_account(answer: Answer, scopes: frozenset[str] | None) -> Account:
    """Who we are, from `channels.list`, and what `scopes` allow. Raises ReauthRequired or Transient."""
    items = rows_of("youtube: channels", {"items": [], **answer.data}, "items")
    if not items:
        raise ReauthRequired("youtube: this Google account has no channel; connect one that has")
    try:
        mine: Any = items[0]
        account = Account(id=parse_id(mine["id"]), name=parse_text(mine["snippet"]["title"]))
    except (ValueError, TypeError, KeyError, IndexError) as exc:
        raise Transient(f"youtube: the answer to who we are cannot be read ({exc})", ambiguous=False) from exc
    can = {} if scopes is None else dict.fromkeys(("read", "reply", "hide"), SCOPE in scopes)
    return replace(account, can=can)
