"""The demo's nights, one after the other: a day of verdicts, the real night on them, and what it was worth."""

import asyncio
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
from bot.training_settings import TrainingSettings
from training.demo.days import decided, write_day
from training.demo.liking import agreement
from training.demo.settings import Plan, settings_of
from training.demo.shop import Ask, asks, dice
from training.demo.tastes import taste
from training.demo.world import drafts, prompt_of, written
from training.nightly import House, run
from training.parents import beginning, weights_of
from training.promote import Promoted, finish, name_for, new_voice, shelve, stage, tokenizer_mark
from training.samples import Sample
from training.steps import Work


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
    liking: float = float("nan")
    """How often the preference model likes better what she does, see `training.demo.liking`."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where the demo's nights take place."""

    plan: Plan
    folder: Path
    base: Path
    seed: int
    ledger: Ledger
    measured: Sequence[Ask]


def spend(site: Site, number: int) -> NightTold:
    """The day and the night of this number. Raises what `training.nightly.run` does."""
    began = monotonic()
    settings = settings_of(site.plan, site.folder, site.base, seed=site.seed, night=number)
    live = beginning(settings, site.ledger, None)
    name = None if live is None else live.name
    voice = weights_of(settings, site.ledger, name)
    verdicts = _day(site, number, voice, name)
    before = look(site, voice)
    [night] = run(House(settings, site.ledger, promote=promote_unserved))
    folder = settings.data_dir / night.folder
    return NightTold(
        number=number,
        status=str(night.status),
        voice=night.voice or "" if night.status == NightStatus.PROMOTED else "",
        refusals=tuple(night.refusals),
        error=night.error,
        before=before,
        after_sft=_after(site, folder / "sft"),
        after_ppo=_after(site, folder / "ppo"),
        figures=night.figures,
        verdicts=verdicts,
        seconds=monotonic() - began,
        folder=folder,
        liking=_liking(site, number, folder, settings.training),
    )


def _liking(site: Site, number: int, folder: Path, settings: TrainingSettings) -> float:
    reward, pairs = folder / "reward", folder / "snapshot" / "pairs-held.jsonl"
    if not reward.is_dir() or not pairs.is_file():
        return float("nan")
    asked = [ask for day in range(1, number + 1) for ask in _asked(site, day, _dice_of(site, day))]
    return agreement(site.base, reward, pairs, asked, settings)


def _asked(site: Site, day: int, random: Random) -> list[Ask]:
    return asks(site.plan.comments[day - 1], random)


def _dice_of(site: Site, day: int) -> Random:
    return dice(f"day {site.seed} {day}")


def _day(site: Site, number: int, voice: Path | None, name: str | None) -> dict[str, int]:
    random = _dice_of(site, number)
    asked = _asked(site, number, random)
    cases = decided(asked, drafts(site.base, asked, seed=site.seed * 100 + number, voice=voice), random)
    site.ledger.write(write_day, number, cases, model=site.base.name, voice=name, now=datetime.now(UTC))
    kinds = [one.judgement.kind for one in cases]
    return {kind: kinds.count(kind) for kind in ("approve", "edit", "reject")}


def look(site: Site, voice: Path | None) -> Look:
    """The same comments and dice for every voice; None: the base as it is."""
    samples = written(site.base, [prompt_of(ask) for ask in site.measured], seed=site.seed, voice=voice)
    return seen(site.measured, samples)


def _after(site: Site, step: Path) -> Look | None:
    return look(site, step) if step.is_dir() else None


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
    asyncio.run(shelve(work, source, new_voice(work, night, name, tokenizer_mark(work.source)), now))
    return work.ledger.write(finish, work, night.id or 0, name, "", owner=owner, now=now)
