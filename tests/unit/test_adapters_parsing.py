"""Recorded answers, and any others, become comments or ValueError."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import isso_rows, sandbox
from adapters.errors import Permanent, RateLimited, RejectedContent
from adapters.isso_rows import Me, Row, author_hash, flatten, refusal
from adapters.sandbox_faults import Faults
from tests.unit.test_adapters_text import anything

PAYLOADS = Path(__file__).parents[1] / "payloads"
ME = Me("Creator", frozenset({"858c32664bb1"}), sure=True)
FIELDS = [
    "id",
    "parent",
    "created",
    "author",
    "hash",
    "text",
    "mode",
    "post_id",
    "thread_id",
    "parent_id",
    "created_at",
]
rows = st.dictionaries(st.sampled_from(FIELDS), anything) | anything


def recorded(name: str) -> Any:
    return json.loads((PAYLOADS / name).read_text())


def test_a_recorded_isso_listing_is_read_whole() -> None:
    found = flatten("/a", recorded("isso_listing.json")["replies"])
    comments = [isso_rows.parse_comment(row, me=ME, site_url="https://example.org") for row in found[:3]]
    assert [(c.text, c.author_name, c.is_own, c.parent_id) for c in comments] == [
        ("How do I *start*?", "Tom & Ann", False, None),
        ("怎么开始？", "", False, "9-1795222894143782"),
        ("Like this.", "Creator", True, "9-1795222894143782"),
    ]
    assert comments[0].url == "https://example.org/a#isso-9"
    assert isso_rows.is_deleted(found[3].data)


def test_a_recorded_sandbox_page_is_read_with_numbers_as_ids_and_unknown_fields() -> None:
    first, second, third = recorded("sandbox_comments.json")["comments"]
    top = sandbox.parse_comment(first, me="creator", base_url="http://s")
    ours = sandbox.parse_comment(second, me="creator", base_url="http://s")
    assert (top.ref.comment_id, ours.parent_id) == ("7300000000000000001", "7300000000000000001")
    assert (top.is_own, ours.is_own) == (False, True)
    assert ours.text == "Like \ufffd this"
    with pytest.raises(ValueError, match="author"):
        sandbox.parse_comment(third, me="creator", base_url="http://s")


@given(rows, st.none() | st.text(max_size=5))
def test_any_isso_row_is_a_comment_or_a_value_error(data: Any, thread: str | None) -> None:
    try:
        isso_rows.parse_comment(Row("/a", thread, data), me=ME)
    except ValueError:
        return


@given(rows)
def test_any_sandbox_row_is_a_comment_or_a_value_error(data: Any) -> None:
    try:
        sandbox.parse_comment(data, me="creator", base_url="http://s")
    except ValueError:
        return


@given(st.lists(rows, max_size=4))
def test_any_isso_listing_can_be_flattened(roots: list[Any]) -> None:
    assert len(flatten("/a", roots)) >= len(roots)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("<p>127.0.0.0: ratelimit exceeded (1, 2)</p>", RateLimited),
        ("edit time frame is still open", RateLimited),
        ("text is too short (minimum length: 3)", RejectedContent),
        ("CSRF", Permanent),
        ("", Permanent),
    ],
)
def test_isso_says_403_for_many_things(said: str, kind: type[Exception]) -> None:
    assert type(refusal(403, said)) is kind


def test_the_author_hash_follows_the_servers_settings() -> None:
    assert author_hash("a@b", algorithm="none") == b"a@b".hex()
    assert author_hash("a@b", algorithm="sha256") == hashlib.sha256(b"a@b").hexdigest()
    assert author_hash("a@b", salt="s", algorithm="pbkdf2:1:4:sha256") == (
        hashlib.pbkdf2_hmac("sha256", b"a@b", b"s", 1, 4).hex()
    )
    assert author_hash("a@b", algorithm="pbkdf2:1000") == author_hash("a@b")


def test_the_after_parameter_lies_just_before_the_moment() -> None:
    moment = datetime(2026, 11, 20, 12, 0, 0, 500_000, tzinfo=UTC)
    assert (
        moment - timedelta(milliseconds=2)
        < datetime.fromtimestamp(float(isso_rows.after(moment)), UTC)
        < moment
    )


def test_a_counted_fault_strikes_that_often_and_only_the_named_calls() -> None:
    faults = Faults(calls=frozenset({"reply"}), rate_limited=2)
    assert [faults.hit("rate_limited", call) for call in ("list", "reply", "reply", "reply")] == [
        False,
        True,
        True,
        False,
    ]


def test_a_fault_with_a_probability_is_the_same_for_the_same_seed() -> None:
    first, second = (Faults(seed=7, hang=0.3) for _ in range(2))
    strikes = [first.hit("hang", "list") for _ in range(200)]
    assert strikes == [second.hit("hang", "list") for _ in range(200)]
    assert 30 < sum(strikes) < 90


@pytest.mark.parametrize(
    "values",
    [
        {"nonsense": 1},
        {"hang": -1},
        {"hang": 1.5},
        {"hang": True},
        {"hang": "often"},
        {"calls": "reply"},
        {"seed": None},
    ],
)
def test_a_fault_switch_that_makes_no_sense_is_named(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        Faults.from_json(values)


def test_an_image_in_an_isso_comment_is_a_picture_of_it() -> None:
    [row, *_] = flatten("/a", recorded("isso_listing.json")["replies"])
    text = (
        'My ![cup](https://e.org/a.png "t"), ![](http://e.org/b) [link](http://e.org/c) ![no](javascript:x)'
    )
    shown = isso_rows.parse_comment(Row("/a", None, {**row.data, "text": text}), me=ME)
    assert shown.pictures == ("https://e.org/a.png", "http://e.org/b")
