"""Who did what, when and from where."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import and_, or_
from sqlmodel import Session, select

from bot.access.visitor import Visitor
from bot.models import AuditEntry, Verdict

VERDICT: Final = "verdict_"
"""What the acts begin with that stand in `verdict`; the kind follows."""


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


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that somebody did."""

    at: datetime
    actor: str
    via: str
    act: str
    subject: str
    detail: Mapping[str, Any]
    address: str
    place: tuple[str, int]
    """Table and number, which order what was done at the same moment."""


@dataclass(frozen=True, slots=True)
class Which:
    """Which deeds are wanted; what is empty leaves nothing out."""

    actor: str = ""
    act: str = ""
    since: datetime | None = None
    until: datetime | None = None
    """The moment after the last one."""


Cursor = tuple[datetime, str, int]
"""Where a page ended: moment and place of its last deed."""


def deeds(session: Session, which: Which, *, limit: int, after: Cursor | None = None) -> list[Deed]:
    """Newest first; `after` goes on where a page ended."""
    found = [*_entries(session, which, limit, after), *_verdicts(session, which, limit, after)]
    return sorted(found, key=lambda deed: (deed.at, deed.place), reverse=True)[:limit]


def cursor_of(deed: Deed) -> Cursor:
    return (deed.at, *deed.place)


def acts(session: Session) -> list[str]:
    """Every act that was ever written down, in alphabetical order."""
    noted = session.exec(select(AuditEntry.act).distinct())
    return sorted({*noted, *(VERDICT + kind for kind in session.exec(select(Verdict.kind).distinct()))})


def _entries(session: Session, which: Which, limit: int, after: Cursor | None) -> list[Deed]:
    wanted = _conditions(AuditEntry, "audit", which, after)
    if which.actor:
        wanted.append(AuditEntry.actor == which.actor)
    if which.act:
        wanted.append(AuditEntry.act == which.act)
    rows = select(AuditEntry).where(*wanted)
    return [
        Deed(
            row.at, row.actor, row.via, row.act, row.subject, row.detail, row.address, ("audit", row.id or 0)
        )
        for row in session.exec(_newest(rows, AuditEntry).limit(limit))
    ]


def _verdicts(session: Session, which: Which, limit: int, after: Cursor | None) -> list[Deed]:
    if which.act and not which.act.startswith(VERDICT):
        return []
    wanted = _conditions(Verdict, "verdict", which, after)
    if which.actor:
        wanted.append(Verdict.by == which.actor)
    if which.act:
        wanted.append(Verdict.kind == which.act.removeprefix(VERDICT))
    rows = select(Verdict).where(*wanted)
    return [_of_verdict(row) for row in session.exec(_newest(rows, Verdict).limit(limit))]


def _of_verdict(row: Verdict) -> Deed:
    detail = {"undone_at": row.undone_at.isoformat()} if row.undone_at is not None else {}
    act, subject = VERDICT + row.kind, f"comment {row.comment_id}"
    return Deed(row.at, row.by, row.via, act, subject, detail, "", ("verdict", row.id or 0))


def _conditions(table: Any, name: str, which: Which, after: Cursor | None) -> list[Any]:
    wanted: list[Any] = []
    if which.since is not None:
        wanted.append(table.at >= which.since)
    if which.until is not None:
        wanted.append(table.at < which.until)
    if after is not None:
        moment, place, number = after
        same = table.at == moment
        if name == place:
            wanted.append(or_(table.at < moment, and_(same, table.id < number)))
        else:
            wanted.append(or_(table.at < moment, same) if name < place else table.at < moment)
    return wanted


def _newest(rows: Any, table: Any) -> Any:
    return rows.order_by(table.at.desc(), table.id.desc())
