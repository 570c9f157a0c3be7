"""When a channel is open, by the wall clock of its place."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.opening import DAYS, next_opening, parse_spans, parse_week

OFFICE = {"mon": ["09:00-12:00", "13:00-18:00"], "fri": ["22:00-02:00"]}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2026-03-02T08:59", "2026-03-02T09:00"),
        ("2026-03-02T09:00", "2026-03-02T09:00"),
        ("2026-03-02T12:00", "2026-03-02T13:00"),
        ("2026-03-02T18:00", "2026-03-06T22:00"),
        ("2026-03-07T01:59", "2026-03-07T01:59"),
        ("2026-03-07T02:00", "2026-03-09T09:00"),
    ],
)
def test_it_opens_by_the_weeks_hours(now: str, opens: str) -> None:
    assert next_opening(OFFICE, "UTC", utc(now)) == utc(opens)


def test_without_hours_it_is_always_open() -> None:
    assert next_opening({}, "UTC", utc("2026-03-02T03:00")) == utc("2026-03-02T03:00")
    assert next_opening({"mon": []}, "UTC", utc("2026-03-02T03:00")) == utc("2026-03-02T03:00")


def test_the_hours_are_those_of_the_place() -> None:
    week = parse_week(["daily=09:00-18:00"])
    assert next_opening(week, "Asia/Shanghai", utc("2026-03-02T00:30")) == utc("2026-03-02T01:00")


def test_where_the_clocks_change_it_opens_at_the_same_hour_of_the_wall_clock() -> None:
    week = parse_week(["daily=09:00-18:00"])
    assert next_opening(week, "Europe/Berlin", utc("2026-03-28T20:00")) == utc("2026-03-29T07:00")
    assert next_opening(week, "Europe/Berlin", utc("2026-10-24T20:00")) == utc("2026-10-25T08:00")


def test_an_opening_in_the_hour_that_is_left_out_begins_with_the_next_one() -> None:
    week = {"sun": ["02:30-05:00"]}
    assert next_opening(week, "Europe/Berlin", utc("2026-03-29T00:45")) == utc("2026-03-29T01:30")


def test_the_first_of_two_equal_hours_counts() -> None:
    week = {"sun": ["02:30-05:00"]}
    assert next_opening(week, "Europe/Berlin", utc("2026-10-24T23:00")) == utc("2026-10-25T00:30")


@given(
    st.datetimes(datetime(2025, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001
    st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Shanghai"]),
    st.dictionaries(
        st.sampled_from(DAYS), st.lists(st.sampled_from(["09:00-18:00", "22:00-02:00", "02:15-02:45"]), min_size=1)
    ),
)  # fmt: skip
def test_the_next_opening_is_open_and_within_eight_days(
    now: datetime, zone: str, week: dict[str, list[str]]
) -> None:
    moment = now.replace(tzinfo=UTC)
    opens = next_opening(week, zone, moment)  # type: ignore[arg-type]
    assert moment <= opens <= moment + timedelta(days=9)
    assert next_opening(week, zone, opens) == opens  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("texts", "week"),
    [
        (["mon-tue=09:00-18:00"], {"mon": ["09:00-18:00"], "tue": ["09:00-18:00"]}),
        (["sun-mon=10:00-11:00"], {"mon": ["10:00-11:00"], "sun": ["10:00-11:00"]}),
        (["Sat=10:00-11:00, 12:00-13:00"], {"sat": ["10:00-11:00", "12:00-13:00"]}),
        (["mon=08:00-09:00", "mon=10:00-11:00"], {"mon": ["08:00-09:00", "10:00-11:00"]}),
        (["mon="], {}),
    ],
)
def test_a_week_is_written_in_days_and_spans(texts: list[str], week: dict[str, list[str]]) -> None:
    assert parse_week(texts) == week


@pytest.mark.parametrize(
    ("text", "why"),
    [("mon", "mon-fri=09:00"), ("payday=09:00-10:00", "no day"), ("mon=9-5", "no opening time")],
)
def test_what_is_no_week_is_refused_with_an_example(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_week([text])


def test_spans_may_be_parted_by_chinese_commas() -> None:
    assert parse_spans("09:00-12:00，13:00–18:00") == ["09:00-12:00", "13:00-18:00"]


def test_where_the_clocks_leave_out_the_only_opening_the_next_weeks_counts() -> None:
    friday = utc("2026-03-27T12:00")
    week = {"sun": ["02:00-03:00"]}
    assert next_opening(week, "Europe/Berlin", friday) == utc("2026-04-05T00:00")
