"""What is said of a preference model, against sums done by hand."""

import math

import pytest

from tests.conftest import require_module

require_module("torch")

from training.calibration import by_part, calibration_error, interval, judged, temperature  # noqa: E402


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def test_figures_of_three_pairs() -> None:
    found = judged([2.0, -1.0, 0.0], [1, 2, 3], confidence=0.95, seed=0)
    assert found["accuracy"] == pytest.approx(0.5)
    assert found["mean_margin"] == pytest.approx(1 / 3)
    wrongs = [1 - sigmoid(one) for one in (2.0, -1.0, 0.0)]
    assert found["brier"] == pytest.approx(sum(one**2 for one in wrongs) / 3)
    assert found["log_loss"] == pytest.approx(-sum(math.log(1 - one) for one in wrongs) / 3)
    assert found["accuracy_low"] <= 0.5 <= found["accuracy_high"]


def test_a_model_that_sees_no_difference_is_at_chance_and_knows_it() -> None:
    found = judged([0.0] * 10, range(10), confidence=0.95, seed=0)
    assert (found["accuracy"], found["brier"], found["calibration_error"]) == (0.5, 0.25, 0.0)


def test_a_model_that_is_as_sure_as_it_is_right_is_calibrated() -> None:
    margin = math.log(3)  # sure to 3/4
    assert calibration_error([margin, margin, margin, -margin]) == pytest.approx(0.0)
    assert calibration_error([margin] * 4) == pytest.approx(0.25)


def test_bins_of_confidence_do_not_make_up_for_each_other() -> None:
    low, high = math.log(3), math.log(19)  # sure to .75 and .95
    found = calibration_error([low, low, high, -high])
    assert found == pytest.approx((2 * 0.25 + 2 * 0.45) / 4)


def test_the_temperature_is_what_makes_margins_fit() -> None:
    margins = [3 * math.log(3)] * 3 + [-3 * math.log(3)]
    assert temperature(margins) == pytest.approx(3.0, rel=0.03)
    assert temperature([0.1, 0.2]) == pytest.approx(0.01)


def test_the_interval_holds_the_accuracy_and_narrows_with_more_pairs() -> None:
    few = interval([1.0, 1.0, 1.0, -1.0] * 5, range(20), confidence=0.95, seed=0)
    many = interval([1.0, 1.0, 1.0, -1.0] * 100, range(400), confidence=0.95, seed=0)
    assert few[0] < 0.75 < few[1]
    assert many[1] - many[0] < (few[1] - few[0]) / 3
    # the normal approximation: 1.96 * sqrt(.75 * .25 / 400)
    assert many == pytest.approx((0.7076, 0.7924), abs=0.006)


def test_pairs_of_one_comment_count_as_one_piece_of_evidence() -> None:
    margins = ([1.0] * 10 + [-1.0] * 10) * 4
    alone = interval(margins, range(80), confidence=0.95, seed=0)
    together = interval(margins, [number // 10 for number in range(80)], confidence=0.95, seed=0)
    assert together[1] - together[0] > 2 * (alone[1] - alone[0])


def test_the_interval_follows_from_the_seed() -> None:
    margins, groups = [1.0, -1.0, 2.0, 0.5, -3.0], range(5)
    assert interval(margins, groups, confidence=0.9, seed=3) == interval(
        margins, groups, confidence=0.9, seed=3
    )


def test_parts_are_told_with_their_pairs() -> None:
    assert by_part([1.0, -1.0, 0.0], ["zh", "en", "zh"]) == {
        "en": {"accuracy": 0.0, "pairs": 1},
        "zh": {"accuracy": 0.75, "pairs": 2},
    }
