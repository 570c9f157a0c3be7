"""What the responder needs: take new comments, see their thread, save the draft with its decision."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TypeVar

from sqlalchemy import bindparam, insert, update
from sqlmodel import Session, col, select

from bot.manners import fitting, label_for, unlabelled
from bot.models import Channel, Comment, Draft, Post, Reply, State
from bot.planning import turn
from bot.reasons import Reason
from bot.store import repeats, shadow
from bot.store.shadow import POLICY
from bot.store.states import Move, move

Row = TypeVar("Row", Post, Channel)

TURNS = 12  # comments of the same thread that a generator may see


@dataclass(frozen=True, slots=True)
class Work:
    """A comment to answer, with all that is around it."""

    comment: Comment
    post: Post
    channel: Channel
    earlier: tuple[Comment, ...]
    """The thread before the comment, oldest first."""
    answered: bool
    """Our account has already answered it by hand."""
    by_us: bool = False
    """Its author is the account of another channel of ours."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the responder made of a comment: where it goes, why, and the draft if one was made."""

    comment_id: int
    target: State
    reason: str
    detail: str = ""
    draft: Draft | None = None
    due_at: datetime | None = None
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Order:
    """A reply that may go out."""

    comment: Comment
    draft_id: int | None
    text: str
    question: bool = False
    """The comment asks something: its reply goes out before those to others."""


def claim_new(session: Session, *, owner: str, now: datetime, lease: timedelta, limit: int) -> list[Work]:
    """Up to `limit` comments that wait for a draft, oldest first, leased to `owner`."""
    due = (
        select(Comment)
        .where(col(Comment.state) == State.NEW, col(Comment.due_at) <= now)
        .order_by(col(Comment.due_at))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    comments = list(session.exec(due))
    take(session, comments, owner=owner, until=now + lease)
    return _works(session, comments)


def latest_works(session: Session, *, limit: int, channel_id: int | None = None) -> list[Work]:
    """The last `limit` comments of fans, newest first, to be answered on trial; nobody's lease is touched."""
    fans = select(Comment).where(col(Comment.is_own).is_(False))
    if channel_id is not None:
        fans = fans.where(Comment.channel_id == channel_id)
    newest = fans.order_by(col(Comment.created_at).desc(), col(Comment.id).desc()).limit(limit)
    return _works(session, list(session.exec(newest)))


def take(session: Session, comments: Iterable[Comment], *, owner: str, until: datetime) -> None:
    """Lease rows that this transaction has locked."""
    ids = [comment.id for comment in comments]
    if ids:
        leased = update(Comment).where(col(Comment.id).in_(ids)).values(lease_owner=owner, due_at=until)
        session.connection().execute(leased)


def save_outcomes(
    session: Session,
    outcomes: Iterable[Outcome],
    *,
    owner: str,
    now: datetime,
    everywhere_shadow: bool = False,
) -> set[int]:
    """Save what was decided; returns the ids that were still `owner`'s. The others are left as they are.

    In shadow, on the channel or everywhere, what would be sent goes to a person, and so does what would be one reply
    too many to the same person; the draft keeps its own decision.
    """
    wanted = list(outcomes)
    sends = {outcome.comment_id for outcome in wanted if outcome.target is State.READY}
    held = sends if everywhere_shadow else shadow.among(session, sends)
    wanted = [_held(outcome, Reason.SHADOW) if outcome.comment_id in held else outcome for outcome in wanted]
    again = repeats.held(session, sends - held, now)
    wanted = [_held(one, again[one.comment_id]) if one.comment_id in again else one for one in wanted]
    done = move(session, [_as_move(outcome) for outcome in wanted], now=now, actor="responder", owner=owner)
    _save_drafts(session, [outcome for outcome in wanted if outcome.comment_id in done], now)
    return done


def postpone(
    session: Session,
    comment_id: int,
    *,
    owner: str,
    now: datetime,
    until: datetime,
    detail: str,
    attempts: int,
) -> None:
    """Give a new comment back, to be claimed again at `until`."""
    session.execute(
        update(Comment)
        .where(
            col(Comment.id) == comment_id, col(Comment.lease_owner) == owner, col(Comment.state) == State.NEW
        )
        .values(lease_owner=None, due_at=until, updated_at=now, detail=detail, attempts=attempts)
        .execution_options(synchronize_session=False)
    )


def order_replies(session: Session, orders: Iterable[Order], *, approved_by: str, now: datetime) -> None:
    """Write down the one reply that each comment is to get, or change its text while nothing was sent yet."""
    wanted = {order.comment.id or 0: order for order in orders}
    connection = session.connection()
    known = {
        row.comment_id: row for row in session.exec(select(Reply).where(col(Reply.comment_id).in_(wanted)))
    }
    rules = {
        order.comment.channel_id: session.get_one(Channel, order.comment.channel_id)
        for order in wanted.values()
    }
    fresh = [
        _reply_row(order, rules[order.comment.channel_id], approved_by, now)
        for key, order in wanted.items()
        if key not in known
    ]
    if fresh:
        connection.execute(insert(Reply), fresh)
    for key, reply in known.items():
        order = wanted[key]
        before = reply.text
        set_text(session, reply, order.text)
        if reply.attempted_at is not None and reply.text != before:
            reply.earlier_texts = [*reply.earlier_texts, before]
        reply.draft_id = order.draft_id
        reply.approved_by, reply.ordered_at = approved_by, now
        session.add(reply)
    turns = [{"row_id": key, "to_turn": _turn(order, approved_by)} for key, order in wanted.items()]
    if turns:
        connection.execute(_TURN, turns)


def _turn(order: Order, approved_by: str) -> int:
    return turn(
        by_person=approved_by != POLICY,
        question=order.question,
        created_at=order.comment.created_at,
        likes=order.comment.likes,
    )


_TURN = (
    update(Comment.__table__)  # type: ignore[attr-defined]
    .where(Comment.__table__.c.id == bindparam("row_id"))  # type: ignore[attr-defined]
    .values(turn=bindparam("to_turn"))
)


def reply_key(comment: Comment) -> str:
    """The same for every attempt at the reply to `comment`. Pure."""
    return sha256(f"{comment.channel_id}:{comment.platform_id}".encode()).hexdigest()[:32]


def set_text(session: Session, reply: Reply, text: str) -> None:
    """`text` with the label that the channel's rules ask for."""
    reply.text, reply.label = _with_label(session.get_one(Channel, reply.channel_id), text)


def _reply_row(order: Order, channel: Channel, approved_by: str, now: datetime) -> dict[str, object]:
    comment, (text, label) = order.comment, _with_label(channel, order.text)
    return {
        "comment_id": comment.id,
        "channel_id": comment.channel_id,
        "draft_id": order.draft_id,
        "text": text,
        "label": label,
        "key": reply_key(comment),
        "approved_by": approved_by,
        "ordered_at": now,
        "earlier_texts": [],
    }


def _with_label(channel: Channel, text: str) -> tuple[str, str]:
    """The text as it goes out, and its label: once, whichever of the channel's a model has written there itself."""
    labels = channel.rules.get("label", {})
    bare = unlabelled(text, labels.values()) or text
    label = label_for(labels, bare)
    return fitting(bare, label, channel.max_reply_chars), label


def _held(outcome: Outcome, reason: Reason) -> Outcome:
    return replace(outcome, target=State.REVIEW, reason=reason, due_at=None)


def _as_move(outcome: Outcome) -> Move:
    return Move(
        outcome.comment_id,
        State.NEW,
        outcome.target,
        outcome.reason,
        outcome.detail,
        due_at=outcome.due_at,
        attempts=outcome.attempts,
    )


def _save_drafts(session: Session, outcomes: list[Outcome], now: datetime) -> None:
    drafts = {outcome.comment_id: outcome.draft for outcome in outcomes if outcome.draft is not None}
    if not drafts:
        return
    connection = session.connection()
    rows = [draft.model_dump(exclude={"id"}) for draft in drafts.values()]
    made = connection.execute(insert(Draft).returning(col(Draft.comment_id), col(Draft.id)), rows)
    ids = {row[0]: row[1] for row in made}
    connection.execute(_IN_FORCE, [{"row_id": key, "to_draft_id": value} for key, value in ids.items()])
    ready = {outcome.comment_id for outcome in outcomes if outcome.target is State.READY}
    comments = session.exec(select(Comment).where(col(Comment.id).in_(ready & set(drafts))))
    orders = [
        Order(row, ids[row.id or 0], drafts[row.id or 0].text, drafts[row.id or 0].intent == "question")
        for row in comments
    ]
    order_replies(session, orders, approved_by=POLICY, now=now)


_IN_FORCE = (
    update(Comment.__table__)  # type: ignore[attr-defined]
    .where(Comment.__table__.c.id == bindparam("row_id"))  # type: ignore[attr-defined]
    .values(draft_id=bindparam("to_draft_id"))
)


def _works(session: Session, comments: list[Comment]) -> list[Work]:
    posts = _by_id(session, Post, {comment.post_id for comment in comments})
    channels = _by_id(session, Channel, {comment.channel_id for comment in comments})
    answered = _answered(session, comments) if comments else set()
    ours = _ours(session, comments) if comments else set()
    return [
        Work(
            comment,
            posts[comment.post_id],
            channels[comment.channel_id],
            _earlier(session, comment),
            # In a flat thread the answer may have been meant for another comment.
            not channels[comment.channel_id].flat_threads
            and (comment.channel_id, comment.platform_id) in answered,
            by_us=(*_place(channels[comment.channel_id]), comment.author_id) in ours,
        )
        for comment in comments
    ]


def _ours(session: Session, comments: list[Comment]) -> set[tuple[str, str, str]]:
    """The authors that are accounts of our channels: two of them would answer each other for ever."""
    authors = {comment.author_id for comment in comments}
    rows = session.exec(select(Channel).where(col(Channel.account_id).in_(authors)))
    return {(*_place(row), row.account_id or "") for row in rows}


def _place(channel: Channel) -> tuple[str, str]:
    """Within which an account's id names one account: that of a WordPress site is a small number."""
    options = channel.options
    return channel.platform, f"{options.get('base_url', '')} {options.get('preset', '')}"


def _by_id(session: Session, table: type[Row], ids: set[int]) -> dict[int, Row]:
    rows = session.exec(select(table).where(col(table.id).in_(ids)))
    return {row.id or 0: row for row in rows}


def _earlier(session: Session, comment: Comment) -> tuple[Comment, ...]:
    if comment.parent_id is None:
        return ()
    before = (
        select(Comment)
        .where(
            Comment.channel_id == comment.channel_id,
            Comment.thread_id == comment.thread_id,
            Comment.created_at <= comment.created_at,
            col(Comment.id) != comment.id,
        )
        .order_by(col(Comment.created_at).desc(), col(Comment.id).desc())
        .limit(TURNS)
    )
    return tuple(reversed(list(session.exec(before))))


def _answered(session: Session, comments: list[Comment]) -> set[tuple[int, str]]:
    """(channel, comment) of those that our account has answered otherwise than through the ledger."""
    ours = (
        select(Comment.channel_id, Comment.parent_id)
        .join(
            Reply,
            (col(Reply.platform_id) == Comment.platform_id) & (col(Reply.channel_id) == Comment.channel_id),
            isouter=True,
        )
        .where(
            col(Comment.channel_id).in_({comment.channel_id for comment in comments}),
            col(Comment.thread_id).in_({comment.thread_id for comment in comments}),
            col(Comment.is_own).is_(True),
            col(Reply.id).is_(None),
        )
    )
    return {(channel_id, parent) for channel_id, parent in session.exec(ours) if parent is not None}
