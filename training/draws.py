"""Which rows and prompts are learned from, how often and in which order: by their weights and the seed."""

import math
import random
from collections.abc import Sequence

from training.errors import BadData


def drawn(weights: Sequence[float], count: int, seed: int) -> list[int]:
    """`count` numbers of rows in the order in which they come, each about in proportion to its weight.

    An epoch is as many as there are weights. Systematic resampling, once an epoch: of equal weights each row comes
    exactly once, and none comes more or fewer times than its share, rounded down or up. Raises BadData.
    """
    if not all(math.isfinite(one) and one >= 0 for one in weights) or not sum(weights) > 0:
        raise BadData("the rows' weights must be finite, none below 0 and not all 0; write the data again")
    chance = random.Random(seed)  # noqa: S311 - an order, no secret
    order: list[int] = []
    while len(order) < count:
        order += _epoch(weights, chance)
    return order[:count]


def epochs_of(weights: Sequence[float], epochs: float, seed: int) -> list[int]:
    """`drawn` so many times over, at least one row."""
    return drawn(weights, max(1, round(len(weights) * epochs)), seed)


def _epoch(weights: Sequence[float], chance: random.Random) -> list[int]:
    rows = list(range(len(weights)))
    chance.shuffle(rows)
    step = math.fsum(weights) / len(weights)
    mark, reached = chance.uniform(1e-6, 1 - 1e-6) * step, 0.0  # not on a border, where rounding would decide
    found: list[int] = []
    for row in rows:
        reached += weights[row]
        while mark < reached and len(found) < len(weights):
            found.append(row)
            mark += step
    chance.shuffle(found)
    return found
