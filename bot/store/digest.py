"""What was asked in a span of time: exact counts over all of it, and the newest comments themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func
from sqlalchemy import select as sqlalchemy_select
from sqlmodel import Session, col, select

from bot.models import Channel, Comment, Draft, Post, State
from bot.reasons import Reason

MOST = 20_000
BUSIEST = 10


@dataclass(frozen=True, slots=True)
class Asked:
    """One comment of another person."""

    id: int
    text: str
    author: str
    url: str
    """Address of the comment, or of its post where the platform gives it none; empty where there is neither."""
    channel: str
    post: str
    """Title of the post, or the platform's number where it has none."""
    at: datetime
    """When it was written."""
    state: State
    reason: str
    in_vain: bool
    """The documents held no answer."""

    @property
    def waiting(self) -> bool:
        return self.state is State.REVIEW


@dataclass(frozen=True, slots=True)
class BusyPost:
    title: str
    url: str
    comments: int


@dataclass(frozen=True, slots=True)
class Span:
    """What the ledger holds of a span of time, in one consistent view."""

    by_state: dict[State, int]
    """Of all comments, however many."""
    posts: tuple[BusyPost, ...]
    """Those with most comments, the one with most first."""
    comments: tuple[Asked, ...]
    """The newest, oldest first."""


def span(
    session: Session,
    *,
    since: datetime,
    until: datetime,
    channel: str | None = None,
    most: int = MOST,
) -> Span:
    """Comments written from `since` to before `until`, at most `most` of them one by one.

    Our own comments and history from before the channel's start are left out, as in `bot.store.stats.counts`.
    """
    wanted = [
        col(Comment.created_at) >= since,
        col(Comment.created_at) < until,
        col(Comment.is_own).is_(False),
        col(Comment.reason) != Reason.BEFORE_BASELINE,
    ]
    if channel is not None:
        chosen = select(Channel.id).where(Channel.name == channel)
        wanted.append(col(Comment.channel_id).in_(chosen))
    return Span(_by_state(session, wanted), _busiest(session, wanted), _newest(session, wanted, most))


def _by_state(session: Session, wanted: Sequence[ColumnElement[bool]]) -> dict[State, int]:
    rows = select(Comment.state, func.count()).where(*wanted).group_by(col(Comment.state))
    return {State(state): number for state, number in session.exec(rows)}


def _busiest(session: Session, wanted: Sequence[ColumnElement[bool]]) -> tuple[BusyPost, ...]:
    number = func.count().label("number")
    most = (
        select(Comment.post_id, number)
        .where(*wanted)
        .group_by(col(Comment.post_id))
        .order_by(number.desc(), col(Comment.post_id))
        .limit(BUSIEST)
    )
    counts = dict(session.exec(most).all())
    posts = {post.id: post for post in session.exec(select(Post).where(col(Post.id).in_(counts)))}
    return tuple(
        BusyPost(posts[post_id].title or posts[post_id].platform_id, posts[post_id].url, count)
        for post_id, count in counts.items()
    )


def _newest(session: Session, wanted: Sequence[ColumnElement[bool]], most: int) -> tuple[Asked, ...]:
    # Single columns: whole rows of this many comments take three times as long.
    rows = (
        _columns(
            Comment.id, Comment.text, Comment.author_name, Comment.url, Channel.name, Post.title,
            Post.platform_id, Post.url, Comment.created_at, Comment.state, Comment.reason, Draft.reason,
        )
        .join(Channel, col(Channel.id) == Comment.channel_id)
        .join(Post, col(Post.id) == Comment.post_id)
        .join(Draft, col(Draft.id) == Comment.draft_id, isouter=True)
        .where(*wanted)
        .order_by(col(Comment.created_at).desc(), col(Comment.id).desc())
        .limit(most)
    )  # fmt: skip
    found = [
        Asked(
            number, text, author, url or post_url, name, title or post, at, State(state), reason,
            drafted == Reason.NOT_IN_DOCUMENTS,
        )
        for number, text, author, url, name, title, post, post_url, at, state, reason, drafted
        in session.connection().execute(rows)
    ]  # fmt: skip
    return tuple(found[::-1])


def _columns(*columns: Any) -> Select[Any]:
    """A query of single columns; SQLModel's own `select` is typed for four."""
    return sqlalchemy_select(*columns).select_from(Comment)
