"""The adapter of Douyin (抖音), by its open platform's scope `item.comment` (管理视频评论).

Comments are listed by video, and the scope lists no videos: they are named in the options, or learnt from the
platform's calls to us. A reply is reviewed before it shows; the id that sending returns counts as accepted. A lost
answer to a send is settled by the list of replies once the review must be over (`settle_s`).

Replies hang flat under the top comment. Nothing in the list tells which of them an answer answers.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Final

import aiohttp
import structlog
from pydantic import BaseModel

from adapters.base import (
    Account,
    Budget,
    Capabilities,
    Clock,
    Comment,
    CommentPage,
    CommentRef,
    Cursor,
    Hook,
    MemoryVault,
    Post,
    Quota,
    ReplyRef,
    Vault,
)
from adapters.douyin_api import DouyinApi, Page
from adapters.douyin_errors import RESETS_AT, ZONE, RefusedCall
from adapters.douyin_grants import Grants
from adapters.douyin_hooks import Recent, hook_of, is_late, proven
from adapters.douyin_looking import Looking
from adapters.douyin_options import DouyinOptions
from adapters.douyin_reading import Reading
from adapters.douyin_rows import Row, parse_comment, reply_ref
from adapters.errors import AdapterError, Permanent, RejectedContent, TargetGone, Transient
from adapters.http import Answer, Http
from adapters.text import parse_id

PEEKS: Final = 5
"""Videos to try before an account counts as unusable."""
# Clocks tick apart within the second that `Http` cannot see, and Douyin tells whole seconds.
MARGIN: Final = timedelta(seconds=3)
CAN: Final = {"read": True, "reply": True, "hide": False}

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class DouyinAdapter:
    """See `adapters.base.PlatformAdapter`, `Metered` and `Hooked`."""

    Options: ClassVar[type[BaseModel]] = DouyinOptions

    def __init__(
        self, options: DouyinOptions, *, http: aiohttp.ClientSession, clock: Clock, vault: Vault | None = None
    ) -> None:
        self.capabilities = capabilities(options)
        self._options = options
        self._clock = clock
        grants = Http(http, options.token_url or options.base_url, clock=clock, timeout_s=options.timeout_s)
        self._grants = Grants(grants, options, clock, vault or MemoryVault())
        calls = Http(http, options.base_url, clock=clock, timeout_s=options.timeout_s)
        self._api = DouyinApi(calls, options, clock, self._grants)
        self._looking = Looking(self._api, options.open_id)
        self._items = {item.id: item for item in options.items}
        self._recent = Recent()
        self._woken: dict[str, None] = {}

    async def open(self) -> Account:
        """Check that the account may list comments, and say who we are."""
        await self._grants.load()
        await self._peek()
        return Account(id=self._options.open_id, name=self._options.name or self._options.open_id, can=CAN)

    async def refresh_auth(self) -> None:
        """A new access token for 15 days. Raises ReauthRequired when the consent has ended."""
        await self._grants.refresh()

    async def baseline(self, since: datetime) -> Cursor:
        """The cursor that starts at `since`, told by the platform's clock."""
        answer = (await self._peek()).answer
        # Whole seconds: what was written in the second of `since` counts as after it.
        start = int(answer.server_time(since).timestamp())
        return {"since": float(start), "items": {}, "queue": [], "walk": None}

    async def poll(self, cursor: Cursor, budget: Budget) -> CommentPage:
        """What is new under the videos that are due, video by video."""
        reading = Reading(self._api, self._options, self._clock, cursor)
        self._grants.require_renewed()
        woken, self._woken = self._woken, {}
        try:
            await reading.run(budget, list(woken))
        except BaseException:
            self._woken = woken | self._woken
            raise
        comments, malformed = self._parse(reading.rows)
        return CommentPage(
            comments=comments,
            posts=self._posts(comments),
            cursor=reading.cursor(),
            complete=reading.complete,
            malformed=malformed,
        )

    async def reply(self, target: CommentRef, text: str, key: str) -> ReplyRef:
        """Answer `target`. Douyin stores a second reply when it is sent twice, whatever the `key`."""
        check_text(text, self._options.max_reply_chars)
        to = target.comment_id if self._options.answer_under == "comment" else target.thread_id
        try:
            answer = await self._api.send(target.post_id, to, text)
        except RefusedCall as refused:
            await self._explain(target, refused)
            raise
        return ReplyRef(
            id=sent_id(answer),
            parent_id=target.thread_id,
            text=text,
            created_at=answer.server_time(self._clock()),
        )

    async def find_own_replies(self, target: CommentRef, since: datetime) -> list[ReplyRef]:
        """Our replies in the target's thread written at `since` or later. What is under review is unseen."""
        await self._looking.require(target)
        replies, answer = await self._looking.thread(target)
        # `since` may be a time of ours or one of the platform's: too much is found rather than too little.
        earliest = min(since, answer.server_time(since)) - MARGIN
        mine = [reply for reply in replies if reply.is_own and reply.ref.comment_id != target.comment_id]
        return [reply_ref(reply) for reply in mine if reply.ref.created_at >= earliest]

    def take_units(self) -> int:
        """Calls of the scope since this was asked last; tokens cost none."""
        return self._api.take_units()

    def read_hook(self, headers: Mapping[str, str], body: bytes) -> Hook:
        """A comment wakes the poller, and its video is read first. Raises Permanent."""
        event = proven(headers, body, self._options)
        fresh = not is_late(event, self._clock(), self._options) and self._recent.is_new(body)
        hook = hook_of(event, fresh=fresh)
        # One address serves all accounts of an application: another's videos are not ours to answer under.
        learns = self._options.learn_items and event.to == self._options.open_id
        if hook.poll and event.item and (learns or event.item in self._items):
            self._woken[event.item] = None
        return hook

    async def aclose(self) -> None:
        """Forget the tokens; the session belongs to the caller."""
        self._grants.forget()

    async def _peek(self) -> Page:
        """The newest comment of a video: the cheapest call that needs everything a poll needs."""
        first: AdapterError | None = None
        for item in self._options.items[:PEEKS]:
            try:
                return await self._api.comments(item.id, at=0, count=1)
            except (RefusedCall, TargetGone) as refused:
                # That video may be gone; the next one tells whether it is only that.
                first = first or refused
        raise first or Permanent("douyin: no video is named; set items")

    async def _explain(self, target: CommentRef, refused: RefusedCall) -> None:
        """No code is known to mean that a comment is gone: the lists tell. Raises TargetGone."""
        try:
            await self._looking.require(target)
            if target.comment_id != target.thread_id:
                await self._looking.thread(target)
        except TargetGone as gone:
            raise gone from refused
        except AdapterError as error:
            log.warning("douyin does not tell whether the comment is still there", reason=str(error))

    def _parse(self, rows: Sequence[Row]) -> tuple[tuple[Comment, ...], int]:
        """The readable rows from oldest to newest, and how many were not."""
        comments = []
        # Lists run from new to old, and times have whole seconds: the order within one is kept.
        for row in reversed(rows):
            try:
                comments.append(parse_comment(row, me=self._options.open_id, url=self._url(row.item)))
            except ValueError as exc:
                log.warning("douyin row cannot be read", item=row.item, reason=str(exc))
        comments.sort(key=lambda comment: comment.ref.created_at)
        return tuple(comments), len(rows) - len(comments)

    def _posts(self, comments: Sequence[Comment]) -> tuple[Post, ...]:
        described = dict.fromkeys(comment.ref.post_id for comment in comments)
        return tuple(self._post(item) for item in described)

    def _post(self, item: str) -> Post:
        known = self._items.get(item)
        return Post(item, known.title or item, known.text, known.url) if known else Post(item, item)

    def _url(self, item: str) -> str:
        return self._items[item].url if item in self._items else ""


def capabilities(options: DouyinOptions) -> Capabilities:
    """Replies hang flat under the top comment; one call is one unit, whatever it does."""
    return Capabilities(
        max_reply_chars=options.max_reply_chars,
        reply_depth="thread",
        idempotent_reply=False,
        can_find_own=options.can_find_own,
        settle_s=options.settle_s,
        min_reply_gap_s=options.reply_gap_s,
        min_poll_s=options.min_poll_s,
        quota=Quota(
            units=options.daily_calls,
            reply_units=1,
            poll_units=1,
            zone=ZONE.key,
            resets_at=RESETS_AT,
            shared_by=options.budget_name,
        ),
    )


def check_text(text: str, longest: int) -> None:
    """Raises RejectedContent before a call is spent on it."""
    if not text.strip():
        raise RejectedContent("douyin: the reply is empty; write something")
    if len(text) > longest:
        raise RejectedContent(
            f"douyin: the reply has {len(text)} characters, more than {longest}; shorten it"
        )


def sent_id(answer: Answer) -> str:
    """The id of the reply that was accepted. Raises Transient: whether it was sent is not known."""
    data = answer.data.get("data") if isinstance(answer.data, Mapping) else None
    try:
        return parse_id(data.get("comment_id") if isinstance(data, Mapping) else None)
    except ValueError as exc:
        raise Transient(f"douyin: the answer to a reply cannot be read ({exc})", ambiguous=True) from exc
