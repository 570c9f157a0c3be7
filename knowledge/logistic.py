"""Logistic regression for a handful of features, by Newton's method. Pure Python: the base install has no numpy."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

_STEPS = 30
_CLOSE = 1e-6
_LEAST_SPREAD = 1e-9
Row = Sequence[float]


@dataclass(frozen=True, slots=True)
class Line:
    """Weights (one for each feature) and the constant that is added to their sum."""

    weights: tuple[float, ...]
    bias: float


def fit_line(rows: Sequence[Row], labels: Sequence[bool], *, penalty: float = 1.0, bias: bool = True) -> Line:
    """The weights under which `labels` (n) of `rows` (n, features) are likeliest, large ones penalised.

    The `penalty` is on the squares of weights of features that are scaled to a spread of 1; the bias has none.
    Raises ValueError when there is no row, or only rows of one label.
    """
    if not rows or len(set(labels)) < 2:
        raise ValueError("both right and wrong examples are needed")
    spreads = [_spread(column) for column in zip(*rows, strict=True)]
    scaled = [
        [value / spread for value, spread in zip(row, spreads, strict=True)] + [1.0] * bias for row in rows
    ]
    penalties = [penalty] * len(spreads) + [_CLOSE] * bias
    weights = [0.0] * len(penalties)
    for _ in range(_STEPS):
        step = _newton_step(scaled, labels, weights, penalties)
        weights = [weight + change for weight, change in zip(weights, step, strict=True)]
        if max(map(abs, step)) < _CLOSE:
            break
    own = tuple(weight / spread for weight, spread in zip(weights, spreads, strict=False))
    return Line(own, weights[-1] if bias else 0.0)


def _spread(column: Sequence[float]) -> float:
    mean = sum(column) / len(column)
    return max(math.sqrt(sum((value - mean) ** 2 for value in column) / len(column)), _LEAST_SPREAD)


def _newton_step(
    rows: Sequence[Row], labels: Sequence[bool], weights: Sequence[float], penalties: Sequence[float]
) -> list[float]:
    count = len(weights)
    slope = [-penalty * weight for penalty, weight in zip(penalties, weights, strict=True)]
    curve = [[0.0] * count for _ in range(count)]
    for row, label in zip(rows, labels, strict=True):
        chance = sigmoid(sum(map(_times, weights, row)))
        error, spread = label - chance, chance * (1 - chance)
        for i, value in enumerate(row):
            slope[i] += error * value
            pull, line = spread * value, curve[i]
            for j in range(i + 1):
                line[j] += pull * row[j]
    for i, penalty in enumerate(penalties):
        curve[i][i] += penalty
        for j in range(i):
            curve[j][i] = curve[i][j]
    return _solved(curve, slope)


def _times(one: float, other: float) -> float:
    return one * other


def sigmoid(value: float) -> float:
    """The logistic function, of any number."""
    if value < 0:
        grown = math.exp(max(value, -700.0))
        return grown / (1 + grown)
    return 1 / (1 + math.exp(-value))


def _solved(matrix: list[list[float]], right: list[float]) -> list[float]:
    """x with matrix · x = right, for a positive definite matrix (count, count), by elimination."""
    rows = [[*line, value] for line, value in zip(matrix, right, strict=True)]
    count = len(rows)
    for pivot in range(count):
        for below in range(pivot + 1, count):
            share = rows[below][pivot] / rows[pivot][pivot]
            rows[below] = [
                value - share * above for value, above in zip(rows[below], rows[pivot], strict=True)
            ]
    found = [0.0] * count
    for index in reversed(range(count)):
        known = sum(rows[index][after] * found[after] for after in range(index + 1, count))
        found[index] = (rows[index][count] - known) / rows[index][index]
    return found
