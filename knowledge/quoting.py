"""Which one or two sentences of a passage answer best. Pure."""

from collections.abc import Sequence

COSINE_SHARE = 0.9
"""What a sentence's cosine counts against its share of the question."""
SECOND_ADDS = 0.15
"""Share of the question that a second sentence must add to be quoted with the first."""


def best_sentences(
    single: Sequence[float],
    double: Sequence[float],
    cosines: Sequence[float] = (),
    pair_cosines: Sequence[float] = (),
    *,
    count: int | None = None,
) -> tuple[int, int]:
    """First and last of the sentences to quote: the best one, and a neighbour where it adds enough.

    `count` asks for exactly 1, or for 2 where there are two.

    `single` are the shares of the question that each sentence holds (n), `double` those of each two neighbours
    (n - 1); the cosines, where there are any, are as many.
    """
    merits = _merits(single, cosines)
    best = max(range(len(merits)), key=lambda index: merits[index], default=0)
    beside = [index for index in (best - 1, best) if 0 <= index < len(double)]
    if not beside or count == 1:
        return best, best
    pairs = _merits(double, pair_cosines)
    first = max(beside, key=lambda index: (pairs[index], index))
    if count is None and double[first] < single[best] + SECOND_ADDS:
        return best, best
    return first, first + 1


def _merits(shares: Sequence[float], cosines: Sequence[float]) -> list[float]:
    if not cosines:
        return list(shares)
    return [share + COSINE_SHARE * cosine for share, cosine in zip(shares, cosines, strict=True)]
