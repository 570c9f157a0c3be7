"""The review desk's one way to decide: a person's wish, carried out on the ledger; what was written is never lost."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Literal

from sqlmodel import Session

from bot.models import Verdict
from bot.store import holds, verdicts
from bot.store.deciding import Sign, VerdictRefused
from bot.store.ledger import Ledger

Act = Literal["approve", "edit", "reject", "skip", "undo", "redraft", "retry", "confirm_sent"]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person wants done with a comment."""

    act: Act
    comment_id: int
    text: str = ""
    """Of `edit`: the reply; of `reject`: the reason; of `redraft`: the hint."""
    candidate: int | None = None
    """Of `approve` and `edit`: which of the candidates shown, from 0."""


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one wish of many."""

    comment_id: int
    refusal: VerdictRefused | None = None


async def decide(ledger: Ledger, wish: Wish, sign: Sign, *, now: datetime, undo_s: float) -> Verdict | None:
    """Carry out `wish`; what was written for a verdict that is refused is kept. Raises VerdictRefused, LedgerError."""
    try:
        return await ledger.awrite(_carry_out, wish, sign, now, undo_s)
    except VerdictRefused:
        if wish.text:
            await ledger.awrite(holds.keep_text, wish.comment_id, by=sign.by, text=wish.text, now=now)
        raise


def decide_here(ledger: Ledger, wish: Wish, sign: Sign, *, now: datetime, undo_s: float) -> Verdict | None:
    """`decide` on the caller's thread."""
    try:
        return ledger.write(_carry_out, wish, sign, now, undo_s)
    except VerdictRefused:
        if wish.text:
            ledger.write(holds.keep_text, wish.comment_id, by=sign.by, text=wish.text, now=now)
        raise


async def decide_each(
    ledger: Ledger, wishes: Iterable[tuple[Wish, Sign]], *, now: datetime, undo_s: float
) -> list[Told]:
    """Each wish by itself: one that is refused doesn't hold up the others. Raises LedgerError."""
    told = []
    for wish, sign in wishes:
        try:
            await decide(ledger, wish, sign, now=now, undo_s=undo_s)
        except VerdictRefused as error:
            told.append(Told(wish.comment_id, error))
        else:
            told.append(Told(wish.comment_id))
    return told


def _carry_out(session: Session, wish: Wish, sign: Sign, now: datetime, undo_s: float) -> Verdict | None:
    made: Verdict | None = _acts(wish, undo_s)[wish.act](session, wish.comment_id, sign=sign, now=now)
    if wish.act == "undo" and made is not None and made.kind == "edit":
        holds.keep_text(session, wish.comment_id, by=sign.by, text=made.text, now=now)
    if wish.act in ("approve", "edit", "reject", "skip"):
        holds.forget_text(session, wish.comment_id, by=sign.by)
    return made


def _acts(wish: Wish, undo_s: float) -> dict[Act, Callable[..., Any]]:
    return {
        "approve": partial(verdicts.approve, candidate=wish.candidate or 0, undo_s=undo_s),
        "edit": partial(verdicts.edit, text=wish.text, candidate=wish.candidate, undo_s=undo_s),
        "reject": partial(verdicts.reject, reason=wish.text),
        "skip": verdicts.skip,
        "undo": verdicts.undo,
        "redraft": partial(verdicts.redraft, hint=wish.text),
        "retry": verdicts.retry,
        "confirm_sent": verdicts.confirm_sent,
    }
