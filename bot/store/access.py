"""People and their sittings."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, or_, text, update
from sqlmodel import Session, col, select

from bot.access.names import key
from bot.access.secrets import known_by, new_secret
from bot.access.throttle import SLACK
from bot.models import OneTimeLink, Person, Role, Sitting

SEEN_EVERY = timedelta(minutes=1)
"""How exactly a sitting's last use is known: not every request is to write."""
_TURN: Final = 0x52656A6F
"""Any number that no other lock of this database has."""


class AccessRefused(Exception):
    """Cannot be done to this person, link or token; the message is one line with the cure."""


def in_turn(session: Session) -> None:
    """Until the transaction ends, no other one changes who may do what: two owners cannot demote each other at the
    same moment, nor two browsers use the same link. SQLite has one writer anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:turn)"), {"turn": _TURN})


def add_person(session: Session, *, name: str, role: Role, password_hash: str, now: datetime) -> Person:
    """Raises AccessRefused where somebody has that name already."""
    in_turn(session)
    if person_named(session, name) is not None:
        raise AccessRefused(f"there is a person {name!r} already; choose another name")
    person = Person(name=name, role=role, password_hash=password_hash, created_at=now)
    session.add(person)
    session.flush()
    return person


def people(session: Session) -> list[Person]:
    return list(session.exec(select(Person).order_by(col(Person.id))))


def person_named(session: Session, name: str) -> Person | None:
    """Whoever has this name, however it is capitalised."""
    wanted = key(name)
    # The databases' own lower() knows ASCII only, or what their locale does; and there are few people.
    return next((person for person in people(session) if key(person.name) == wanted), None)


def known_person(session: Session, name: str) -> Person:
    """Raises AccessRefused."""
    person = person_named(session, name)
    if person is None:
        raise AccessRefused(f"there is no person {name!r}; 'rejoinder people list' shows who there is")
    return person


def person_of(session: Session, person_id: int) -> Person:
    """Raises AccessRefused."""
    person = session.get(Person, person_id)
    if person is None:
        raise AccessRefused(f"there is no person {person_id}; reload the page")
    return person


def has_owner(session: Session) -> bool:
    """Whether anybody can manage this installation."""
    return owners(session) > 0


def owners(session: Session) -> int:
    """How many owners can log in."""
    active = select(func.count()).where(Person.role == Role.OWNER, col(Person.disabled_at).is_(None))
    return session.exec(active).one()


def set_role(session: Session, person: Person, role: Role) -> None:
    """From the person's next request on. Raises AccessRefused for the last owner."""
    in_turn(session)
    session.refresh(person)
    if role != Role.OWNER:
        _keep_an_owner(session, person, "make somebody else owner first")
    person.role = role
    session.add(person)


def disable(session: Session, person: Person, *, now: datetime) -> None:
    """Ends the person's sittings and links; the tokens rest. Raises AccessRefused for the last owner."""
    in_turn(session)
    session.refresh(person)
    _keep_an_owner(session, person, "make somebody else owner first")
    person.disabled_at = person.disabled_at or now
    session.add(person)
    end_sittings(session, person.id or 0)
    end_links_for(session, person.id or 0, now=now)


def enable(session: Session, person: Person) -> None:
    person.disabled_at = None
    session.add(person)


def set_password(
    session: Session, person: Person, password_hash: str, *, now: datetime, but: int = 0
) -> None:
    """Ends the person's sittings, save the one with the number `but`, and links for another password."""
    person.password_hash = password_hash
    session.add(person)
    end_sittings(session, person.id or 0, but=but)
    end_links_for(session, person.id or 0, now=now)


def end_links_for(session: Session, person_id: int, *, now: datetime) -> None:
    """No link changes this person's password any more."""
    theirs = (col(OneTimeLink.person_id) == person_id, col(OneTimeLink.used_at).is_(None))
    session.execute(update(OneTimeLink).where(*theirs, col(OneTimeLink.ends_at) > now).values(ends_at=now))


def _keep_an_owner(session: Session, person: Person, cure: str) -> None:
    # As it comes from the database, a role is a plain string: equal to Role.OWNER, but not the same object.
    is_one = person.role == Role.OWNER and person.disabled_at is None
    if is_one and owners(session) == 1:
        raise AccessRefused(f"{person.name} is the last owner; {cure}")


def begin_sitting(
    session: Session, *, person_id: int, agent: str, address: str, now: datetime, lasts: timedelta
) -> tuple[Sitting, str]:
    """A new sitting and its cookie's value, which is kept nowhere."""
    token = new_secret()
    sitting = Sitting(
        person_id=person_id,
        token_hash=known_by(token),
        csrf=new_secret(),
        agent_hash=known_by(agent),
        address=address,
        created_at=now,
        seen_at=now,
        ends_at=now + lasts,
    )
    session.add(sitting)
    session.flush()
    return sitting, token


def sitting_of(session: Session, token: str) -> tuple[Sitting, Person] | None:
    """The sitting with this cookie, ended or not, and whose it is."""
    found = (
        select(Sitting, Person)
        .join(Person, col(Person.id) == Sitting.person_id)
        .where(Sitting.token_hash == known_by(token))
    )
    return session.exec(found).first()


def has_ended(sitting: Sitting, idle: timedelta, now: datetime) -> bool:
    """Whether its time is over. One that was last used in the future has ended, too: the clock was wrong, and set back
    it would keep the sitting alive for as long.
    """
    return not (sitting.seen_at - SLACK <= now < min(sitting.ends_at, sitting.seen_at + idle))


def is_seen(sitting: Sitting, now: datetime) -> bool:
    """Whether its last use is known exactly enough."""
    return abs(now - sitting.seen_at) < SEEN_EVERY


def see(session: Session, sitting_id: int, *, now: datetime) -> None:
    session.execute(update(Sitting).where(col(Sitting.id) == sitting_id).values(seen_at=now))


def sittings_of(session: Session, person_id: int, idle: timedelta, now: datetime) -> list[Sitting]:
    """The person's sittings that have not ended, latest first."""
    theirs = select(Sitting).where(Sitting.person_id == person_id).order_by(col(Sitting.seen_at).desc())
    return [sitting for sitting in session.exec(theirs) if not has_ended(sitting, idle, now)]


def end_sitting(session: Session, sitting_id: int, *, person_id: int) -> bool:
    """False where this person has no such sitting."""
    one = delete(Sitting).where(col(Sitting.id) == sitting_id, col(Sitting.person_id) == person_id)
    return bool(session.connection().execute(one).rowcount)


def end_sitting_of(session: Session, token: str) -> None:
    """The one with this cookie, if there is one."""
    session.execute(delete(Sitting).where(col(Sitting.token_hash) == known_by(token)))


def end_sittings(session: Session, person_id: int, *, but: int = 0) -> int:
    """How many; all of the person's, save the one with the number `but`."""
    theirs = delete(Sitting).where(col(Sitting.person_id) == person_id, col(Sitting.id) != but)
    return int(session.connection().execute(theirs).rowcount)


def delete_ended(session: Session, idle: timedelta, *, now: datetime) -> None:
    """Forget every sitting whose time is over."""
    over = or_(
        col(Sitting.ends_at) <= now, col(Sitting.seen_at) <= now - idle, col(Sitting.seen_at) > now + SLACK
    )
    session.execute(delete(Sitting).where(over))
