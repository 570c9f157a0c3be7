"""The gate: may the candidate answer anybody? Pure.

The judge learned from people's choices, and a policy finds what a judge likes and no person does. So it is not enough
that the judge likes the candidate more: nothing else may have become worse. Each guard is written so that a figure
that is no number refuses.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Final

from bot.training_settings import GateSettings
from training.figures import Measure, Report

LEAST_THREADS: Final = 10
"""A bootstrap of fewer is surer than it may be: that of one thread has no width at all."""
NEEDED: Final = frozenset({"agreement"})
"""Without people's own words nothing here is independent of what was trained on."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A guard that tripped."""

    guard: str
    detail: str
    """One line with the figures, English."""


@dataclass(frozen=True, slots=True)
class Guard:
    """One condition, and whether it holds."""

    guard: str
    passed: bool
    figure: str
    """What was measured."""
    bound: str
    """What it has to be."""
    detail: str
    """All of it as a sentence, English."""


def decide(report: Report, settings: GateSettings) -> list[Refusal]:
    """Why the candidate is refused; empty: it may answer."""
    return [Refusal(one.guard, one.detail) for one in guards(report, settings) if not one.passed]


def guards(report: Report, settings: GateSettings) -> list[Guard]:
    """Every condition, the one about being better first."""
    return [guard for check in _GUARDS for guard in check(report, settings)]


def _better(report: Report, settings: GateSettings) -> Sequence[Guard]:
    one = report.judge
    detail = (
        f"the judge's reward differs by {_signed(one)} from the live voice's over {one.count} prompts of "
        f"{one.independent} threads; all of that has to be above 0, over at least {LEAST_THREADS} threads"
    )
    figure = f"{_signed(one)}, n = {one.independent}"
    passed = one.low > 0 and one.independent >= LEAST_THREADS
    return [Guard("judge", passed, figure, f"> 0, n ≥ {LEAST_THREADS}", detail)]


def _not_worse(report: Report, settings: GateSettings) -> Sequence[Guard]:
    """Worse by more than may be, and surely worse at all: a smaller bound would refuse by chance."""
    told = {
        "agreement": ("agreement with what people wrote", report.agreement),
        "ranking": ("how often the better reply of a pair is the likelier one", report.ranking),
        "support": ("support by the passages", report.support),
        "probes": ("the part of the probes that is passed", report.probes),
    }
    return [_rate(guard, what, one, settings.max_drop) for guard, (what, one) in told.items()]


def _rate(guard: str, what: str, one: Measure, most: float) -> Guard:
    if one.count == 0:
        detail = f"{what}: there was nothing to measure it on"
        return Guard(guard, guard not in NEEDED, "-", f"≥ -{most:g}", detail)
    passed = one.difference >= -most or one.high >= 0
    detail = f"{what} went from {one.live:.3f} to {one.candidate:.3f}: {_signed(one)}, and {most:g} less is allowed"
    return Guard(guard, passed, _signed(one), f"≥ -{most:g}", detail)


def _no_more(report: Report, settings: GateSettings) -> Sequence[Guard]:
    """These are about harm, and near 0: here chance is no excuse."""
    told = {
        "banned": ("replies with a banned word", report.banned),
        "leaked": ("replies that show the prompt", report.leaked),
        "empty": ("replies without a word", report.empty),
    }
    most = settings.max_drop
    return [
        Guard(
            guard,
            one.difference <= most,
            _signed(one),
            f"≤ +{most:g}",
            f"{what}: {one.candidate:.3f} of all after {one.live:.3f}, and {most:g} more is allowed",
        )
        for guard, (what, one) in told.items()
    ]


def _ended(report: Report, settings: GateSettings) -> Sequence[Guard]:
    rate, least = report.ended.candidate, settings.min_eos
    detail = f"{rate:.3f} of the replies end by themselves, and at least {least:g} have to"
    return [Guard("ended", rate >= least, f"{rate:.3f}", f"≥ {least:g}", detail)]


def _variety(report: Report, settings: GateSettings) -> Sequence[Guard]:
    least = settings.min_variety
    detail = (
        f"it writes {report.variety:.3f} times as many different replies as the live voice, and at least {least:g} "
        "times as many are needed"
    )
    return [Guard("variety", report.variety >= least, f"{report.variety:.3f}", f"≥ {least:g}", detail)]


def _length(report: Report, settings: GateSettings) -> Sequence[Guard]:
    """A voice that comes near what people write has changed for the better, however far it came."""
    most, one = settings.max_length_change, report.length
    change, from_human = _change(one.candidate, one.live), _change(one.candidate, report.human_length)
    detail = (
        f"the mean length went from {one.live:.1f} to {one.candidate:.1f} characters ({change:+.0%}; people wrote "
        f"{report.human_length:.1f}), and {most:.0%} is allowed"
    )
    passed = abs(change) <= most or abs(from_human) <= most
    return [Guard("length", passed, f"{change:+.0%}", f"± {most:.0%}", detail)]


def _kl(report: Report, settings: GateSettings) -> Sequence[Guard]:
    most = settings.max_kl
    detail = (
        f"KL from the voice that the night began with is {report.kl:.2f} per reply, and {most:g} is allowed"
    )
    return [Guard("kl", report.kl <= most, f"{report.kl:.2f}", f"≤ {most:g}", detail)]


def _trained(report: Report, settings: GateSettings) -> Sequence[Guard]:
    figure = report.stopped or "-"
    detail = (
        f"the training broke off as a loss was no number ({figure}); see the curves, lower the learning rate"
    )
    return [
        Guard(
            "training", not report.diverged, figure, "-", detail if report.diverged else "it did not diverge"
        )
    ]


def _judged(report: Report, settings: GateSettings) -> Sequence[Guard]:
    accuracy, least = report.judge_accuracy, report.least_accuracy
    detail = (
        f"the judge is right about {accuracy:.3f} of the held-out pairs, too few to go by; it takes {least:g}"
    )
    return [Guard("accuracy", accuracy >= least, f"{accuracy:.3f}", f"≥ {least:g}", detail)]


_GUARDS: Final[Sequence[Callable[[Report, GateSettings], Sequence[Guard]]]] = (
    _better,
    _judged,
    _trained,
    _kl,
    _not_worse,
    _no_more,
    _ended,
    _variety,
    _length,
)


def _change(new: float, old: float) -> float:
    """As a part of the old; infinite where there was nothing."""
    if isnan(old) or old == 0:
        return 0.0 if new == old else float("inf")
    return new / old - 1


def _signed(one: Measure) -> str:
    return f"{one.difference:+.3f} ({one.low:+.3f} … {one.high:+.3f})"
