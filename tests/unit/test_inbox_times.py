"""Times as exports and pages write them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from adapters.inbox_times import parse_when

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
"""10:00 in Shanghai."""


@pytest.mark.parametrize(
    ("value", "there"),
    [
        (1795147200, "2026-11-20 12:00"),
        (1795147200123, "2026-11-20 12:00"),
        (1795147200123456, "2026-11-20 12:00"),
        ("1795147200", "2026-11-20 12:00"),
        ("1795147200123", "2026-11-20 12:00"),
        ("2026-11-20 12:00", "2026-11-20 12:00"),
        ("2026-11-20 12:00:59", "2026-11-20 12:00"),
        ("2026/11/20 12:00", "2026-11-20 12:00"),
        ("2026.11.20 9:05", "2026-11-20 09:05"),
        ("2026年11月20日 12:00", "2026-11-20 12:00"),
        ("2026-11-20T04:00:00Z", "2026-11-20 12:00"),
        ("2026-11-20T12:00:00+08:00", "2026-11-20 12:00"),
        ("2026-11-20", "2026-11-20 00:00"),
        ("11-20 12:00", "2026-11-20 12:00"),
        ("11-20 上海", "2026-11-20 00:00"),
        ("12-30 08:00", "2025-12-30 08:00"),
        ("昨天 18:30", "2026-11-21 18:30"),
        ("昨天 18:30 广东", "2026-11-21 18:30"),
        ("编辑于 昨天 18:30", "2026-11-21 18:30"),
        ("前天 00:05", "2026-11-20 00:05"),
        ("今天 09:59", "2026-11-22 09:59"),
        ("yesterday 18:30", "2026-11-21 18:30"),
        ("09:30", "2026-11-22 09:30"),
        ("23:30", "2026-11-21 23:30"),
    ],
)
def test_a_time_is_read_exactly(value: object, there: str) -> None:
    when = parse_when(value, NOW, SHANGHAI)
    assert (f"{when.at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}", when.exact) == (there, True)
    assert when.at.utcoffset() == UTC.utcoffset(None)


@pytest.mark.parametrize(
    ("value", "there"),
    [
        ("刚刚", "2026-11-22 10:00"),
        ("3分钟前", "2026-11-22 09:57"),
        ("2 小时前", "2026-11-22 08:00"),
        ("3天前", "2026-11-19 10:00"),
        ("1周前", "2026-11-15 10:00"),
        ("2个月前", "2026-09-23 10:00"),
        ("3 hours ago", "2026-11-22 07:00"),
        ("1 month ago", "2026-10-23 10:00"),
        ("昨天", "2026-11-21 10:00"),
    ],
)
def test_a_time_that_goes_by_the_clock_of_the_import_is_not_exact(value: str, there: str) -> None:
    when = parse_when(value, NOW, SHANGHAI)
    assert (f"{when.at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}", when.exact) == (there, False)


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "soon",
        "2026-13-01",
        "2026-02-30 12:00",
        "25:00",
        "昨天 24:00",
        "9" * 30,
        "1" * 400,
        "02-29 10:00",
        None,
        True,
        -1,
        1,
        0.5,
        float("nan"),
        float("inf"),
        1e300,
        10**400,
        [],
        {},
        "1999-12-31",
        "2026-11-24 10:00",
    ],
)
def test_what_is_no_time_raises_value_errors_only(value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        parse_when(value, NOW, SHANGHAI)


def test_a_time_that_the_clock_skips_is_read_all_the_same() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    at = parse_when("2026-03-29 02:30", datetime(2026, 4, 1, tzinfo=UTC), berlin).at
    assert at in (datetime(2026, 3, 29, 0, 30, tzinfo=UTC), datetime(2026, 3, 29, 1, 30, tzinfo=UTC))
