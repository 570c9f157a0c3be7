"""When replies go out and how often a platform is polled, by tables with a clock that stands still."""

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.base import Quota
from bot.opening import next_opening
from bot.planning import (
    Affordable,
    Limits,
    PollShare,
    Waiting,
    affordable,
    day_of,
    days_until,
    delay,
    kept_for_polls,
    plan,
    poll_pause_s,
    reply_cost,
    turn,
)

YOUTUBE = Quota(units=10_000, reply_units=50, poll_units=1, zone="America/Los_Angeles")
BEIJING = Quota(units=1_000, reply_units=1, poll_units=1, zone="Asia/Shanghai", resets_at=time(8, 0))
POLLS = PollShare(0.03, 300.0)
NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
MIDNIGHT = datetime(2026, 7, 1, 7, 0, tzinfo=UTC)
"""In Los Angeles."""


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("quota", "now", "name", "begins", "ends"),
    [
        (YOUTUBE, "2026-07-01T06:59:59Z", "2026-06-30", "2026-06-30T07:00Z", "2026-07-01T07:00Z"),
        (YOUTUBE, "2026-07-01T07:00:00Z", "2026-07-01", "2026-07-01T07:00Z", "2026-07-02T07:00Z"),
        # On 8 March 2026 the clocks go forward: the day has 23 hours.
        (YOUTUBE, "2026-03-08T20:00:00Z", "2026-03-08", "2026-03-08T08:00Z", "2026-03-09T07:00Z"),
        # On 1 November they go back: 25 hours.
        (YOUTUBE, "2026-11-01T20:00:00Z", "2026-11-01", "2026-11-01T07:00Z", "2026-11-02T08:00Z"),
        (BEIJING, "2026-07-01T23:59:59Z", "2026-07-01", "2026-07-01T00:00Z", "2026-07-02T00:00Z"),
        (BEIJING, "2026-07-02T00:00:00Z", "2026-07-02", "2026-07-02T00:00Z", "2026-07-03T00:00Z"),
    ],
)
def test_a_platforms_day_goes_by_its_own_clock(
    quota: Quota, now: str, name: str, begins: str, ends: str
) -> None:
    day = day_of(quota, at(now))
    assert (day.name, day.begins, day.ends) == (name, at(begins), at(ends))


def test_a_reset_in_the_hour_that_does_not_exist_comes_once() -> None:
    quota = Quota(10, 1, 1, "America/Los_Angeles", time(2, 30))
    before = day_of(quota, at("2026-03-08T08:00Z"))
    assert before.ends == at("2026-03-08T10:30Z")
    assert day_of(quota, before.ends).begins == before.ends


def test_an_exhausted_budget_names_every_day_until_it_is_refilled() -> None:
    assert [day.name for day in days_until(YOUTUBE, NOON, at("2026-07-02T07:00Z"))] == ["2026-07-01"]
    assert [day.name for day in days_until(YOUTUBE, NOON, at("2026-07-02T08:00Z"))] == [
        "2026-07-01",
        "2026-07-02",
    ]
    assert len(days_until(YOUTUBE, NOON, at("2027-07-02T08:00Z"))) == 7


def test_youtubes_default_pays_for_190_replies_a_day() -> None:
    found = affordable(YOUTUBE, 0, MIDNIGHT, POLLS)
    assert (found.today, found.a_day, reply_cost(YOUTUBE)) == (190, 190, 51)


def test_what_is_used_and_on_its_way_is_no_longer_there_for_replies() -> None:
    assert affordable(YOUTUBE, 9_700 - 51, MIDNIGHT, POLLS).today == 1
    assert affordable(YOUTUBE, 9_700 - 51, MIDNIGHT, POLLS, on_their_way=1).today == 0
    assert affordable(YOUTUBE, 20_000, MIDNIGHT, POLLS).today == 0


def test_what_is_kept_for_polls_shrinks_with_the_day_and_is_never_more_than_half() -> None:
    assert kept_for_polls(YOUTUBE, MIDNIGHT, POLLS) == 300
    assert kept_for_polls(YOUTUBE, MIDNIGHT + timedelta(hours=12), POLLS) == 150
    assert kept_for_polls(YOUTUBE, MIDNIGHT, POLLS, channels=3) == 864
    assert kept_for_polls(YOUTUBE, MIDNIGHT, POLLS, channels=1_000) == 5_000


@pytest.mark.parametrize(
    ("used", "hours", "cost", "channels", "pause_s"),
    [
        (0, 0, 1, 1, 288),
        (0, 12, 1, 1, 288),
        (0, 0, 4, 1, 1152),
        (0, 0, 1, 3, 300),
        # 20 units for 12 hours.
        (9_980, 12, 1, 1, 2160),
        # Nothing left, or not enough for what a poll takes: until the reset.
        (10_000, 23, 1, 1, 3600),
        (9_999, 23, 4, 1, 3600),
    ],
)
def test_polls_are_paced_so_that_the_units_last(
    used: int, hours: int, cost: int, channels: int, pause_s: float
) -> None:
    now = MIDNIGHT + timedelta(hours=hours)
    found = poll_pause_s(YOUTUBE, used, now, POLLS, cost=cost, channels=channels)
    assert found == pytest.approx(pause_s)


def test_a_generous_budget_slows_no_poll() -> None:
    quota = Quota(1_000_000, 1, 1, "UTC")
    assert poll_pause_s(quota, 0, datetime(2026, 7, 1, tzinfo=UTC), POLLS, cost=1) < 3


def test_turns_are_by_person_then_questions_then_age_then_reach() -> None:
    day, older = NOON, NOON - timedelta(days=1)
    rows = [
        turn(by_person=True, question=True, created_at=day, likes=None),
        turn(by_person=True, question=False, created_at=older, likes=9),
        turn(by_person=False, question=True, created_at=older, likes=0),
        turn(by_person=False, question=True, created_at=day, likes=2**40),
        turn(by_person=False, question=True, created_at=day - timedelta(hours=2), likes=3),
        turn(by_person=False, question=True, created_at=day, likes=None),
        turn(by_person=False, question=False, created_at=older, likes=5),
    ]
    assert rows == sorted(set(rows))
    assert rows[-1] < 2**63


def test_a_delay_is_drawn_within_its_limits_and_the_same_for_the_same_reply() -> None:
    drawn = [delay([60, 300], f"key{number}") for number in range(50)]
    assert all(timedelta(seconds=60) <= one <= timedelta(seconds=300) for one in drawn)
    assert len(set(drawn)) > 40
    assert delay([60, 300], "key7") == drawn[7]
    assert delay(None, "key7") == delay([], "key7") == timedelta(0)


def waiting(number: int, *, due_at: datetime = NOON, by_person: bool = False) -> Waiting:
    return Waiting(number, due_at, by_person)


def test_a_thousand_replies_take_six_days_of_youtubes_budget() -> None:
    given = affordable(YOUTUBE, 0, MIDNIGHT, POLLS)
    found = plan([waiting(number) for number in range(1_000)], Limits(MIDNIGHT, affordable=given), NOON)
    days = [day_of(YOUTUBE, moment).name for moment in found.values() if moment is not None]
    assert [days.count(name) for name in sorted(set(days))] == [190] * 5 + [50]
    assert list(found) == list(range(1_000))


def test_gap_hour_and_hours_keep_replies_apart() -> None:
    limits = Limits(NOON, gap_s=600, max_per_hour=2, tried=(NOON - timedelta(minutes=30),))
    found = plan([waiting(number) for number in range(4)], limits, NOON)
    minutes = [(moment - NOON).total_seconds() / 60 for moment in found.values() if moment is not None]
    assert minutes == [0, 30, 60, 90]


def test_opening_hours_hold_back_what_the_policy_approved_only() -> None:
    limits = Limits(NOON, week={"thu": ["09:00-10:00"]}, time_zone="UTC")
    found = plan([waiting(1), waiting(2, by_person=True)], limits, NOON)
    assert found == {2: NOON, 1: at("2026-07-02T09:00Z")}


def test_a_reply_that_is_due_later_lets_others_pass() -> None:
    later = NOON + timedelta(hours=1)
    found = plan([waiting(1, due_at=later), waiting(2)], Limits(NOON, gap_s=60), NOON)
    assert found == {2: NOON, 1: later}


def test_what_nothing_lets_out_has_no_moment() -> None:
    assert plan([waiting(1)], Limits(NOON, max_per_hour=0), NOON) == {1: None}
    assert plan([waiting(1)], Limits(NOON, affordable=Affordable(YOUTUBE, 0, 0)), NOON) == {1: None}


WINTER = datetime(2026, 2, 1, tzinfo=UTC)
SECONDS = st.integers(0, 3 * 86_400)
REPLIES = st.lists(st.tuples(SECONDS, st.booleans()), max_size=40)
WEEKS = st.sampled_from([{}, {"thu": ["09:00-10:00"]}, {"wed": ["00:00-24:00"], "fri": ["13:00-13:30"]}])


@given(
    replies=REPLIES,
    week=WEEKS,
    gap_s=st.sampled_from([0, 1, 90, 7_200]),
    most=st.none() | st.integers(1, 5),
    today=st.integers(0, 5),
    a_day=st.integers(1, 5),
    quota=st.sampled_from([YOUTUBE, BEIJING]),
    now=st.integers(0, 300 * 86_400).map(lambda seconds: WINTER + timedelta(seconds=seconds)),
)
def test_no_plan_exceeds_budget_gap_hour_or_hours(
    replies: list[tuple[int, bool]],
    week: dict[str, list[str]],
    gap_s: int,
    most: int | None,
    today: int,
    a_day: int,
    quota: Quota,
    now: datetime,
) -> None:
    rows = [
        waiting(number, due_at=now + timedelta(seconds=seconds), by_person=by_person)
        for number, (seconds, by_person) in enumerate(replies)
    ]
    limits = Limits(
        now,
        gap_s=gap_s,
        max_per_hour=most,
        week=week,  # type: ignore[arg-type]
        affordable=Affordable(quota, today, a_day),
    )
    found = plan(rows, limits, now)
    assert found.keys() == {row.comment_id for row in rows}
    moments = sorted(moment for moment in found.values() if moment is not None)
    assert len(moments) == len(rows), "each has its moment"
    for row in rows:
        moment = found[row.comment_id]
        assert moment is not None
        assert moment >= max(now, row.due_at)
        assert row.by_person or next_opening(week, "UTC", moment) == moment  # type: ignore[arg-type]
    assert all((b - a).total_seconds() >= gap_s for a, b in pairwise(moments))
    names = [day_of(quota, moment).name for moment in moments]
    first = day_of(quota, now).name
    assert all(names.count(name) <= (today if name == first else a_day) for name in set(names))
    if most is not None:
        hour = timedelta(hours=1)
        assert all(sum(moment - hour < one <= moment for one in moments) <= most for moment in moments)
