"""The adapter of WordPress, by its REST API (wp/v2, WordPress 5.6 or later) and an application password.

What to know of WordPress:
- Times have whole seconds, and a listing's `after` leaves out its own second: see `wordpress_reading`.
- It takes a reply to a comment that is gone, so that the adapter looks afterwards, and takes such a reply back.
- Where the log-in fails on a site that lets everybody comment, a reply would be a stranger's: it names its author.
- It refuses the same reply twice (409), and a second comment within 15 s with a 400.
- A comment that the moderator releases late has its old time: see `late_s`.

Cursor: `since` (the baseline), `newest` (time of the newest comment read), `read` (when all of `late_s` was read
last), all in epoch seconds; `held` (ids that wait for the moderator) and `walk` (a round that is not finished).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

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
    ReplyRef,
    Vault,
)
from adapters.errors import (
    AdapterError,
    AlreadyReplied,
    Permanent,
    ReauthRequired,
    RejectedContent,
    TargetGone,
    Transient,
)
from adapters.http import Answer
from adapters.text import EARLIEST, clean, same_text
from adapters.wordpress_answers import own_answers, shown
from adapters.wordpress_lookup import Lookup
from adapters.wordpress_options import WordPressOptions
from adapters.wordpress_reading import Reading
from adapters.wordpress_rows import (
    COMMENT_FIELDS,
    Me,
    as_html,
    code_of,
    number,
    parse_comment,
    reply_ref,
)
from adapters.wordpress_site import CONNECT_AGAIN, Site

BYTES_A_CHARACTER: Final = 4
# Clocks tick apart within the seconds that `Http` cannot see, and WordPress cuts times to the second.
MARGIN: Final = timedelta(seconds=3)
NOT_SHOWN: Final = {"spam", "trash"}

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class WordPressAdapter:
    """See `adapters.base.PlatformAdapter`; it can hide comments too (`Moderates`)."""

    Options: ClassVar[type[BaseModel]] = WordPressOptions

    def __init__(
        self,
        options: WordPressOptions,
        *,
        http: aiohttp.ClientSession,
        clock: Clock,
        vault: Vault | None = None,
    ) -> None:
        self.capabilities = Capabilities(
            max_reply_chars=options.max_reply_bytes // BYTES_A_CHARACTER,
            reply_depth="any",
            idempotent_reply=True,
            can_find_own=True,
            settle_s=options.settle_s,
            min_reply_gap_s=options.reply_gap_s,
            min_poll_s=options.min_poll_s,
        )
        self._options = options
        self._clock = clock
        self._site = Site(options, http, clock)
        self._lookup = Lookup(self._site)

    async def open(self) -> Account:
        """Log in, and see what our role on the site lets us do."""
        self._site.forget_me()
        me = await self._site.me()
        return Account(me.id, me.name, {"read": True, "reply": True, "hide": me.moderates})

    async def refresh_auth(self) -> None:
        """An application password is valid until somebody revokes it. Raises ReauthRequired."""
        raise ReauthRequired(f"wordpress: an application password cannot be renewed; {CONNECT_AGAIN}")

    async def baseline(self, since: datetime) -> Cursor:
        """The cursor that starts at `since`, told by the server's clock."""
        answer = await self._site.read("users/me", {"_fields": "id"})
        if answer.status != 200:
            raise self._site.refused("users/me", answer)
        start = answer.server_time(max(since, EARLIEST + MARGIN)) - MARGIN
        now = self._clock().timestamp()
        return {
            "since": max(start, EARLIEST).timestamp(),
            "newest": None,
            "read": now,
            "held": [],
            "walk": None,
        }

    async def poll(self, cursor: Cursor, budget: Budget) -> CommentPage:
        """New comments, and those of the last `late_s` that were released since. A page that was read is finished:
        its posts and threads are looked up even where that costs more requests than the budget has."""
        me = await self._site.me()
        reading = Reading(self._site, self._options, me, self._clock, cursor)
        try:
            await reading.run(budget)
        except Permanent:
            self._site.forget_me()
            raise
        if reading.began_full:
            self._lookup.forget_posts()
        rows = list(reading.rows.values())
        read, malformed = await self._parse(me, rows)
        comments = tuple(comment for comment in read if comment.ref.created_at >= reading.since)
        return CommentPage(
            comments=comments,
            posts=await self._lookup.posts(comments, rows),
            cursor=reading.cursor(),
            complete=reading.complete,
            malformed=malformed,
        )

    async def reply(self, target: CommentRef, text: str, key: str) -> ReplyRef:
        """Answer `target` itself. WordPress knows a second attempt by its text, whatever the `key`."""
        content = self._checked(text)
        me = await self._site.me()
        place = {"post": number(target.post_id), "parent": number(target.comment_id)}
        body = {**place, "author": number(me.id), "content": content}
        answer = await self._site.write("POST", "comments", params={"_fields": COMMENT_FIELDS}, body=body)
        if answer.status == 409 and code_of(answer) == "comment_duplicate":
            raise AlreadyReplied(
                "wordpress: this reply is there already", reply_id=await self._there_already(target, text)
            )
        if answer.status != 201:
            raise self._site.refused("reply", answer)
        stored = self._stored(me, answer)
        await self._take_back_if_gone(target, stored)
        self._note_status(me, answer.data)
        return replace(reply_ref(stored), text=text)

    async def find_own_replies(self, target: CommentRef, since: datetime) -> list[ReplyRef]:
        """Our replies to `target` written at `since` or later, those that wait for the moderator among them."""
        me = await self._site.me()
        seen = await shown(self._site, target)
        rows = await own_answers(self._site, me, target)
        comments, malformed = await self._parse(me, rows)
        if malformed:
            # One of the unreadable rows may be our reply: saying "none" could answer twice.
            raise Transient("wordpress: an answer to the comment cannot be read", ambiguous=False)
        # `since` may have been told by either clock.
        earliest = min(since, seen.server_time(since)) - MARGIN
        return [
            reply_ref(comment)
            for comment in comments
            if comment.is_own
            and comment.parent_id == target.comment_id
            and comment.ref.created_at >= earliest
        ]

    async def hide(self, target: CommentRef) -> None:
        """Hold the comment for the moderator. Raises Permanent where our role may not."""
        # What lies in the trash would come out of it.
        await shown(self._site, target, held_too=True)
        route = f"comments/{number(target.comment_id)}"
        answer = await self._site.write("POST", route, params={"_fields": "id"}, body={"status": "hold"})
        if answer.status != 200:
            raise self._site.refused("hide", answer)

    async def aclose(self) -> None:
        """Nothing to let go of: the session belongs to the caller."""

    # --- reading ---

    async def _parse(self, me: Me, rows: Sequence[Any]) -> tuple[list[Comment], int]:
        """The readable rows from oldest to newest, and how many were not. Raises AdapterError."""
        parents = await self._lookup.parents(me, rows)
        comments = []
        for row in rows:
            try:
                comments.append(parse_comment(row, me=me.id, parents=parents))
            except ValueError as exc:
                log.warning("wordpress row cannot be read", reason=str(exc))
        comments.sort(
            key=lambda comment: (comment.ref.created_at, len(comment.ref.comment_id), comment.ref.comment_id)
        )
        return comments, len(rows) - len(comments)

    # --- writing ---

    def _checked(self, text: str) -> str:
        content = as_html(clean(text))
        size, most = len(content.encode()), self._options.max_reply_bytes
        if not content.strip():
            raise RejectedContent("wordpress: an empty reply is refused")
        if size > most:
            raise RejectedContent(f"wordpress: the reply has {size} bytes, more than {most}; shorten it")
        return content

    def _stored(self, me: Me, answer: Answer) -> Comment:
        try:
            return parse_comment(answer.data, me=me.id, parents={})
        except ValueError as exc:
            raise Transient(f"wordpress: the stored reply cannot be read ({exc})", ambiguous=True) from exc

    async def _there_already(self, target: CommentRef, text: str) -> str | None:
        try:
            found = await self.find_own_replies(target, EARLIEST + MARGIN)
        except AdapterError as exc:
            log.info("wordpress holds the reply already; its id is unknown", reason=str(exc))
            return None
        return next((reply.id for reply in found if same_text(reply.text, text)), None)

    async def _take_back_if_gone(self, target: CommentRef, stored: Comment) -> None:
        """Delete what answers a comment that is gone, and raise TargetGone."""
        try:
            await shown(self._site, target)
        except TargetGone:
            await self._take_back(stored.ref.comment_id)
            raise
        except AdapterError as exc:
            log.info(
                "wordpress has the reply; whether its comment is there could not be asked", reason=str(exc)
            )

    async def _take_back(self, comment_id: str) -> None:
        try:
            gone = await self._site.write("DELETE", f"comments/{comment_id}", params={"force": "true"})
            deleted = gone.status == 200
        except AdapterError:
            deleted = False
        if not deleted:
            log.warning("wordpress kept a reply whose comment is gone; delete it by hand", comment=comment_id)

    def _note_status(self, me: Me, data: Mapping[str, Any]) -> None:
        """What became of a stored reply. Raises RejectedContent where a filter threw it away."""
        status = str(data.get("status"))
        if status in NOT_SHOWN:
            raise RejectedContent(
                f"wordpress: the site put the reply into its {status}; release or delete it there"
            )
        if status == "hold":
            log.warning("wordpress holds our reply for its moderator; let the account publish without it")
            if not me.edits:
                self.capabilities = replace(self.capabilities, can_find_own=False)
