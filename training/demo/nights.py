"""The demo's nights, one after the other: a day of verdicts, the real night on them, and what it was worth."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

from bot.models import Night, NightStatus
from bot.store import nights
from bot.store.ledger import Ledger
from training.demo.days import decided, write_day
from training.demo.settings import settings_of
from training.demo.shop import Ask, asks
from training.demo.tastes import taste
from training.demo.world import drafts, prompt_of, written
from training.nightly import House, run
from training.parents import beginning, weights_of
from training.promote import Promoted, bring_in, finish, name_for, stage
from training.samples import Sample
from training.steps import Work

COMMENTS = 160
"""Of a day."""
MEASURED = 128
"""Comments that no day has, to which every voice is measured."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a voice writes to comments that nothing was trained on, at temperature 1."""

    taste: float
    """Mean of the hidden score, 0..1."""
    ended: float
    distinct: int
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NightTold:
    """One night of the demo."""

    number: int
    status: str
    voice: str
    refusals: tuple[dict[str, str], ...]
    error: str
    before: Look
    after_sft: Look | None
    after_ppo: Look | None
    """None: the night ended before that step."""
    figures: dict[str, Any] = field(repr=False)
    """What each step measured, under its name."""
    verdicts: dict[str, int]
    seconds: float
    folder: Path


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the demo's nights take place."""

    folder: Path
    base: Path
    seed: int
    ledger: Ledger
    measured: Sequence[Ask]


def spend(stage: Stage, number: int) -> NightTold:
    """The day and the night of this number. Raises what `training.nightly.run` does."""
    began = monotonic()
    settings = settings_of(stage.folder, stage.base, seed=stage.seed, night=number)
    live = beginning(settings, stage.ledger, None)
    name = None if live is None else live.name
    voice = weights_of(settings, stage.ledger, name)
    verdicts = _day(stage, number, voice, name)
    before = look(stage, voice)
    [night] = run(House(settings, stage.ledger, promote=promote_unserved))
    folder = settings.data_dir / night.folder
    return NightTold(
        number=number,
        status=night.status.value,
        voice=night.voice or "" if night.status == NightStatus.PROMOTED else "",
        refusals=tuple(night.refusals),
        error=night.error,
        before=before,
        after_sft=look(stage, folder / "sft"),
        after_ppo=look(stage, folder / "ppo"),
        figures=night.figures,
        verdicts=verdicts,
        seconds=monotonic() - began,
        folder=folder,
    )


def _day(stage: Stage, number: int, voice: Path | None, name: str | None) -> dict[str, int]:
    random = Random(f"day {stage.seed} {number}")
    asked = asks(COMMENTS, random)
    cases = decided(asked, drafts(stage.base, asked, seed=stage.seed * 100 + number, voice=voice), random)
    stage.ledger.write(write_day, number, cases, model=stage.base.name, voice=name, now=datetime.now(UTC))
    kinds = [one.judgement.kind for one in cases]
    return {kind: kinds.count(kind) for kind in ("approve", "edit", "reject")}


def look(stage: Stage, voice: Path | None) -> Look | None:
    """The same comments and dice for every voice; None where there is no such folder."""
    if voice is not None and not voice.is_dir():
        return None
    samples = written(stage.base, [prompt_of(ask) for ask in stage.measured], seed=stage.seed, voice=voice)
    return seen(stage.measured, samples)


def seen(measured: Sequence[Ask], samples: Sequence[Sample]) -> Look:
    scores = [taste(ask, one.text, one.ended) for ask, one in zip(measured, samples, strict=True)]
    texts = tuple(one.text for one in samples)
    return Look(
        sum(scores) / len(scores), sum(one.ended for one in samples) / len(samples), len(set(texts)), texts
    )


def promote_unserved(work: Work, night: Night, owner: str, now: datetime) -> Promoted:
    """Like `training.promote.promote`, where no server has to show that it takes the voice: the demo has none."""
    name = work.ledger.read(name_for, night, work.channel)
    work.ledger.write(nights.note_step, night.id or 0, "promotion", owner=owner, voice=name)
    source = work.folder / "voice"
    stage(work, source)
    voice, _ = bring_in(work, night, source, name, now)
    return work.ledger.write(finish, work, night.id or 0, voice.name, "", owner=owner, now=now)
