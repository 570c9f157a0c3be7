"""What a person decides about a comment, written down with what was on the screen, and taken back."""

from datetime import datetime

from sqlmodel import Session, col, select

from adapters.text import clean
from bot.models import Channel, Comment, Event, State, Verdict
from bot.reasons import Reason
from bot.store.deciding import (
    Sign,
    VerdictRefused,
    begin,
    candidates,
    draft,
    go,
    order,
    ordered,
    record,
    same,
    short,
)
from bot.store.drafting import set_text
from bot.store.shadow import POLICY, approved
from bot.triage import is_blank


def approve(
    session: Session, comment_id: int, *, sign: Sign, now: datetime, undo_s: float = 0, candidate: int = 0
) -> Verdict:
    """Send a draft's `candidate`, from 0, as it stands, after `undo_s` seconds. Raises VerdictRefused."""
    comment, before = begin(session, comment_id, sign, (State.REVIEW,), now)
    if before is not None:
        return same(before, "approve")
    shown = candidates(draft(session, comment))
    if candidate not in range(len(shown)) or not shown[candidate].strip():
        raise VerdictRefused(
            f"comment {comment_id} has no draft {candidate + 1} to approve; "
            f"write the answer: rejoinder review edit {comment_id} --text …",
            "no_draft",
            comment.version,
        )
    return order(
        session,
        comment,
        shown[candidate],
        kind="approve",
        chosen=candidate,
        sign=sign,
        now=now,
        undo_s=undo_s,
    )


def edit(
    session: Session,
    comment_id: int,
    *,
    text: str,
    sign: Sign,
    now: datetime,
    undo_s: float = 0,
    candidate: int | None = None,
) -> Verdict:
    """Send `text`, made from `candidate` or written anew; also answers what was skipped or has failed.

    A text that is the candidate's own is an approval. Raises VerdictRefused.
    """
    comment, before = begin(session, comment_id, sign, (State.REVIEW, State.SKIPPED, State.FAILED), now)
    if before is not None:
        return same(before, "edit", "approve")
    text = clean(text).strip()
    if is_blank("".join(filter(str.isprintable, text))):
        raise VerdictRefused(
            "the reply is empty; give its text, or use 'review skip' to leave the comment unanswered",
            "empty",
            comment.version,
        )
    shown = candidates(draft(session, comment))
    chosen = candidate if candidate is not None and candidate in range(len(shown)) else None
    if text in shown and comment.state == State.REVIEW:
        return order(
            session,
            comment,
            text,
            kind="approve",
            chosen=shown.index(text),
            sign=sign,
            now=now,
            undo_s=undo_s,
        )
    return order(session, comment, text, kind="edit", chosen=chosen, sign=sign, now=now, undo_s=undo_s)


def reject(session: Session, comment_id: int, *, reason: str, sign: Sign, now: datetime) -> Verdict:
    """The draft is wrong: don't send it. `edit` may answer the comment later. Raises VerdictRefused."""
    comment, before = begin(session, comment_id, sign, (State.REVIEW,), now)
    if before is not None:
        return same(before, "reject")
    reason = short(clean(reason), "the reason")
    verdict = record(session, comment, sign=sign, now=now, kind="reject", reason=reason)
    go(session, comment, State.SKIPPED, Reason.REJECTED_BY_PERSON, reason, sign=sign, now=now)
    return verdict


def skip(session: Session, comment_id: int, *, sign: Sign, now: datetime) -> Verdict:
    """Leave the comment unanswered; says nothing about the draft. Raises VerdictRefused."""
    comment, before = begin(session, comment_id, sign, (State.REVIEW, State.FAILED), now)
    if before is not None:
        return same(before, "skip")
    verdict = record(session, comment, sign=sign, now=now, kind="skip")
    go(session, comment, State.SKIPPED, Reason.SKIPPED_BY_PERSON, "", sign=sign, now=now)
    return verdict


def undo(session: Session, comment_id: int, *, sign: Sign, now: datetime) -> Verdict:
    """Take back the last verdict, while its reply has not begun to go out; the comment is where it was before, for the
    reason it was there. Raises VerdictRefused.
    """
    comment, _ = begin(session, comment_id, sign, tuple(State), now)
    verdict = session.exec(
        select(Verdict)
        .where(Verdict.comment_id == comment_id, col(Verdict.undone_at).is_(None))
        .order_by(col(Verdict.id).desc())
    ).first()
    events = list(
        session.exec(
            select(Event).where(Event.comment_id == comment_id).order_by(col(Event.id).desc()).limit(50)
        )
    )
    # The verdict's own move is the last one, unless something has happened since.
    if verdict is None or not events or events[0].actor != verdict.by or events[0].at != verdict.at:
        on_its_way = comment.state in (State.SENDING, State.UNKNOWN, State.SENT)
        told = (
            "its reply is on its way or has been sent" if on_its_way else "there is no verdict to take back"
        )
        raise VerdictRefused(
            f"comment {comment_id}: {told}; nothing was changed", "too_late", comment.version
        )
    target = State(events[0].from_state)
    came = next((event for event in events[1:] if event.to_state == target), None)
    reason, detail = (came.reason, came.detail) if came is not None else (Reason.TAKEN_BACK.value, "")
    # It waits where it waited before, so that it does not go to the end of the queue.
    since = came.at if came is not None else None
    go(session, comment, target, reason, detail, sign=sign, now=now, since=since)
    if verdict.kind in ("approve", "edit"):
        _order_as_before(session, comment, verdict)
    verdict.undone_at = now
    session.add(verdict)
    return verdict


def _order_as_before(session: Session, comment: Comment, verdict: Verdict) -> None:
    """The reply is again what was ordered before `verdict`, so that a new try sends that; else none is ordered."""
    reply = ordered(session, verdict.comment_id)
    if reply is None:
        return
    earlier = session.exec(
        select(Verdict)
        .where(
            Verdict.comment_id == verdict.comment_id,
            col(Verdict.undone_at).is_(None),
            col(Verdict.kind).in_(("approve", "edit")),
            col(Verdict.id) < verdict.id,
        )
        .order_by(col(Verdict.id).desc())
    ).first()
    judged = draft(session, comment)
    if earlier is not None:
        set_text(session, reply, earlier.text)
        reply.approved_by, reply.draft_id = earlier.by, earlier.draft_id
    elif judged is not None and judged.decision == "send":
        set_text(session, reply, judged.text)
        reply.approved_by, reply.draft_id = POLICY, judged.id
    elif reply.attempted_at is None:
        session.delete(reply)
        return
    reply.earlier_texts = [text for text in reply.earlier_texts if text != reply.text]
    session.add(reply)


def redraft(session: Session, comment_id: int, *, hint: str, sign: Sign, now: datetime) -> None:
    """Have another draft written, after `hint` if it says something; it comes back for review, whatever the rules say.

    Raises VerdictRefused.
    """
    comment, _ = begin(session, comment_id, sign, (State.REVIEW, State.SKIPPED), now)
    reply = ordered(session, comment_id)
    if reply is not None and reply.attempted_at is not None:
        raise VerdictRefused(
            f"comment {comment_id}: a reply may have been sent already; look at the platform first",
            "state",
            comment.version,
        )
    comment.hint = short(clean(hint).strip(), "the hint")
    session.add(comment)
    session.flush()
    go(session, comment, State.NEW, Reason.REDRAFT, comment.hint, sign=sign, now=now)


def confirm_sent(session: Session, comment_id: int, *, sign: Sign, now: datetime) -> None:
    """A person saw the reply on the platform, or posted it there. Raises VerdictRefused."""
    comment, _ = begin(session, comment_id, sign, (State.REVIEW,), now)
    reply = ordered(session, comment_id)
    if reply is not None:
        reply.sent_at = now
        session.add(reply)
    go(session, comment, State.SENT, Reason.CONFIRMED_BY_PERSON, "", sign=sign, now=now)


def retry(session: Session, comment_id: int, *, sign: Sign, now: datetime) -> None:
    """Try again what has failed: to send the reply, if there is one, else to draft it. In shadow a reply is skipped, as
    an approved one is. Raises VerdictRefused.
    """
    comment, _ = begin(session, comment_id, sign, (State.FAILED,), now)
    target, reason = State.NEW, Reason.RETRIED
    if ordered(session, comment_id) is not None:
        target, reason = approved(session.get_one(Channel, comment.channel_id), Reason.RETRIED)
    go(session, comment, target, reason, "", sign=sign, now=now)
