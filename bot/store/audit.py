"""Who did what, when and from where."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlmodel import Session

from bot.access.visitor import Visitor
from bot.models import AuditEntry


def note(
    session: Session,
    who: Visitor,
    act: str,
    subject: str,
    *,
    now: datetime,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Write down what `who` does, in the transaction that does it. `detail` holds no secret and no commenter's text."""
    session.add(
        AuditEntry(
            at=now,
            actor=who.name,
            via=who.via,
            act=act,
            subject=subject,
            detail=dict(detail or {}),
            address=who.address,
        )
    )
