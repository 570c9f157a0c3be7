"""When a night is due: crontab's form, whose week begins with Sunday."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from bot.training_settings import TrainingSettings, trigger_of

SUNDAY = datetime(2026, 11, 22, tzinfo=UTC)


def days(line: str) -> list[str]:
    """Of the week that begins with a Sunday."""
    found, at = [], SUNDAY
    trigger = trigger_of(line, "UTC")
    while (due := trigger.get_next_fire_time(None, at)).day < SUNDAY.day + 7:
        found.append(f"{due:%a}")
        at = due.replace(hour=23)
    return found


@pytest.mark.parametrize(
    ("field", "wanted"),
    [
        ("0", "Sun"), ("7", "Sun"), ("1", "Mon"), ("1-5", "Mon Tue Wed Thu Fri"), ("SUN", "Sun"),
        ("mon-wed", "Mon Tue Wed"), ("0-2", "Sun Mon Tue"), ("sat-sun", "Sun Sat"), ("5-7", "Sun Fri Sat"),
        ("*/2", "Sun Tue Thu Sat"), ("1-5/2", "Mon Wed Fri"), ("6,0", "Sun Sat"), ("*", "Sun Mon Tue Wed Thu Fri Sat"),
    ],
)  # fmt: skip
def test_days_of_the_week_are_counted_as_crontab_does(field: str, wanted: str) -> None:
    assert days(f"0 3 * * {field}") == wanted.split()


@pytest.mark.parametrize(
    "line",
    ["0 3 * * 8", "0 3 * * x", "0 3 * * 1-", "0 3 * * */0", "0 3 * *", "@daily", "0 3 31 2 *", "0 25 * * *"],
)
def test_what_is_no_line_or_never_due_is_refused_with_one_that_is(line: str) -> None:
    with pytest.raises(ValueError, match=r"write '0 3 \* \* \*' for every day at 3"):
        TrainingSettings(cron=line)


@pytest.mark.parametrize(("month", "day"), [(3, 28), (10, 31)])
def test_a_night_in_the_hour_that_clocks_skip_or_repeat_is_due_on_that_day_and_the_next(
    month: int, day: int
) -> None:
    at = datetime(2027, month, day, tzinfo=ZoneInfo("Europe/Berlin"))
    trigger = trigger_of("30 2 * * *", "Europe/Berlin")
    first = trigger.get_next_fire_time(None, at)
    last = trigger.get_next_fire_time(None, first.replace(hour=12))
    assert first.date() == at.date()
    assert (last.date() - first.date()).days == 1
