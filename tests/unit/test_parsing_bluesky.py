"""What Bluesky's parsers make of recorded shapes, and of anything else."""

import copy
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters import bluesky_reading as reading
from adapters.bluesky_rows import (
    comment_of,
    error_name,
    indexed_at,
    is_absent,
    parse_row,
    refusal,
    thread_of,
    web_address,
    write_refusal,
)
from adapters.bluesky_text import TID_DIGITS, check_length, facets, mentioned, record_key
from adapters.errors import (
    AccountRestricted,
    AdapterError,
    AuthExpired,
    Permanent,
    RejectedContent,
    TargetGone,
)
from adapters.graphemes import graphemes
from adapters.http import Answer
from tests.unit.test_adapters_text import any_text, anything

FEW = settings(max_examples=60, deadline=None)
PAYLOADS = Path(__file__).parents[1] / "payloads"
ME = "did:plc:creatorabcdefghijklmnop"
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def recorded(name: str) -> Any:
    return json.loads((PAYLOADS / name).read_text())


GOOD = recorded("bluesky_notifications.json")["notifications"][0]


@st.composite
def mutated(draw: st.DrawFn, good: Any) -> Any:
    """A good value of which something is replaced or gone."""
    value = copy.deepcopy(good)
    place: Any = value
    while True:
        key = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else list(range(len(place)))))
        inner = place[key]
        if isinstance(inner, dict | list) and inner and draw(st.booleans()):
            place = inner
            continue
        place[key] = draw(anything)
        return value


def test_recorded_notifications_are_read_with_the_times_that_can_be_believed() -> None:
    first, second = (parse_row(row) for row in recorded("bluesky_notifications.json")["notifications"])
    assert (first.author_name, first.text) == ("王小明 ☕", "水温多少度？\nHow hot is the water?")
    assert first.created_at == datetime(2026, 11, 20, 11, 59, 59, 900_000, tzinfo=UTC)
    assert first.parent == first.root.uri
    assert (second.author_name, second.likes, second.hearted) == ("tom.example.org", None, None)
    assert second.created_at == second.indexed_at
    assert second.pictures == ()


def test_a_recorded_thread_shows_likes_the_creators_own_and_pictures() -> None:
    row = parse_row(recorded("bluesky_thread.json")["thread"]["post"])
    assert (row.likes, row.hearted, row.pictures) == (3, True, ("https://cdn.example.org/full/1",))
    assert (row.parent, row.root.uri) == (None, row.at.uri)


def test_a_top_comment_has_no_parent_and_carries_what_a_reply_needs() -> None:
    row = parse_row(GOOD)
    comment = comment_of(row, me=ME, thread_id=thread_of(row, {}, me=ME), site_url="https://bsky.app")
    assert (comment.parent_id, comment.ref.thread_id) == (None, row.at.uri)
    assert comment.ref.extra == {
        "cid": "bafyreifan2reply",
        "root_uri": row.root.uri,
        "root_cid": "bafyreipost",
    }
    assert comment.url == "https://bsky.app/profile/did:plc:fan2abcdefghijklmnopqrs/post/3kzz5aaaaaa2b"


def test_a_thread_that_leads_in_a_circle_ends() -> None:
    row = parse_row(recorded("bluesky_notifications.json")["notifications"][1])
    assert row.parent is not None
    assert thread_of(row, {row.parent: row.at.uri}, me=ME) in {row.parent, row.at.uri}


@FEW
@given(anything | mutated(GOOD))
def test_any_row_is_a_post_or_a_value_error(value: Any) -> None:
    indexed_at(value)
    try:
        row = parse_row(value)
    except ValueError:
        return
    comment_of(row, me=ME, thread_id=thread_of(row, {}, me=ME), site_url="https://s")
    assert web_address(row.at.uri, "https://s").startswith("https://s/profile/")


@FEW
@given(
    st.integers(300, 599),
    anything | st.fixed_dictionaries({"error": anything, "message": anything}),
    any_text,
)
def test_any_error_is_an_adapters_error(status: int, data: Any, said: str) -> None:
    answer = Answer(status, {}, data, said[:300], timedelta(0))
    assert isinstance(refusal("x", answer), AdapterError)
    assert isinstance(write_refusal("x", answer), AdapterError)
    assert isinstance(error_name(answer), str)
    assert is_absent(answer) in {True, False}


@pytest.mark.parametrize(("name", "message", "kind"), [
    ("ExpiredToken", "Token has expired", AuthExpired),
    ("InvalidToken", "Token could not be verified", AuthExpired),
    ("AccountTakedown", "Account has been taken down", AccountRestricted),
    ("NotFound", "Post not found", TargetGone),
    ("InvalidRequest", "Invalid app.bsky.feed.post record: grapheme too big (maximum 300, got 301)", RejectedContent),
    ("InvalidRequest", "Invalid record: Record/createdAt must be a datetime", Permanent),
    ("Whatever", "", Permanent),
])  # fmt: skip
def test_errors_are_told_apart_by_name(name: str, message: str, kind: type[Exception]) -> None:
    answer = Answer(400, {}, {"error": name, "message": message}, f'"{name}" {message}', timedelta(0))
    assert type(write_refusal("putRecord", answer)) is kind


@FEW
@given(anything | mutated({"from": NOON.isoformat(), "streams": {
    name: {"since": NOON.isoformat(), "at": "a", "top": NOON.isoformat()} for name in reading.STREAMS
}, "todo": ["inbox"]}))  # fmt: skip
def test_any_cursor_is_read_or_refused(cursor: Any) -> None:
    try:
        progress = reading.parse_cursor(cursor)
    except Permanent:
        return
    assert reading.parse_cursor(reading.make_cursor(progress)) == progress


def test_the_watermark_moves_when_the_walk_ends_and_never_into_the_future() -> None:
    progress = reading.Progress(
        NOON, {name: reading.Stream(NOON) for name in reading.STREAMS}, reading.STREAMS
    )
    overlap, now = timedelta(minutes=15), NOON + timedelta(hours=2)
    new, far = NOON + timedelta(hours=1), NOON + timedelta(days=9)
    walking = reading.advance(
        progress, "inbox", times=[far, None, new], following="next", overlap=overlap, now=now
    )
    assert walking.streams["inbox"] == reading.Stream(NOON, "next", now)
    old = NOON - timedelta(minutes=16)
    done = reading.advance(walking, "inbox", times=[new, old], following="more", overlap=overlap, now=now)
    assert (done.streams["inbox"], done.todo) == (reading.Stream(now), ("own",))
    stuck = reading.advance(walking, "inbox", times=[new], following="next", overlap=overlap, now=now)
    assert stuck.todo == ("own",)


def test_one_page_of_old_rows_inside_the_overlap_is_not_the_end() -> None:
    progress = reading.first(NOON)
    progress = reading.parse_cursor(reading.make_cursor(progress))
    edge = NOON - timedelta(minutes=15)
    moved = reading.advance(
        progress, "inbox", times=[edge], following="next", overlap=timedelta(minutes=15), now=NOON
    )
    assert moved.todo == reading.STREAMS


# --- what a text becomes ---


@FEW
@given(any_text)
def test_a_records_key_is_a_tid_and_depends_on_nothing_but_the_replys_key(key: str) -> None:
    text = key.encode("utf-8", "replace").decode()
    made = record_key(text)
    assert (len(made), made) == (13, record_key(text))
    assert set(made) <= set(TID_DIGITS)
    assert made[0] in "234567abcdefghij"


def test_keys_that_differ_by_a_letter_make_records_that_differ() -> None:
    assert len({record_key(f"channel-1:comment-{number}") for number in range(10_000)}) == 10_000


@FEW
@given(st.text(max_size=80))
def test_facets_cut_a_text_only_between_characters(text: str) -> None:
    text = f"{text} https://example.org/{text} @fan.example.org"
    for facet in facets(text, dict.fromkeys(mentioned(text), "did:plc:x")):
        start, end = facet["index"]["byteStart"], facet["index"]["byteEnd"]
        assert text.encode()[start:end].decode()[:1] in {"h", "@"}


@pytest.mark.parametrize(("text", "handles"), [
    ("@fan.example.org hi", ["fan.example.org"]),
    ("(@Fan.Example.org)", ["fan.example.org"]),
    ("mail me@example.org", []),
    ("@fan hi", []),
    ("@a.org @a.org, @b.org.", ["a.org", "b.org"]),
    ("见 @王.org", []),
])  # fmt: skip
def test_only_whole_handles_are_mentions(text: str, handles: list[str]) -> None:
    assert mentioned(text) == handles


@pytest.mark.parametrize(("text", "count"), [
    ("", 0), ("abc", 3), ("你好", 2), ("e\u0301", 1), ("\U0001f468\u200d\U0001f469\u200d\U0001f467", 1),
    ("\U0001f1e8\U0001f1f3", 1), ("a\r\nb", 3), ("각", 1),
])  # fmt: skip
def test_what_people_see_as_one_character_counts_once(text: str, count: int) -> None:
    assert graphemes(text) == count


def test_a_text_of_few_characters_may_have_too_many_bytes() -> None:
    check_length("x" * 300, max_graphemes=300, max_bytes=3000)
    with pytest.raises(RejectedContent, match="3000"):
        check_length("e" + "\u0301" * 1500, max_graphemes=300, max_bytes=3000)
