"""When a failing server is asked again, and how much a working one is asked at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.serving.breaker import FAILURES, LONGEST_PAUSE_S, PAUSE_S, Breaker, next_limit


def broken(now: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(FAILURES):
        breaker = breaker.failed(now)
    return breaker


def test_a_few_failures_leave_it_closed_and_a_success_forgets_them() -> None:
    breaker = Breaker()
    for _ in range(FAILURES - 1):
        breaker = breaker.failed(0)
    assert breaker.lets_through(0)
    assert breaker.worked().failed(0).state(0) == "closed"


def test_it_opens_after_failures_in_a_row_and_lets_one_probe_through_after_the_pause() -> None:
    breaker = broken()
    assert not breaker.lets_through(PAUSE_S / 2)
    assert breaker.lets_through(PAUSE_S)
    probed = breaker.asked(PAUSE_S)
    assert not probed.lets_through(PAUSE_S)
    assert probed.worked() == Breaker()


def test_a_probe_that_fails_doubles_the_pause_up_to_the_longest() -> None:
    breaker, now = broken(), 0.0
    for expected in (2.0, 4.0, 8.0, 16.0, LONGEST_PAUSE_S, LONGEST_PAUSE_S):
        now = breaker.until or 0.0
        breaker = breaker.asked(now).failed(now)
        assert breaker.until == now + expected


def test_requests_that_were_under_way_together_lengthen_no_pause() -> None:
    assert broken().failed(0.5).until == broken().until


def test_a_probe_that_was_given_up_lets_the_next_one_through() -> None:
    assert broken().asked(PAUSE_S).gave_up().lets_through(PAUSE_S)


@pytest.mark.parametrize(
    ("limit", "waiting", "following"),
    [(16, 0, 16), (16, 1, 15), (16, 100, 12), (12, 0, 14), (1, 5, 1), (2, 5, 1), (15, 0, 16)],
)
def test_a_queue_lowers_the_limit_and_its_end_raises_it_again(
    limit: int, waiting: int, following: int
) -> None:
    assert next_limit(limit, 16, waiting) == following


@given(limit=st.integers(1, 1024), most=st.integers(1, 1024), waiting=st.integers(0, 10_000))
def test_the_limit_stays_between_one_and_the_most(limit: int, most: int, waiting: int) -> None:
    assert 1 <= next_limit(min(limit, most), most, waiting) <= most
