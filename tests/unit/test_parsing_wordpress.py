"""What WordPress might answer, and whatever else comes, becomes a record or a ValueError."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters import wordpress_rows as rows
from adapters.errors import AdapterError, Permanent, RateLimited, RejectedContent, TargetGone
from adapters.http import Answer
from adapters.wordpress_options import WordPressOptions
from tests.unit.test_adapters_text import anything

RECORDED: list[Any] = json.loads(
    (Path(__file__).parents[1] / "payloads" / "wordpress_comments.json").read_text()
)
FIELDS = [*rows.COMMENT_FIELDS.split(","), "name", "capabilities", "title", "excerpt", "code", "message"]
FEW = settings(max_examples=60)
OPTIONS = {"base_url": "https://example.org", "username": "me", "application_password": "abcd efgh"}


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """A good row, a field of which is anything."""
    row = json.loads(json.dumps(draw(st.sampled_from(RECORDED))))
    field = draw(st.sampled_from([*row, "content.raw", "_links.up"]))
    name, _, inner = field.partition(".")
    if inner and isinstance(row.get(name), dict):
        row[name][inner] = draw(anything)
    else:
        row[name] = draw(anything)
    return row


any_row = mutated() | st.dictionaries(st.sampled_from(FIELDS), anything) | anything


def answer(data: object, status: int = 400, excerpt: str = "", **headers: str) -> Answer:
    return Answer(status, headers, data, excerpt, timedelta(0))


def test_recorded_rows_are_read_with_64_bit_ids_as_numbers_or_text_and_unknown_fields() -> None:
    top, ours = (rows.parse_comment(row, me="1", parents={}) for row in RECORDED[:2])
    assert (top.ref.comment_id, ours.parent_id, ours.ref.thread_id) == (
        "9007199254740993",
        "9007199254740993",
        "9007199254740993",
    )
    assert (top.text, top.author_name) == ("It's 1 < 2?\n真的吗？", "Tom & Ann")
    assert (top.is_own, ours.is_own, ours.text) == (False, True, "Yes — it is. 是的。")
    assert top.ref.created_at == datetime(2026, 11, 20, 23, 19, 48, tzinfo=UTC)
    assert [rows.collection_of(row) for row in RECORDED] == ["posts", "pages", None]
    with pytest.raises(ValueError, match="year"):
        rows.parse_comment(RECORDED[2], me="1", parents={})


def test_a_thread_is_named_by_its_top_even_where_parents_go_round() -> None:
    assert rows.root_of("4", {"4": "3", "3": "2", "2": "0"}) == "2"
    assert rows.root_of("4", {"4": "3"}) == "3"
    assert rows.root_of("4", {"4": "3", "3": "4"}) in {"3", "4"}
    assert rows.unknown_parents({"4": "3", "2": "0"}) == {"3"}


def test_after_leaves_out_its_second_and_the_first_second_of_all_is_never_asked_for() -> None:
    assert rows.from_moment(datetime(2026, 11, 20, 12, 0, 5, 999_999, tzinfo=UTC)) == "2026-11-20T12:00:04Z"
    assert rows.from_moment(datetime(1970, 1, 1, tzinfo=UTC)) == "1999-12-31T23:59:59Z"
    assert rows.from_local(datetime(2026, 11, 20, 12, tzinfo=UTC)) == "2026-11-20T11:59:59"


def test_a_short_page_is_the_end_only_where_no_total_is_told() -> None:
    told, untold = answer([], 200, **{"X-WP-Total": "250"}), answer([], 200)
    assert [rows.is_last(told, [], offset=offset, limit=100) for offset in (0, 100, 200)] == [
        False,
        False,
        True,
    ]
    assert [rows.is_last(untold, [1] * size, offset=0, limit=100) for size in (99, 100)] == [True, False]
    assert rows.is_last(answer([], 200, **{"X-WP-Total": "many"}), [], offset=0, limit=100)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("comment_flood", RateLimited),
        ("comment_content_column_length", RejectedContent),
        ("rest_comment_content_invalid", RejectedContent),
        ("rest_comment_closed", Permanent),
        ("rest_comment_draft_post", TargetGone),
        ("rest_comment_trash_post", TargetGone),
        ("rest_comment_invalid_post_id", TargetGone),
        ("rest_cannot_read_post", TargetGone),
        ("code_of_a_plugin", Permanent),
    ],
)
def test_a_refusal_is_told_by_its_code(code: str, error: type[AdapterError]) -> None:
    refused = rows.refusal("reply", answer({"code": code, "message": "No &amp; no", "data": {}}), flood_s=20)
    assert type(refused) is error
    assert isinstance(refused, RateLimited) is (code == "comment_flood")


def test_a_refusal_by_something_in_front_of_wordpress_shows_what_it_said() -> None:
    refused = rows.refusal("reply", answer(None, 403, "<h1>Blocked by the firewall</h1>"), flood_s=15)
    assert (type(refused), "Blocked by the firewall" in str(refused)) == (Permanent, True)


def test_visitors_addresses_are_not_asked_for() -> None:
    assert not {"author_email", "author_ip"} & set(rows.COMMENT_FIELDS.split(","))


@pytest.mark.parametrize("key", ["", "7/../users", "seven", "-1", "٧", "9" * 30])
def test_only_a_number_goes_into_an_address(key: str) -> None:
    with pytest.raises(Permanent, match="no id"):
        rows.number(key)


def test_options_show_no_password_and_refuse_what_cannot_be() -> None:
    assert "abcd" not in repr(WordPressOptions.model_validate(OPTIONS))
    for wrong in (
        {"username": "me:you"},
        {"api": "https://elsewhere"},
        {"overlap_s": 0},
        {"base_url": "blog"},
    ):
        with pytest.raises(ValidationError):
            WordPressOptions.model_validate({**OPTIONS, **wrong})


@FEW
@given(any_row, st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3))
def test_any_row_is_a_comment_or_a_value_error(data: Any, parents: Mapping[str, str]) -> None:
    try:
        comment = rows.parse_comment(data, me="1", parents=parents)
    except ValueError:
        return
    assert comment.ref.comment_id
    assert len(comment.author_id) <= 255
    comment.text.encode()


@FEW
@given(any_row)
def test_any_row_is_an_account_and_a_post_or_a_value_error(data: Any) -> None:
    for parse in (rows.parse_me, rows.parse_post):
        try:
            parse(data)
        except ValueError:
            continue


@FEW
@given(st.lists(any_row, max_size=4))
def test_any_rows_have_links_times_and_collections_as_far_as_they_can_be_read(data: list[Any]) -> None:
    links = rows.links_of(data)
    assert all(rows.root_of(key, links) for key in links)
    assert not rows.unknown_parents(links) & links.keys()
    assert len(rows.times_of(data, "date")) <= len(data)
    assert all(
        name is None or name.replace("-", "").replace("_", "").isalnum() or set(name) <= set("-_")
        for name in map(rows.collection_of, data)
    )


@FEW
@given(any_row, st.integers(400, 499), st.text(max_size=20))
def test_any_refusal_is_an_adapter_error_of_one_line(data: Any, status: int, excerpt: str) -> None:
    refused = rows.refusal("reply", answer(data, status, excerpt), flood_s=15)
    assert isinstance(refused, AdapterError)
    assert len(str(refused).splitlines()) == 1
