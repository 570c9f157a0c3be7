"""Which videos are read when: often while they are talked about, never not at all, and within the quota."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.douyin_pacing import DAY_S, Pace, Seen, due, interval, stretch

HOUR_S = 3600.0
NOW = 1_795_000_000.0
PACE = Pace(shortest_s=120.0, longest_s=6 * HOUR_S, quiet_s=DAY_S, calls=1e9, full_calls=5.0)


def test_a_video_that_is_talked_about_is_read_at_the_shortest_interval() -> None:
    assert interval(Seen(NOW, NOW - HOUR_S), NOW, PACE) == 120


def test_a_quiet_video_is_read_less_often_in_proportion_up_to_the_longest_interval() -> None:
    waits = [interval(Seen(NOW, NOW - days * DAY_S), NOW, PACE) for days in (10, 100, 1000)]
    assert waits == [1200, 12_000, 6 * HOUR_S]


def test_what_was_never_read_comes_first_then_what_has_waited_longest_for_its_measure() -> None:
    seen = {
        "busy": Seen(NOW - 240, NOW),
        "late": Seen(NOW - 600, NOW),
        "quiet": Seen(NOW - 600, NOW - 10 * DAY_S),
    }
    assert due(["busy", "late", "quiet", "new"], seen, NOW, PACE) == ["new", "late", "busy"]


def test_the_quota_stretches_every_interval_alike() -> None:
    tight = Pace(**{**_as_dict(PACE), "calls": 1000.0})
    factor = stretch([120.0] * 10, tight)
    assert factor == pytest.approx(10 * 720 / 950)
    seen = {str(n): Seen(NOW - 120 * (factor + 0.1), NOW) for n in range(10)}
    assert len(due(list(seen), seen, NOW, tight)) == 10
    seen = {str(n): Seen(NOW - 120 * (factor - 0.1), NOW) for n in range(10)}
    assert due(list(seen), seen, NOW, tight) == []


def test_a_clock_that_was_set_back_keeps_no_video_unread() -> None:
    assert due(["a"], {"a": Seen(NOW + DAY_S, NOW + DAY_S)}, NOW, PACE) == ["a"]


def test_a_day_of_looks_keeps_to_the_share_and_forgets_nobody() -> None:
    pace = Pace(**{**_as_dict(PACE), "calls": 2000.0})
    seen = {str(n): Seen(NOW, NOW - n * DAY_S) for n in range(60)}
    looks = dict.fromkeys(seen, 0)
    for minute in range(24 * 60):
        now = NOW + minute * 60
        for item in due(list(seen), seen, now, pace):
            looks[item] += 1
            seen[item] = Seen(now, seen[item].newest)
    assert sum(looks.values()) <= 2000
    assert min(looks.values()) >= 1
    assert looks["0"] > looks["59"]


seens = st.builds(Seen, st.floats(-1e12, 1e12), st.floats(-1e12, 1e12))


@settings(max_examples=60)
@given(st.dictionaries(st.text(max_size=3), seens, max_size=5), st.floats(0, 1e12))
def test_every_due_video_is_named_once(seen: dict[str, Seen], now: float) -> None:
    found = due([*seen, "never"], seen, now, PACE)
    assert len(found) == len(set(found))
    assert set(found) <= {*seen, "never"}


def _as_dict(pace: Pace) -> dict[str, float]:
    return {name: getattr(pace, name) for name in Pace.__slots__}
