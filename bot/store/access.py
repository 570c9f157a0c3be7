"""People, their sittings, links and tokens."""

from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from bot.access.secrets import known_by, new_secret
from bot.models import Person, Role, Sitting

SEEN_EVERY = timedelta(minutes=1)
"""How exactly a sitting's last use is known: not every request is to write."""


def add_person(session: Session, *, name: str, role: Role, password_hash: str, now: datetime) -> Person:
    person = Person(name=name, role=role, password_hash=password_hash, created_at=now)
    session.add(person)
    session.flush()
    return person


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
