"""Shadow: everything is drafted and decided, nothing is sent.

On a channel in shadow no comment becomes `ready`: what the policy would have sent waits for a person, what a person
approves ends as skipped. So nothing is there to go out on the day when shadow ends.
"""

from collections.abc import Collection
from datetime import datetime

from sqlmodel import Session, col, select

from bot.models import Channel, Comment, Reply, State
from bot.reasons import Reason
from bot.store.states import Move, move

ACTOR = "shadow"
POLICY = "policy"
"""Stands where a person's name would: the decision was the policy's."""


def approved(channel: Channel, reason: Reason) -> tuple[State, Reason]:
    """Where a comment goes whose reply a person has approved for `reason`. Pure.

    Where it is `skipped`, no reply is ordered; verdict and text are kept all the same.
    """
    return (State.SKIPPED, Reason.SHADOW) if channel.shadow else (State.READY, reason)


def among(session: Session, comment_ids: Collection[int]) -> set[int]:
    """Those of the comments that stand on a channel in shadow."""
    channels = set(session.exec(select(Channel.id).where(col(Channel.shadow).is_(True))))
    if not channels or not comment_ids:
        return set()
    wanted = col(Comment.id).in_(comment_ids)
    here = select(Comment.id).where(wanted, col(Comment.channel_id).in_(channels))
    return {comment_id for comment_id in session.exec(here) if comment_id is not None}


def hold_back(
    session: Session, *, now: datetime, channel_id: int | None = None, began: datetime | None = None
) -> int:
    """ready → review, on one channel or on all; returns how many comments were moved.

    Shadow `began` then: what a person has approved since is skipped instead, once it can no longer be taken back.
    A sender that holds one loses it: it can no longer write the intent.
    """
    ready = (
        select(Comment.id, Comment.due_at, Reply.approved_by, Reply.ordered_at)
        .join(Reply, col(Reply.comment_id) == Comment.id, isouter=True)
        .where(col(Comment.state) == State.READY)
    )
    if channel_id is not None:
        ready = ready.where(Comment.channel_id == channel_id)
    moves = []
    for comment_id, due_at, approved_by, ordered_at in session.exec(ready):
        meant = began is not None and ordered_at is not None and ordered_at >= began
        by_person = meant and approved_by != POLICY
        if by_person and due_at > now:
            continue
        target = State.SKIPPED if by_person else State.REVIEW
        moves.append(Move(comment_id or 0, State.READY, target, Reason.SHADOW))
    return len(move(session, moves, now=now, actor=ACTOR))
