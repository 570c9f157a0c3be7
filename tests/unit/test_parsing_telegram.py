"""Recorded updates of Telegram become comments; any others are counted and raise nothing but adapter errors."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters.errors import AdapterError, Permanent
from adapters.telegram_answers import refusal, told_wait
from adapters.telegram_options import TelegramOptions
from adapters.telegram_reading import Reading
from adapters.telegram_rows import Group, Me, Place, key, parse_comment, split
from tests.unit.mutating import mutated
from tests.unit.test_adapters_text import anything

PAYLOADS = Path(__file__).parents[1] / "payloads"
GROUP = Group(-1001000000000008, "Bread talk", channel=-1001000000000007)
ME = Me("4201")
CURSOR: dict[str, Any] = {
    "from": 1795176000, "offset": None, "heard": 0, "posts": {}, "threads": [], "roots": {}, "lost": {}
}  # fmt: skip
UPDATES = json.loads((PAYLOADS / "telegram_updates.json").read_text())["result"]
few = settings(max_examples=60)


def new_reading(cursor: Any = CURSOR) -> Reading:
    return Reading(cursor, {GROUP.id: GROUP}, ME, general=True)


def test_recorded_updates_become_comments_under_their_post() -> None:
    reading = new_reading()
    reading.take(UPDATES)
    post = f"{GROUP.id}:300"
    seen = [(c.text, c.author_name, c.is_own, c.parent_id, c.ref.post_id) for c in reading.comments]
    assert seen == [
        ("要等多久？", "小 麦", False, None, post),
        ("十二个小时。", "Bread talk 面包聊天", True, f"{GROUP.id}:301", post),
        ("Is <this> \ufffd done?", "Tom & Ann", False, None, post),
    ]
    assert [(p.title, p.text) for p in reading.posts()] == [
        ("Rye for beginners 黑麦入门", "Rye for beginners 黑麦入门\nMix, wait, bake.")
    ]
    assert (reading.offset, reading.malformed) == (860000106, 0)
    assert reading.comments[0].author_id == "6442450941"


def test_a_cursor_survives_the_way_through_json() -> None:
    reading = new_reading()
    reading.take(UPDATES)
    saved = json.loads(json.dumps(reading.cursor()))
    assert new_reading(saved).cursor() == reading.cursor()


@few
@given(st.lists(anything | mutated(UPDATES[1]) | mutated(UPDATES[2]) | mutated(UPDATES[4]), max_size=4))
def test_any_updates_are_taken_or_counted(updates: list[Any]) -> None:
    reading = new_reading()
    reading.take(updates)
    assert json.loads(json.dumps(reading.cursor()))
    assert len(reading.posts()) <= len(reading.comments)


@few
@given(anything | mutated(UPDATES[1]["message"]))
def test_any_message_is_a_comment_or_a_value_error(message: Any) -> None:
    try:
        parse_comment(message if isinstance(message, dict) else {}, Place("p", "t", None), group=GROUP, me=ME)
    except ValueError:
        return


@few
@given(anything | mutated(new_reading().cursor()))
def test_any_cursor_is_read_or_refused(cursor: Any) -> None:
    try:
        new_reading(cursor).take(UPDATES)
    except Permanent:
        return


@few
@given(
    st.integers(400, 499), anything | st.fixed_dictionaries({"description": anything, "parameters": anything})
)
def test_any_refusal_has_a_meaning(status: int, data: Any) -> None:
    assert isinstance(refusal("a call", status, data, "an excerpt"), AdapterError)
    told_wait(data)


@given(st.integers(-(2**53), -1), st.integers(1, 2**53))
def test_a_key_is_read_back(chat: int, message: int) -> None:
    assert split(key(chat, message)) == (chat, message)


@pytest.mark.parametrize(
    "options",
    [
        {"token": "secret-secret-secret", "groups": [-1]},
        {"token": "1:short", "groups": [-1]},
        {"token": "x:" + "secret-secret-secret", "groups": [-1]},
        {"token": "1:" + "secret/secret/secret", "groups": [-1]},
        {"token": "1:" + "secret-secret-secret", "groups": []},
        {"token": "1:" + "secret-secret-secret", "groups": ["@name"]},
    ],
)
def test_options_that_do_not_fit_are_refused_without_the_token(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        TelegramOptions.model_validate(options)
    assert not [error for error in refused.value.errors(include_input=False) if "secret" in str(error)]


def test_one_group_may_stand_alone() -> None:
    options = TelegramOptions.model_validate({"token": "1:" + "a" * 20, "groups": "-1001"})
    assert options.groups == (-1001,)
