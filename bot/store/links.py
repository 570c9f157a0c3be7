"""Links that work once: for the first owner, for whoever is invited, and for a new password.

Each has 256 random bits, and the ledger keeps its hash alone. A link is used in the transaction that does what it is
for, while `in_turn` holds others off: of two browsers with the same link one succeeds.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import update
from sqlmodel import Session, col, select

from bot.access.secrets import known_by, new_secret
from bot.access.throttle import SLACK
from bot.models import OneTimeLink, Person, Role
from bot.store import access
from bot.store.access import AccessRefused, in_turn

OWNER_LASTS: Final = timedelta(hours=24)
"""A link that makes the first owner, or gives a new password."""
INVITE_LASTS: Final = timedelta(days=7)
FIRST: Final = ""
"""Who made the link for the first owner: nobody."""
USED_UP: Final = "this link was used, has ended, or is not whole; ask for a new one ('rejoinder people link')"


def first(session: Session, *, now: datetime) -> str | None:
    """The secret of a link that makes the first owner; None where there is an owner. Those before it end."""
    in_turn(session)
    if access.has_owner(session):
        return None
    unused = (col(OneTimeLink.created_by) == FIRST, col(OneTimeLink.used_at).is_(None))
    session.execute(update(OneTimeLink).where(*unused, col(OneTimeLink.ends_at) > now).values(ends_at=now))
    return _add(session, role=Role.OWNER, by=FIRST, now=now, lasts=OWNER_LASTS)


def invite(session: Session, role: Role, *, by: str, now: datetime) -> str:
    """The secret of a link that makes a person with this role."""
    return _add(session, role=role, by=by, now=now, lasts=INVITE_LASTS)


def for_password(session: Session, person: Person, *, by: str, now: datetime) -> str:
    """The secret of a link that replaces this person's password; those before it end. Raises AccessRefused."""
    in_turn(session)
    session.refresh(person)
    if person.disabled_at is not None:
        raise AccessRefused(f"{person.name} is disabled; enable {person.name} first")
    access.end_links_for(session, person.id or 0, now=now)
    return _add(session, role=person.role, by=by, now=now, lasts=OWNER_LASTS, person_id=person.id)


def unused(session: Session, *, now: datetime) -> list[OneTimeLink]:
    """Invitations that still work."""
    waiting = select(OneTimeLink).where(
        col(OneTimeLink.used_at).is_(None),
        col(OneTimeLink.person_id).is_(None),
        col(OneTimeLink.ends_at) > now,
    )
    return list(session.exec(waiting.order_by(col(OneTimeLink.id))))


def end(session: Session, link_id: int, *, now: datetime) -> OneTimeLink:
    """Raises AccessRefused."""
    link = session.get(OneTimeLink, link_id)
    if link is None or not _works(link, now):
        raise AccessRefused(f"there is no open invitation {link_id}; reload the page")
    link.ends_at = now
    session.add(link)
    return link


def makes_person(session: Session, secret: str, *, now: datetime) -> bool:
    """Whether this link makes a person now; uses nothing up."""
    link = _of_secret(session, secret)
    return link is not None and link.person_id is None and _works(link, now) and not _is_late(session, link)


def whose(session: Session, secret: str, *, now: datetime) -> Person | None:
    """Whose password this link replaces; uses nothing up."""
    link = _of_secret(session, secret)
    if link is None or link.person_id is None or not _works(link, now):
        return None
    person = session.get(Person, link.person_id)
    return person if person is not None and person.disabled_at is None else None


def use_for_person(session: Session, secret: str, *, name: str, password_hash: str, now: datetime) -> Person:
    """Uses the link up and makes the person. Raises AccessRefused; then the link still works if it did before."""
    in_turn(session)
    link = _of_secret(session, secret)
    if link is None or link.person_id is not None or not _works(link, now) or _is_late(session, link):
        raise AccessRefused(USED_UP)
    person = access.add_person(session, name=name, role=Role(link.role), password_hash=password_hash, now=now)
    _use(session, link, now)
    return person


def use_for_password(session: Session, secret: str, *, password_hash: str, now: datetime) -> Person:
    """Uses the link up, replaces the password and ends the person's sittings. Raises AccessRefused."""
    in_turn(session)
    person, link = whose(session, secret, now=now), _of_secret(session, secret)
    if person is None or link is None:
        raise AccessRefused(USED_UP)
    _use(session, link, now)
    access.set_password(session, person, password_hash, now=now)
    return person


def _add(
    session: Session, *, role: Role, by: str, now: datetime, lasts: timedelta, person_id: int | None = None
) -> str:
    secret = new_secret()
    link = OneTimeLink(
        token_hash=known_by(secret),
        role=role,
        person_id=person_id,
        created_by=by,
        created_at=now,
        ends_at=now + lasts,
    )
    session.add(link)
    session.flush()
    return secret


def _of_secret(session: Session, secret: str) -> OneTimeLink | None:
    return session.exec(select(OneTimeLink).where(OneTimeLink.token_hash == known_by(secret))).first()


def _works(link: OneTimeLink, now: datetime) -> bool:
    # One from the future was made by a clock that was wrong, and set back it would work for too long.
    return link.used_at is None and link.created_at - SLACK <= now < link.ends_at


def _is_late(session: Session, link: OneTimeLink) -> bool:
    """Whether it would make a first owner where there is one."""
    return link.created_by == FIRST and access.has_owner(session)


def _use(session: Session, link: OneTimeLink, now: datetime) -> None:
    link.used_at = now
    session.add(link)
    session.flush()
