"""The adapter of Bluesky, for any account on the AT Protocol (https://atproto.com) that has an app password.

Reading. Replies and mentions come as notifications, our own posts as the account's feed; both are walked from new to
old (see `bluesky_reading`). Under a post of ours the first level of replies is the top of a thread; in a conversation
that somebody else began, its first post is.

Writing. The record's key is made from the reply's key, and the record is written only where there is none yet
(`swapRecord: null`). So a second attempt changes nothing and finds the first one, with the time of the first attempt.
That time is not taken from the comment: replies are shown, and the person answered is notified, in the order of the
times that they claim, and a reply that claims to be as old as a comment of last week is not seen by anybody.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

import aiohttp
import structlog
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
from adapters.bluesky_options import BlueskyOptions
from adapters.bluesky_posts import Posts
from adapters.bluesky_rows import (
    POSTS,
    Row,
    error_name,
    indexed_at,
    is_absent,
    owner,
    parse_row,
    refusal,
    reply_ref,
    write_refusal,
)
from adapters.bluesky_session import Session, check_standing
from adapters.bluesky_text import check_length, facets, mentioned, record_key
from adapters.errors import AuthExpired, Permanent, TargetGone, Transient
from adapters.http import Answer, Http, Params, rows_of
from adapters.text import parse_id, parse_text, parse_time

GATES: Final = "app.bsky.feed.threadgate"
MAX_PAGE: Final = 100
MAX_HIDDEN: Final = 300
HIDE_ATTEMPTS: Final = 3
# Clocks tick apart within the second that `Http` cannot see.
MARGIN: Final = timedelta(seconds=2)

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


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
        self._http = Http(http, options.base_url, clock=clock, timeout_s=options.timeout_s)
        self._session = Session(self._http, options, vault or MemoryVault())
        self._posts = Posts(self._http, self._session, options.site_url)
        self._overlap = timedelta(seconds=options.overlap_s)
        self._me = ""

    async def open(self) -> Account:
        """Log in, or go on with the session in the vault, and say who we are."""
        await self._session.start()
        answer = await self._read("com.atproto.server.getSession")
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
        answer = await self._read("com.atproto.server.getSession")
        return reading.make_cursor(reading.first(answer.server_time(since)))

    async def poll(self, cursor: Cursor, budget: Budget) -> CommentPage:
        """What came in after the cursor. A page that was read is looked up whole, whatever the budget."""
        progress = reading.parse_cursor(cursor)
        rows: dict[str, Row] = {}
        malformed = requests = 0
        while not progress.complete and requests < budget.requests and len(rows) < budget.comments:
            progress, found, bad = await self._step(progress, budget.comments - len(rows))
            rows |= {row.at.uri: row for row in found}
            malformed += bad
            requests += 1
        comments, posts = await self._posts.place(list(rows.values()), me=self._me)
        return CommentPage(comments, posts, reading.make_cursor(progress), progress.complete, malformed)

    async def reply(self, target: CommentRef, text: str, key: str) -> ReplyRef:
        """Answer `target`; a second call with this `key` writes nothing and returns what the first one wrote."""
        check_length(text, max_graphemes=self._options.max_graphemes, max_bytes=self._options.max_bytes)
        references = _references(target)
        await self._check_open(target)
        written = self._clock().astimezone(UTC)
        record: dict[str, Any] = {
            "$type": POSTS,
            "text": text,
            "reply": references,
            "createdAt": written.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        if found := facets(text, await self._dids(mentioned(text))):
            record["facets"] = found
        rkey = record_key(key)
        answer = await self._put(POSTS, rkey, record, swap=None)
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
        answer = await self._read("app.bsky.feed.getPostThread", params)
        thread = answer.data.get("thread") if isinstance(answer.data, dict) else None
        if isinstance(thread, dict) and (thread.get("notFound") is True or thread.get("blocked") is True):
            raise TargetGone(f"bluesky: comment {target.comment_id} is gone")
        replies = thread.get("replies", []) if isinstance(thread, dict) and "post" in thread else None
        if not isinstance(replies, list):
            raise Transient("bluesky: the thread cannot be read", ambiguous=False)
        earliest = answer.server_time(since) - MARGIN
        mine = [row for row in map(_reply_row, replies) if row and row.author_id == self._me]
        return [
            reply_ref(row) for row in mine if row.parent == target.comment_id and row.indexed_at >= earliest
        ]

    async def hide(self, target: CommentRef) -> None:
        """Move a reply under our post behind "show hidden replies". Raises Permanent elsewhere."""
        root = target.post_id
        if owner(root) != self._me or target.comment_id == root:
            raise Permanent("bluesky: only replies under the account's own posts can be hidden")
        for _ in range(HIDE_ATTEMPTS):
            cid, gate = await self._gate(root)
            hidden = gate.get("hiddenReplies") or []
            if target.comment_id in hidden:
                return
            if len(hidden) >= MAX_HIDDEN:
                raise Permanent(f"bluesky: the post has {MAX_HIDDEN} hidden replies, and takes no more")
            gate = {**gate, "hiddenReplies": [*hidden, target.comment_id]}
            answer = await self._put(GATES, root.rpartition("/")[2], gate, swap=cid)
            if answer.status == 200:
                return
            if error_name(answer) != "InvalidSwap":
                raise refusal("putRecord", answer)
        raise Transient("bluesky: the post's hidden replies are being changed elsewhere", ambiguous=False)

    async def aclose(self) -> None:
        """Forget the tokens; the session belongs to the caller, and the vault keeps them."""
        self._session.forget()

    async def _step(self, progress: reading.Progress, room: int) -> tuple[reading.Progress, list[Row], int]:
        """One page further: the progress, its new rows, and how many could not be read."""
        name = progress.todo[0]
        answer = await self._page(name, progress.streams[name].at, min(MAX_PAGE, max(room, 1)))
        if answer.status == 400 and error_name(answer) == "InvalidRequest" and progress.streams[name].at:
            # The server no longer knows the place: begin again at the top.
            return reading.restart(progress, name), [], 0
        if answer.status != 200:
            raise refusal(name, answer)
        listed = rows_of(
            f"bluesky: {name}", answer.data, "notifications" if name == reading.INBOX else "feed"
        )
        following = answer.data.get("cursor")
        moved = reading.advance(
            progress,
            name,
            times=[indexed_at(item) for item in listed],
            following=following if isinstance(following, str) and following else None,
            overlap=self._overlap,
            now=answer.server_time(self._clock()),
        )
        rows, malformed = self._news(name, listed, reading.floor(progress, name, self._overlap))
        return moved, rows, malformed

    async def _page(self, name: str, at: str | None, limit: int) -> Answer:
        place = [("limit", str(limit)), *([("cursor", at)] if at else [])]
        if name == reading.INBOX:
            method = "app.bsky.notification.listNotifications"
            params = [("reasons", "reply"), ("reasons", "mention"), *place]
        else:
            method = "app.bsky.feed.getAuthorFeed"
            params = [("actor", self._me), ("filter", "posts_with_replies"), *place]
        return await self._http.read(f"/xrpc/{method}", params=params, headers=self._session.headers())

    def _news(self, name: str, listed: list[Any], since: datetime) -> tuple[list[Row], int]:
        rows: list[Row] = []
        malformed = 0
        for item in listed:
            view = item if name == reading.INBOX else _own_view(item)
            if view is None:
                continue
            try:
                row = parse_row(view)
            except ValueError as exc:
                log.warning("bluesky row cannot be read", listing=name, reason=str(exc))
                malformed += 1
                continue
            if row.indexed_at >= since and self._wanted(name, row):
                rows.append(row)
        return rows, malformed

    def _wanted(self, name: str, row: Row) -> bool:
        """Our posts are comments only where they answer something; likes and follows are no comments."""
        return (row.author_id == self._me and row.parent is not None) if name == reading.OWN else True

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
            params = {"handle": handle}
            answer = await self._http.read(
                "/xrpc/com.atproto.identity.resolveHandle", params=params, headers=self._session.headers()
            )
            did = answer.data.get("did") if isinstance(answer.data, dict) else None
            if answer.status == 200 and isinstance(did, str) and did.startswith("did:"):
                found[handle] = did
            elif isinstance(refusal("resolveHandle", answer), AuthExpired):
                raise refusal("resolveHandle", answer)
        return found

    async def _written_before(self, rkey: str, target: CommentRef) -> ReplyRef:
        answer = await self._record(POSTS, rkey)
        try:
            value = answer.data["value"]
            return ReplyRef(
                parse_id(answer.data["uri"]),
                target.comment_id,
                parse_text(value["text"]),
                parse_time(value["createdAt"]),
            )
        except (TypeError, KeyError, ValueError) as exc:
            raise Transient(
                "bluesky: the reply of an earlier attempt cannot be read", ambiguous=True
            ) from exc

    async def _gate(self, root: str) -> tuple[str | None, dict[str, Any]]:
        """Who may reply to our post, and which replies are hidden; None and a new one where there is none yet."""
        answer = await self._record(GATES, root.rpartition("/")[2])
        if is_absent(answer):
            now = self._clock().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            return None, {"$type": GATES, "post": root, "createdAt": now}
        try:
            cid, value = parse_id(answer.data["cid"]), dict(answer.data["value"])
        except (TypeError, KeyError, ValueError) as exc:
            raise Transient("bluesky: the post's threadgate cannot be read", ambiguous=False) from exc
        return cid, value

    async def _record(self, collection: str, rkey: str) -> Answer:
        params = {"repo": self._me, "collection": collection, "rkey": rkey}
        answer = await self._http.read(
            "/xrpc/com.atproto.repo.getRecord", params=params, headers=self._session.headers()
        )
        if answer.status != 200 and not is_absent(answer):
            raise refusal("getRecord", answer)
        return answer

    async def _put(self, collection: str, rkey: str, record: object, *, swap: str | None) -> Answer:
        body = {
            "repo": self._me,
            "collection": collection,
            "rkey": rkey,
            "record": record,
            "swapRecord": swap,
        }
        return await self._http.write(
            "POST", "/xrpc/com.atproto.repo.putRecord", headers=self._session.headers(), body=body
        )

    async def _read(self, method: str, params: Params | None = None) -> Answer:
        answer = await self._http.read(f"/xrpc/{method}", params=params, headers=self._session.headers())
        if answer.status != 200:
            raise refusal(method, answer)
        return answer


def _references(target: CommentRef) -> dict[str, dict[str, str]]:
    try:
        return {
            "root": {"uri": target.extra["root_uri"], "cid": target.extra["root_cid"]},
            "parent": {"uri": target.comment_id, "cid": target.extra["cid"]},
        }
    except KeyError as exc:
        raise Permanent(f"bluesky: comment {target.comment_id} was stored without its {exc}") from exc


def _own_view(item: object) -> object:
    """The post of an entry of our feed; None for a repost."""
    if isinstance(item, dict) and item.get("reason") is None:
        return item.get("post")
    return None


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
