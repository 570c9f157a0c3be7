"""Whom we have replied to in a thread lately, so that nobody is flooded and no bot is talked to for ever."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from bot.manners import repeated
from bot.models import Channel, Comment, Reply, State
from bot.reasons import Reason
from bot.settings import ChannelRulesSettings

_OUT = (State.READY, State.SENDING, State.UNKNOWN, State.SENT)
Talk = tuple[int, str, str]
"""Channel, thread and author."""


def held(session: Session, comment_ids: Collection[int], now: datetime) -> dict[int, Reason]:
    """Of comments that are to be answered by themselves: those that a person should decide about, and why.

    They count for one another: of two comments of one person, the second meets the first one's reply.
    """
    if not comment_ids:
        return {}
    rows = list(
        session.exec(select(Comment).where(col(Comment.id).in_(comment_ids)).order_by(col(Comment.id)))
    )
    rules = _rules(session, {row.channel_id for row in rows})
    replied = _replied(session, comment_ids)
    found: dict[int, Reason] = {}
    for row in rows:
        talk = (row.channel_id, row.thread_id, row.author_id)
        reason = repeated(rules[row.channel_id], replied[talk], now)
        if reason is None:
            replied[talk].append(now)
        else:
            found[row.id or 0] = reason
    return found


def _rules(session: Session, channel_ids: Collection[int]) -> dict[int, ChannelRulesSettings]:
    rows = session.exec(select(Channel).where(col(Channel.id).in_(channel_ids)))
    return {row.id or 0: ChannelRulesSettings.model_validate(row.rules) for row in rows}


def _replied(session: Session, comment_ids: Collection[int]) -> defaultdict[Talk, list[datetime]]:
    asked, other = aliased(Comment), aliased(Comment)
    rows = (
        select(
            other.channel_id, other.thread_id, other.author_id, func.coalesce(Reply.sent_at, Reply.ordered_at)
        )
        .join(Reply, col(Reply.comment_id) == other.id)
        .join(
            asked,
            (col(asked.channel_id) == other.channel_id)
            & (col(asked.thread_id) == other.thread_id)
            & (col(asked.author_id) == other.author_id),
        )
        .where(col(asked.id).in_(comment_ids), col(other.id).not_in(comment_ids), col(other.state).in_(_OUT))
        .distinct()
    )
    found: defaultdict[Talk, list[datetime]] = defaultdict(list)
    for channel_id, thread_id, author_id, at in session.exec(rows):
        found[channel_id, thread_id, author_id].append(at)
    return found
