"""When a canary is taken back."""

from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.voices.canary import CanaryRules, Tally, canary_verdict, rejected_by_chance

RULES = CanaryRules(sure=0.99, least=20)


def tally(total: int, rejected: int) -> Tally:
    return Tally(approved=total - rejected, rejected=rejected)


def plain_chance(canary: Tally, live: Tally) -> Fraction:
    """Fisher's test in whole numbers."""
    drafts, rejected = canary.total + live.total, canary.rejected + live.rejected
    ways = sum(
        comb(rejected, k) * comb(drafts - rejected, canary.total - k)
        for k in range(canary.rejected, min(rejected, canary.total) + 1)
    )
    return Fraction(ways, comb(drafts, canary.total))


tallies = st.builds(Tally, st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))


@given(tallies, tallies)
def test_the_chance_is_that_of_fishers_exact_test(canary: Tally, live: Tally) -> None:
    assert rejected_by_chance(canary, live) == pytest.approx(float(plain_chance(canary, live)), rel=1e-9)


def test_the_chance_of_a_known_table() -> None:
    # The lady tasting tea: 3 of 4 cups right, one-sided p = 17/70.
    assert rejected_by_chance(tally(4, 3), tally(4, 1)) == pytest.approx(17 / 70)


@pytest.mark.parametrize(
    ("canary", "live", "returned"),
    [
        (tally(40, 16), tally(400, 40), True),
        (tally(20, 20), tally(20, 0), True),
        (tally(40, 4), tally(400, 40), False),
        (tally(40, 7), tally(400, 40), False),
        (tally(40, 0), tally(400, 40), False),
        (tally(19, 19), tally(400, 0), False),
        (tally(40, 40), tally(0, 0), False),
        (tally(0, 0), tally(0, 0), False),
    ],
    ids=[
        "worse",
        "all against none",
        "as good",
        "by chance",
        "better",
        "too few",
        "nothing beside it",
        "nothing",
    ],
)
def test_a_canary_is_taken_back_only_when_it_is_surely_worse(
    canary: Tally, live: Tally, returned: bool
) -> None:
    assert canary_verdict(canary, live, RULES).returned is returned


def test_the_reason_tells_the_figures() -> None:
    reason = canary_verdict(tally(40, 16), tally(400, 40), RULES).reason
    assert "16 of 40 (40%)" in reason
    assert "40 of 400 (10%)" in reason


def test_edits_are_no_rejections() -> None:
    edited = Tally(approved=0, edited=40, rejected=0)
    assert not canary_verdict(edited, tally(400, 40), RULES).returned


def test_large_tallies_are_compared_in_floating_point_without_overflow() -> None:
    assert 0 < rejected_by_chance(tally(50_000, 5_100), tally(450_000, 45_000)) < 1
