"""Log-ins that fail, counted in the audit: so the count holds for every process, and after a restart.

A try is written down as failed before the password is looked at, and turned into a log-in when it fits. However many
come at once, none is let in uncounted.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func
from sqlmodel import Session, col, select

from bot.access.names import MOST_CHARS, key
from bot.access.throttle import BY_ADDRESS, BY_NAME, BY_TOKEN, SLACK, WINDOW, Failures, Limit, bucket, wait_s
from bot.models import AuditEntry, Person
from bot.store import access

LOG_IN: Final = "log_in"
LOG_IN_FAILED: Final = "log_in_failed"
BAD_LINK: Final = "bad_link"
BAD_TOKEN: Final = "bad_token"  # noqa: S105  (an act)
_KNOWN_FOR: Final = timedelta(days=30)
"""How long an address is remembered from which somebody has logged in."""


@dataclass(frozen=True, slots=True)
class Try:
    """A log-in that may go on."""

    entry_id: int
    person: Person | None


def begin(session: Session, name: str, address: str, *, now: datetime) -> Try | int:
    """A try to log in, or the seconds until the next one."""
    access.in_turn(session)
    person = access.person_named(session, name)
    # Names that nobody has are counted alike, or the difference would tell which ones there are.
    actor, place = person.name if person is not None else key(name)[:MOST_CHARS], bucket(address)
    wait = max(
        _wait(session, BY_ADDRESS, now, (LOG_IN_FAILED, BAD_LINK), subject=place),
        0
        if _is_known(session, actor, place, now)
        else _wait(session, BY_NAME, now, (LOG_IN_FAILED,), actor=actor),
    )
    if wait:
        return wait
    return Try(_note(session, LOG_IN_FAILED, actor, via="page", address=address, now=now), person)


def succeed(session: Session, entry_id: int, act: str = LOG_IN) -> None:
    """The password was right, and this was done with it."""
    entry = session.get_one(AuditEntry, entry_id)
    entry.act = act
    session.add(entry)


def note_log_in(session: Session, name: str, address: str, *, now: datetime) -> None:
    """Somebody came in without a try: by a link."""
    _note(session, LOG_IN, name, via="page", address=address, now=now)


def wrong_link(session: Session, address: str, *, now: datetime) -> int:
    """Notes that a link did not work, and gives the seconds until the next try; what has to wait is not noted."""
    return _wrong(
        session, BAD_LINK, "page", BY_ADDRESS, acts=(LOG_IN_FAILED, BAD_LINK), address=address, now=now
    )


def wrong_token(session: Session, address: str, *, now: datetime) -> int:
    """The same for a token."""
    return _wrong(session, BAD_TOKEN, "api", BY_TOKEN, acts=(BAD_TOKEN,), address=address, now=now)


def _wrong(
    session: Session, act: str, via: str, limit: Limit, *, acts: tuple[str, ...], address: str, now: datetime
) -> int:
    access.in_turn(session)
    wait = _wait(session, limit, now, acts, subject=bucket(address))
    if not wait:
        _note(session, act, "", via=via, address=address, now=now)
    return wait


def _wait(session: Session, limit: Limit, now: datetime, acts: tuple[str, ...], **same: str) -> int:
    counted = select(func.count(), func.max(AuditEntry.at)).where(
        col(AuditEntry.act).in_(acts), col(AuditEntry.at) > now - WINDOW, col(AuditEntry.at) <= now + SLACK
    )
    number, last = session.exec(counted.filter_by(**same)).one()
    return wait_s(Failures(number, last), limit, now)


def _is_known(session: Session, actor: str, place: str, now: datetime) -> bool:
    """Whether somebody with this name has logged in from there lately: whom strangers cannot make wait."""
    been = select(AuditEntry.id).where(
        AuditEntry.act == LOG_IN,
        col(AuditEntry.at) > now - _KNOWN_FOR,
        AuditEntry.actor == actor,
        AuditEntry.subject == place,
    )
    return session.exec(been.limit(1)).first() is not None


def _note(session: Session, act: str, actor: str, *, via: str, address: str, now: datetime) -> int:
    entry = AuditEntry(
        at=now, actor=actor, via=via, act=act, subject=bucket(address), detail={}, address=address
    )
    session.add(entry)
    session.flush()
    return entry.id or 0
