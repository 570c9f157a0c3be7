"""The registry of voices: which there are, which answers whom, and every change of that.

A voice belongs to one channel or to all; that is its scope. Each scope has at most one live voice and one canary.
Whoever changes a status locks every row of the table first, so that of two who do it at once one sees what the other
has done.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from bot.models import Voice, VoiceEvent, VoiceStatus
from bot.voices.routing import way_back

KEEPER = "keeper"
"""Stands where a person's name would: the change was made by itself."""

PROMOTABLE = (VoiceStatus.CANDIDATE, VoiceStatus.CANARY, VoiceStatus.RETIRED)


class ChangeRefused(ValueError):
    """What was asked of a voice cannot be done; the message says why and what can."""


class NoSuchVoice(ChangeRefused):
    """No voice has this name."""


@dataclass(frozen=True, slots=True)
class NewVoice:
    """What is told when a voice is registered; see `bot.models.Voice`."""

    name: str
    path: str
    digest: str
    base_model: str
    rank: int
    channel_id: int | None = None
    parent: str | None = None
    data_hash: str = ""
    metrics: Mapping[str, Any] | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Registry:
    """Every voice, oldest first, and the ids of those that a rollback would go to."""

    voices: tuple[Voice, ...]
    ways_back: frozenset[int]

    def with_status(self, *statuses: VoiceStatus) -> list[Voice]:
        return [voice for voice in self.voices if voice.status in statuses]


def every(session: Session) -> list[Voice]:
    """Oldest first."""
    return list(session.exec(select(Voice).order_by(col(Voice.id))))


def named(session: Session, name: str) -> Voice:
    """Raises NoSuchVoice."""
    return _pick(every(session), name)


def registry(session: Session) -> Registry:
    voices, events = every(session), _events(session)
    live = [voice for voice in voices if voice.status == VoiceStatus.LIVE]
    back = (way_back(voices, events, voice.channel_id) for voice in live)
    return Registry(tuple(voices), frozenset(voice.id or 0 for voice in back if voice is not None))


def history(session: Session, voice_id: int) -> list[VoiceEvent]:
    """Oldest first."""
    found = select(VoiceEvent).where(VoiceEvent.voice_id == voice_id).order_by(col(VoiceEvent.id))
    return list(session.exec(found))


def latest_event(session: Session) -> int:
    """Grows with every change of any voice; 0 while there is none."""
    return session.exec(select(func.max(VoiceEvent.id))).one() or 0


def returned_since(session: Session, since: datetime) -> list[tuple[Voice, VoiceEvent]]:
    """Voices that were taken back without a person, newest first."""
    found = (
        select(Voice, VoiceEvent)
        .join(VoiceEvent, col(VoiceEvent.voice_id) == Voice.id)
        .where(
            VoiceEvent.actor == KEEPER, VoiceEvent.to_status == VoiceStatus.RETIRED, VoiceEvent.at >= since
        )
        .order_by(col(VoiceEvent.id).desc())
    )
    return list(session.exec(found))


def answering(session: Session) -> list[Voice]:
    """Those that answer comments now."""
    return list(session.exec(select(Voice).where(col(Voice.status).in_(_ANSWERING))))


def add(session: Session, new: NewVoice, *, by: str, now: datetime) -> Voice:
    """A new candidate. Raises ChangeRefused when the name was ever used, or when the parent is unknown."""
    refuse_taken(session, new.name)
    if new.parent is not None:
        named(session, new.parent)
    voice = Voice(
        name=new.name,
        channel_id=new.channel_id,
        path=new.path,
        digest=new.digest,
        base_model=new.base_model,
        rank=new.rank,
        parent=new.parent,
        data_hash=new.data_hash,
        metrics=dict(new.metrics or {}),
        note=new.note,
        status=VoiceStatus.CANDIDATE,
        created_at=now,
        status_at=now,
    )
    session.add(voice)
    try:
        session.flush()
    except IntegrityError as error:  # somebody else has just registered the name
        raise _taken(new.name) from error
    _record(session, voice, act="load", before="", by=by, now=now, detail=new.note)
    return voice


def refuse_taken(session: Session, name: str) -> None:
    """Raises ChangeRefused when a voice has, or had, this name."""
    if session.exec(select(Voice.id).where(Voice.name == name)).first() is not None:
        raise _taken(name)


def _taken(name: str) -> ChangeRefused:
    return ChangeRefused(f"the name {name!r} is taken, and no name is used twice; choose another")


def promote(session: Session, name: str, *, share: float | None, by: str, now: datetime) -> Voice:
    """Make a voice live, or, with `share` (0 to 1), a canary.

    The voice that was live is retired and stays the way back. Raises ChangeRefused.
    """
    voices = _locked(session)
    voice = _pick(voices, name)
    status = VoiceStatus.LIVE if share is None else VoiceStatus.CANARY
    if voice.status not in PROMOTABLE or (voice.status == status and voice.share == share):
        raise ChangeRefused(f"{name} is {voice.status} already; nothing was changed")
    if not voice.path:
        raise ChangeRefused(f"the files of {name} were removed; load the weights again under another name")
    for other in voices:
        if other is voice or other.channel_id != voice.channel_id or other.status != status:
            continue
        if status == VoiceStatus.CANARY:
            raise ChangeRefused(f"{other.name} is the canary already; promote it, or retire it first")
        _change(
            session,
            other,
            VoiceStatus.RETIRED,
            act="promote",
            by=by,
            now=now,
            detail=f"{name} took its place",
        )
    detail = "" if share is None else f"{share:.1%} of the comments"
    _change(session, voice, status, act="promote", by=by, now=now, detail=detail, share=share or 0.0)
    return voice


def retire(
    session: Session, name: str, *, by: str, now: datetime, act: str = "retire", detail: str = ""
) -> Voice:
    """Take a candidate or a canary out. Raises ChangeRefused for a live voice, whose place must be filled."""
    voice = _pick(_locked(session), name)
    if voice.status == VoiceStatus.LIVE:
        raise ChangeRefused(
            f"{name} is live; promote another in its place, or go back: rejoinder voices rollback"
        )
    if voice.status == VoiceStatus.RETIRED:
        raise ChangeRefused(f"{name} is retired already; nothing was changed")
    _change(session, voice, VoiceStatus.RETIRED, act=act, by=by, now=now, detail=detail)
    return voice


def rollback(
    session: Session, channel_id: int | None, *, by: str, now: datetime, detail: str = ""
) -> tuple[Voice, Voice | None]:
    """Put the voice that was live before back in its place; returns the one that went and the one that came.

    None came: there was none before, and the base model answers (for a channel, the voice of all channels). Raises
    ChangeRefused when no voice is live.
    """
    voices = _locked(session)
    live = [voice for voice in voices if voice.status == VoiceStatus.LIVE and voice.channel_id == channel_id]
    if not live:
        raise ChangeRefused("no voice is live there, so there is nothing to go back from")
    went, came = live[0], way_back(voices, _events(session), channel_id)
    _change(session, went, VoiceStatus.RETIRED, act="rollback", by=by, now=now, detail=detail)
    if came is not None:
        detail = f"back from {went.name}"
        _change(session, came, VoiceStatus.LIVE, act="rollback", by=by, now=now, detail=detail)
    return went, came


def withdraw(session: Session, name: str, *, by: str, now: datetime, detail: str) -> Voice | None:
    """A voice that cannot be served answers nobody from now on; None when it answers nobody already."""
    voice = _pick(_locked(session), name)
    if voice.status == VoiceStatus.LIVE:
        rollback(session, voice.channel_id, by=by, now=now, detail=detail)
    elif voice.status == VoiceStatus.CANARY:
        _change(session, voice, VoiceStatus.RETIRED, act="return", by=by, now=now, detail=detail)
    else:
        return None
    return voice


def forget_files(session: Session, name: str, *, by: str, now: datetime) -> str:
    """Note that the files of a retired voice are removed; returns their folder, relative to `data_dir`.

    Raises ChangeRefused.
    """
    voices = _locked(session)
    voice = _pick(voices, name)
    if voice.status != VoiceStatus.RETIRED:
        raise ChangeRefused(
            f"{name} is {voice.status}; only a retired voice is removed: rejoinder voices retire"
        )
    if not voice.path:
        raise ChangeRefused(f"the files of {name} were removed already; nothing was changed")
    if voice.id in registry(session).ways_back:
        raise ChangeRefused(f"{name} is what a rollback would go back to; it stays until another is promoted")
    folder, voice.path = voice.path, ""
    session.add(voice)
    _record(session, voice, act="remove", before=voice.status, by=by, now=now)
    return folder


_ANSWERING = (VoiceStatus.CANARY, VoiceStatus.LIVE)


def _locked(session: Session) -> list[Voice]:
    return list(session.exec(select(Voice).order_by(col(Voice.id)).with_for_update()))


def _events(session: Session) -> list[VoiceEvent]:
    return list(session.exec(select(VoiceEvent).order_by(col(VoiceEvent.id))))


def _pick(voices: Sequence[Voice], name: str) -> Voice:
    for voice in voices:
        if voice.name == name:
            return voice
    known = ", ".join(voice.name for voice in voices) or "none yet"
    raise NoSuchVoice(f"no voice is named {name!r}; there are: {known}")


def _change(
    session: Session,
    voice: Voice,
    status: VoiceStatus,
    *,
    act: str,
    by: str,
    now: datetime,
    detail: str = "",
    share: float = 0.0,
) -> None:
    before = voice.status
    voice.status, voice.share, voice.status_at = status, share, now
    session.add(voice)
    _record(session, voice, act=act, before=before, by=by, now=now, detail=detail)


def _record(
    session: Session, voice: Voice, *, act: str, before: str, by: str, now: datetime, detail: str = ""
) -> None:
    event = VoiceEvent(
        voice_id=voice.id or 0,
        at=now,
        actor=by,
        act=act,
        from_status=before,
        to_status=voice.status,
        detail=detail,
    )
    session.add(event)
    # Ids in the order of the changes: `way_back` reads them so.
    session.flush()
