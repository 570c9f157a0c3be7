"""Whatever an import holds, its parsers raise what they say and nothing else."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

import hypothesis
from hypothesis import strategies as st

from adapters.base import Comment
from adapters.inbox_options import InboxOptions
from adapters.inbox_presets import Preset, names_of
from adapters.inbox_rows import MOST_CHARS, parse_comment, read_import, read_rows, reading_of
from adapters.inbox_tables import BadRow
from adapters.inbox_times import parse_when
from adapters.text import EARLIEST, LATEST

FEW = hypothesis.settings(max_examples=60, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
PAYLOADS = Path(__file__).parents[1] / "payloads"
PRESETS: tuple[Preset, ...] = get_args(Preset)
NAMES = sorted({name for preset in PRESETS for names in names_of(preset, {}).values() for name in names})
GOOD = [
    json.loads((PAYLOADS / f"inbox_{name}.json").read_text("utf-8")) for name in PRESETS if name != "none"
]

leaves = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
    | st.sampled_from(["", "0", "昨天 18:30", "2026-11-20 12:00", "http://[", "https://x.example/explore/a1", "=1+1"])
)  # fmt: skip
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=9), inner)
    ),
    max_leaves=20,
)
rows = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=9), values, max_size=12)
presets = st.sampled_from(PRESETS)


def check(comment: Comment) -> None:
    assert 0 < len(comment.text) <= MOST_CHARS
    assert "\0" not in comment.text + comment.author_name + comment.ref.comment_id + comment.ref.post_id
    assert 0 < len(comment.ref.comment_id) <= 255
    assert EARLIEST <= comment.ref.created_at <= LATEST
    assert comment.url == "" or comment.url.startswith(("http://", "https://"))


def taken(value: object, preset: Preset) -> None:
    reading = reading_of(InboxOptions(preset=preset, account="Roaster"), NOW)
    try:
        comment, post = parse_comment(value, reading)
    except BadRow:
        return
    check(comment)
    assert post.id == comment.ref.post_id


@FEW
@hypothesis.given(value=rows | values, preset=presets)
def test_any_json_is_a_comment_or_a_bad_row(value: Any, preset: Preset) -> None:
    taken(value, preset)


@FEW
@hypothesis.given(data=st.data(), good=st.sampled_from(GOOD), preset=presets)
def test_a_good_answer_with_something_else_in_it_loses_no_row(
    data: st.DataObject, good: Any, preset: Preset
) -> None:
    mutated = json.loads(json.dumps(good))
    place = mutated
    while isinstance(place, dict | list) and place:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if data.draw(st.booleans()) or not isinstance(place[key], dict | list):
            place[key] = data.draw(values)
            break
        place = place[key]
    reading = reading_of(InboxOptions(preset=preset, account="Roaster"), NOW)
    try:
        found = read_import(json.dumps(mutated), reading)
    except BadRow:
        return
    for row in found.rows:
        assert (row.comment is None) == (row.why is not None)
        if row.comment is not None:
            check(row.comment)


@FEW
@hypothesis.given(data=st.binary(max_size=400) | st.text(max_size=400), preset=presets)
def test_any_file_is_read_or_refused(data: bytes | str, preset: Preset) -> None:
    with suppress(BadRow):
        read_import(data, reading_of(InboxOptions(preset=preset, account="Roaster"), NOW))


@FEW
@hypothesis.given(
    cells=st.lists(st.lists(st.text(max_size=20), max_size=6), max_size=8), mark=st.sampled_from(",\t;|")
)
def test_any_table_under_a_good_header_is_read_row_by_row(cells: list[list[str]], mark: str) -> None:
    lines = [
        mark.join(("评论内容", "用户昵称", "评论时间", "作品ID")),
        *(mark.join(record) for record in cells),
    ]
    try:
        found = read_import("\n".join(lines), reading_of(InboxOptions(account="Roaster"), NOW))
    except BadRow:
        # All cells are blank, or a quote in the first of them swallows the others.
        return
    assert all((row.comment is None) == (row.why is not None) for row in found.rows)


@FEW
@hypothesis.given(given=st.lists(values | rows, max_size=8), preset=presets)
def test_a_batch_answers_every_row(given: list[Any], preset: Preset) -> None:
    found = read_rows(given, reading_of(InboxOptions(preset=preset, account="Roaster"), NOW))
    assert {row.place for row in found} == set(range(1, len(given) + 1))


@FEW
@hypothesis.given(value=leaves | st.from_regex(r"\A[0-9年月日时:：/. 前天昨刚小分钟-]{1,24}\Z"))
def test_any_time_is_a_moment_or_a_value_error(value: object) -> None:
    try:
        when = parse_when(value, NOW, ZoneInfo("Asia/Shanghai"))
    except ValueError:
        return
    assert EARLIEST <= when.at <= LATEST
