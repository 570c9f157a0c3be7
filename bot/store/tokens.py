"""Keys for programs."""

from datetime import datetime
from typing import Final

from sqlalchemy import update
from sqlmodel import Session, col, select

from bot.access.secrets import known_by, new_secret
from bot.access.visitor import RANK
from bot.models import ApiToken, Person, Role
from bot.plain import plain
from bot.store.access import AccessRefused

PREFIX: Final = "rj_"
"""What a token begins with, so that programs which look for leaked secrets know it."""
NAME_CHARS: Final = 60
MOST: Final = 50
"""Tokens that one person may have."""


def lesser(one: Role, other: Role) -> Role:
    return min(one, other, key=RANK.__getitem__)


def add(
    session: Session, *, person: Person, name: str, role: Role, ends_at: datetime | None, now: datetime
) -> tuple[ApiToken, str]:
    """A new token and the token itself, which is kept nowhere. Raises AccessRefused."""
    if not name or len(name) > NAME_CHARS or plain(name, one_line=True) != name:
        raise AccessRefused(
            f"a token needs a name of 1 to {NAME_CHARS} letters, digits and spaces; say what it is for"
        )
    if RANK[role] > RANK[person.role]:
        raise AccessRefused(f"{person.name} is {person.role}; a token cannot be more, choose {person.role}")
    if ends_at is not None and ends_at <= now:
        raise AccessRefused("the token would have ended already; choose a later end")
    theirs = [token for token, _ in listed(session, person.id)]
    if len(theirs) >= MOST:
        raise AccessRefused(f"{person.name} has {MOST} tokens; revoke what nobody uses")
    if any(token.name == name for token in theirs):
        raise AccessRefused(f"{person.name} has a token {name!r} already; revoke it, or choose another name")
    secret = PREFIX + new_secret()
    token = ApiToken(
        person_id=person.id or 0,
        name=name,
        token_hash=known_by(secret),
        role=role,
        created_at=now,
        ends_at=ends_at,
    )
    session.add(token)
    session.flush()
    return token, secret


def listed(session: Session, person_id: int | None = None) -> list[tuple[ApiToken, Person]]:
    """Tokens that were not revoked and whose they are, of one person or of all, latest first."""
    found = select(ApiToken, Person).join(Person, col(Person.id) == ApiToken.person_id)
    found = found.where(col(ApiToken.revoked_at).is_(None)).order_by(col(ApiToken.id).desc())
    if person_id is not None:
        found = found.where(ApiToken.person_id == person_id)
    return list(session.exec(found))


def of_secret(session: Session, secret: str) -> tuple[ApiToken, Person] | None:
    """The token, ended or not, and whose it is."""
    found = select(ApiToken, Person).join(Person, col(Person.id) == ApiToken.person_id)
    return session.exec(found.where(ApiToken.token_hash == known_by(secret))).first()


def works(token: ApiToken, person: Person, now: datetime) -> bool:
    in_time = token.ends_at is None or now < token.ends_at
    return token.revoked_at is None and in_time and person.disabled_at is None


def see(session: Session, token_id: int, *, now: datetime) -> None:
    session.execute(update(ApiToken).where(col(ApiToken.id) == token_id).values(seen_at=now))


def revoke(session: Session, token_id: int, *, now: datetime, person_id: int | None = None) -> ApiToken:
    """For ever. `person_id`: only if it is that person's. Raises AccessRefused."""
    token = session.get(ApiToken, token_id)
    is_theirs = token is not None and person_id in (None, token.person_id)
    if token is None or not is_theirs or token.revoked_at is not None:
        raise AccessRefused(f"there is no token {token_id}; 'rejoinder people tokens' shows which there are")
    token.revoked_at = now
    session.add(token)
    return token
