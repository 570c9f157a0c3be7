"""Recorded messages of Discord become comments; any others raise ValueError or an adapter's error."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters.base import Budget
from adapters.discord_errors import refusal, told_wait
from adapters.discord_options import DiscordOptions
from adapters.discord_reading import Reading
from adapters.discord_rows import (
    EPOCH,
    NONCE_CHARS,
    Me,
    Place,
    answered,
    by_bot,
    earlier,
    first_at,
    is_comment,
    nonce,
    parse_comment,
    parse_place,
    root,
    snowflake,
    time_of,
)
from adapters.discord_steps import Known
from adapters.errors import AdapterError
from adapters.http import Answer
from tests.unit.mutating import mutated
from tests.unit.test_adapters_text import anything

PAYLOADS = Path(__file__).parents[1] / "payloads"
ROWS = json.loads((PAYLOADS / "discord_messages.json").read_text())
ME = Me("900000000000000011")
PLACE = Place("900000000000000001", guild="900000000000000000", name="bread")
CHANNEL = {"id": PLACE.id, "type": 0, "guild_id": PLACE.guild, "name": "bread", "last_message_id": None}
START = {"from": "1", "since": "1", "newest": "1", "began": "1", "queue": [], "roots": {}}
few = settings(max_examples=60)


async def read(answers: list[Any], cursor: Any = START) -> Reading:
    """A poll that is told these answers, one after the other, and then empty lists."""
    told = iter(answers)

    async def answer(path: str, params: Any) -> Answer:
        return Answer(200, {}, next(told, []), "", timedelta(0))

    reading = Reading(answer, (PLACE.id,), cursor, Known(), me=ME, threads=False)
    await reading.run(Budget(), overlap_s=5, site_url="https://discord.com")
    return reading


async def test_recorded_messages_become_comments() -> None:
    reading = await read([CHANNEL, ROWS])
    first, second = reading.comments
    assert (first.text, first.author_name, first.is_own, first.parent_id, first.likes) == (
        "要等多久？ \ufffd", "小麦", False, None, 5
    )  # fmt: skip
    assert (second.text, second.is_own, second.parent_id) == (
        "十二个小时 @小麦 :loaf:", True, first.ref.comment_id
    )  # fmt: skip
    assert second.ref.thread_id == first.ref.comment_id
    assert first.pictures == ("https://cdn.example/loaf.png?ex=1",)
    assert (reading.malformed, reading.complete, reading.cursor()["newest"]) == (
        0,
        True,
        "1573833600000000003",
    )


async def test_a_cursor_survives_the_way_through_json() -> None:
    reading = await read([CHANNEL, ROWS])
    saved = json.loads(json.dumps(reading.cursor()))
    assert (await read([CHANNEL], saved)).complete


@few
@given(anything | mutated(ROWS[1]))
def test_any_row_is_a_comment_or_a_value_error(row: Any) -> None:
    if not is_comment(row):
        return
    try:
        by_bot(row, ME)
        answered(row)
        parse_comment(row, PLACE, me=ME, thread=root(row, {}), site_url="https://d")
    except ValueError:
        return


@few
@given(st.lists(anything | mutated(CHANNEL) | mutated(ROWS), max_size=3))
async def test_any_answers_are_read_or_raise_adapter_errors(answers: list[Any]) -> None:
    try:
        reading = await read([CHANNEL, *answers])
    except AdapterError:
        return
    assert json.loads(json.dumps(reading.cursor()))


@few
@given(
    anything | mutated({**START, "queue": [{"kind": "messages", "id": "7", "at": "", "place": {"id": "7"}}]})
)
async def test_any_cursor_is_read_or_refused(cursor: Any) -> None:
    try:
        await read([CHANNEL], cursor)
    except AdapterError:
        return


@few
@given(anything | mutated(CHANNEL))
def test_any_channel_is_a_place_or_a_value_error(data: Any) -> None:
    try:
        parse_place(data)
    except ValueError:
        return


@few
@given(st.integers(400, 499), anything | st.fixed_dictionaries({"code": anything, "errors": anything}))
def test_any_refusal_has_a_meaning(status: int, data: Any) -> None:
    assert isinstance(refusal("a call", status, data, "an excerpt"), AdapterError)
    told_wait(data)


@given(st.timedeltas(timedelta(days=1), timedelta(days=30_000)))
def test_a_snowflake_tells_its_moment(age: timedelta) -> None:
    moment = EPOCH + age
    number = first_at(moment)
    assert abs(time_of(number) - moment) <= timedelta(milliseconds=1)
    assert time_of(earlier(number, 5)) < moment
    assert (number - 1) < number <= first_at(moment + timedelta(milliseconds=1))


def test_ids_of_64_bits_are_kept_to_the_digit() -> None:
    assert snowflake("18446744073709551615") == 2**64 - 1
    assert snowflake(2**63 + 1) == 2**63 + 1
    assert first_at(EPOCH - timedelta(days=1)) == 0


@given(st.text())
def test_a_nonce_fits(key: str) -> None:
    assert len(nonce(key)) == NONCE_CHARS


@pytest.mark.parametrize(
    "options",
    [
        {"token": "Bot secret-secret-secret-secret", "channels": ["1"]},
        {"token": "secret secret-secret-secret", "channels": ["1"]},
        {"token": "secret", "channels": ["1"]},
        {"token": "secret-secret-secret-secret", "channels": []},
        {"token": "secret-secret-secret-secret", "channels": ["general"]},
        {"token": "secret-secret-secret-secret", "channels": {"a": 1}},
    ],
)
def test_options_that_do_not_fit_are_refused_without_the_token(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        DiscordOptions.model_validate(options)
    assert not [error for error in refused.value.errors(include_input=False) if "secret" in str(error)]


def test_ids_may_be_numbers() -> None:
    options = DiscordOptions.model_validate({"token": "a" * 30, "channels": [7, "8"], "own_ids": 9})
    assert (options.channels, options.own_ids) == (("7", "8"), ("9",))
