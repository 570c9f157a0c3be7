"""The review queue: which comments, in which order, page by page."""

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import sqlalchemy
from sqlalchemy import ColumnElement, and_, func, or_
from sqlmodel import Session, col, select

from bot.models import Channel, Comment, Draft, Hold, Post, State
from bot.store.cases import Item, select_items, with_replies

Sort = Literal["value", "oldest", "newest"]
"""`value`: what most people ask first, then what waits longest."""
SEARCH_WORDS = 8
POSTS_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Filters:
    """Which comments. What is None or empty filters nothing."""

    states: tuple[State, ...] = (State.REVIEW,)
    channel: str | None = None
    post: int | None = None
    language: str | None = None
    intent: str | None = None
    reason: str | None = None
    since: datetime | None = None
    """In its state since then or later."""
    until: datetime | None = None
    """In its state since before then."""
    search: str = ""
    """Words that must all stand in comment, author, post title or draft; `#12` is comment 12."""
    free_for: str | None = None
    """Without what others than this person hold at `now`."""
    now: datetime | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the queue a comment stands; a page begins after one."""

    similar: int
    updated_at: datetime
    comment_id: int


@dataclass(frozen=True, slots=True)
class Page:
    """Some comments of the queue, and where the next ones begin; None at the end."""

    items: list[Item]
    after: Place | None


@dataclass(frozen=True, slots=True)
class Facets:
    """How many of the comments in some states have which value; `posts` by number, with their titles."""

    total: int = 0
    channels: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    intents: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    posts: Counter[int] = field(default_factory=Counter)
    """The most frequent ones only."""
    titles: dict[int, str] = field(default_factory=dict)


def queue(
    session: Session, filters: Filters, *, sort: Sort = "oldest", after: Place | None = None, limit: int = 50
) -> Page:
    """`limit` comments after `after`. Our own comments are no work and are left out."""
    rows = _joined(select(Comment.id), filters).order_by(*_order(sort)).limit(limit + 1)
    if after is not None:
        rows = rows.where(_behind(sort, after))
    # Numbers first: with whole drafts, sorting 10,000 of them takes ten times as long.
    wanted = list(session.exec(rows))
    found = with_replies(session, select_items().where(col(Comment.id).in_(wanted[:limit])))
    items = sorted(found, key=lambda item: wanted.index(item.comment.id))
    return Page(items, place(items[-1].comment) if len(wanted) > limit else None)


def place(comment: Comment) -> Place:
    return Place(comment.similar, comment.updated_at, comment.id or 0)


def ids(session: Session, filters: Filters, *, sort: Sort = "oldest", limit: int) -> list[int]:
    """Numbers of the first `limit` comments."""
    rows = _joined(select(Comment.id), filters).order_by(*_order(sort)).limit(limit)
    return [number for number in session.exec(rows) if number is not None]


def count(session: Session, filters: Filters) -> int:
    return int(session.exec(_joined(select(func.count()).select_from(Comment), filters)).one())


def facets(session: Session, states: tuple[State, ...] = (State.REVIEW,)) -> Facets:
    """Of all comments in `states`."""
    values: tuple[Any, ...] = (Channel.name, Comment.post_id, Comment.language, Draft.intent, Comment.reason)
    rows = (
        sqlalchemy.select(*values, func.count())
        .select_from(Comment)
        .join(Channel, col(Channel.id) == Comment.channel_id)
        .join(Draft, col(Draft.id) == Comment.draft_id, isouter=True)
        .where(col(Comment.state).in_(states), col(Comment.is_own).is_(False))
        .group_by(*values)
    )
    told: dict[str, Counter[Any]] = {
        name: Counter() for name in ("channels", "posts", "languages", "intents", "reasons")
    }
    total = 0
    for channel, post, language, intent, reason, number in session.execute(rows):
        total += number
        for name, value in zip(told, (channel, post, language, intent or "", reason), strict=True):
            told[name][value] += number
    told["posts"] = Counter(dict(told["posts"].most_common(POSTS_SHOWN)))
    titles = select(Post.id, Post.title).where(col(Post.id).in_(told["posts"]))
    return Facets(total, titles={number or 0: title for number, title in session.exec(titles)}, **told)


def _order(sort: Sort) -> tuple[Any, ...]:
    age, number = col(Comment.updated_at), col(Comment.id)
    if sort == "newest":
        return age.desc(), number.desc()
    return (col(Comment.similar).desc(), age, number) if sort == "value" else (age, number)


def _behind(sort: Sort, after: Place) -> ColumnElement[bool]:
    age, number = col(Comment.updated_at), col(Comment.id)
    if sort == "newest":
        return or_(age < after.updated_at, and_(age == after.updated_at, number < after.comment_id))
    later = or_(age > after.updated_at, and_(age == after.updated_at, number > after.comment_id))
    if sort == "oldest":
        return later
    similar = col(Comment.similar)
    return or_(similar < after.similar, and_(similar == after.similar, later))


def _joined(rows: Any, filters: Filters) -> Any:
    """`rows` with the joins that the filters speak of, and filtered."""
    if filters.channel is not None:
        rows = rows.join(Channel, col(Channel.id) == Comment.channel_id)
    if filters.intent is not None or filters.search:
        rows = rows.join(Draft, col(Draft.id) == Comment.draft_id, isouter=True)
    if filters.search:
        rows = rows.join(Post, col(Post.id) == Comment.post_id)
    return _filtered(rows, filters)


def _filtered(rows: Any, filters: Filters) -> Any:
    wanted: list[ColumnElement[bool]] = [
        col(Comment.state).in_(filters.states),
        col(Comment.is_own).is_(False),
    ]
    for column, value in (
        (Channel.name, filters.channel),
        (Comment.post_id, filters.post),
        (Comment.language, filters.language),
        (Draft.intent, filters.intent),
        (Comment.reason, filters.reason),
    ):
        if value is not None:
            wanted.append(col(column) == value)
    if filters.since is not None:
        wanted.append(col(Comment.updated_at) >= filters.since)
    if filters.until is not None:
        wanted.append(col(Comment.updated_at) < filters.until)
    wanted += [_holds_word(word) for word in filters.search.split()[:SEARCH_WORDS]]
    if filters.free_for is not None:
        others = select(Hold.comment_id).where(
            Hold.comment_id == col(Comment.id), Hold.by != filters.free_for, col(Hold.until) > filters.now
        )
        wanted.append(~others.exists())
    return rows.where(*wanted)


def _holds_word(word: str) -> ColumnElement[bool]:
    if word.startswith("#") and word[1:].isascii() and word[1:].isdigit() and len(word) < 19:
        return col(Comment.id) == int(word[1:])
    columns = (Comment.text, Comment.author_name, Post.title, Draft.text)
    return or_(
        *(
            func.lower(col(column)).contains(spelling, autoescape=True)
            for column in columns
            for spelling in _spellings(word)
        )
    )


def _spellings(word: str) -> list[str]:
    """How `word` may stand in a text that the database has put into small letters: SQLite knows those of ASCII only."""
    cases = (word.lower(), word, word.capitalize(), word.upper())
    return list(dict.fromkeys(re.sub("[A-Z]+", lambda letters: letters[0].lower(), case) for case in cases))
