"""Which candidate is the best."""

import pytest

from bot.checks import Code, Finding
from bot.choosing import Candidate, agreement, rank
from bot.generator import Completion

NUMBER, LEAK, LONG = (Finding(code, (0, 1), "x") for code in (Code.NUMBER, Code.LEAK, Code.SENTENCES))
PREMISE = Finding(Code.FALSE_PREMISE, (0, 0), "x")


def candidate(
    text: str = "Rest the beans.",
    *findings: Finding,
    answered: bool = True,
    support: float = 0.9,
    logprobs: tuple[float, ...] | None = None,
) -> Candidate:
    return Candidate(Completion(text, answered, (0,), "m", None, "h", logprobs), findings, support)


def order(*candidates: Candidate, rewards: list[float] | None = None) -> list[int]:
    return [ranked.place for ranked in rank(candidates, rewards)]


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [
        ((candidate(answered=False), candidate("x", NUMBER)), [1, 0]),
        ((candidate("x", NUMBER), candidate("x")), [1, 0]),
        ((candidate("x", LEAK), candidate("x", NUMBER, NUMBER)), [1, 0]),
        ((candidate("x", NUMBER), candidate("x", LONG, LONG)), [1, 0]),
        ((candidate("x", NUMBER, NUMBER), candidate("x", NUMBER)), [1, 0]),
        ((candidate(support=0.2), candidate(support=0.9)), [1, 0]),
        ((candidate(logprobs=(-3.0, -1.0)), candidate(logprobs=(-0.1, -0.1))), [1, 0]),
        ((candidate("Five days."), candidate("Ten days of rest."), candidate("Ten days rest.")), [2, 1, 0]),
        ((candidate(), candidate(), candidate()), [0, 1, 2]),
        ((candidate("x", PREMISE), candidate("x", PREMISE)), [0, 1]),
        ((candidate("x"),), [0]),
        ((), []),
    ],
)
def test_the_best_candidate_comes_first(candidates: tuple[Candidate, ...], expected: list[int]) -> None:
    assert order(*candidates) == expected


def test_a_reward_decides_among_those_that_the_checks_find_alike() -> None:
    candidates = (candidate(support=0.9), candidate(support=0.1), candidate("x", NUMBER))
    assert order(*candidates, rewards=[-2.0, 1.5, 9.0]) == [1, 0, 2]


def test_rewards_must_be_as_many_as_candidates() -> None:
    with pytest.raises(ValueError, match="1 rewards for 2 candidates"):
        rank([candidate(), candidate()], [1.0])


def test_agreement_is_the_share_of_terms_in_common() -> None:
    assert agreement(["ten days", "ten days", "冷却"]) == [0.5, 0.5, 0.0]
    assert agreement(["alone"]) == [1.0]
    assert agreement(["", ""]) == [1.0, 1.0]


def test_an_entry_says_why_a_candidate_stands_where_it_does() -> None:
    [first, second] = rank([candidate("x", NUMBER), candidate("ten days", logprobs=(-0.5, -1.5))])
    assert second.entry()["findings"] == ["number"]
    assert first.entry() == {
        "text": 1,
        "answered": True,
        "findings": [],
        "logprob": -1.0,
        "support": 0.9,
        "agreement": 0.0,
        "score": round(first.score, 4),
    }
