"""How much of the platforms' budgets is used, and what that leaves for replies."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime, time
from typing import Any

from sqlalchemy import func
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from adapters.base import Quota
from bot.models import Channel, Comment, QuotaUse, State
from bot.planning import Affordable, Day, PollShare, affordable, day_of


def as_row(quota: Quota | None) -> dict[str, Any] | None:
    """As `Channel.quota` keeps it."""
    if quota is None:
        return None
    return {**asdict(quota), "resets_at": quota.resets_at.isoformat()}


def quota_of(kept: Mapping[str, Any] | None) -> Quota | None:
    """What `as_row` made of it."""
    if kept is None:
        return None
    return Quota(**{**kept, "resets_at": time.fromisoformat(kept["resets_at"])})


def name_of(platform: str, channel_id: int, quota: Quota) -> str:
    """The budget that a channel spends: one that others share, or its own."""
    return f"{platform} {quota.shared_by or f'channel {channel_id}'}"


def add_units(session: Session, budget: str, day: Day, units: int) -> None:
    """Count `units` as used, whoever else counts at the same moment."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    table = QuotaUse.__table__  # type: ignore[attr-defined]
    row = dialect.insert(table).values(budget=budget, day=day.name, units=units)
    more = {"units": table.c.units + row.excluded.units}
    session.connection().execute(row.on_conflict_do_update(index_elements=["budget", "day"], set_=more))


def use_up(session: Session, budget: str, days: Iterable[Day], units: int) -> None:
    """The platform says that nothing is left: at least `units` are used on each of `days`."""
    for day in days:
        missing = units - used(session, budget, day)
        if missing > 0:
            add_units(session, budget, day, missing)


def used(session: Session, budget: str, day: Day) -> int:
    """Units of the budget that are used on the day."""
    found = select(QuotaUse.units).where(QuotaUse.budget == budget, QuotaUse.day == day.name)
    return session.exec(found).first() or 0


def sharing(session: Session, channel: Channel, quota: Quota) -> list[int]:
    """The channels that spend the same budget and are not paused, this one included."""
    if not quota.shared_by:
        return [channel.id or 0]
    rows = select(Channel).where(Channel.platform == channel.platform, col(Channel.paused).is_(False))
    others = [
        row.id or 0 for row in session.exec(rows) if (row.quota or {}).get("shared_by") == quota.shared_by
    ]
    return sorted({channel.id or 0, *others})


def for_replies(
    session: Session, channel: Channel, quota: Quota, *, now: datetime, polls: PollShare
) -> Affordable:
    """How many replies the channel's budget still pays for."""
    spent = used(session, name_of(channel.platform, channel.id or 0, quota), day_of(quota, now))
    channels = sharing(session, channel, quota)
    return affordable(
        quota, spent, now, polls, channels=len(channels), on_their_way=_on_their_way(session, channels, now)
    )


def short(session: Session, *, now: datetime, polls: PollShare) -> frozenset[int]:
    """Channels whose budget does not pay for all the replies that are ready there."""
    found: set[int] = set()
    for channel in session.exec(select(Channel).where(col(Channel.quota).is_not(None))):
        quota = quota_of(channel.quota)
        if quota is None:
            continue
        ready = select(func.count()).where(Comment.channel_id == channel.id, Comment.state == State.READY)
        if session.exec(ready).one() > for_replies(session, channel, quota, now=now, polls=polls).today:
            found.add(channel.id or 0)
    return frozenset(found)


def _on_their_way(session: Session, channels: list[int], now: datetime) -> int:
    """Replies that some process holds, and whose units are not counted yet."""
    held = select(func.count()).where(
        col(Comment.channel_id).in_(channels),
        col(Comment.state).in_((State.READY, State.SENDING)),
        col(Comment.lease_owner).is_not(None),
        col(Comment.due_at) > now,
    )
    return session.exec(held).one()
