"""The adapter of Isso, a comment server for a site of one's own (https://isso-comments.de).

An Isso server knows no accounts: we are a name and an e-mail address. Isso never shows the address; it shows a hash
of it, and that hash marks our comments. It is, from best to worst,
  1. the option `author_hash`,
  2. the one that Isso told us when it took a post of ours (kept in the cursor),
  3. computed from the address with the server's `[hash]` settings, given as `hash_salt` and `hash_algorithm`.
Use an address that nobody knows: whoever types it writes as you.

Reading. Isso's `after` looks at top comments only: a new reply in an old thread is invisible to it, and a comment
that waited for the moderator appears with its old time. So the adapter asks for the number of comments of a post,
and reads the whole post when that has changed, or every `full_read_s`.

Comment ids are `NUMBER-MICROSECONDS` of creation, because Isso gives a deleted comment's number away again.

Cursor: `since` (epoch seconds, by the server's clock), `posts` (by uri: `total`, `read`, `newest`), `queue` (uris not
yet looked at in this round), `walk` (the post whose reading is unfinished) and `hashes` (ours, confirmed).
"""

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
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
    Post,
    ReplyRef,
    Vault,
)
from adapters.errors import AdapterError, Permanent, RejectedContent, TargetGone, Transient, Unsupported
from adapters.http import Answer, Http, rows_of, unexpected
from adapters.isso_options import IssoOptions
from adapters.isso_reading import Reading
from adapters.isso_rows import (
    Me,
    Row,
    after,
    author_hash,
    comment_number,
    is_deleted,
    parse_comment,
    refusal,
    reply_ref,
)

MIN_TEXT: Final = 3
ROOTS_AT_A_MOMENT: Final = 50
# Clocks tick apart within the second that `Http` cannot see.
MARGIN: Final = timedelta(seconds=2)

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class IssoAdapter:
    """See `adapters.base.PlatformAdapter`."""

    Options: ClassVar[type[BaseModel]] = IssoOptions

    def __init__(
        self, options: IssoOptions, *, http: aiohttp.ClientSession, clock: Clock, vault: Vault | None = None
    ) -> None:
        self.capabilities = Capabilities(
            max_reply_chars=65_535,
            reply_depth="thread",
            idempotent_reply=False,
            can_find_own=not options.moderated,
            settle_s=options.settle_s,
            min_reply_gap_s=options.reply_gap_s,
            min_poll_s=options.min_poll_s,
        )
        self._options = options
        self._clock = clock
        self._http = Http(http, options.base_url, clock=clock, timeout_s=options.timeout_s)
        known = options.author_hash or author_hash(
            options.email, salt=options.hash_salt, algorithm=options.hash_algorithm
        )
        self._me = Me(options.author, frozenset({known}), sure=options.author_hash is not None)

    async def open(self) -> Account:
        """Check that an Isso server answers, and say who we are there; it has no log-in."""
        await self._config()
        return Account(id=min(self._me.hashes), name=self._options.author)

    async def refresh_auth(self) -> None:
        """Isso has no tokens. Raises Unsupported."""
        raise Unsupported("isso: there are no access tokens to refresh")

    async def baseline(self, since: datetime) -> Cursor:
        """The cursor that starts at `since`, told by the server's clock."""
        answer = await self._config()
        start = answer.server_time(since).timestamp()
        return {"since": start, "posts": {}, "queue": [], "walk": None, "hashes": []}

    async def poll(self, cursor: Cursor, budget: Budget) -> CommentPage:
        """What was written since the baseline and is new or within `late_s` of the newest, post by post."""
        reading = Reading(self._http, self._options, self._clock, cursor)
        self._learn(reading.hashes)
        await reading.run(budget)
        self._recognise(reading.rows)
        comments, malformed = self._parse(reading.rows)
        hashes = sorted(self._me.hashes) if self._me.sure else []
        return CommentPage(
            comments=comments,
            posts=self._posts(comments),
            cursor={**reading.cursor(), "hashes": hashes},
            complete=reading.complete,
            malformed=malformed,
        )

    async def reply(self, target: CommentRef, text: str, key: str) -> ReplyRef:
        """Answer in the target's thread; Isso stores a second reply when it is sent twice, whatever the `key`."""
        if len(text.strip()) < MIN_TEXT:
            raise RejectedContent(f"isso: a reply needs at least {MIN_TEXT} characters")
        body = {
            "author": self._options.author,
            "email": self._options.email,
            "text": text,
            "parent": _number(target.comment_id),
            # Without a title Isso fetches the page of a post that it does not know yet.
            "title": self._title(target.post_id),
        }
        answer = await self._http.write("POST", "/new", params={"uri": target.post_id}, body=body)
        if answer.status not in {201, 202}:
            raise refusal(answer.status, answer.excerpt)
        stored = self._stored(answer, target)
        self._learn([stored.author_id])
        if stored.parent_id != target.thread_id:
            await self._withdraw(stored, answer)
            raise TargetGone(f"isso: comment {target.comment_id} is gone")
        if answer.status == 202:
            self._note_moderation()
        return replace(reply_ref(stored), text=text)

    async def find_own_replies(self, target: CommentRef, since: datetime) -> list[ReplyRef]:
        """Our replies in the target's thread written at `since` or later. What waits for the moderator is unseen."""
        params = {"uri": target.post_id, "parent": str(_number(target.thread_id)), "plain": "1"}
        answer = await self._list(params)
        replies = rows_of("isso: thread", answer.data, "replies")
        rows = [Row(target.post_id, target.thread_id, row) for row in replies]
        if target.comment_id == target.thread_id:
            rows = [*rows, *await self._roots_at(target)]
        comments, malformed = self._parse([row for row in rows if not is_deleted(row.data)])
        if target.comment_id not in {comment.ref.comment_id for comment in comments}:
            raise TargetGone(f"isso: comment {target.comment_id} is gone")
        if malformed:
            # One of the unreadable rows may be our reply: saying "none" could answer twice.
            raise Transient("isso: a comment of the thread cannot be read", ambiguous=False)
        # `since` may be a time of ours or, as of a comment, of theirs already: looking back too far loses nothing.
        earliest = min(since, answer.server_time(since)) - MARGIN
        mine = [c for c in comments if c.is_own and c.parent_id == target.thread_id]
        return [
            reply_ref(c)
            for c in mine
            if c.ref.created_at >= earliest and c.ref.comment_id != target.comment_id
        ]

    async def aclose(self) -> None:
        """Nothing to let go of: the session belongs to the caller."""

    async def _roots_at(self, target: CommentRef) -> list[Row]:
        """The top comments written at the same moment as `target`; it is one of them, or gone."""
        params = {"uri": target.post_id, "after": after(target.created_at), "sort": "oldest", "plain": "1"}
        answer = await self._list({**params, "limit": str(ROOTS_AT_A_MOMENT), "nested_limit": "0"})
        rows = rows_of("isso: comments", answer.data, "replies")
        wanted = _number(target.comment_id)
        return [
            Row(target.post_id, None, row)
            for row in rows
            if isinstance(row, Mapping) and row.get("id") == wanted
        ]

    async def _list(self, params: Mapping[str, str]) -> Answer:
        answer = await self._http.read("/", params=params)
        if answer.status == 404:
            raise TargetGone("isso: the post has no comments any more")
        if answer.status != 200:
            raise unexpected("isso: comments", answer)
        return answer

    async def _config(self) -> Answer:
        answer = await self._http.read("/config")
        if answer.status != 200 or not isinstance(answer.data, dict):
            raise Permanent(f"isso: no Isso server (0.13 or later) answers at {self._options.base_url}")
        return answer

    async def _withdraw(self, stray: Comment, answer: Answer) -> None:
        """Delete what Isso hung at the top because its parent was gone; the answer brought the right to."""
        cookie = answer.headers.get("X-Set-Cookie", "").partition(";")[0].removeprefix("isso-")
        try:
            gone = await self._http.write(
                "DELETE", f"/id/{_number(stray.ref.comment_id)}", headers={"Cookie": cookie}
            )
            deleted = gone.status == 200
        except AdapterError:
            deleted = False
        if not deleted:
            log.warning(
                "isso kept a reply whose comment is gone; delete it by hand", comment=stray.ref.comment_id
            )

    def _stored(self, answer: Answer, target: CommentRef) -> Comment:
        try:
            return parse_comment(Row(target.post_id, target.thread_id, answer.data), me=self._me)
        except ValueError as exc:
            raise Transient(f"isso: the stored reply cannot be read ({exc})", ambiguous=True) from exc

    def _note_moderation(self) -> None:
        if self.capabilities.can_find_own:
            log.warning("isso holds our replies for its moderator; set moderated in the channel's options")
            self.capabilities = replace(self.capabilities, can_find_own=False)

    def _learn(self, hashes: Iterable[str]) -> None:
        if found := frozenset(hashes):
            self._me = replace(self._me, hashes=self._me.hashes | found, sure=True)

    def _recognise(self, rows: Sequence[Row]) -> None:
        """Our name beside the hash that we computed proves the computation."""
        name = html.escape(self._options.author, quote=False)
        dicts = [row.data for row in rows if isinstance(row.data, Mapping)]
        if any(row.get("author") == name and str(row.get("hash")) in self._me.hashes for row in dicts):
            self._learn(self._me.hashes)

    def _parse(self, rows: Sequence[Row]) -> tuple[tuple[Comment, ...], int]:
        """The readable rows from oldest to newest, and how many were not."""
        comments = []
        for row in rows:
            try:
                comments.append(parse_comment(row, me=self._me, site_url=self._options.site_url or ""))
            except ValueError as exc:
                log.warning("isso row cannot be read", uri=row.uri, reason=str(exc))
        comments.sort(key=lambda comment: comment.ref.created_at)
        return tuple(comments), len(rows) - len(comments)

    def _posts(self, comments: Sequence[Comment]) -> tuple[Post, ...]:
        described = {post.uri: post for post in self._options.posts}
        named = dict.fromkeys(comment.ref.post_id for comment in comments)
        site = self._options.site_url
        return tuple(
            Post(
                id=uri,
                title=self._title(uri),
                text=described[uri].text if uri in described else "",
                url=f"{site}{uri}" if site else "",
            )
            for uri in named
        )

    def _title(self, uri: str) -> str:
        titles = {post.uri: post.title for post in self._options.posts}
        return titles.get(uri) or uri


def _number(key: str) -> int:
    try:
        return comment_number(key)
    except ValueError as exc:
        raise Permanent(f"isso: {exc}") from exc
