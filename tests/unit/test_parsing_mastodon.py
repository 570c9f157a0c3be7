"""What Mastodon's parsers make of recorded shapes, and of anything else."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import mastodon_reading as reading
from adapters.errors import (
    AccountRestricted,
    AdapterError,
    Permanent,
    ReauthRequired,
    RejectedContent,
    TargetGone,
)
from adapters.http import Answer
from adapters.mastodon_reading import Seen, Stream
from adapters.mastodon_rows import Place, allowed, comment_of, parse_mention, parse_status, post_of, refusal
from adapters.mastodon_text import addressed, counted, reply_visibility, without_leading_names
from tests.unit.test_adapters_text import any_text, anything
from tests.unit.test_parsing_bluesky import FEW, mutated, recorded

ME = "109302436954721900"
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
GOOD = recorded("mastodon_notifications.json")[0]


def test_a_recorded_mention_is_read_as_plain_text() -> None:
    row = parse_mention(GOOD, me=ME)
    assert row is not None
    assert row.text == "水温多少度？<93>\nSee https://example.org/brewing/a-long-path\nThanks!"
    assert (row.acct, row.author_name, row.visibility) == ("wang@far.example", "王小明", "unlisted")
    assert (row.likes, row.hearted, row.pictures) == (2, True, ("https://files.example/1.jpg",))
    assert (row.created_at, row.came_at) == (NOON + timedelta(seconds=1), NOON + timedelta(seconds=5.12))
    comment = comment_of(row, Place("115583000000000001", row.id, None), me=ME)
    assert comment.ref.extra == {"acct": "wang@far.example", "visibility": "unlisted"}
    assert comment.ref.comment_id == "115583100000000001"


def test_a_recorded_favourite_is_no_mention() -> None:
    assert parse_mention(recorded("mastodon_notifications.json")[1], me=ME) is None


def test_a_status_from_the_future_was_written_when_it_came() -> None:
    status = {**GOOD["status"], "created_at": "2031-01-01T00:00:00.000Z"}
    row = parse_mention({**GOOD, "status": status}, me=ME)
    assert row is not None
    assert row.created_at == row.came_at


def test_a_private_post_is_not_passed_on() -> None:
    row = parse_status({**GOOD["status"], "visibility": "direct"}, me=ME)
    assert (post_of(row).title, post_of(row).text) == ("", "")


@pytest.mark.parametrize("acct", ["a b", "wang\n@all", "wang@far.example@x", "", None, "@wang"])
def test_a_name_that_could_say_more_than_a_name_is_refused(acct: object) -> None:
    account = {**GOOD["status"]["account"], "acct": acct}
    with pytest.raises(ValueError, match=r"acct|id|display|text"):
        parse_status({**GOOD["status"], "account": account}, me=ME)


@FEW
@given(anything | mutated(GOOD))
def test_any_notification_is_a_comment_none_or_a_value_error(value: Any) -> None:
    reading.seen([value])
    try:
        row = parse_mention(value, me=ME)
    except ValueError:
        return
    if row is not None:
        post_of(row)
        comment_of(row, Place(row.id, row.id, None), me=ME)


@FEW
@given(st.integers(300, 599), anything, any_text)
def test_any_error_is_an_adapters_error(status: int, data: Any, said: str) -> None:
    assert isinstance(refusal("x", Answer(status, {}, data, said[:300], timedelta(0))), AdapterError)


@pytest.mark.parametrize(("status", "said", "kind"), [
    (404, "Record not found", TargetGone),
    (410, "", TargetGone),
    (403, "This action is outside the authorized scopes", ReauthRequired),
    (422, "This method requires an authenticated user", ReauthRequired),
    (403, "Your login is currently disabled", AccountRestricted),
    (403, "This action is not allowed", Permanent),
    (422, "Validation failed: Text character limit of 500 exceeded", RejectedContent),
    (418, "", Permanent),
])  # fmt: skip
def test_errors_are_told_apart(status: int, said: str, kind: type[Exception]) -> None:
    assert type(refusal("reply", Answer(status, {}, {"error": said}, said, timedelta(0)))) is kind


@FEW
@given(anything | mutated({"from": NOON.isoformat(), "streams": {
    name: {"mark": "12", "at": "13"} for name in reading.STREAMS
}, "todo": ["own"]}))  # fmt: skip
def test_any_cursor_is_read_or_refused(cursor: Any) -> None:
    try:
        progress = reading.parse_cursor(cursor)
    except Permanent:
        return
    assert reading.parse_cursor(reading.make_cursor(progress)) == progress


def test_the_mark_follows_what_is_settled_and_the_place_follows_everything() -> None:
    progress = reading.first(NOON, dict.fromkeys(reading.STREAMS, "9"))
    progress = reading.parse_cursor(reading.make_cursor(progress))
    page = [Seen("11", NOON + timedelta(seconds=50)), Seen("10", NOON), Seen("12", None)]
    moved = reading.advance(progress, "mentions", page, settled_by=NOON + timedelta(seconds=1))
    assert moved.streams["mentions"] == Stream("10", "12")
    assert moved.streams["mentions"].position == "12"
    done = reading.advance(moved, "mentions", [], settled_by=NOON + timedelta(hours=1))
    assert (done.streams["mentions"], done.todo) == (Stream("10"), ("own",))


def test_a_server_that_repeats_a_page_ends_the_round() -> None:
    progress = reading.parse_cursor(
        reading.make_cursor(reading.first(NOON, dict.fromkeys(reading.STREAMS, "9")))
    )
    once = reading.advance(progress, "mentions", [Seen("10", None)], settled_by=NOON)
    twice = reading.advance(once, "mentions", [Seen("10", None)], settled_by=NOON)
    assert twice.todo == ("own",)


def test_ids_grow_as_numbers_do() -> None:
    assert reading.newest(["9", "10", "099"]) == "099"
    assert reading.newest(["115583100000000001", "99999999999999999"]) == "115583100000000001"


# --- what a text becomes ---


@pytest.mark.parametrize(("text", "count"), [
    ("你好", 2),
    ("@fan@far.example hi", 7),
    ("@fan hi", 7),
    (f"see https://example.org/{'a' * 200} ok", 4 + 23 + 3),
    ("mail me@far.example", 19),
    ("\U0001f468\u200d\U0001f469\u200d\U0001f467", 1),
])  # fmt: skip
def test_a_text_counts_as_the_server_counts_it(text: str, count: int) -> None:
    assert counted(text, url_chars=23) == count


@pytest.mark.parametrize(("text", "acct", "status"), [
    ("hello", "fan", "@fan hello"),
    ("@fan hello", "fan", "@fan hello"),
    ("@Fan, hello", "fan", "@Fan, hello"),
    ("@fanny hello", "fan", "@fan @fanny hello"),
    ("@fan hello", "fan@far.example", "@fan@far.example @fan hello"),
    ("hello", "", "hello"),
])  # fmt: skip
def test_a_reply_names_whom_it_answers_once(text: str, acct: str, status: str) -> None:
    assert addressed(text, acct) == status


def test_only_names_that_notify_us_or_whom_it_answers_are_left_out() -> None:
    mentions = [
        {"id": "1", "username": "me"},
        {"id": "2", "username": "fan.two"},
        {"id": "3", "username": "other"},
    ]
    for text, rest in [
        ("@me @fan.two hello @me", "hello @me"),
        ("@me@here.example @other hello", "@other hello"),
        ("@ME hello", "hello"),
        ("@me", ""),
        ("@meow hello", "@meow hello"),
    ]:
        assert without_leading_names(text, mentions, {"1", "2"}) == rest


@pytest.mark.parametrize("comment", ["direct", None, "", "mutuals_only"])
def test_what_is_private_or_unknown_is_not_answered(comment: str | None) -> None:
    with pytest.raises(Permanent, match="not answered"):
        reply_visibility(comment, "same")


@pytest.mark.parametrize(("scopes", "can"), [
    (["read", "write"], {"read": True, "reply": True}),
    (["profile"], {"read": False, "reply": False}),
    ([7, None], {"read": False, "reply": False}),
    (None, {}),
    ("read write", {}),
])  # fmt: skip
def test_scopes_say_what_an_account_may_do(scopes: object, can: dict[str, bool]) -> None:
    assert allowed(scopes) == can
