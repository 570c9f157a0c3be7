"""No reviewer, thread or channel weighs more than its part. Pure."""

from array import array
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum

NOBODY = ""
"""Owner of what several reviewers agree in: of no one alone, and never too much."""
LEAST = 0.05
"""What is left of a row's weight at least. Else one stray row of a second channel would weigh as much as a thousand of
the first."""
ROUNDS = 100
_SLACK = 1 + 1e-9


@dataclass(frozen=True, slots=True)
class Cap:
    """How one kind of owner fares."""

    limit: float
    """As it was asked for, or the even part where there are too few owners for it."""
    owners: int
    before: float
    """Largest part of the weight that one owner had."""
    after: float

    @property
    def holds(self) -> bool:
        return self.after <= self.limit * (1 + 1e-6)


def balanced(
    weights: Sequence[float], owners: Mapping[str, Sequence[str]], limits: Mapping[str, float]
) -> tuple[list[float], dict[str, Cap]]:
    """Weights, 1 on average, in which each owner of each kind has at most the kind's limit of the whole.

    `owners`: of each kind, the owner of each row. Rows only lose weight. Where the limits exclude each other, what
    comes nearest to all of them is taken, and `Cap.holds` says which are broken.
    """
    floor = [weight * LEAST for weight in weights]
    limits = {kind: _possible(set(names), limits[kind]) for kind, names in owners.items()}
    current = best = array("d", weights)
    least = _worst(current, owners, limits)
    for _ in range(ROUNDS):
        if least <= _SLACK:
            break
        for kind, names in owners.items():
            scale = _scales(_totals(current, names), limits[kind])
            current = array(
                "d",
                [
                    max(weight * scale.get(name, 1.0), low)
                    for weight, name, low in zip(current, names, floor, strict=True)
                ],
            )
            if (worst := _worst(current, owners, limits)) < least:
                best, least = current, worst
    caps = {
        kind: Cap(limits[kind], len(set(names)), _largest(weights, names), _largest(best, names))
        for kind, names in owners.items()
    }
    return _average_one(best), caps


def _possible(names: set[str], limit: float) -> float:
    """A single owner has everything, and of four none can have less than a quarter."""
    return max(limit, 1 / len(names)) if names else 1.0


def _totals(weights: Sequence[float], names: Sequence[str]) -> dict[str, float]:
    parts: dict[str, list[float]] = defaultdict(list)
    for weight, name in zip(weights, names, strict=True):
        parts[name].append(weight)
    return {name: fsum(values) for name, values in parts.items()}


def _largest(weights: Sequence[float], names: Sequence[str]) -> float:
    totals = _totals(weights, names)
    whole = fsum(totals.values())
    return (
        max((total for name, total in totals.items() if name != NOBODY), default=0.0) / whole
        if whole
        else 0.0
    )


def _worst(
    weights: Sequence[float], owners: Mapping[str, Sequence[str]], limits: Mapping[str, float]
) -> float:
    return max((_largest(weights, names) / limits[kind] for kind, names in owners.items()), default=0.0)


def _scales(totals: Mapping[str, float], limit: float) -> dict[str, float]:
    """What to multiply the largest owners' rows by, so that none has more than `limit` of what is then the whole."""
    owned = sorted(((total, name) for name, total in totals.items() if name != NOBODY), reverse=True)
    rest, cap = fsum(totals.values()), 0.0
    for count, (total, _) in enumerate(owned):
        cap = rest * limit / (1 - count * limit) if count * limit < 1 else 0.0
        if total <= cap * _SLACK or cap == 0.0:
            break
        rest -= total
    return {name: cap / total for total, name in owned if cap and total > cap}


def _average_one(weights: Sequence[float]) -> list[float]:
    """With six digits: the last ones of a sum may differ between machines."""
    mean = fsum(weights) / len(weights) if weights else 1.0
    return [max(round(weight / mean, 6), 1e-6) for weight in weights]
