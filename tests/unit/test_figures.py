"""How often the days of the overview are counted."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.store.dashboard import Day
from bot.web.figures import stale

END = datetime(2026, 3, 2, tzinfo=UTC)
DAY = Day(END - timedelta(days=1), END, {}, (), ())


@pytest.mark.parametrize(
    ("age_s", "passed_s", "again"),
    [
        (-1, 0, True),
        (-1, 0.5, True),
        (0, 59, False),
        (0, 60, True),
        (3 * 86_400, 239, False),
        (3 * 86_400, 240, True),
        (0, -3600, True),
    ],
)
def test_a_day_is_counted_again_the_more_seldom_the_older_it_is(
    age_s: float, passed_s: float, again: bool
) -> None:
    counted = END + timedelta(seconds=age_s)
    assert stale(DAY, counted, counted + timedelta(seconds=passed_s)) is again
