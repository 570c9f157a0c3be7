"""Which rows are learned from and how often."""

from collections import Counter

import pytest

from training.draws import drawn, epochs_of
from training.errors import BadData


@pytest.mark.parametrize("seed", range(5))
def test_rows_of_one_weight_each_come_once_an_epoch(seed: int) -> None:
    order = drawn([0.3] * 100, 200, seed)
    assert sorted(order[:100]) == sorted(order[100:]) == list(range(100))
    assert order[:100] != order[100:]


@pytest.mark.parametrize("seed", range(20))
def test_a_row_comes_its_share_rounded_down_or_up(seed: int) -> None:
    weights = [1.0, 2.0, 3.0, 0.5, 0.0, 1.5]
    counts = Counter(drawn(weights, len(weights), seed))
    shares = [one * len(weights) / sum(weights) for one in weights]
    assert sum(counts.values()) == len(weights)
    assert all(int(share) <= counts[row] <= int(share) + 1 for row, share in enumerate(shares))
    assert counts[4] == 0


def test_over_many_epochs_rows_come_in_proportion_to_their_weights() -> None:
    weights = [1.0, 2.0, 3.0, 0.5, 0.0, 1.5]
    counts = Counter(epochs_of(weights, 2000.0, 0))
    total = 2000 * len(weights)
    assert [round(counts[row] / total, 2) for row in range(6)] == [0.12, 0.25, 0.38, 0.06, 0.0, 0.19]


def test_the_order_follows_from_the_seed() -> None:
    assert drawn([1.0, 2.0] * 20, 60, 7) == drawn([1.0, 2.0] * 20, 60, 7)
    assert drawn([1.0, 2.0] * 20, 60, 7) != drawn([1.0, 2.0] * 20, 60, 8)


def test_half_an_epoch_is_half_the_rows() -> None:
    order = epochs_of([1.0] * 10, 0.5, 0)
    assert len(order) == len(set(order)) == 5


@pytest.mark.parametrize("weights", [[], [0.0, 0.0], [1.0, -1.0], [float("nan")], [float("inf"), 1.0]])
def test_weights_that_are_none_are_refused(weights: list[float]) -> None:
    with pytest.raises(BadData, match="weights"):
        drawn(weights, 1, 0)


def test_the_first_batches_are_the_same_however_many_follow() -> None:
    weights = [1.0, 2.0, 0.5, 1.0, 3.0]
    assert drawn(weights, 23, 4)[:11] == drawn(weights, 11, 4)


def test_of_a_few_rows_there_is_at_least_one() -> None:
    assert epochs_of([1.0, 1.0], 0.01, 0) in ([0], [1])
