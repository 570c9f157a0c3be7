"""The adapter of Bluesky, for any account on the AT Protocol (https://atproto.com) that has an app password.

Reading. Replies and mentions come as notifications, our own posts as the account's feed; both are walked from new to
old (see `bluesky_reading`). Under a post of ours the first level of replies is the top of a thread; in a conversation
that somebody else began, its first post is.

Writing. The record's key is made from the reply's key, and the record is written only where there is none yet
(`swapRecord: null`). So a second attempt changes nothing and finds the first one, with the time of the first attempt.
That time is not taken from the comment: replies are shown, and the person answered is notified, in the order of the
times that they claim, and a reply that claims to be as old as a comment of last week is not seen by anybody.
"""

from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

import aiohttp
from pydantic import BaseModel

from adapters import bluesky_reading as reading
from adapters.base import (
    Account,
    Budget,
    Capabilities,
    Clock,
    CommentPage,
    CommentRef,
    Cursor,
    MemoryVault,
    ReplyRef,
    Vault,
)
from adapters.bluesky_gate import hide
from adapters.bluesky_listing import Listing
from adapters.bluesky_options import BlueskyOptions
from adapters.bluesky_posts import Posts
from adapters.bluesky_rows import POSTS, Row, error_name, parse_row, refusal, reply_ref, write_refusal
from adapters.bluesky_server import Server, stamp
from adapters.bluesky_session import Session, check_standing
from adapters.bluesky_text import check_length, facets, mentioned, record_key
from adapters.errors import AlreadyReplied, AuthExpired, Permanent, TargetGone, Transient
from adapters.http import Http
from adapters.text import clean, parse_id, parse_text, parse_time

# Clocks tick apart within the second that `Http` cannot see.
MARGIN: Final = timedelta(seconds=2)


class BlueskyAdapter:
    """See `adapters.base.PlatformAdapter`; it `Moderates` too, under the account's own posts."""

    Options: ClassVar[type[BaseModel]] = BlueskyOptions

    def __init__(
        self,
        options: BlueskyOptions,
        *,
        http: aiohttp.ClientSession,
        clock: Clock,
        vault: Vault | None = None,
    ) -> None:
        self.capabilities = Capabilities(
            # Characters are never fewer than what Bluesky counts, and 300 of them never more than 3,000 bytes.
            max_reply_chars=min(options.max_graphemes, options.max_bytes // 4),
            reply_depth="any",
            idempotent_reply=True,
            can_find_own=True,
            settle_s=options.settle_s,
            min_reply_gap_s=options.reply_gap_s,
            min_poll_s=options.min_poll_s,
        )
        self._options = options
        self._clock = clock
        calls = Http(http, options.base_url, clock=clock, timeout_s=options.timeout_s)
        self._session = Session(calls, options, vault or MemoryVault())
        self._server = Server(calls, self._session)
        self._posts = Posts(self._server, options.site_url)
        self._overlap = timedelta(seconds=options.overlap_s)
        self._me = ""

    async def open(self) -> Account:
        """Log in, or go on with the session in the vault, and say who we are."""
        await self._session.start()
        answer = await self._server.read("com.atproto.server.getSession")
        try:
            account = Account(
                id=parse_id(answer.data["did"]),
                name=parse_text(answer.data["handle"]),
                # App passwords have no scopes: each may do all of this.
                can={"read": True, "reply": True, "hide": True},
            )
        except (ValueError, TypeError, KeyError) as exc:
            raise Transient(
                f"bluesky: the answer to who we are cannot be read ({exc})", ambiguous=False
            ) from exc
        check_standing(answer.data, account.name)
        self._me = account.id
        return account

    async def refresh_auth(self) -> None:
        """Get a new access token, by the refresh token or the app password. Raises ReauthRequired."""
        await self._session.renew()

    async def baseline(self, since: datetime) -> Cursor:
        """The cursor that starts at `since`, told by the server's clock."""
        answer = await self._server.read("com.atproto.server.getSession")
        return reading.make_cursor(reading.first(answer.server_time(since)))

    async def poll(self, cursor: Cursor, budget: Budget) -> CommentPage:
        """What came in after the cursor. A page that was read is looked up whole, whatever the budget."""
        listing = Listing(
            self._server,
            reading.parse_cursor(cursor),
            me=self._me,
            overlap=self._overlap,
            clock=self._clock,
        )
        for _ in range(budget.requests):
            if listing.progress.complete or len(listing.rows) >= budget.comments:
                break
            await listing.step(budget.comments - len(listing.rows))
        comments, posts = await self._posts.place(list(listing.rows.values()), me=self._me)
        progress = listing.progress
        return CommentPage(
            comments, posts, reading.make_cursor(progress), progress.complete, listing.malformed
        )

    async def reply(self, target: CommentRef, text: str, key: str) -> ReplyRef:
        """Answer `target`; a second call with this `key` writes nothing and returns what the first one wrote."""
        text = clean(text)
        check_length(text, max_graphemes=self._options.max_graphemes, max_bytes=self._options.max_bytes)
        references = _references(target)
        await self._check_open(target)
        # A clock that is behind must not date the reply before what it answers.
        written = max(self._clock(), target.created_at + timedelta(milliseconds=1))
        record: dict[str, Any] = {
            "$type": POSTS,
            "text": text,
            "reply": references,
            "createdAt": stamp(written),
        }
        if found := facets(text, await self._dids(mentioned(text))):
            record["facets"] = found
        rkey = record_key(key)
        answer = await self._server.put(self._me, POSTS, rkey, record, swap=None)
        if error_name(answer) == "InvalidSwap":
            return await self._written_before(rkey, target)
        if answer.status != 200:
            raise write_refusal("putRecord", answer)
        uri = f"at://{self._me}/{POSTS}/{rkey}"
        if not isinstance(answer.data, dict) or answer.data.get("uri") != uri:
            raise Transient("bluesky: the answer does not name the reply that was written", ambiguous=True)
        return ReplyRef(uri, target.comment_id, text, written)

    async def find_own_replies(self, target: CommentRef, since: datetime) -> list[ReplyRef]:
        """Our replies to `target` that came in at `since` or later."""
        params = {"uri": target.comment_id, "depth": "1", "parentHeight": "0"}
        answer = await self._server.read("app.bsky.feed.getPostThread", params)
        thread = answer.data.get("thread") if isinstance(answer.data, dict) else None
        if isinstance(thread, dict) and (thread.get("notFound") is True or thread.get("blocked") is True):
            raise TargetGone(f"bluesky: comment {target.comment_id} is gone")
        replies = thread.get("replies", []) if isinstance(thread, dict) and "post" in thread else None
        if not isinstance(replies, list):
            raise Transient("bluesky: the thread cannot be read", ambiguous=False)
        # `since` may be a time of ours or one of the platform's: too much is found rather than too little.
        earliest = min(since, answer.server_time(since)) - MARGIN
        mine = [row for row in map(_reply_row, replies) if row and row.author_id == self._me]
        return [
            reply_ref(row) for row in mine if row.parent == target.comment_id and row.indexed_at >= earliest
        ]

    async def hide(self, target: CommentRef) -> None:
        """Move a reply under our post behind "show hidden replies". Raises Permanent elsewhere."""
        await hide(self._server, target, me=self._me, clock=self._clock)

    async def aclose(self) -> None:
        """Forget the tokens; the session belongs to the caller, and the vault keeps them."""
        self._session.forget()

    async def _check_open(self, target: CommentRef) -> None:
        """Raises unless `target` can be answered: a server takes a reply to what is not there."""
        views = await self._posts.views([target.comment_id])
        view = views[0] if views else None
        if not isinstance(view, dict) or _flag(view, "author", "viewer", "blockedBy"):
            raise TargetGone(f"bluesky: comment {target.comment_id} is gone")
        if _flag(view, "viewer", "replyDisabled"):
            raise Permanent(f"bluesky: the account may not reply in the conversation of {target.comment_id}")

    async def _dids(self, handles: list[str]) -> dict[str, str]:
        """Whom the handles belong to; one that nobody has stays plain text."""
        found = {}
        for handle in handles:
            answer = await self._server.ask("com.atproto.identity.resolveHandle", {"handle": handle})
            did = answer.data.get("did") if isinstance(answer.data, dict) else None
            if answer.status == 200 and isinstance(did, str) and did.startswith("did:"):
                found[handle] = did
            elif isinstance(refusal("resolveHandle", answer), AuthExpired):
                raise refusal("resolveHandle", answer)
        return found

    async def _written_before(self, rkey: str, target: CommentRef) -> ReplyRef:
        uri = f"at://{self._me}/{POSTS}/{rkey}"
        answer = await self._server.record(self._me, POSTS, rkey)
        try:
            value: Any = answer.data["value"] if answer else None
            return ReplyRef(uri, target.comment_id, parse_text(value["text"]), parse_time(value["createdAt"]))
        except (TypeError, KeyError, ValueError) as exc:
            raise AlreadyReplied(f"bluesky: an earlier attempt wrote {uri}", reply_id=uri) from exc


def _references(target: CommentRef) -> dict[str, dict[str, str]]:
    try:
        return {
            "root": {"uri": target.extra["root_uri"], "cid": target.extra["root_cid"]},
            "parent": {"uri": target.comment_id, "cid": target.extra["cid"]},
        }
    except KeyError as exc:
        raise Permanent(f"bluesky: comment {target.comment_id} was stored without its {exc}") from exc


def _reply_row(node: object) -> Row | None:
    """A reply in a thread; None for one that is gone or blocked. Raises Transient when it cannot be read."""
    if isinstance(node, dict) and (node.get("notFound") is True or node.get("blocked") is True):
        return None
    try:
        return parse_row(node.get("post") if isinstance(node, dict) else node)
    except ValueError as exc:
        # It may be our reply: saying "none" could answer twice.
        raise Transient(f"bluesky: a reply of the thread cannot be read ({exc})", ambiguous=False) from exc


def _flag(view: dict[str, Any], *path: str) -> bool:
    value: Any = view
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value is True
