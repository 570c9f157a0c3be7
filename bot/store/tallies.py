"""What people decided about the voices' drafts, each draft counted once."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import case, func
from sqlmodel import Session, col, select

from bot.models import Comment, Draft, Verdict, Voice, VoiceStatus
from bot.store.voices import every
from bot.voices.canary import Tally


@dataclass(frozen=True, slots=True)
class Trial:
    """A canary and the voice that answers the other comments, since the canary began."""

    canary: Voice
    live: Voice | None
    """None: the base model."""
    canary_tally: Tally
    live_tally: Tally


def trials(session: Session) -> list[Trial]:
    """One for each canary, oldest voice first."""
    voices = every(session)
    return [_trial(session, voice, voices) for voice in voices if voice.status == VoiceStatus.CANARY]


def by_voice(session: Session, *, since: datetime | None = None) -> dict[str, Tally]:
    """The tally of each voice that a person has ever decided about."""
    where: list[Any] = [col(Draft.voice).is_not(None)]
    if since is not None:
        where.append(col(Draft.created_at) >= since)
    return {voice: tally for voice, tally in _tallies(session, where).items() if voice is not None}


def _trial(session: Session, canary: Voice, voices: list[Voice]) -> Trial:
    live = _live_beside(canary, voices)
    where = [col(Draft.created_at) >= canary.status_at]
    if canary.channel_id is not None:
        where.append(col(Comment.channel_id) == canary.channel_id)
    if live is not None:
        found = _tallies(session, [*where, col(Draft.voice).in_((canary.name, live.name))])
        other = found.get(live.name, Tally())
    else:
        # Drafts without a voice that another generator wrote say nothing about the base model.
        models = select(Draft.model).where(Draft.voice == canary.name)
        found = _tallies(session, [*where, col(Draft.model).in_(models)])
        other = found.get(None, Tally())
    return Trial(canary, live, found.get(canary.name, Tally()), other)


def _live_beside(canary: Voice, voices: list[Voice]) -> Voice | None:
    live = {voice.channel_id: voice for voice in voices if voice.status == VoiceStatus.LIVE}
    return live.get(canary.channel_id, live.get(None))


def _tallies(session: Session, where: list[Any]) -> dict[str | None, Tally]:
    def any_of(kind: str) -> Any:
        return func.max(case((col(Verdict.kind) == kind, 1), else_=0))

    drafts = (
        select(
            col(Draft.voice).label("voice"),
            any_of("reject").label("rejected"),
            any_of("edit").label("edited"),
        )
        .join(Verdict, col(Verdict.draft_id) == Draft.id)
        .join(Comment, col(Comment.id) == Draft.comment_id)
        # A skip says nothing about the draft, and neither does what was taken back.
        .where(*where, col(Verdict.undone_at).is_(None), col(Verdict.kind).in_(("approve", "edit", "reject")))
        .group_by(col(Draft.id), col(Draft.voice))
        .subquery()
    )
    # A draft that was rejected, and whose comment was then answered with another text, counts as rejected.
    edited = func.sum(drafts.c.edited * (1 - drafts.c.rejected))
    rows = session.execute(
        select(drafts.c.voice, func.count(), edited, func.sum(drafts.c.rejected)).group_by(drafts.c.voice)
    )
    return {
        voice: Tally(int(total) - int(edits) - int(rejected), int(edits), int(rejected))
        for voice, total, edits, rejected in rows
    }
