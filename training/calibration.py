"""How good a preference model is, from the margins that it gives to held-out pairs. Pure.

A margin is the score of the reply that a person preferred less that of the other; the model says that the person
prefers the first with the probability sigmoid(margin) (Bradley and Terry, 1952).
"""

from collections.abc import Hashable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

RESAMPLES = 2000
BINS = 10
_TEMPERATURES = torch.logspace(-2, 2, 401)


def judged(
    margins: Sequence[float], groups: Sequence[Hashable], *, confidence: float, seed: int
) -> dict[str, Any]:
    """Accuracy with its interval, and calibration; `groups`: pairs of one group (a thread) are no independent
    evidence. At least one margin.
    """
    found = torch.tensor(margins, dtype=torch.float64)
    low, high = interval(margins, groups, confidence=confidence, seed=seed)
    return {
        "accuracy": _right(found).mean().item(),
        "accuracy_low": low,
        "accuracy_high": high,
        "brier": (1 - torch.sigmoid(found)).square().mean().item(),
        "calibration_error": calibration_error(margins),
        "temperature": temperature(margins),
        "log_loss": -logsigmoid(found).mean().item(),
        "mean_margin": found.mean().item(),
    }


def interval(
    margins: Sequence[float], groups: Sequence[Hashable], *, confidence: float, seed: int
) -> tuple[float, float]:
    """Of the accuracy, by the percentiles of a bootstrap over whole groups (Efron, 1979)."""
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    place = torch.tensor([numbers[group] for group in groups])
    right = _right(torch.tensor(margins, dtype=torch.float64))
    hits = torch.zeros(len(numbers), dtype=torch.float64).index_add_(0, place, right)
    sizes = torch.zeros_like(hits).index_add_(0, place, torch.ones_like(right))
    chance = torch.Generator().manual_seed(seed)
    means = torch.empty(RESAMPLES, dtype=torch.float64)
    for number in range(RESAMPLES):
        drawn = torch.randint(len(numbers), (len(numbers),), generator=chance)
        means[number] = hits[drawn].sum() / sizes[drawn].sum()
    tail = (1 - confidence) / 2
    low, high = torch.quantile(means, torch.tensor([tail, 1 - tail], dtype=torch.float64)).tolist()
    return low, high


def calibration_error(margins: Sequence[float]) -> float:
    """Expected calibration error of the reply that the model itself prefers: over ten bins of its confidence, how far
    that is from the part of the bin where it is right (Guo et al., https://arxiv.org/abs/1706.04599).
    """
    found = torch.tensor(margins, dtype=torch.float64)
    sure, right = torch.sigmoid(found.abs()), _right(found)
    bins = ((sure - 0.5) * 2 * BINS).long().clamp(max=BINS - 1)
    gaps = [
        (sure[bins == number] - right[bins == number]).sum().abs()
        for number in range(BINS)
    ]  # fmt: skip
    return float(torch.stack(gaps).sum() / len(margins))


def temperature(margins: Sequence[float]) -> float:
    """What to divide margins by so that they fit best; above 1 the model is too sure. From 0.01 to 100."""
    found = torch.tensor(margins, dtype=torch.float64)
    losses = -logsigmoid(found / _TEMPERATURES.double()[:, None]).mean(dim=1)
    return float(_TEMPERATURES[int(losses.argmin())])


def by_part(margins: Sequence[float], parts: Sequence[str]) -> dict[str, dict[str, float]]:
    """Accuracy and number of pairs of each part, such as a language."""
    right = _right(torch.tensor(margins, dtype=torch.float64)).tolist()
    found: dict[str, list[float]] = {}
    for part, one in zip(parts, right, strict=True):
        found.setdefault(part, []).append(one)
    return {
        part: {"accuracy": sum(ones) / len(ones), "pairs": len(ones)} for part, ones in sorted(found.items())
    }


def _right(margins: Tensor) -> Tensor:
    """1 where the model prefers what the person preferred, 0 where it does not, 1/2 where it sees no difference."""
    return (torch.sign(margins) + 1) / 2
