"""Recorded shapes of Douyin's answers and calls, and any others, become records or ValueError."""

import copy
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from adapters.base import Hook
from adapters.douyin_errors import error_for, next_reset, number, refusal_of
from adapters.douyin_hooks import Event, Recent, hook_of, is_late, is_signed, parse_event, proven
from adapters.douyin_options import DouyinOptions
from adapters.douyin_rows import Row, created, parse_comment, parse_page, reached, threads_of
from adapters.douyin_tokens import Tokens, kept_as, parse_granted, parse_renewed, parse_tokens
from adapters.errors import AdapterError, Permanent
from tests.platforms.douyin import KEY, ME, SECRET, Douyin
from tests.unit.test_adapters_text import anything

PAYLOADS = Path(__file__).parents[1] / "payloads"
NOW = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
GIVEN = {"client_key": KEY, "client_secret": SECRET, "open_id": ME, "refresh_token": "r", "items": ["@a=="]}
OPTIONS = DouyinOptions.model_validate(GIVEN)
FIELDS = ["comment_id", "comment_user_id", "content", "create_time", "digg_count", "nick_name", "top"]
rows = st.dictionaries(st.sampled_from([*FIELDS, "reply_comment_total"]), anything) | anything
few = settings(max_examples=60)


def recorded(name: str) -> Any:
    return json.loads((PAYLOADS / name).read_text())


@st.composite
def mutated(draw: st.DrawFn, good: Any) -> Any:
    """A good answer with one member replaced, anywhere."""
    made = copy.deepcopy(good)
    place = made
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return made
        key = draw(st.sampled_from(keys))
        if isinstance(place[key], dict | list) and draw(st.booleans()):
            place = place[key]
            continue
        place[key] = draw(anything)
        return made


def test_a_recorded_page_is_read_with_numbers_as_text_and_unknown_fields() -> None:
    page = parse_page(recorded("douyin_comments.json"))
    assert (page.at, page.more) == (1795222900, True)
    first, ours, third = (parse_comment(Row("@v", None, row), me=ME, url="u") for row in page.rows[:3])
    assert (first.text, first.author_name, first.likes, first.is_own) == (
        "这个烤箱要预热多久？[微笑]",
        "爱做饭的小林",
        12,
        False,
    )
    assert (ours.is_own, ours.text, ours.likes) == (True, "Full recipe is in the first comment.\nEnjoy!", 3)
    assert (third.ref.comment_id, third.author_name, third.likes) == ("7300000000000000001", "", None)
    with pytest.raises(ValueError, match="number"):
        parse_comment(Row("@v", None, page.rows[3]), me=ME)
    assert threads_of(page.rows) == {
        "@9VwKq+one/AA==": 2,
        "@9VwKq+two/BB==": 0,
        "@9VwKq+three/CC==": 0,
    }


def test_a_reply_hangs_under_its_top_comment() -> None:
    row = recorded("douyin_comments.json")["data"]["list"][0]
    reply = parse_comment(Row("@v", "@top", row), me=ME)
    assert (reply.parent_id, reply.ref.thread_id, reply.ref.post_id) == ("@top", "@top", "@v")


@pytest.mark.parametrize("case", recorded("douyin_errors.json"), ids=lambda case: str(case["code"]))
def test_the_telling_code_is_found_in_every_layer(case: dict[str, Any]) -> None:
    refusal = refusal_of(case["answer"])
    assert list(refusal.codes if refusal else ()) == case["codes"]
    assert (refusal.code if refusal else 0) == case["code"]


def test_the_platforms_words_lose_what_looks_like_a_token() -> None:
    refusal = refusal_of({"data": {"error_code": 1, "description": "bad act.0123abc and rft.9 here"}})
    assert refusal is not None
    assert refusal.said == "bad (token) and (token) here"


@pytest.mark.parametrize(
    ("at", "wanted"),
    [
        ("2026-11-21T23:59:59+00:00", "2026-11-22T08:00:00+08:00"),
        ("2026-11-22T00:00:00+00:00", "2026-11-23T08:00:00+08:00"),
        ("2026-12-31T20:00:00+00:00", "2027-01-01T08:00:00+08:00"),
    ],
)
def test_the_quota_resets_at_eight_in_beijing(at: str, wanted: str) -> None:
    assert next_reset(datetime.fromisoformat(at)).isoformat() == wanted


def test_rows_end_a_look_by_their_times_and_only_in_order() -> None:
    down = [{"create_time": at} for at in (30, 20, 10)]
    mixed = [{"create_time": at} for at in (30, 10, 20)]
    base = 1_700_000_000
    down, mixed = ([{"create_time": base + row["create_time"]} for row in part] for part in (down, mixed))
    assert [reached(down, base + floor) for floor in (5, 15, 35)] == [False, True, True]
    assert [reached(mixed, base + floor) for floor in (5, 15, 35)] == [False, False, True]
    assert reached([{"create_time": base, "top": True}, *down], base + 5) is False
    assert reached([], base) is False


def test_a_recorded_event_is_read_from_an_object_and_from_text() -> None:
    event = recorded("douyin_event.json")
    as_object = {**event, "content": json.loads(event["content"])}
    for told in (event, as_object):
        read = parse_event(json.dumps(told).encode())
        assert (read.kind, read.item, read.client_key) == ("item_comment_reply", "@8hxKq+item/T0==", KEY)
        assert read.at == datetime.fromtimestamp(1795222890, UTC)


def test_a_signature_is_over_the_raw_bytes_whatever_the_headers_case() -> None:
    body = b'{"event":"x"}\n'
    headers = Douyin().sign(body)
    secret = SecretStr(SECRET)
    assert is_signed(headers, body, secret)
    assert is_signed({name.lower(): value.upper() for name, value in headers.items()}, body, secret)
    assert not is_signed(headers, body[:-1], secret)
    assert not is_signed(headers, body, SecretStr("another"))
    assert not is_signed(headers, body, None)
    assert not is_signed({}, body, secret)


def test_only_a_challenge_may_go_unsigned_and_only_where_it_is_allowed() -> None:
    asked = json.dumps({"event": "verify_webhook", "client_key": "", "content": {"challenge": 7}}).encode()
    with pytest.raises(Permanent, match="signature"):
        proven({}, asked, OPTIONS)
    lax = DouyinOptions.model_validate({**GIVEN, "unsigned_challenge": True})
    assert hook_of(proven({}, asked, lax), fresh=True) == Hook(answer={"challenge": 7})
    with pytest.raises(Permanent, match="signature"):
        proven({}, json.dumps({"event": "item_comment_reply"}).encode(), lax)


def test_what_is_no_comment_wakes_nobody() -> None:
    assert hook_of(Event("unauthorize"), fresh=True) == Hook()
    assert hook_of(Event("item_comment_reply"), fresh=False) == Hook()
    assert hook_of(Event("item_comment_reply"), fresh=True) == Hook(poll=True)
    assert hook_of(Event("verify_webhook"), fresh=True) == Hook()


def test_a_call_is_new_once_and_late_after_a_day() -> None:
    recent = Recent()
    assert [recent.is_new(body) for body in (b"a", b"b", b"a")] == [True, True, False]
    assert not is_late(Event("x", at=NOW), NOW + timedelta(days=1), OPTIONS)
    assert is_late(Event("x", at=NOW), NOW + timedelta(days=1, seconds=1), OPTIONS)
    assert not is_late(Event("x"), NOW, OPTIONS)


def test_tokens_are_kept_whole() -> None:
    tokens = Tokens("act.1", "rft.1", ends=1795222890.0, renewals=3, given="abc")
    assert parse_tokens(kept_as(tokens)) == tokens
    assert parse_tokens({}) is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"items": []}, "items"),
        ({"items": ["@a==", "@a=="]}, "twice"),
        ({"refresh_token": None, "access_token": "act.1"}, "refresh_token"),
        ({"unknown": 1}, "unknown"),
        ({"read_share": 0}, "read_share"),
    ],
)
def test_options_that_cannot_be_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        DouyinOptions.model_validate({**GIVEN, **given})


def test_the_budget_is_shared_by_the_application_without_naming_it() -> None:
    assert OPTIONS.budget_name == DouyinOptions.model_validate({**GIVEN, "open_id": "b"}).budget_name
    assert KEY not in OPTIONS.budget_name


@few
@given(rows)
def test_any_row_is_a_comment_or_a_value_error(data: Any) -> None:
    for parse in (
        lambda: parse_comment(Row("@v", None, data), me=ME),
        lambda: parse_page({"data": data}),
        lambda: parse_page(data),
        lambda: number(data),
    ):
        try:
            parse()
        except ValueError:
            continue
    created(data)
    threads_of([data])
    reached([data], 0.0)


@few
@given(mutated(recorded("douyin_comments.json")))
def test_a_mutated_page_is_a_page_or_a_value_error(answer: Any) -> None:
    try:
        page = parse_page(answer)
    except ValueError:
        return
    for row in page.rows:
        try:
            parse_comment(Row("@v", None, row), me=ME)
        except ValueError:
            continue
    threads_of(page.rows)
    reached(page.rows, 1.0)


@few
@given(anything | mutated(recorded("douyin_errors.json")[2]["answer"]))
def test_any_answer_is_a_refusal_none_or_a_value_error(answer: Any) -> None:
    try:
        refusal = refusal_of(answer)
    except ValueError:
        return
    if refusal is not None:
        error = error_for("douyin: a call", refusal, options=OPTIONS, now=NOW, writes=True)
        assert isinstance(error, AdapterError)
        assert "\n" not in str(error)


@few
@given(
    st.binary(max_size=80)
    | mutated(recorded("douyin_event.json")).map(lambda told: json.dumps(told).encode())
)
def test_any_body_is_an_event_or_a_value_error(body: bytes) -> None:
    try:
        parse_event(body)
    except ValueError:
        return


@few
@given(st.dictionaries(st.text(max_size=20), st.text(max_size=50), max_size=3), st.binary(max_size=80))
def test_any_call_is_refused_or_read(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(Permanent):
        proven(headers, body, OPTIONS)
    try:
        proven(headers | Douyin().sign(body), body, OPTIONS)
    except Permanent:
        return


@few
@given(
    st.dictionaries(
        st.sampled_from(["access_token", "refresh_token", "expires_in", "refresh_expires_in"]), anything
    )
)
def test_any_grant_is_tokens_or_a_value_error(data: dict[str, Any]) -> None:
    for parse in (parse_granted, parse_renewed):
        try:
            parse(data, Tokens("a", "b"), 0.0)
        except ValueError:
            continue


@few
@given(st.dictionaries(st.sampled_from(list(kept_as(Tokens("a", "b")))), st.text(max_size=12)))
def test_any_kept_tokens_are_tokens_none_or_a_value_error(kept: dict[str, str]) -> None:
    try:
        parse_tokens(kept)
    except ValueError:
        return
