"""The figures of the overview, and what other rules would have sent."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.models import State
from bot.overview import MOST_EDITS, change, edits, judged, local_days, overview, percentile, would_send
from bot.reasons import Reason
from bot.store.dashboard import Day, Drafted, Opinion

START = datetime(2026, 3, 1, tzinfo=UTC)


def day(number: int = 0, **parts: object) -> Day:
    start = START + timedelta(days=number)
    values: dict[str, object] = {"came": {}, "waits": (), "opinions": ()} | parts
    return Day(start, start + timedelta(days=1), **values)  # type: ignore[arg-type]


def opinion(draft_id: int, kind: str, **parts: object) -> Opinion:
    values: dict[str, object] = {"channel_id": 1, "voice": None, "draft": "abcd", "text": "abcd"} | parts
    return Opinion(draft_id=draft_id, kind=kind, **values)  # type: ignore[arg-type]


def test_what_came_in_is_in_exactly_one_part() -> None:
    came = {(1, state, ""): number for number, state in enumerate(State, start=1)}
    found = overview([day(came=came), day(1, came={(2, State.SENT, "sent"): 5})])
    assert found.whole.comments == sum(came.values()) + 5
    assert [one.comments for one in found.days] == [sum(came.values()), 5]


def test_one_channel_is_counted_by_itself() -> None:
    came = {(1, State.SENT, "sent"): 3, (2, State.SKIPPED, "spam"): 4}
    one = day(came=came, waits=((1, 5.0), (2, 50.0)), opinions=(opinion(1, "approve", channel_id=2),))
    found = overview([one], 2)
    assert (found.whole.parts["sent"], found.whole.skipped) == (0, {"spam": 4})
    assert found.whole.p50 == 50
    assert found.whole.judged.total == 1
    assert overview([one], 1).whole.judged.total == 0


@pytest.mark.parametrize(
    ("part", "value"), [(0.0, 1), (0.5, 50), (0.95, 95), (0.951, 96), (1.0, 100)]
)  # fmt: skip
def test_a_percentile_is_a_value_that_occurred(part: float, value: float) -> None:
    assert percentile(range(1, 101), part) == value


def test_of_nothing_there_is_no_percentile_and_no_rate() -> None:
    assert percentile([], 0.5) is None
    empty = overview([day()])
    assert (empty.whole.p95, empty.whole.judged.rate, empty.whole.judged.change) == (None, None, None)


def test_the_days_are_those_of_the_zone_also_when_the_clocks_change() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    spans = local_days(datetime(2026, 3, 29, 22, 30, tzinfo=UTC), 3, berlin)
    assert [start.isoformat() for start, _ in spans] == [
        "2026-03-27T23:00:00+00:00", "2026-03-28T23:00:00+00:00", "2026-03-29T22:00:00+00:00",
    ]  # fmt: skip
    assert [(end - start).total_seconds() / 3600 for start, end in spans] == [24, 23, 24]


def test_each_draft_is_judged_once_by_the_worst_that_was_said() -> None:
    found = judged(
        [opinion(1, "edit", text="abXd"), opinion(1, "reject"), opinion(2, "approve"), opinion(3, "edit", text="abcX")]
    )  # fmt: skip
    assert (found.approved, found.edited, found.rejected) == (1, 1, 1)
    assert found.rate == pytest.approx(1 / 3)
    assert found.change == pytest.approx(0.125)


def test_voices_are_told_apart_and_drafts_without_one_too() -> None:
    found = overview([day(opinions=(opinion(1, "approve", voice="mia-1"), opinion(2, "reject")))])
    assert {name: one.rate for name, one in found.voices.items()} == {"mia-1": 1.0, "": 0.0}


def test_of_many_edits_some_are_measured_and_all_are_counted() -> None:
    number = 3 * MOST_EDITS + 1
    many = [opinion(place, "edit", text="abcX") for place in range(number)]
    found = judged([*many, *(opinion(-place, "approve") for place in range(1, number + 1))])
    assert (found.edited, found.approved) == (number, number)
    assert found.change == pytest.approx(0.125)


def plain_distance(first: str, second: str) -> int:
    row = list(range(len(second) + 1))
    for i, one in enumerate(first, start=1):
        above, row[0] = row[0], i
        for j, two in enumerate(second, start=1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (one != two))
    return row[-1]


@given(st.text("ab好c", max_size=80), st.text("ab好c", max_size=80))
def test_the_distance_is_that_of_the_plain_table(first: str, second: str) -> None:
    assert edits(first, second) == plain_distance(first, second)


def test_the_change_is_a_part_of_the_longer_text() -> None:
    assert change("十分钟。", "十五分钟。") == pytest.approx(0.2)
    assert change("", "") == 0
    assert change("", "abc") == 1
    assert change("a" * 10_000, "a" * 10_000 + "b") == 0


DRAFT = Drafted("question", 0.7, rests=True, reason=Reason.NOT_OPENED, findings=False)


@pytest.mark.parametrize(
    ("draft", "number"),
    [
        (DRAFT, 1),
        (replace(DRAFT, support=0.59), 0),
        (replace(DRAFT, support=0.6, reason=Reason.NOT_IN_DOCUMENTS), 1),
        (replace(DRAFT, intent="complaint"), 0),
        (replace(DRAFT, findings=True), 0),
        (replace(DRAFT, reason=Reason.CHECKS), 0),
        (replace(DRAFT, reason=Reason.PICTURES), 0),
        (replace(DRAFT, rests=False), 0),
    ],
)
def test_only_what_the_rules_alone_hold_back_would_be_sent(draft: Drafted, number: int) -> None:
    assert would_send([draft], ["question"], 0.6) == number
