"""How sure a difference is: paired bootstrap. Pure, and the same for the same seed.

Prompts are drawn with replacement, each with both its scores: what is hard for both voices moves neither. Those of one
thread are drawn together, as they are much the same. Percentile intervals, Efron & Tibshirani 1993, chapter 13; by
groups, Davison & Hinkley 1997, section 3.8.
"""

import random
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import isfinite, nan

DRAWS = 2000


@dataclass(frozen=True, slots=True)
class Interval:
    """`low` and `high` hold the true value with the confidence that was asked for; NaN where nothing can be said."""

    value: float
    low: float
    high: float


def difference(
    ours: Sequence[float],
    theirs: Sequence[float],
    *,
    confidence: float,
    seed: int,
    groups: Sequence[Hashable] | None = None,
    draws: int = DRAWS,
) -> Interval:
    """Of the means, ours less theirs; row by row about the same prompt. `groups`: of each row; None: all rows are
    independent. Raises ValueError for unequal counts.
    """
    changes = [a - b for a, b in zip(ours, theirs, strict=True)]
    if not changes or not all(map(isfinite, changes)):
        return Interval(nan, nan, nan)
    sums = _sums(changes, range(len(changes)) if groups is None else groups)
    drawn = random.Random(seed)  # noqa: S311 - statistics, no secret
    means = sorted(_mean(drawn.choices(sums, k=len(sums))) for _ in range(draws))
    tail = (1 - confidence) / 2
    return Interval(mean(changes), _quantile(means, tail), _quantile(means, 1 - tail))


def _sums(changes: Sequence[float], groups: Sequence[Hashable]) -> list[tuple[float, int]]:
    """Sum and number of each group's."""
    found: dict[Hashable, tuple[float, int]] = {}
    for change, group in zip(changes, groups, strict=True):
        known = found.get(group, (0.0, 0))
        found[group] = known[0] + change, known[1] + 1
    return list(found.values())


def _mean(sums: Sequence[tuple[float, int]]) -> float:
    return sum(one for one, _ in sums) / sum(count for _, count in sums)


def mean(values: Sequence[float]) -> float:
    """NaN of nothing."""
    return sum(values) / len(values) if values else nan


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Between neighbours by their distance, as numpy's default."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
