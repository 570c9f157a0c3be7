"""Shadow: everything is drafted and decided, nothing is sent.

On a channel in shadow no comment becomes `ready`: what the policy would have sent waits for a person, what a person
approves ends as skipped. So nothing is there to go out on the day when shadow ends.
"""

from collections.abc import Collection
from datetime import datetime

from sqlmodel import Session, col, select

from bot.models import Channel, Comment, State
from bot.reasons import Reason
from bot.store.states import Move, move

ACTOR = "shadow"


def approved(channel: Channel, reason: Reason, *, everywhere: bool) -> tuple[State, Reason]:
    """Where a comment goes whose reply a person has approved for `reason`. `everywhere`: `service.shadow`. Pure.

    Where it is `skipped`, no reply is ordered; verdict and text are kept all the same.
    """
    if channel.shadow or everywhere:
        return State.SKIPPED, Reason.SHADOW
    return State.READY, reason


def among(session: Session, comment_ids: Collection[int]) -> set[int]:
    """Those of the comments that stand on a channel in shadow."""
    channels = set(session.exec(select(Channel.id).where(col(Channel.shadow).is_(True))))
    if not channels or not comment_ids:
        return set()
    wanted = col(Comment.id).in_(comment_ids)
    here = select(Comment.id).where(wanted, col(Comment.channel_id).in_(channels))
    return {comment_id for comment_id in session.exec(here) if comment_id is not None}


def hold_back(session: Session, *, now: datetime, channel_id: int | None = None) -> int:
    """ready → review, on one channel or on all, whoever has approved them; returns how many.

    A sender that holds one loses it: it can no longer write the intent.
    """
    ready = select(Comment.id).where(col(Comment.state) == State.READY)
    if channel_id is not None:
        ready = ready.where(Comment.channel_id == channel_id)
    moves = [Move(row or 0, State.READY, State.REVIEW, Reason.SHADOW) for row in session.exec(ready)]
    return len(move(session, moves, now=now, actor=ACTOR))
