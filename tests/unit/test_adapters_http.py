"""The time to wait that a platform names."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import Transient
from adapters.http import DEFAULT_RETRY_AFTER_S, MAX_RETRY_AFTER_S, check_base_url, parse_retry_after, rows_of

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, DEFAULT_RETRY_AFTER_S),
        ("0", 0),
        ("17", 17),
        ("0.5", 0.5),
        ("-3", 0),
        ("nan", DEFAULT_RETRY_AFTER_S),
        ("inf", MAX_RETRY_AFTER_S),
        ("later", DEFAULT_RETRY_AFTER_S),
        ("Fri, 20 Nov 2026 12:00:30 GMT", 30),
        ("Fri, 20 Nov 2026 11:00:00 GMT", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float) -> None:
    assert parse_retry_after(header, NOW) == seconds


@given(st.text())
def test_any_retry_after_header_gives_a_sane_wait(header: str) -> None:
    assert 0 <= parse_retry_after(header, NOW) <= MAX_RETRY_AFTER_S


def test_a_base_address_loses_its_trailing_slash_and_keeps_its_path() -> None:
    assert check_base_url("https://example.org/comments/") == "https://example.org/comments"


BAD_ADDRESSES = (
    "",
    "example.org",
    "ftp://example.org",
    "http://",
    "http://.",
    "http://a..b",
    "http://a b",
    "http://[::1",
)
WORSE_ADDRESSES = (
    "http://h:99999",
    "http://h:x",
    f"http://{'a' * 70}.org",
    "http://\ud800",
    "http://h?x",
    "http://u@h",
)


@pytest.mark.parametrize("value", [*BAD_ADDRESSES, *WORSE_ADDRESSES])
def test_an_address_that_can_never_be_called_is_refused(value: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (urlsplit words some of them)
        check_base_url(value)


@pytest.mark.parametrize("data", [None, [], {"rows": None}, {"rows": {}}, 3])
def test_an_answer_without_its_list_is_transient(data: object) -> None:
    with pytest.raises(Transient, match="rows"):
        rows_of("reading", data, "rows")
