"""How sure a difference is: paired bootstrap. Pure, and the same for the same seed.

Prompts are drawn with replacement, each with both its scores: what is hard for both voices moves neither. Percentile
intervals, Efron & Tibshirani 1993, chapter 13.
"""

import random
from collections.abc import Sequence
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
    ours: Sequence[float], theirs: Sequence[float], *, confidence: float, seed: int, draws: int = DRAWS
) -> Interval:
    """Of the means, ours less theirs; row by row about the same prompt. Raises ValueError for unequal counts."""
    changes = [a - b for a, b in zip(ours, theirs, strict=True)]
    if not changes or not all(map(isfinite, changes)):
        return Interval(nan, nan, nan)
    drawn = random.Random(seed)  # noqa: S311 - statistics, no secret
    means = sorted(mean(drawn.choices(changes, k=len(changes))) for _ in range(draws))
    tail = (1 - confidence) / 2
    return Interval(mean(changes), _quantile(means, tail), _quantile(means, 1 - tail))


def mean(values: Sequence[float]) -> float:
    """NaN of nothing."""
    return sum(values) / len(values) if values else nan


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Between neighbours by their distance, as numpy's default."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
