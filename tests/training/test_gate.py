"""Each guard refuses a case made for it, and nothing else does."""

from math import nan
from typing import Any

import pytest

from bot.training_settings import GateSettings
from training.figures import Measure, Report
from training.gate import decide, guards

SETTINGS = GateSettings()
NOTHING = Measure(candidate=nan, live=nan, difference=nan, low=nan, high=nan, count=0)


def measure(live: float, candidate: float, *, spread: float = 0.01, count: int = 200) -> Measure:
    change = candidate - live
    return Measure(
        candidate=candidate,
        live=live,
        difference=change,
        low=change - spread,
        high=change + spread,
        count=count,
    )


def report(**changes: Any) -> Report:
    """Of a candidate that is better and in nothing worse."""
    given: dict[str, Any] = {
        "confidence": 0.95, "live_is_base": False, "temperature": 0.3, "prompts": 200, "left_out": 0,
        "judge": measure(0.1, 0.4), "agreement": measure(0.40, 0.45), "ranking": measure(0.6, 0.7),
        "support": measure(0.90, 0.91), "banned": measure(0.0, 0.0), "leaked": measure(0.01, 0.0),
        "empty": measure(0.0, 0.0), "ended": measure(0.97, 0.99), "length": measure(80, 90),
        "probes": measure(0.7, 0.75), "variety": 0.98, "variety_of_runs": 0.9, "human_length": 100.0, "kl": 4.0,
        "judge_accuracy": 0.8, "least_accuracy": 0.6, "stopped": "", "diverged": False,
    }  # fmt: skip
    return Report(**(given | changes))


def refused(**changes: Any) -> list[str]:
    return [one.guard for one in decide(report(**changes), SETTINGS)]


def test_a_better_voice_passes() -> None:
    assert refused() == []
    assert all(one.passed for one in guards(report(), SETTINGS))


@pytest.mark.parametrize(
    ("guard", "changes"),
    [
        ("judge", {"judge": measure(0.1, 0.105)}),
        ("judge", {"judge": measure(0.4, 0.1)}),
        ("judge", {"judge": Measure(candidate=nan, live=0, difference=nan, low=nan, high=nan, count=200)}),
        ("judge", {"judge": measure(0.1, 0.9, spread=0, count=9)}),
        ("agreement", {"agreement": NOTHING}),
        ("accuracy", {"judge_accuracy": 0.55}),
        ("accuracy", {"judge_accuracy": nan}),
        ("training", {"diverged": True, "stopped": "nan"}),
        ("kl", {"kl": 12.5}),
        ("kl", {"kl": nan}),
        ("agreement", {"agreement": measure(0.45, 0.40)}),
        ("ranking", {"ranking": measure(0.70, 0.60)}),
        ("support", {"support": measure(0.90, 0.85)}),
        ("probes", {"probes": measure(0.75, 0.50, spread=0.1, count=48)}),
        ("banned", {"banned": measure(0.0, 0.03, spread=0.05)}),
        ("leaked", {"leaked": measure(0.0, 0.03, spread=0.05)}),
        ("empty", {"empty": measure(0.0, 0.03, spread=0.05)}),
        ("ended", {"ended": measure(0.99, 0.89)}),
        ("variety", {"variety": 0.89}),
        ("variety", {"variety": nan}),
        ("length", {"length": measure(80, 160), "human_length": 80.0}),
        ("length", {"length": measure(80, 30), "human_length": 80.0}),
        ("length", {"length": measure(80, 0), "human_length": nan}),
    ],
)
def test_each_guard_refuses_its_case_alone_and_says_the_figures(guard: str, changes: dict[str, Any]) -> None:
    found = decide(report(**changes), SETTINGS)
    assert [one.guard for one in found] == [guard]
    assert any(char.isdigit() or char == "(" for char in found[0].detail) or changes == {"agreement": NOTHING}
    assert "\n" not in found[0].detail


def test_many_prompts_of_few_threads_prove_nothing() -> None:
    few = measure(0.4, 0.9).model_copy(update={"count": 200, "threads": 3})
    assert refused(judge=few) == ["judge"]
    assert refused(judge=few.model_copy(update={"threads": 10})) == []


def test_a_drop_within_what_may_be_or_within_chance_is_let_pass() -> None:
    assert refused(support=measure(0.90, 0.885)) == []
    assert refused(support=measure(0.90, 0.87, spread=0.05)) == []
    assert refused(probes=measure(0.75, 0.71, spread=0.1, count=48)) == []


def test_a_guard_without_anything_to_measure_lets_pass_and_says_so() -> None:
    found = {one.guard: one for one in guards(report(probes=NOTHING, ranking=NOTHING), SETTINGS)}
    assert found["probes"].passed
    assert found["probes"].figure == "-"


def test_a_rate_that_is_no_number_refuses() -> None:
    broken = Measure(candidate=nan, live=0.5, difference=nan, low=nan, high=nan, count=10)
    assert refused(support=broken, banned=broken, ended=broken) == ["support", "banned", "ended"]


def test_length_may_come_nearer_to_what_people_write() -> None:
    assert refused(length=measure(900, 95), human_length=100.0) == []


def test_a_run_without_kl_penalty_is_refused_though_the_judge_likes_it() -> None:
    # As measured: reward up, KL 25.7, the taste that no model saw down, replies alike.
    found = refused(judge=measure(0.9, 1.2), kl=25.7, agreement=measure(0.45, 0.30), variety=0.4)
    assert found == ["kl", "agreement", "variety"]


def test_a_learning_rate_of_a_hundredth_is_refused_though_kl_is_low() -> None:
    # As measured: empty replies that end at once, KL 8.5. Even a judge that liked them would not save them.
    found = refused(
        judge=measure(-0.5, 0.5), kl=8.5, empty=measure(0.0, 1.0), agreement=measure(0.4, 0.0), variety=0.005,
        length=measure(80, 0), support=measure(0.9, 0.0),
    )  # fmt: skip
    assert found == ["agreement", "support", "empty", "variety", "length"]


def test_the_settings_move_the_guards() -> None:
    strict = GateSettings(max_kl=3, min_eos=1.0, min_variety=1.0, max_length_change=0.05, max_drop=0)
    found = [one.guard for one in decide(report(human_length=200.0), strict)]
    assert found == ["kl", "ended", "variety", "length"]
