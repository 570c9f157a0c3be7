"""Recorded answers of YouTube, and any others, become comments or ValueError, errors or errors of the adapter."""

import copy
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters import errors, youtube_errors
from adapters.errors import AdapterError, Permanent, QuotaExhausted, Transient
from adapters.http import Answer
from adapters.youtube import parse_account
from adapters.youtube_errors import next_day, reason_of, refusal
from adapters.youtube_options import YouTubeOptions
from adapters.youtube_reading import Reading
from adapters.youtube_rows import Row, created, in_order, parse_comment, parse_thread
from adapters.youtube_titles import parse_post
from adapters.youtube_tokens import parse_grant
from tests.unit.test_adapters_text import anything

PAYLOADS = Path(__file__).parents[1] / "payloads"
ME = "UCmmmmmmmmmmmmmmmmmmmmmm"
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
few = settings(max_examples=60)


def recorded(name: str) -> Any:
    return json.loads((PAYLOADS / f"youtube_{name}.json").read_text())


def answer(status: int, body: Any, skew: timedelta = timedelta(0), **headers: str) -> Answer:
    return Answer(status, headers, body, json.dumps(body)[:300], skew)


def test_a_recorded_page_of_threads_is_read_whole() -> None:
    threads = [parse_thread(row) for row in recorded("threads")["items"]]
    comments = [parse_comment(row, me=ME) for thread in threads for row in thread.rows]
    assert [(c.author_name, c.text, c.is_own, c.parent_id is None) for c in comments] == [
        ("@tea_lover", "How hot should the water be? 🍵👨‍👩‍👧\nFor green tea, I mean.", False, True),
        ("@Creator", "80 °C 就可以了 😊", True, False),
        ("@小明", "我也想知道！", False, False),
        ("", "这个账号已经不在了，但评论还在。", False, True),
        ("@busy", "Where do I buy the pot?", False, True),
        ("@helper", "In the description.", False, False),
        ("@neighbour", "Under a community post", False, True),
    ]
    assert [thread.shows_all for thread in threads] == [True, True, False, True]


def test_both_forms_of_a_time_mean_the_same_second() -> None:
    rows = [parse_thread(row).rows[0] for row in recorded("threads")["items"]]
    assert created(rows[1]) == datetime(2019, 11, 26, 15, 51, 44, tzinfo=UTC)
    assert created(rows[2]) == datetime(2019, 11, 26, 15, 51, 43, tzinfo=UTC)


def test_the_comment_of_a_deleted_account_has_an_author_of_its_own() -> None:
    first, second = (
        copy.deepcopy(recorded("threads")["items"][1]["snippet"]["topLevelComment"]) for _ in range(2)
    )
    second["id"] = "another"
    authors = {parse_comment(Row("v", row), me="").author_id for row in (first, second)}
    assert len(authors) == 2
    assert not parse_comment(Row("v", first), me="").is_own


def test_a_reply_to_a_reply_hangs_under_the_top_comment() -> None:
    row = copy.deepcopy(recorded("replies")["items"][0])
    row["snippet"]["parentId"] = row["id"]
    comment = parse_comment(Row("xY7potShop1", row), me=ME)
    assert comment.parent_id == comment.ref.thread_id == "UgyC2jXe5uQs8fMw3r54AaABAg"
    del row["snippet"]["parentId"]
    assert parse_comment(Row("xY7potShop1", row), me=ME).parent_id == comment.parent_id


def test_a_comment_without_a_video_stands_under_the_channel() -> None:
    comment = parse_comment(parse_thread(recorded("threads")["items"][3]).rows[0], me="")
    assert (comment.ref.post_id, comment.url) == (ME, f"https://www.youtube.com/channel/{ME}")


def test_a_link_leads_to_the_comment_and_a_count_past_31_bits_is_none() -> None:
    comment = parse_comment(parse_thread(recorded("threads")["items"][2]).rows[0], me=ME)
    assert comment.url == "https://www.youtube.com/watch?v=xY7potShop1&lc=UgyC2jXe5uQs8fMw3r54AaABAg"
    assert comment.likes is None


def test_a_held_comment_is_read_like_any_other() -> None:
    assert parse_comment(parse_thread(recorded("held")["items"][0]).rows[0], me=ME).text.startswith(
        "Buy now 便宜"
    )


def test_ids_of_64_bits_as_numbers_stay_exact() -> None:
    row = copy.deepcopy(recorded("replies")["items"][1])
    row["id"], row["snippet"]["parentId"] = 18446744073709551615, None
    row["snippet"]["authorChannelId"] = {"value": 9223372036854775807}
    comment = parse_comment(Row("v", row), me="9223372036854775807")
    assert (comment.ref.comment_id, comment.is_own) == ("18446744073709551615", True)


def test_comments_of_one_second_keep_the_order_in_which_they_were_written() -> None:
    rows = []
    for number in range(3):
        row = copy.deepcopy(recorded("replies")["items"][1])
        row["id"] = f"newest-{number}"
        rows.append(parse_comment(Row("v", row), me=""))
    assert [comment.ref.comment_id for comment in in_order(rows)] == ["newest-2", "newest-1", "newest-0"]


@pytest.mark.parametrize(
    "case", recorded("errors"), ids=lambda case: f"{reason_of(case['body'])}-{case['status']}"
)
def test_the_reason_decides_what_an_error_means(case: dict[str, Any]) -> None:
    kind = getattr(youtube_errors if case["means"] == "PageGone" else errors, case["means"])
    assert type(refusal("youtube: comments", answer(case["status"], case["body"]), NOW, writes=True)) is kind


def test_a_failure_to_process_is_ambiguous_only_where_it_writes() -> None:
    body = {"error": {"errors": [{"reason": "processingFailure"}]}}
    said = [refusal("w", answer(400, body), NOW, writes=writes) for writes in (True, False)]
    assert [error.ambiguous for error in said if isinstance(error, Transient)] == [True, False]


@pytest.mark.parametrize(
    ("now", "midnight"),
    [
        ("2026-11-20T12:00:00+00:00", "2026-11-21T08:00:00+00:00"),
        ("2026-07-01T06:59:59+00:00", "2026-07-01T07:00:00+00:00"),
        ("2026-07-01T07:00:00+00:00", "2026-07-02T07:00:00+00:00"),
        ("2026-11-01T08:00:00+00:00", "2026-11-02T08:00:00+00:00"),
        ("2026-03-08T08:30:00+00:00", "2026-03-09T07:00:00+00:00"),
    ],
)
def test_the_day_ends_at_midnight_in_california_daylight_saving_or_not(now: str, midnight: str) -> None:
    assert next_day(datetime.fromisoformat(now)) == datetime.fromisoformat(midnight)


def test_the_quota_resets_by_our_clock_when_the_clocks_differ() -> None:
    body = {"error": {"errors": [{"reason": "quotaExceeded"}]}}
    ahead = timedelta(minutes=10)
    error = refusal("w", answer(403, body, ahead), datetime(2026, 11, 21, 7, 55, tzinfo=UTC), writes=False)
    assert isinstance(error, QuotaExhausted)
    assert error.resets_at == datetime(2026, 11, 22, 7, 50, tzinfo=UTC)


def test_too_fast_tells_the_seconds_of_the_header() -> None:
    body = {"error": {"errors": [{"reason": "rateLimitExceeded"}]}}
    error = refusal("w", answer(403, body, **{"Retry-After": "7"}), NOW, writes=False)
    assert getattr(error, "retry_after", None) == 7


@st.composite
def mutated(draw: st.DrawFn, good: Any) -> Any:
    """A good answer, one of whose values, wherever it stands, is another."""
    whole = {"": copy.deepcopy(good)}
    place: Any = whole
    key: Any = ""
    for _ in range(draw(st.integers(1, 7))):
        inner = place[key]
        if not isinstance(inner, dict | list) or not inner:
            break
        place = inner
        key = draw(st.sampled_from(sorted(inner) if isinstance(inner, dict) else range(len(inner))))
    place[key] = draw(anything)
    return whole[""]


@few
@given(anything | mutated(recorded("threads")["items"][0]) | mutated(recorded("threads")["items"][2]))
def test_any_thread_is_read_or_raises_value_error(row: Any) -> None:
    try:
        thread = parse_thread(row)
    except ValueError:
        return
    for inner in thread.rows:
        created(inner)
        try:
            parse_comment(inner, me=ME)
        except ValueError:
            continue


@few
@given(anything | mutated(recorded("replies")["items"][0]))
def test_any_comment_is_read_or_raises_value_error(row: Any) -> None:
    created(Row("v", row))
    try:
        comment = parse_comment(Row("v", row), me=ME)
    except ValueError:
        return
    json.dumps([comment.text, comment.ref.comment_id, comment.author_id]).encode()
    assert comment.ref.thread_id
    assert "." not in comment.ref.thread_id


@few
@given(
    anything | mutated(recorded("errors")[0]["body"]) | mutated(recorded("errors")[-2]["body"]),
    st.integers(400, 499),
    st.booleans(),
)
def test_any_refusal_is_an_adapter_error(body: Any, status: int, writes: bool) -> None:
    assert isinstance(
        refusal("w", Answer(status, {}, body, "", timedelta(0)), NOW, writes=writes), AdapterError
    )


@few
@given(anything | mutated({"items": [{"id": ME, "snippet": {"title": "Creator"}}]}))
def test_any_answer_to_who_we_are_is_an_account_or_an_adapter_error(body: Any) -> None:
    data = body if isinstance(body, dict) else {}
    try:
        account = parse_account(answer(200, data), frozenset())
    except AdapterError:
        return
    assert account.id


@few
@given(
    anything
    | mutated({"access_token": "ya29.token", "expires_in": 3599, "scope": "a b", "refresh_token": "1//r"})
)
def test_any_answer_to_a_refresh_is_a_token_or_an_adapter_error(body: Any) -> None:
    try:
        kept = parse_grant(answer(200, body), NOW)
    except AdapterError:
        return
    assert NOW < datetime.fromisoformat(kept["expires_at"]) <= NOW + timedelta(days=1)
    assert all(isinstance(value, str) for value in kept.values())


def test_a_refresh_token_that_cannot_travel_is_not_kept() -> None:
    told = {"access_token": "a", "refresh_token": "\ud800", "scope": "read \ud800"}
    kept = parse_grant(answer(200, told), NOW)
    assert (kept.get("refresh_token"), kept["scope"]) == (None, "read \ufffd")


@few
@given(anything | mutated({"id": "v", "snippet": {"title": "题", "description": "d"}}))
def test_any_video_is_a_post_or_none(row: Any) -> None:
    post = parse_post(row)
    assert post is None or post.id


CURSOR = {
    "from": NOW.isoformat(),
    "newest": NOW.isoformat(),
    "floor": NOW.isoformat(),
    "walk": {
        "began": NOW.isoformat(),
        "newest": NOW.isoformat(),
        "sweep": 3,
        "page": "p",
        "threads": 100,
        "units": 1,
    },
    "queue": [{"thread": "Ugx", "post": "v", "replies": 9, "page": None}],
    "counts": [["Ugx", 9]],
    "swept": [[0, NOW.isoformat(), 9, 9]],
}


def reading(cursor: Any) -> Reading:
    nothing: Any = None
    options = YouTubeOptions.model_validate({"client_id": "c", "client_secret": "s"})
    return Reading(nothing, nothing, options, lambda: NOW, cursor, me=ME)


def test_a_cursor_comes_back_as_it_was_saved() -> None:
    assert json.loads(json.dumps(reading(CURSOR).cursor())) == CURSOR


@few
@given(mutated(CURSOR))
def test_any_cursor_is_read_or_refused(cursor: Any) -> None:
    try:
        read = reading(cursor)
    except Permanent:
        return
    json.dumps(read.cursor())
