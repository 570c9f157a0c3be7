"""The figures by which retrieval is judged. Pure functions; every share is between 0 and 1."""

import math
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Rank = int | None
"""Place of the right document, from 1; None where it was not found."""

DEPTH = 10
"""Places that count for MRR and nDCG."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """How well the right document is found; see `ranking`."""

    questions: int
    r1: float
    r3: float
    r10: float
    mrr10: float
    ndcg10: float


@dataclass(frozen=True, slots=True)
class Separation:
    """How well a score tells questions that should be answered from those that should not."""

    auc: float
    """Probability that one of the first gets a higher score than one of the second."""
    at_1pct: float
    """Share of the first that is answered when at most 1 % of the second are."""
    at_5pct: float


def ranking(ranks: Sequence[Rank]) -> Ranking:
    """Of one rank for each question. With one right document, nDCG is 1 / log2(1 + rank)."""
    found = [rank for rank in ranks if rank is not None and rank <= DEPTH]
    return Ranking(
        len(ranks),
        recall(ranks, 1),
        recall(ranks, 3),
        recall(ranks, 10),
        _share(sum(1 / rank for rank in found), len(ranks)),
        _share(sum(1 / math.log2(1 + rank) for rank in found), len(ranks)),
    )


def recall(ranks: Sequence[Rank], places: int) -> float:
    """Share of the questions whose document is among the first `places`."""
    return _share(sum(rank is not None and rank <= places for rank in ranks), len(ranks))


def rank_of(wanted: str, sources: Iterable[str]) -> Rank:
    """Place of `wanted` among the documents that `sources` name, each counted where it is first named."""
    order = list(dict.fromkeys(sources))
    return order.index(wanted) + 1 if wanted in order else None


def separation(answered: Sequence[float], unanswered: Sequence[float]) -> Separation:
    """Of the scores of questions that should be answered and of those that should not."""
    return Separation(
        auc(answered, unanswered), coverage(answered, unanswered, 0.01), coverage(answered, unanswered, 0.05)
    )


def auc(answered: Sequence[float], unanswered: Sequence[float]) -> float:
    """Area under the ROC curve, a tie counting half; 0.5 where either side is empty."""
    if not answered or not unanswered:
        return 0.5
    order = sorted(unanswered)
    below = sum(bisect_left(order, score) + bisect_right(order, score) for score in answered)
    return below / (2 * len(answered) * len(unanswered))


def coverage(answered: Sequence[float], unanswered: Sequence[float], wrongly: float) -> float:
    """Share of `answered` above the lowest threshold that at most the share `wrongly` of `unanswered` passes."""
    least = threshold(unanswered, wrongly)
    return _share(sum(score > least for score in answered), len(answered))


def threshold(unanswered: Sequence[float], wrongly: float) -> float:
    """The score that at most the share `wrongly` of `unanswered` is above."""
    order = sorted(unanswered, reverse=True)
    allowed = int(wrongly * len(order) + 1e-9)
    return order[allowed] if allowed < len(order) else -math.inf


def contains(quote: str, answers: Sequence[str]) -> bool:
    """Whether any of `answers` stands in `quote`; case, width of characters and runs of blanks don't count."""
    told = _folded(quote)
    return any(answer in told for answer in map(_folded, answers) if answer)


def _folded(text: str) -> str:
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text).casefold()).strip()


def mean(values: Sequence[float]) -> float:
    """0 where there are none."""
    return _share(sum(values), len(values))


def _share(part: float, whole: int) -> float:
    return part / whole if whole else 0.0
