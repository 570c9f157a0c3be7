"""How far the notices to each address have come, and what is to be told next."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, or_, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from bot.models import Alert, Channel, Comment, Event, Post, Verdict, Webhook
from bot.notices import KIND_OF, Happening

AT_ONCE = 500
"""Events looked through, and so the most that one notice tells."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """An address that is due, and is ours until the lease ends."""

    name: str
    cursor: int
    attempts: int
    alerts: int = 0
    """Number of the last alert that was told."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """What comes after a cursor."""

    last: int
    """Number of the last event that was looked at; the cursor itself where there is none."""
    happenings: tuple[Happening, ...]
    """In the order of the events; comments that no longer are where the event led are left out."""


def begin(session: Session, names: Sequence[str], *, now: datetime) -> None:
    """Addresses that are new are told what happens from now on."""
    last = session.exec(select(func.max(Event.id))).one() or 0
    alerts = session.exec(select(func.max(Alert.id))).one() or 0
    for name in names:
        if session.get(Webhook, name) is not None:
            continue
        try:
            with session.begin_nested():
                session.add(Webhook(name=name, cursor=last, alerts=alerts, due_at=now))
        except IntegrityError:  # another process has just begun it
            continue


def due(session: Session, names: Sequence[str], *, now: datetime, until: datetime) -> list[str]:
    """Those of `names` that may be told now, and before which there are events older than `until`."""
    newer = select(Event.id).where(col(Event.id) > Webhook.cursor, Event.at <= until).exists()
    alerts = select(Alert.id).where(col(Alert.id) > Webhook.alerts, Alert.at <= until).exists()
    rows = select(Webhook.name).where(col(Webhook.name).in_(names), Webhook.due_at <= now, or_(newer, alerts))
    return list(session.exec(rows))


def claim(
    session: Session, names: Sequence[str], *, owner: str, now: datetime, lease: timedelta
) -> list[Claimed]:
    """Those of `names` that are due and nobody else works on."""
    due = select(Webhook).where(col(Webhook.name).in_(names), Webhook.due_at <= now)
    found = list(session.exec(due.with_for_update(skip_locked=True)))
    for hook in found:
        hook.lease_owner, hook.due_at = owner, now + lease
        session.add(hook)
    return [Claimed(hook.name, hook.cursor, hook.attempts, hook.alerts) for hook in found]


def ahead(session: Session, *, after: int, until: datetime) -> Ahead:
    """The events after number `after`, as far as they are older than `until`, at most `AT_ONCE`."""
    window = select(Event.id, Event.at).where(col(Event.id) > after).order_by(col(Event.id)).limit(AT_ONCE)
    last = after
    for number, at in session.exec(window):
        # One that is younger may still have elder ones beside it that nobody sees yet.
        if at > until:
            break
        last = number or last
    rows = (
        select(Event, Comment, Channel.name, Post.title)
        .join(Comment, col(Comment.id) == Event.comment_id)
        .join(Channel, col(Channel.id) == Comment.channel_id)
        .join(Post, col(Post.id) == Comment.post_id)
        .where(
            col(Event.id) > after,
            col(Event.id) <= last,
            col(Event.to_state).in_(KIND_OF),
            col(Comment.state) == Event.to_state,
            col(Comment.is_own).is_(False),
            # A verdict that was taken back brings news to nobody.
            ~select(Verdict.id)
            .where(Verdict.comment_id == Event.comment_id, Verdict.undone_at == Event.at)
            .exists(),
        )
        .order_by(col(Event.id))
    )
    return Ahead(last, tuple(_happening(*row) for row in session.exec(rows)))


def alerts(session: Session, *, after: int, until: datetime) -> Ahead:
    """Channels that stopped, from alert number `after` on, as far as it is older than `until`, at most `AT_ONCE`."""
    rows = (
        select(Alert, Channel.name)
        .join(Channel, col(Channel.id) == Alert.channel_id)
        .where(col(Alert.id) > after, Alert.at <= until)
        .order_by(col(Alert.id))
        .limit(AT_ONCE)
    )
    found = [
        Happening(row.id or 0, "stopped", row.at, 0, name, "", "", "", row.detail)
        for row, name in session.exec(rows)
    ]
    return Ahead(max((one.event for one in found), default=after), tuple(found))


def told(
    session: Session, name: str, *, owner: str, cursor: int, now: datetime, due_at: datetime, alerts: int
) -> None:
    """What comes before `cursor`, and the alerts up to number `alerts`, have arrived."""
    done = {"cursor": cursor, "alerts": alerts}
    _settle(session, name, owner, due_at, **done, attempts=0, last_error=None, delivered_at=now)


def passed(session: Session, name: str, *, owner: str, cursor: int, due_at: datetime, alerts: int) -> None:
    """There was nothing to tell before `cursor` and up to `alerts`; an error that stands there stands on."""
    _settle(session, name, owner, due_at, cursor=cursor, alerts=alerts)


def failed(session: Session, name: str, *, owner: str, error: str, attempts: int, due_at: datetime) -> None:
    """It did not arrive; it is told again at `due_at`."""
    _settle(session, name, owner, due_at, attempts=attempts, last_error=error)


def revive(session: Session, name: str, *, now: datetime) -> None:
    """A test has arrived: what waits is told at once, also where notices had stopped."""
    session.execute(
        update(Webhook)
        .where(col(Webhook.name) == name, col(Webhook.last_error).is_not(None))
        .values(attempts=0, last_error=None, due_at=now, lease_owner=None)
    )


def every(session: Session) -> list[Webhook]:
    """By name."""
    return list(session.exec(select(Webhook).order_by(Webhook.name)))


def _settle(session: Session, name: str, owner: str, due_at: datetime, **values: object) -> None:
    session.execute(
        update(Webhook)
        .where(col(Webhook.name) == name, col(Webhook.lease_owner) == owner)
        .values(lease_owner=None, due_at=due_at, **values)
    )


def _happening(event: Event, comment: Comment, channel: str, post: str) -> Happening:
    return Happening(
        event=event.id or 0,
        kind=KIND_OF[event.to_state],
        at=event.at,
        comment_id=comment.id or 0,
        channel=channel,
        post=post,
        author=comment.author_name,
        text=comment.text,
        reason=event.reason,
    )
