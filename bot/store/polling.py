"""What the poller needs: take a channel, save a page with its cursor, give the channel back."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, col, select

from adapters.base import Comment as PlatformComment
from adapters.base import CommentPage, CommentRef
from adapters.base import Post as PlatformPost
from adapters.text import clean, same_text
from bot.models import Channel, Comment, Event, Post, Reply, State
from bot.reasons import Reason
from bot.store.states import OPEN, Move, move
from knowledge.language import detect

CLOCKS_APART = timedelta(minutes=1)
"""How far a platform's clock may be behind ours before a fresh comment counts as history."""
LANGUAGE_SAMPLE = 2_000  # characters: enough to tell the language, whatever the length


@dataclass(frozen=True, slots=True)
class Ingested:
    """Outcome of one page: comments new to the ledger, and those it knew."""

    new: int
    known: int
    own: int
    """How many of `new` are our own."""


def claim_channels(
    session: Session, *, owner: str, now: datetime, lease: timedelta, only: frozenset[int] | None = None
) -> list[Channel]:
    """The channels due for a poll, now leased to `owner`. A lease that ran out is taken over.

    Each claim is named apart in `poll_owner`: a poll that lost its channel, even to another of the same process,
    saves nothing.
    """
    due = select(Channel).where(col(Channel.paused).is_(False), Channel.next_poll_at <= now)
    if only is not None:
        due = due.where(col(Channel.id).in_(only))
    channels = list(session.exec(due.order_by(col(Channel.next_poll_at)).with_for_update(skip_locked=True)))
    for channel in channels:
        channel.poll_owner, channel.next_poll_at = f"{owner}/{uuid4().hex[:8]}", now + lease
        session.add(channel)
    return channels


def save_page(
    session: Session,
    *,
    channel: Channel,
    page: CommentPage,
    owner: str,
    now: datetime,
    next_poll_at: datetime,
    thread_depth: bool,
) -> Ingested | None:
    """Save comments, cursor and the channel's next due time in one transaction; None when the lease was lost.

    A comment that is known already stays as it is. Our own comments close what they answer (`thread_depth` False).
    """
    mine = update(Channel).where(col(Channel.id) == channel.id, col(Channel.poll_owner) == owner)
    values: dict[str, Any] = {
        "cursor": dict(page.cursor),
        "last_poll_at": now,
        "next_poll_at": next_poll_at,
        "failures": 0,
        "last_error": None,
        "error_since": None,
    }
    if page.complete:
        values["poll_owner"] = None
    if not session.connection().execute(mine.values(values)).rowcount:
        return None
    fresh = ingest(session, channel, page.comments, page.posts, now=now, thread_depth=thread_depth)
    own = sum(comment.is_own and comment.ref.comment_id in fresh for comment in page.comments)
    return Ingested(new=len(fresh), known=len(page.comments) - len(fresh), own=own)


def ingest(
    session: Session,
    channel: Channel,
    comments: Sequence[PlatformComment],
    posts: Iterable[PlatformPost],
    *,
    now: datetime,
    thread_depth: bool,
) -> set[str]:
    """Take in what a poll or an import brought, each comment once; returns the platform's ids of those that are new.

    `posts` holds every post that a comment names.
    """
    ids = _save_posts(session, channel, posts)
    fresh = _save_comments(session, channel, comments, ids, now)
    if not thread_depth:
        own = (comment for comment in comments if comment.is_own and comment.ref.comment_id in fresh)
        _close_answered(session, channel, own, now)
    return fresh


def poll_failed(
    session: Session, *, channel_id: int, owner: str, error: str, now: datetime, retry_at: datetime
) -> int:
    """Note the failure, give the channel back, and return how many polls failed in a row (0: the lease was lost)."""
    channel = session.get(Channel, channel_id)
    if channel is None or channel.poll_owner != owner:
        return 0
    channel.failures += 1
    channel.last_error, channel.error_since = error, channel.error_since or now
    channel.poll_owner, channel.next_poll_at = None, retry_at
    session.add(channel)
    return channel.failures


def wake(session: Session, channel_id: int, *, now: datetime, gap: timedelta) -> bool:
    """Make the channel due at once, or `gap` after its last poll; False where that changes nothing.

    A channel that waits after a failure goes on waiting, and one that is being polled is left to that.
    """
    channel = session.get(Channel, channel_id)
    if channel is None:
        return False
    due = max(now, channel.last_poll_at + gap) if channel.last_poll_at is not None else now
    waiting = update(Channel).where(
        col(Channel.id) == channel_id,
        col(Channel.poll_owner).is_(None),
        col(Channel.failures) == 0,
        col(Channel.next_poll_at) > due,
    )
    return bool(session.connection().execute(waiting.values(next_poll_at=due)).rowcount)


def release_channels(session: Session, *, owner: str, now: datetime) -> None:
    """Give back what `owner` still holds, due at once."""
    held = update(Channel).where(col(Channel.poll_owner).startswith(f"{owner}/", autoescape=True))
    session.execute(held.values(poll_owner=None, next_poll_at=now))


def _insert_new(session: Session, table: type[SQLModel], rows: list[dict[str, Any]]) -> list[Any]:
    """Insert the rows that are new to (channel_id, platform_id); return (id, platform_id) of those."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    target = table.__table__  # type: ignore[attr-defined]
    statement = dialect.insert(target).on_conflict_do_nothing(index_elements=["channel_id", "platform_id"])
    statement = statement.returning(target.c.id, target.c.platform_id)
    return list(session.connection().execute(statement, rows).all())


def _save_posts(session: Session, channel: Channel, posts: Iterable[PlatformPost]) -> dict[str, int]:
    by_id = {post.id: post for post in posts}
    if not by_id:
        return {}
    known = select(Post).where(Post.channel_id == channel.id, col(Post.platform_id).in_(by_id))
    ids: dict[str, int] = {}
    for row in session.exec(known):
        post = by_id[row.platform_id]
        row.title, row.text, row.url = post.title, post.text, post.url
        row.pictures = list(post.pictures)
        ids[row.platform_id] = row.id or 0
    missing = [
        {
            "channel_id": channel.id,
            "platform_id": post.id,
            "title": post.title,
            "text": post.text,
            "url": post.url,
            "pictures": list(post.pictures),
        }
        for post in by_id.values()
        if post.id not in ids
    ]
    if missing:
        ids |= {platform_id: row_id for row_id, platform_id in _insert_new(session, Post, missing)}
    return ids


def _save_comments(
    session: Session,
    channel: Channel,
    comments: Iterable[PlatformComment],
    posts: dict[str, int],
    now: datetime,
) -> set[str]:
    by_id = {comment.ref.comment_id: comment for comment in comments}
    if not by_id:
        return set()
    inserted = _insert_new(
        session, Comment, [_row(channel, comment, posts, now) for comment in by_id.values()]
    )
    events = [
        {
            "comment_id": row_id,
            "at": now,
            "actor": "poller",
            "from_state": "",
            "to_state": _first_state(channel, by_id[platform_id])[0],
            "reason": _first_state(channel, by_id[platform_id])[1],
            "detail": "",
        }
        for row_id, platform_id in inserted
    ]
    if events:
        session.connection().execute(Event.__table__.insert(), events)  # type: ignore[attr-defined]
    return {platform_id for _, platform_id in inserted}


def _first_state(channel: Channel, comment: PlatformComment) -> tuple[State, str]:
    if comment.is_own:
        return State.SKIPPED, Reason.OWN_COMMENT
    if comment.ref.created_at < channel.answer_since - CLOCKS_APART:
        return State.SKIPPED, Reason.BEFORE_BASELINE
    return State.NEW, ""


def _row(channel: Channel, comment: PlatformComment, posts: dict[str, int], now: datetime) -> dict[str, Any]:
    state, reason = _first_state(channel, comment)
    return {
        "channel_id": channel.id,
        "post_id": posts[comment.ref.post_id],
        "platform_id": comment.ref.comment_id,
        "thread_id": comment.ref.thread_id,
        "parent_id": comment.parent_id,
        "extra": dict(comment.ref.extra),
        "author_id": comment.author_id,
        "author_name": clean(comment.author_name),
        "text": clean(comment.text),
        "url": comment.url,
        "pictures": list(comment.pictures),
        "translations": {},
        "language": detect(comment.text[:LANGUAGE_SAMPLE]),
        "is_own": comment.is_own,
        "likes": comment.likes,
        "created_at": comment.ref.created_at,
        "ingested_at": now,
        "updated_at": now,
        "state": state,
        "reason": reason,
        "detail": "",
        "version": 0,
        "attempts": 0,
        "due_at": now,
    }


def _close_answered(
    session: Session, channel: Channel, own: Iterable[PlatformComment], now: datetime
) -> None:
    """Somebody with the account has answered by hand: leave those comments alone."""
    answers = {comment.parent_id: comment for comment in own if comment.parent_id}
    if not answers:
        return
    waiting = select(Comment, Reply).join(Reply, isouter=True)
    waiting = waiting.where(
        Comment.channel_id == channel.id,
        col(Comment.platform_id).in_(answers),
        col(Comment.state).in_(OPEN),
    )
    moves = []
    for comment, reply in session.exec(waiting):
        answer = answers[comment.platform_id]
        late = reply is not None and reply.attempted_at is not None and same_text(reply.text, answer.text)
        if late and comment.state in (State.READY, State.REVIEW):
            # An earlier attempt, reported as refused or unclear, arrived after all.
            reply.platform_id, reply.sent_at = answer.ref.comment_id, now
            moves.append(Move(comment.id or 0, State(comment.state), State.SENT, Reason.SENT))
        else:
            moves.append(Move(comment.id or 0, State(comment.state), State.SKIPPED, Reason.ANSWERED_BY_HUMAN))
    move(session, moves, now=now, actor="poller")


def reference(comment: Comment, post: Post) -> CommentRef:
    """The platform's own way to find this comment again."""
    return CommentRef(
        post_id=post.platform_id,
        thread_id=comment.thread_id,
        comment_id=comment.platform_id,
        created_at=comment.created_at,
        extra=comment.extra,
    )
