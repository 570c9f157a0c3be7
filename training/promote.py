"""From weights that passed the gate to a voice: registered under a name of its own, tried on the servers, and put to
answer, first a part of the comments.

Nobody sees a voice before its files are whole and its row is written, in one transaction. Whoever is killed on the way
finds the name that it chose in the night's row, and goes on with it.
"""

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sqlmodel import Session

from bot.access.visitor import Visitor
from bot.building.model import fleet_of, make_generator
from bot.generator import Generator, GeneratorUnavailable
from bot.models import Night, NightStatus, Role, Voice, VoiceStatus
from bot.settings import Settings
from bot.store import nights, voice_acts, voices
from bot.store.voices import NewVoice
from bot.voices.files import CONFIG, WEIGHTS, take_in
from bot.voices.keeper import VoiceServers, voice_ref
from bot.voices.registering import load_everywhere, register
from training.folders import made
from training.marks import code_version
from training.parents import live
from training.steps import Work

ACTOR = "night"
"""Stands where a person's name would."""


@dataclass(frozen=True, slots=True)
class Promoted:
    """What became of the weights."""

    voice: str
    status: VoiceStatus
    told: str
    """What a person has to do; empty: nothing."""


def tokenizer_mark(source: str) -> str:
    from training.models import read_tokenizer, tokenizer_hash  # noqa: PLC0415  (takes seconds)

    return tokenizer_hash(read_tokenizer(source)[1])


def promote(
    work: Work,
    night: Night,
    owner: str,
    now: datetime,
    *,
    tokenizer_of: Callable[[str], str] = tokenizer_mark,
) -> Promoted:
    """Ends the night. Raises BadVoice, ChangeRefused, GeneratorError, LedgerError, NightLost, NoRoom, OSError."""
    name = work.ledger.read(name_for, night, work.channel)
    work.ledger.write(nights.note_step, night.id or 0, "promotion", owner=owner, voice=name)
    source = work.folder / "voice"
    if not source.exists():
        stage(work, source)
    _, away = bring_in(work, night, source, name, now, tokenizer_of=tokenizer_of)
    return work.ledger.write(finish, work, night.id or 0, name, away, owner=owner, now=now)


def name_for(session: Session, night: Night, channel: str | None) -> str:
    """`night-DATE`, or CHANNEL-N with the night's number; with a further number where another voice ever had that."""
    plain = re.sub(r"[^a-z0-9]+", "-", (channel or "").lower()).strip("-")[:40]
    told = f"{plain or 'channel'}-{night.id}" if channel is not None else f"night-{night.began_at:%Y-%m-%d}"
    taken = {one.name for one in voices.every(session) if one.metrics.get("night") != night.id}
    number, name = 1, told
    while name in taken:
        number, name = number + 1, f"{told}-{number + 1}"
    return name


def stage(work: Work, out: Path) -> None:
    """The weights as they are served: their configuration names the base as the servers do. Raises NoRoom, OSError."""
    with made(out) as folder:
        config = json.loads((work.folder / "ppo" / CONFIG).read_bytes())
        config["base_model_name_or_path"] = work.settings.generator.model or work.source
        (folder / CONFIG).write_text(json.dumps(config, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        shutil.copyfile(work.folder / "ppo" / WEIGHTS, folder / WEIGHTS)


def bring_in(
    work: Work,
    night: Night,
    source: Path,
    name: str,
    now: datetime,
    *,
    tokenizer_of: Callable[[str], str] = tokenizer_mark,
) -> tuple[Voice, str]:
    """The candidate, and why it could not be tried on a server; empty: it could."""
    known = {one.name: one for one in work.ledger.read(voices.every)}
    if found := known.get(name):  # this night was killed just after that
        undecided = found.status == VoiceStatus.CANDIDATE
        away = asyncio.run(_load(work.settings, found)) if undecided else ""
    else:
        new = new_voice(work, night, name, tokenizer_of(work.source))
        away = asyncio.run(_bring_in(work, source, new, now))
    return work.ledger.read(voices.named, name), away


def new_voice(work: Work, night: Night, name: str, tokenizer: str) -> NewVoice:
    figures = {step: told for step, told in night.figures.items() if step not in ("marks", "dry")}
    made_with = {
        "night": night.id,
        "settings": night.settings,
        "code_version": code_version(),
        "trained_on": work.source,
        "tokenizer": tokenizer,
    }
    return NewVoice(
        name, "", "", "", 0,
        channel_id=night.channel_id, parent=night.parent, data_hash=night.data_hash,
        metrics={**figures, **made_with}, note=f"made by night {night.id}",
    )  # fmt: skip


async def _bring_in(work: Work, source: Path, new: NewVoice, now: datetime) -> str:
    """Makes it a candidate; returns why it could not be tried on a server, empty where it could."""
    settings = work.settings
    async with _serving(settings) as (generator, servers):
        if servers is None:
            await shelve(work, source, new, now)
            return NO_SERVER
        try:
            await register(
                source, new, ledger=work.ledger, servers=servers, generator=generator,
                data_dir=settings.data_dir, any_base=False, by=ACTOR, clock=lambda: now,
            )  # fmt: skip
        except GeneratorUnavailable as error:
            await shelve(work, source, new, now)
            return str(error)
        return ""


NO_SERVER = 'no model server is set up (generator.kind = "vllm")'


async def shelve(work: Work, source: Path, new: NewVoice, now: datetime) -> None:
    """A candidate that no server has tried. Raises BadVoice, ChangeRefused, OSError."""
    await work.ledger.aread(voices.refuse_taken, new.name)
    folder, weights = take_in(source, work.settings.data_dir, new.name)
    whole = replace(new, path=folder, digest=weights.digest, base_model=weights.base_model, rank=weights.rank)
    await work.ledger.awrite(voices.add, whole, by=ACTOR, now=now)


async def _load(settings: Settings, voice: Voice) -> str:
    """Why no server has it; empty: one has. Raises GeneratorError where one refuses it."""
    async with _serving(settings) as (_, servers):
        if servers is None:
            return NO_SERVER
        try:
            await load_everywhere(servers, voice_ref(voice, settings.data_dir))
        except GeneratorUnavailable as error:
            return str(error)
        return ""


@asynccontextmanager
async def _serving(settings: Settings) -> AsyncIterator[tuple[Generator, VoiceServers | None]]:
    generator = make_generator(settings)
    try:
        yield generator, fleet_of(settings, generator)
    finally:
        await generator.aclose()


def finish(
    session: Session, work: Work, night_id: int, name: str, away: str, *, owner: str, now: datetime
) -> Promoted:
    """Puts the voice to answer and ends the night, both or neither. Raises ChangeRefused, NightLost."""
    status = VoiceStatus(voices.named(session, name).status)
    if status != VoiceStatus.CANDIDATE:
        return _decided(session, night_id, name, status, owner=owner, now=now)
    told = hindrance(session, work, night_id, away)
    if not told:
        _make_room(session, work, name, now)
        share = work.settings.voices.canary_share if work.training.canary else None
        status = VoiceStatus(voice_acts.promote(session, visitor(), name, share=share, now=now).status)
    said = f"{told}; {name} waits as a candidate: rejoinder voices promote {name}" if told else ""
    ended = NightStatus.PASSED if told else NightStatus.PROMOTED
    nights.end(session, night_id, ended, owner=owner, now=now, error=said)
    return Promoted(name, status, said)


def _decided(
    session: Session, night_id: int, name: str, status: VoiceStatus, *, owner: str, now: datetime
) -> Promoted:
    """Ends a night that was stopped after its voice was there: what a person has done with it since stays."""
    told = f"a person has decided about {name} already: it is {status}"
    ended = NightStatus.PASSED if status == VoiceStatus.RETIRED else NightStatus.PROMOTED
    nights.end(session, night_id, ended, owner=owner, now=now, error=told)
    return Promoted(name, status, told)


def hindrance(session: Session, work: Work, night_id: int, away: str) -> str:
    """Why a person has to decide; empty: nothing stands in the way."""
    if away:
        return f"it could not be tried on a server ({away})"
    night = nights.get(session, night_id).night
    at_present = live(session, night.channel_id)
    if (at_present.name if at_present is not None else None) != night.parent:
        return f"another voice went live since the night began with {night.parent or 'the base model'}"
    if work.training.canary and (other := _canary(session, night.channel_id)) and not is_ours(session, other):
        return f"{other.name} is the canary, put there by a person"
    return ""


def _make_room(session: Session, work: Work, name: str, now: datetime) -> None:
    """The canary of an earlier night that nobody has decided about: of two, the newer knows more."""
    voice = voices.named(session, name)
    other = _canary(session, voice.channel_id)
    if work.training.canary and other is not None and other.name != name:
        voice_acts.retire(session, visitor(), other.name, now=now)


def _canary(session: Session, channel_id: int | None) -> Voice | None:
    found = (
        one
        for one in voices.answering(session)
        if one.status == VoiceStatus.CANARY and one.channel_id == channel_id
    )
    return next(found, None)


def is_ours(session: Session, voice: Voice) -> bool:
    """Whether the last to change its status was a night."""
    return voices.history(session, voice.id or 0)[-1].actor == ACTOR


def visitor() -> Visitor:
    return Visitor(name=ACTOR, role=Role.OWNER, via="terminal")
