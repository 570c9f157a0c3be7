"""Nights: one at a time, whose turn it is, how far it is, and what became of it.

The turn is a unique column, so that of two who begin at once one is refused by the database itself. A process keeps
its night by renewing the lease; whoever finds the lease over, or knows that the process is gone, takes the night over
and goes on with it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from bot.models import Channel, Night, NightStatus

TURN = "night"

TRAINED = (NightStatus.PROMOTED, NightStatus.PASSED, NightStatus.REFUSED)
"""How a night ended that has learned from its verdicts."""


class NightError(ValueError):
    """What was asked of a night cannot be done; the message says why and what can."""


class NightRuns(NightError):
    """Another process has its turn."""


class NightLost(NightError):
    """The lease was over, and the night is another's, or ended."""


class NoSuchNight(NightError):
    """No night has this number."""


@dataclass(frozen=True, slots=True)
class NewNight:
    """What is told when a night begins; see `bot.models.Night`."""

    channel_id: int | None = None
    base_model: str = ""
    parent: str | None = None
    code_version: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Listed:
    """A night with the name of its channel; None: of all channels."""

    night: Night
    channel: str | None


def current(session: Session) -> Night | None:
    """The one whose turn it is, whether or not a process is at it."""
    return session.exec(select(Night).where(Night.turn == TURN)).first()


def begin(
    session: Session, new: NewNight, *, owner: str, now: datetime, lease: timedelta, home: str = "nights"
) -> Night:
    """A night of its own folder `home`/ID. Raises NightRuns while another has the turn, running or waiting."""
    if (other := current(session)) is not None:
        raise _runs(other)
    night = Night(
        turn=TURN,
        lease_owner=owner,
        lease_until=now + lease,
        channel_id=new.channel_id,
        status=NightStatus.RUNNING,
        began_at=now,
        folder="",
        base_model=new.base_model,
        parent=new.parent,
        code_version=new.code_version,
        settings=dict(new.settings),
        figures=dict(new.figures),
    )
    session.add(night)
    try:
        session.flush()
    except IntegrityError as error:  # another process has begun one this instant
        raise NightRuns("another night has just begun; look again with 'rejoinder train status'") from error
    night.folder = f"{home}/{night.id}"
    session.flush()
    return night


def take_over(
    session: Session,
    night_id: int,
    *,
    owner: str,
    now: datetime,
    lease: timedelta,
    is_gone: Callable[[str], bool] = lambda owner: False,
    is_there: Callable[[str], bool] = lambda owner: False,
) -> Night:
    """Go on with a night that nobody is at: its lease is over, or `is_gone` says so of its owner.

    A lease may be over because a clock was set or a machine slept: whom `is_there` knows keeps the night.
    Raises NightRuns, NightLost when it has ended.
    """
    night = _locked(session, night_id)
    if night is None or night.turn is None:
        raise NightLost(f"night {night_id} has ended meanwhile; nothing was changed")
    before = night.lease_owner or ""
    if before != owner and not is_gone(before) and (is_held(night, now) or is_there(before)):
        raise _runs(night)
    night.lease_owner, night.lease_until, night.error = owner, now + lease, ""
    session.add(night)
    return night


def is_held(night: Night, now: datetime) -> bool:
    """Whether a process is at it, as far as the lease tells."""
    return night.turn is not None and night.lease_until is not None and night.lease_until > now


def renew(session: Session, night_id: int, *, owner: str, now: datetime, lease: timedelta) -> None:
    """Raises NightLost."""
    night = _mine(session, night_id, owner)
    night.lease_until = now + lease
    session.add(night)


def give_back(session: Session, night_id: int, *, owner: str, why: str) -> None:
    """It keeps its turn, and the next start goes on with it. Raises NightLost."""
    night = _mine(session, night_id, owner)
    night.lease_owner, night.lease_until, night.error = None, None, why
    session.add(night)


def note_step(
    session: Session,
    night_id: int,
    step: str,
    *,
    owner: str,
    figures: Mapping[str, Any] | None = None,
    data_hash: str | None = None,
    voice: str | None = None,
) -> None:
    """It is at `step` now. `figures` are added to those that it has; None leaves what is there. Raises NightLost."""
    night = _mine(session, night_id, owner)
    night.step = step
    night.figures = {**night.figures, **(figures or {})}
    night.data_hash = night.data_hash if data_hash is None else data_hash
    night.voice = night.voice if voice is None else voice
    session.add(night)


def end(
    session: Session,
    night_id: int,
    status: NightStatus,
    *,
    owner: str,
    now: datetime,
    error: str = "",
    refusals: Sequence[Mapping[str, Any]] = (),
) -> Night:
    """The turn is free for another. Raises NightLost."""
    night = _mine(session, night_id, owner)
    night.status, night.ended_at, night.error = status, now, error
    night.refusals = [dict(one) for one in refusals]
    night.turn, night.lease_owner, night.lease_until = None, None, None
    session.add(night)
    return night


def get(session: Session, night_id: int) -> Listed:
    """Raises NoSuchNight."""
    found = session.exec(_listed().where(col(Night.id) == night_id)).first()
    if found is None:
        raise NoSuchNight(f"there is no night {night_id}; 'rejoinder train list' names them")
    return Listed(*found)


def page(session: Session, *, before: int | None = None, limit: int = 50) -> list[Listed]:
    """Newest first; `before`: only those with a smaller number."""
    rows = _listed().order_by(col(Night.id).desc()).limit(limit)
    if before is not None:
        rows = rows.where(col(Night.id) < before)
    return [Listed(*row) for row in session.exec(rows)]


def latest(session: Session, channel_id: int | None = None, *, trained: bool = False) -> Night | None:
    """The last night of this channel (None: of all channels); `trained`: that has learned from its verdicts, and not
    for trial only.
    """
    rows = select(Night).where(col(Night.channel_id).is_not_distinct_from(channel_id))
    if trained:
        rows = rows.where(col(Night.status).in_(TRAINED))
    found = session.exec(rows.order_by(col(Night.id).desc()))
    return next((one for one in found if not (trained and one.figures.get("dry"))), None)


def last(session: Session) -> Listed | None:
    """The last night that did not merely find too little to learn from, of whatever channel."""
    rows = _listed().where(col(Night.status) != NightStatus.SKIPPED).order_by(col(Night.id).desc()).limit(1)
    found = session.exec(rows).first()
    return Listed(*found) if found is not None else None


def begun_since(session: Session, since: datetime) -> bool:
    return session.exec(select(Night.id).where(col(Night.began_at) >= since).limit(1)).first() is not None


def _listed() -> Any:
    return select(Night, Channel.name).join(Channel, col(Channel.id) == Night.channel_id, isouter=True)


def _locked(session: Session, night_id: int) -> Night | None:
    return session.exec(select(Night).where(Night.id == night_id).with_for_update()).first()


def _mine(session: Session, night_id: int, owner: str) -> Night:
    night = _locked(session, night_id)
    if night is None or night.turn is None or night.lease_owner != owner:
        raise NightLost(f"night {night_id} was taken over by another process; this one stops")
    return night


def _runs(night: Night) -> NightRuns:
    by = f", at {night.lease_owner}" if night.lease_owner else ""
    return NightRuns(
        f"night {night.id} runs already (step {night.step or 'snapshot'}{by}); wait for it, 'rejoinder train status' "
        "shows how far it is"
    )
