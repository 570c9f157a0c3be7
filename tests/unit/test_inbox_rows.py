"""Rows as exports have them become comments; whatever cannot be one is told with the reason and loses nothing."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import process_time
from typing import Any

import pytest

from adapters.inbox_options import InboxOptions
from adapters.inbox_presets import Preset
from adapters.inbox_rows import Read, Row, read_import, read_rows, reading_of
from adapters.inbox_tables import MOST_BYTES, MOST_ROWS, BadRow

NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
"""10:00 in Shanghai, a Sunday."""
PAYLOADS = Path(__file__).parents[1] / "payloads"
HEADER = "评论内容,用户昵称,评论时间,笔记链接\n"
NOTE = "https://www.xiaohongshu.com/explore/679f0b2"


def read(data: bytes | str, preset: Preset = "xiaohongshu", post: str = "", **options: Any) -> Read:
    chosen = InboxOptions(preset=preset, account="Roaster", **options)
    return read_import(data, reading_of(chosen, NOW, post))


def texts(rows: Sequence[Row]) -> list[str]:
    return [row.comment.text for row in rows if row.comment is not None]


def whys(found: Read) -> dict[int, str]:
    return {row.place: str(row.why) for row in found.rows if row.why is not None}


def only(found: Read) -> Row:
    [row] = found.rows
    return row


def one(row: dict[str, Any], preset: Preset = "none", **options: Any) -> Row:
    chosen = InboxOptions(preset=preset, account="Roaster", **options)
    [read] = read_rows([{"text": "How long?", "post_id": "p1", **row}], reading_of(chosen, NOW))
    return read


@pytest.mark.parametrize(
    ("preset", "ids", "threads", "own", "url"),
    [
        (
            "bilibili",
            ["9007199254740993", "9007199254740995"],
            ["9007199254740993", "9007199254740993"],
            [False, False],
            "",
        ),
        (
            "xiaohongshu",
            ["67a0000000000000000000a1", "67a0000000000000000000a4"],
            ["67a0000000000000000000a1", "67a0000000000000000000a1"],
            [False, True],
            "https://www.xiaohongshu.com/explore/679f000000000000000000b2",
        ),
        (
            "kuaishou",
            ["710000000000000123", "710000000000000124"],
            ["710000000000000123", "710000000000000123"],
            [False, False],
            "https://www.kuaishou.com/short-video/3xphoto1",
        ),
    ],
)
def test_what_browser_tools_export_is_read_with_its_answers(
    preset: Preset, ids: list[str], threads: list[str], own: list[bool], url: str
) -> None:
    found = read((PAYLOADS / f"inbox_{preset}.json").read_bytes(), preset)
    comments = [row.comment for row in found.rows if row.comment is not None]
    assert [comment.ref.comment_id for comment in comments] == ids
    assert [comment.ref.thread_id for comment in comments] == threads
    assert [comment.parent_id for comment in comments] == [None, ids[0]]
    assert [comment.is_own for comment in comments] == own
    assert comments[0].ref.created_at == datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
    assert {comment.url for comment in comments} == {url}
    assert len({comment.ref.post_id for comment in comments}) == 1


def test_what_the_creator_has_answered_is_left_out() -> None:
    found = read((PAYLOADS / "inbox_bilibili.json").read_bytes(), "bilibili")
    assert whys(found) == {2: "the creator has answered it already"}


def test_a_table_is_read_by_its_chinese_names() -> None:
    found = read(f"{HEADER}求链接,小满,昨天 18:30,{NOTE}?xsec=1\n")
    row = only(found)
    assert row.comment is not None
    assert row.post is not None
    assert (row.comment.text, row.comment.author_name, row.place) == ("求链接", "小满", 2)
    assert row.comment.ref.created_at == datetime(2026, 11, 21, 10, 30, tzinfo=UTC)
    assert (row.post.id, row.post.url) == ("679f0b2", f"{NOTE}?xsec=1")
    assert (found.columns, found.unused) == (("评论内容", "用户昵称", "评论时间", "笔记链接"), ())


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16", "utf-16-le", "utf-16-be"]
)
@pytest.mark.parametrize("mark", [",", "\t", ";"])
def test_the_encoding_is_the_one_in_which_the_names_make_sense(encoding: str, mark: str) -> None:
    table = f"{HEADER}这款豆子烘焙多久合适,小满,2026-11-20 12:00,{NOTE}\r\n".replace(",", mark)
    assert texts(read(table.encode(encoding)).rows) == ["这款豆子烘焙多久合适"]


def test_traditional_characters_in_big5_are_read() -> None:
    table = "評論內容,post_id\n這款豆子要烘多久,p1\n".encode("big5")
    assert texts(read(table, "none", mapping=("text=評論內容",)).rows) == ["這款豆子要烘多久"]


@pytest.mark.parametrize("encoding", ["utf-8", "gbk", "utf-16-le"])
def test_json_is_read_in_any_encoding(encoding: str) -> None:
    rows = json.dumps([{"text": "多久？", "post_id": "p1"}], ensure_ascii=False).encode(encoding)
    assert texts(read(rows).rows) == ["多久？"]


def test_lines_of_another_encoding_are_told_and_the_others_read() -> None:
    good = f"{HEADER}第一条,甲,,{NOTE}\n".encode()
    found = read(good + f"第二条,乙,,{NOTE}\n".encode("gbk") + f"第三条,丙,,{NOTE}\n".encode())
    assert texts(found.rows) == ["第一条", "第三条"]
    assert list(whys(found)) == [3]


def test_json_lines_are_read_one_by_one() -> None:
    lines = '{"text": "one", "post_id": "p"}\n{broken\n\n{"text": "two", "post_id": "p"}\n[1]\n'
    found = read(lines)
    assert texts(found.rows) == ["one", "two"]
    assert whys(found) == {2: "it is no JSON", 5: "it is no object with members"}


def test_a_title_above_the_header_is_skipped() -> None:
    assert texts(read(f"小红书评论导出\n\n{HEADER}求链接,小满,,{NOTE}\n").rows) == ["求链接"]


def test_formulas_are_their_characters() -> None:
    link = '=HYPERLINK("http://evil.example","x")'
    table = f'{HEADER}"{link.replace(chr(34), chr(34) * 2)}",=1+1,,{NOTE}\n@SUM(A1),+1,,{NOTE}\n'
    found = read(table)
    assert texts(found.rows) == [link, "@SUM(A1)"]
    first = found.rows[0].comment
    assert first is not None
    assert first.author_name == "=1+1"


def test_a_quoted_number_is_its_digits_and_a_rounded_one_is_refused() -> None:
    kept = one({"comment_id": '="7300000000000000123"'}).comment
    assert kept is not None
    assert kept.ref.comment_id == "7300000000000000123"
    assert "rounded by a spreadsheet" in str(one({"comment_id": "7.3E+18"}).why)
    assert "comment_id cannot be used" in str(one({"comment_id": 7.3e18}).why)


def test_ids_of_64_bits_are_exact() -> None:
    found = one({"comment_id": 18446744073709551615, "author_id": 9223372036854775807}).comment
    assert found is not None
    assert (found.ref.comment_id, found.author_id) == ("18446744073709551615", "9223372036854775807")


def test_a_row_without_an_id_has_the_same_one_each_time() -> None:
    def made(**changes: Any) -> str:
        row = {"author": "Kim", "time": "2026-11-20 12:00", **changes}
        comment = one(row).comment
        assert comment is not None
        return comment.ref.comment_id

    assert made() == made() == made(time=1795147200) == made(time="1795147200123") == made(time="11-20 12:00")
    assert (
        len({made(), made(author="Lee"), made(text="Why?"), made(time="2026-11-20 12:01"), made(post_id="q")})
        == 5
    )
    assert made(time="3小时前") == made(time="5小时前")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"text": " \u0000 "}, "it has no text"),
        ({"text": "x" * 20_001}, "its text has 20001 characters; 20000 are the most"),
        ({"post_id": ""}, "it names no post: no id, address or title; say which one they stand under"),
        ({"time": "soon"}, "its time 'soon' is in no form that is known"),
        ({"time": "2099-01-01"}, "its time '2099-01-01' lies in the future"),
        ({"time": [1]}, "its time (list) is a list"),
        ({"comment_id": "a\u0000b"}, "its comment_id cannot be used (id holds control characters)"),
        ({"comment_id": "x" * 256}, "its comment_id cannot be used (id has 256 characters, more than 255)"),
    ],
)
def test_what_is_wrong_with_a_row_is_told(row: dict[str, Any], why: str) -> None:
    refused = one(row)
    assert (refused.comment, str(refused.why)) == (None, why)
    assert refused.why is not None
    assert refused.why.line("zh") != why


def test_our_comments_are_known_by_id_where_both_have_one_else_by_name() -> None:
    def own(**row: Any) -> bool:
        comment = one(row, account_id="me").comment
        assert comment is not None
        return comment.is_own

    assert own(author="Somebody", author_id="me")
    assert not own(author="Roaster", author_id="another")
    assert own(author="Roaster")
    assert own(author="Somebody", is_own="是")


def test_names_of_the_owners_own_come_first() -> None:
    options: dict[str, Any] = {"mapping": ("text=正文", "author_name=谁")}
    found = read("正文,谁,评论内容,作品ID\n好喝,阿明,别的,p1\n", **options)
    comment = only(found).comment
    assert comment is not None
    assert (comment.text, comment.author_name) == ("好喝", "阿明")


@pytest.mark.parametrize(
    "bad",
    [
        {"mapping": ("texts=正文",)},
        {"mapping": ("text",)},
        {"time_zone": "Mars/Base"},
        {"delivery": "webhook"},
    ],
)
def test_options_that_fit_nothing_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"mapping|time zone|webhook"):
        InboxOptions(account="Roaster", **bad)


def test_only_real_addresses_are_kept() -> None:
    comment = one({"comment_url": "javascript:alert(1)", "post_url": "https://x.example/\u202e"}).comment
    assert comment is not None
    assert comment.url == ""


# --- hostile files ---

HOSTILE: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "it is empty"),
    "blanks": (b" \r\n\t", "it is empty"),
    "no names": (b"a,b\nc,d\n", "no line names the columns"),
    "a million columns": (b"text," * 1_000_000 + b"\n", "columns, 500 are the most"),
    "a header alone": (HEADER.encode(), "it holds a header and no rows"),
    "a picture": (bytes(range(256)) * 400, "no line names the columns"),
    "nuls": (b"\0" * 100_000, "no line names the columns"),
    "too large": (b"x" * (MOST_BYTES + 1), "larger than 20 MB"),
    "too many rows": (b"text,post_id\n" + b"a,p\n" * (MOST_ROWS + 1), f"more than {MOST_ROWS} rows"),
    "deep json": (b"[" * 1_000_000, "it is no JSON"),
    "broken json": (b'{"text": ', "it is no JSON"),
    "no list": (b'{"a": {"b": 1}}', "no list of comments is in it"),
    "a huge number": (b'{"text": ' + b"9" * 100_000 + b"}", "it is no JSON"),
}


@pytest.mark.parametrize(("data", "why"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_file_that_makes_no_sense_is_refused_in_one_line_and_soon(data: bytes, why: str) -> None:
    began = process_time()
    with pytest.raises(BadRow) as refused:
        read(data)
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 300
    assert refused.value.line("zh")
    assert process_time() - began < 10


def test_a_cell_of_many_megabytes_is_refused_and_the_rows_before_it_are_read() -> None:
    table = HEADER.encode() + f"求链接,小满,,{NOTE}\n".encode() + b'"' + b"x" * 15_000_000 + b'",a,,b\n'
    began = process_time()
    found = read(table)
    assert texts(found.rows) == ["求链接"]
    assert "131,072 characters" in whys(found)[3]
    assert process_time() - began < 10


def test_a_quote_that_is_not_closed_is_told_with_its_line() -> None:
    found = read(f'{HEADER}一,甲,,{NOTE}\n"二,乙,,{NOTE}\n三,丙,,{NOTE}\n')
    assert texts(found.rows) == ["一"]
    assert list(whys(found)) == [3]


def test_nuls_within_a_text_vanish() -> None:
    found = read(HEADER.encode() + f"求\0链接,小满,,{NOTE}\n".encode())
    assert texts(found.rows) == ["求链接"]


def test_a_comma_that_would_cut_a_text_refuses_its_row() -> None:
    found = read(f"笔记链接,评论内容\n{NOTE},多少钱,在哪买\n{NOTE},好\n")
    assert texts(found.rows) == ["好"]
    assert whys(found) == {2: "it has 3 cells under 2 columns; put quotes around texts with commas"}
