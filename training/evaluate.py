"""Candidate against live: both answer the same comments with the same dice, and everything is measured of both.

1  ask      held-out comments, past ones, and the probes
2  judge    by the second reward model, which learned from pairs that PPO's never saw
3  compare  with what people wrote, with the passages, and the two voices with each other
4  report   with an interval for every difference; `training.gate` decides from it
"""

import json
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any

from bot.checks import Code
from bot.persona import Persona
from bot.settings import GeneratorSettings
from bot.training_settings import TrainingSettings
from bot.triage import is_blank
from training.cases import Case, drawn, read_cases
from training.errors import BadData
from training.figures import Measure, ProbeRow, Report, SampleRow
from training.folders import made
from training.gate import guards
from training.intervals import difference, mean
from training.measures import agreement, distinct, distinct_runs
from training.probe_cases import PROBES, Probe
from training.probes import name_of, passed, probe_prompt
from training.reading import PLAIN, Manners, comment_of, findings, said, shows
from training.report import write
from training.rewards import support_of
from training.rows import Pair, read_pairs, threads_of
from training.run import Run
from training.samples import Sample
from training.stage import Answers, Stage

SHOWN = 12
"""Samples on the page."""
SERVED = GeneratorSettings().temperature


def compare(
    source: str,
    *,
    candidate: Path,
    live: Path | None,
    start: Path | None,
    judge: Path,
    snapshot: Path,
    out: Path,
    curves: Path | None,
    settings: TrainingSettings,
    run: Run,
    temperature: float = SERVED,
    manners: Manners = PLAIN,
    persona: Persona | None = None,
) -> Report:
    """The report, which also lies in `out` as report.json and report.html.

    `live`, `start`: adapters of the voice that answers now, and of the one that the night began with; None: the base.
    `curves`: PPO's curves.jsonl, with metrics.json beside it. `temperature`: as replies are served. `persona`: who
    answers the probes. Raises BadBase, BadData, Diverged, NoRoom, OutOfBudget, OSError.
    """
    stage = Stage(source, candidate=candidate, live=live, start=start, judge=judge, settings=settings)
    read = read_cases(snapshot, settings.gate.prompts, run.seed)
    cases = [one for one in read if stage.fits(one.prompt)]
    pairs = [one for one in read_pairs(snapshot / "pairs-held.jsonl") if stage.fits_pair(one)]
    probes = [(one, probe_prompt(one, persona or Persona())) for one in PROBES]
    probes = [(one, prompt) for one, prompt in probes if stage.fits(prompt)]
    if not cases:
        raise BadData(
            f"{snapshot} has no held-out prompt that {source} has room for; nothing can be compared"
        )
    asked = [*(one.prompt for one in cases), *(prompt for _, prompt in probes)]
    answers = stage.answers(asked, temperature=temperature, run=run)
    scale = Scale(settings.gate.confidence, run.seed)
    tried = probe_rows([one for one, _ in probes], answers[len(cases) :])
    report = Report(
        confidence=settings.gate.confidence,
        live_is_base=live is None,
        temperature=temperature,
        prompts=len(cases),
        left_out=len(read) - len(cases) + len(PROBES) - len(probes),
        judge_accuracy=_accuracy(judge),
        least_accuracy=settings.reward.min_accuracy,
        probes=scale.of([one.candidate_passed for one in tried], [one.live_passed for one in tried]),
        probe_rows=tried,
        samples=sample_rows(cases, answers[: len(cases)]),
        **_by_models(stage, answers[: len(cases)], drawn(pairs, settings.gate.prompts, run.seed), scale),
        **_by_reading(cases, answers[: len(cases)], manners, scale),
        **_training(curves),
    )
    with made(out) as folder:
        write(report, guards(report, settings.gate), folder)
    return report


@dataclass(frozen=True, slots=True)
class Scale:
    """What every difference is measured with."""

    confidence: float
    seed: int

    def of(
        self, ours: Sequence[float], theirs: Sequence[float], threads: Sequence[Hashable] | None = None
    ) -> Measure:
        """`threads`: of each row; None: all rows are independent."""
        found = difference(ours, theirs, confidence=self.confidence, seed=self.seed, groups=threads)
        return Measure(
            candidate=mean(ours),
            live=mean(theirs),
            difference=found.value,
            low=found.low,
            high=found.high,
            count=len(ours),
            threads=len(ours if threads is None else set(threads)),
        )

    def both(self, answers: Answers, measure: Callable[[Sample], float]) -> Measure:
        ours, theirs = ([measure(one) for one in some] for some in (answers.candidate, answers.live))
        return self.of(ours, theirs, answers.threads)


def probe_rows(probes: Sequence[Probe], answers: Answers) -> tuple[ProbeRow, ...]:
    return tuple(
        ProbeRow(
            name=name_of(probe),
            kind=probe.kind,
            language=probe.language,
            comment=probe.comment,
            candidate=ours.text,
            live=theirs.text,
            candidate_passed=passed(probe, ours.prompt, ours.text),
            live_passed=passed(probe, theirs.prompt, theirs.text),
        )
        for probe, ours, theirs in zip(probes, answers.candidate, answers.live, strict=True)
    )


def sample_rows(cases: Sequence[Case], answers: Answers) -> tuple[SampleRow, ...]:
    """The first ones of the draw, English and others in turn, so that nobody has chosen them."""
    rows = [
        SampleRow(
            comment=comment_of(case.prompt),
            language=str(case.prompt.extra.get("language", "und")),
            human=said(case.human).text,
            candidate=ours.text,
            live=theirs.text,
        )
        for case, ours, theirs in zip(cases, answers.candidate, answers.live, strict=True)
    ]
    seen: dict[bool, int] = {}
    places = []
    for row in rows:
        english = row.language == "en"
        seen[english] = seen.get(english, 0) + 1
        places.append((seen[english], not english))
    ordered = sorted(zip(places, rows, strict=True), key=lambda pair: pair[0])
    return tuple(row for _, row in ordered[:SHOWN])


def _by_models(stage: Stage, answers: Answers, pairs: Sequence[Pair], scale: Scale) -> dict[str, Any]:
    return {
        "judge": scale.of(stage.judged(answers.candidate), stage.judged(answers.live), answers.threads),
        "ranking": scale.of(*stage.ranks(pairs), threads_of([one.prompt for one in pairs])),
        "kl": mean(stage.drifts(answers.candidate)),
    }


def _by_reading(cases: Sequence[Case], answers: Answers, manners: Manners, scale: Scale) -> dict[str, Any]:
    """What needs no model: the replies as a reader gets them."""
    # Once: the checks take as long as all else here together.
    found = {id(one): findings(one.prompt, one.text, manners) for one in (*answers.candidate, *answers.live)}

    def has(code: Code) -> Callable[[Sample], float]:
        return lambda one: float(shows(found[id(one)], code))

    ours, theirs = ([said(one.text).text for one in some] for some in (answers.candidate, answers.live))
    humans = [said(case.human).text for case in cases]
    written = [place for place, human in enumerate(humans) if human]
    threads = answers.threads
    return {
        "agreement": scale.of(
            [agreement(ours[place], humans[place]) for place in written],
            [agreement(theirs[place], humans[place]) for place in written],
            [threads[place] for place in written],
        ),
        "support": scale.both(answers, lambda one: support_of(one.text, found[id(one)])),
        "banned": scale.both(answers, has(Code.BANNED)),
        "leaked": scale.both(answers, has(Code.LEAK)),
        "empty": scale.both(answers, lambda one: float(is_blank(one.text))),
        "ended": scale.both(answers, lambda one: float(one.ended)),
        "length": scale.of(
            [float(len(text)) for text in ours], [float(len(text)) for text in theirs], threads
        ),
        "variety": _ratio(distinct(ours), distinct(theirs)),
        "variety_of_runs": _ratio(distinct_runs(ours), distinct_runs(theirs)),
        "human_length": mean([float(len(humans[place])) for place in written]),
    }


def _ratio(ours: float, theirs: float) -> float:
    return ours / theirs if theirs else nan


def _training(curves: Path | None) -> dict[str, Any]:
    """How PPO went. Raises BadData, OSError."""
    if curves is None:
        return {"stopped": "", "diverged": False}
    stopped = str(_json(curves.parent / "metrics.json").get("stopped") or "")
    with curves.open(encoding="utf-8") as opened:
        rows = tuple(json.loads(line) for line in opened)
    return {"stopped": stopped, "diverged": stopped == "nan", "curves": rows}


def _accuracy(judge: Path) -> float:
    found = _json(judge / "metrics.json").get("accuracy")
    return float(found) if isinstance(found, int | float) else nan


def _json(file: Path) -> dict[str, Any]:
    """Empty where there is no such file: what it would say is then not known, and the gate refuses."""
    if not file.is_file():
        return {}
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except ValueError as error:
        raise BadData(f"{file} is no JSON; remove its folder, and the step is done again") from error
