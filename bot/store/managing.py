"""What is done to people, links and tokens, each with its line in the audit: the same from the page and the terminal.

Each raises AccessRefused.
"""

from datetime import datetime

from sqlmodel import Session

from bot.access.visitor import Visitor
from bot.models import Person, Role
from bot.store import access, links, tokens
from bot.store.audit import note


def change_role(session: Session, who: Visitor, person: Person, *, role: Role, now: datetime) -> None:
    before = person.role
    access.set_role(session, person, role)
    note(session, who, "change_role", person.name, now=now, detail={"from": before, "to": role})


def disable(session: Session, who: Visitor, person: Person, *, now: datetime) -> None:
    access.disable(session, person, now=now)
    note(session, who, "disable_person", person.name, now=now)


def enable(session: Session, who: Visitor, person: Person, *, now: datetime) -> None:
    access.enable(session, person)
    note(session, who, "enable_person", person.name, now=now)


def end_sittings(session: Session, who: Visitor, person: Person, *, now: datetime) -> None:
    number = access.end_sittings(session, person.id or 0)
    note(session, who, "end_sittings", person.name, now=now, detail={"number": number})


def invite(session: Session, who: Visitor, role: Role, *, now: datetime) -> str:
    """The link's secret."""
    note(session, who, "invite", "", now=now, detail={"role": role})
    return links.invite(session, role, by=who.name, now=now)


def end_invitation(session: Session, who: Visitor, link_id: int, *, now: datetime) -> None:
    link = links.end(session, link_id, now=now)
    note(session, who, "end_invitation", "", now=now, detail={"role": link.role})


def password_link(session: Session, who: Visitor, person: Person, *, now: datetime) -> str:
    """The link's secret."""
    secret = links.for_password(session, person, by=who.name, now=now)
    note(session, who, "make_password_link", person.name, now=now)
    return secret


def first_link(session: Session, who: Visitor, *, now: datetime) -> str | None:
    """The secret of a link that makes the first owner; None where there is an owner."""
    secret = links.first(session, now=now)
    if secret is not None:
        note(session, who, "make_first_link", "", now=now)
    return secret


def add_token(
    session: Session,
    who: Visitor,
    person_id: int,
    *,
    name: str,
    role: Role,
    ends_at: datetime | None,
    now: datetime,
) -> str:
    """The token."""
    access.in_turn(session)
    person = access.person_of(session, person_id)
    session.refresh(person)
    _, secret = tokens.add(session, person=person, name=name, role=role, ends_at=ends_at, now=now)
    note(session, who, "add_token", person.name, now=now, detail={"token": name, "role": role})
    return secret


def revoke_token(
    session: Session, who: Visitor, token_id: int, *, now: datetime, person_id: int | None = None
) -> str:
    """The token's name. `person_id`: only if it is that person's."""
    token = tokens.revoke(session, token_id, now=now, person_id=person_id)
    person = access.person_of(session, token.person_id)
    note(session, who, "revoke_token", person.name, now=now, detail={"token": token.name})
    return token.name
