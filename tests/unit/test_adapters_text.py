"""The parsers of adapters: exact, linear, and raising ValueError only."""

import json
import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.text import clean, html_to_text, parse_address, parse_id, parse_text, parse_time, same_text

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
any_text = st.text(st.characters(codec=None), max_size=60)


@given(any_text)
def test_clean_text_can_be_stored_anywhere_and_cleaning_twice_changes_nothing(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode("utf-8")
    assert "\x00" not in cleaned
    assert "\r" not in cleaned
    assert clean(cleaned) == cleaned


def test_cleaning_keeps_tabs_newlines_emoji_chinese_and_bidi_marks() -> None:
    text = "a\tb\n你好 👨‍👩 \u202eabc\u202c"
    assert clean(text) == text
    assert clean("a\r\nb\rc\x00\x1b[0m\ud83d") == "a\nb\nc[0m\ufffd"


@given(anything)
def test_parsers_raise_value_error_or_return(value: Any) -> None:
    for parse in (parse_id, parse_time, parse_text):
        try:
            parse(value)
        except ValueError:
            continue


@given(st.integers(min_value=-(2**63), max_value=2**64 - 1))
def test_a_64_bit_id_keeps_every_digit(number: int) -> None:
    assert parse_id(json.loads(json.dumps(number))) == str(number)


@pytest.mark.parametrize("value", ["", "  ", True, 1.5, None, [], "x" * 256, "a\x00b", "\ud800", 2**64])
def test_what_is_no_id_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="id"):
        parse_id(value)


@pytest.mark.parametrize(
    "value",
    [
        "javascript:alert(1)",
        "//e.org",
        "https://e.org/\ud800",
        "https://e.org/\x00",
        "http://e org",
        "https://" + "x" * 2000,
        "",
        None,
        7,
        [],
    ],
)
def test_what_no_page_may_link_to_is_no_address(value: object) -> None:
    assert parse_address(value) == ""


def test_an_address_is_kept_as_it_is() -> None:
    assert parse_address("https://e.org/文章?a=1#b") == "https://e.org/文章?a=1#b"


@pytest.mark.parametrize(
    ("value", "microsecond"),
    [
        ("2026-11-20T12:00:00Z", 0),
        ("2026-11-20T12:00:00.25Z", 250_000),
        ("2026-11-20T12:00:00", 0),
        ("2026-11-20T20:00:00+08:00", 0),
        (1_795_176_000, 0),
        (1_795_176_000.25, 250_000),
    ],
)
def test_every_way_to_write_a_time_gives_the_same_aware_moment(value: object, microsecond: int) -> None:
    moment = parse_time(value)
    assert moment == datetime(2026, 11, 20, 12, 0, 0, microsecond, tzinfo=UTC)
    assert moment.tzinfo is UTC


NO_TIMES = (
    True,
    None,
    "",
    "soon",
    "20261120",
    "0001-01-01T00:00:00+23:00",
    "1969-12-31T00:00:00Z",
    0,
    -1,
    1e300,
)
NO_FINITE_TIMES = (float("nan"), float("inf"), 1_795_176_000_000, 10**400)


@pytest.mark.parametrize("value", [*NO_TIMES, *NO_FINITE_TIMES])
def test_what_is_no_sane_time_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"time|isoformat"):
        parse_time(value)


@given(st.integers(10**9, 4 * 10**9), st.integers(-12, 12))
def test_an_iso_time_survives_the_round_trip(seconds: int, hours: int) -> None:
    local = datetime.fromtimestamp(seconds, timezone(timedelta(hours=hours)))
    assert parse_time(local.isoformat()) == local


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("Yes & no", "<p>Yes &amp; no</p>"),
        ("Line one\n\nLine two", "<p>Line one</p><p>Line two</p>"),
        ("a  b", "a b "),
        ("It’s “fine” – really…", 'It\'s "fine" - really...'),
        ("你好，世界", "你好，\u200b世界\u202c"),
        ("caf\u00e9", "cafe\u0301"),
        ("1 < 2 <b>", "1 &lt; 2 &lt;b&gt;"),
        ("ok \u2764\ufe0f", "ok \u2764"),
        ("价格：10", "价格:10"),
    ],
)
def test_a_rewritten_text_is_the_same_text(sent: str, shown: str) -> None:
    assert same_text(sent, shown)
    assert same_text(shown, sent)


@pytest.mark.parametrize(
    ("a", "b"), [("yes", "no"), ("<b>", "<i>"), ("", "x"), ("好的", "不好"), ("10", "100")]
)
def test_different_texts_stay_different(a: str, b: str) -> None:
    assert not same_text(a, b)


@given(any_text, any_text)
def test_same_text_is_symmetric_and_reflexive(a: str, b: str) -> None:
    assert same_text(a, a)
    assert same_text(a, b) == same_text(b, a)


def test_html_becomes_readable_lines_without_scripts_and_comments() -> None:
    markup = "<h1>T</h1><!-- no --><p>a<br>b &amp; <b>c</b></p><script>f('<p>x</p>')</script><style>p{}</style> 5 < 6"
    assert html_to_text(markup) == "T\na\nb & c\n5 < 6"


@pytest.mark.parametrize("piece", ["<", "<script>", "<!--", "<!-- -->", "<a ", "&lt;", "</", "<![CDATA["])
def test_a_megabyte_of_markup_is_read_in_linear_time(piece: str) -> None:
    start = time.process_time()
    html_to_text(piece * (1_000_000 // len(piece)))
    assert time.process_time() - start < 5
