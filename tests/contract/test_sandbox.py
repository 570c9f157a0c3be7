"""The sandbox site as a person and as the creator's account meet it, and its adapter under every fault."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from adapters.auth import FreshAuth
from adapters.base import Budget, Comment, CommentPage, Cursor
from adapters.errors import (
    AdapterError,
    AuthExpired,
    Permanent,
    RateLimited,
    ReauthRequired,
    RejectedContent,
    TargetGone,
    Transient,
)
from adapters.sandbox_site import create_site, new_token, seed_comments, seed_posts, serve, utc_now
from adapters.sandbox_store import SandboxStore
from tests.contract.harnesses import SandboxHarness, new_session, sandbox

BEGINNING: Cursor = {"from": "2026-01-01T00:00:00Z", "since": "2026-01-01T00:00:00Z", "page": None}


async def read(harness: SandboxHarness, cursor: Cursor = BEGINNING, **budget: int) -> CommentPage:
    return await harness.adapter.poll(cursor, Budget(**budget))


async def one_comment(harness: SandboxHarness, text: str = "a question") -> Comment:
    await harness.adapter.open()
    await harness.write(text)
    return (await read(harness)).comments[-1]


async def stored_replies(harness: SandboxHarness) -> dict[str, int]:
    headers = harness.adapter._headers()
    async with harness.http.get(f"{harness.site.url}/api/stats", headers=headers) as answer:
        return dict((await answer.json())["replies"])


@pytest.mark.parametrize("minutes", [10, -10])
async def test_a_reply_is_found_by_its_comments_time_however_wrong_the_sites_clock_is(minutes: int) -> None:
    async with sandbox(clock=lambda: utc_now() + timedelta(minutes=minutes)) as harness:
        target = await one_comment(harness)
        await harness.adapter.reply(target.ref, "the answer", "key")
        found = await harness.adapter.find_own_replies(target.ref, target.ref.created_at)
        assert [reply.text for reply in found] == ["the answer"]


@pytest.mark.parametrize(
    "fault", ["error_after_store", "drop_after_store", "timeout_after_store", "malformed_json"]
)
async def test_a_reply_that_was_stored_but_not_confirmed_is_ambiguous_and_found(fault: str) -> None:
    async with sandbox() as harness:
        target = await one_comment(harness)
        impatient = harness.make(timeout_s=0.2)
        await impatient.open()
        await harness.break_with(**{fault: 1, "calls": ["reply"], "hang_s": 60})
        with pytest.raises(Transient) as lost:
            await impatient.reply(target.ref, "the answer", "key")
        assert lost.value.ambiguous
        found = await harness.adapter.find_own_replies(target.ref, target.ref.created_at)
        assert [reply.text for reply in found] == ["the answer"]


@pytest.mark.parametrize("fault", ["error_before_store", "hang"])
async def test_a_reply_that_was_not_stored_is_ambiguous_and_not_found(fault: str) -> None:
    async with sandbox() as harness:
        target = await one_comment(harness)
        impatient = harness.make(timeout_s=0.2)
        await impatient.open()
        await harness.break_with(**{fault: 1, "calls": ["reply"], "hang_s": 60})
        with pytest.raises(Transient) as lost:
            await impatient.reply(target.ref, "the answer", "key")
        assert lost.value.ambiguous
        assert await harness.adapter.find_own_replies(target.ref, target.ref.created_at) == []


async def test_a_reply_sent_twice_is_stored_twice_and_counted() -> None:
    async with sandbox() as harness:
        target = await one_comment(harness)
        for _ in range(2):
            await harness.adapter.reply(target.ref, "the answer", "key")
        assert await stored_replies(harness) == {target.ref.comment_id: 2}


async def test_too_many_calls_names_the_seconds_to_wait() -> None:
    async with sandbox() as harness:
        target = await one_comment(harness)
        await harness.break_with(rate_limited=1, retry_after_s=7)
        with pytest.raises(RateLimited) as limited:
            await harness.adapter.reply(target.ref, "the answer", "key")
        assert limited.value.retry_after == 7
        assert await stored_replies(harness) == {}


async def test_twenty_calls_with_an_expired_token_refresh_it_once() -> None:
    async with sandbox() as harness:
        await one_comment(harness)
        fresh, refreshes = FreshAuth(harness.adapter), []
        refresh = harness.adapter.refresh_auth

        async def counted() -> None:
            refreshes.append(1)
            await refresh()

        harness.adapter.refresh_auth = counted  # type: ignore[method-assign]
        await harness.break_with(expire_token=1)
        pages = await asyncio.gather(*(fresh.call(lambda: read(harness)) for _ in range(20)))
        assert [len(page.comments) for page in pages] == [1] * 20
        assert len(refreshes) == 1


async def test_an_access_token_ends_by_the_sites_clock() -> None:
    async with sandbox(access_ttl_s=0.0) as harness:
        await harness.adapter.refresh_auth()
        with pytest.raises(AuthExpired):
            await harness.adapter.open()


async def test_a_wrong_refresh_token_needs_a_person_and_is_not_shown() -> None:
    async with sandbox() as harness:
        adapter = harness.make(refresh_token="not-the-right-token")
        with pytest.raises(ReauthRequired) as refused:
            await adapter.open()
        assert "not-the-right-token" not in f"{refused.value} {adapter._options!r}"


async def test_ids_as_json_numbers_keep_every_digit() -> None:
    async with sandbox() as harness:
        target = await one_comment(harness)
        await harness.break_with(numeric_ids=1)
        again = (await read(harness)).comments[0]
        assert again == target
        assert int(target.ref.comment_id) > 2**53


async def test_rows_without_id_and_time_are_counted_and_logged_without_their_text() -> None:
    async with sandbox() as harness:
        await one_comment(harness, "a private matter")
        await harness.write("a good row")
        await harness.break_with(missing_fields=1)
        with capture_logs() as logs:
            page = await read(harness)
        assert ([c.text for c in page.comments], page.malformed) == (["a good row"], 1)
        assert len(logs) == 1
        assert "private" not in str(logs)


async def test_a_thread_with_an_unreadable_row_is_not_taken_for_one_without_our_reply() -> None:
    async with sandbox() as harness:
        target = await one_comment(harness)
        await harness.break_with(html_page=1)
        with pytest.raises(Transient):
            await harness.adapter.find_own_replies(target.ref, target.ref.created_at)


async def test_the_same_page_for_ever_ends_the_poll_and_what_comes_later_is_read_later() -> None:
    async with sandbox() as harness:
        await harness.adapter.open()
        for number in range(6):
            await harness.write(f"comment {number}")
        await harness.break_with(same_page=1.0)
        page = await read(harness, requests=10, comments=3)
        while not page.complete:
            page = await read(harness, page.cursor, requests=10, comments=3)
        await harness.break_with()
        later = await read(harness, page.cursor)
        assert [c.text for c in later.comments][-1] == "comment 5"


async def test_a_site_that_ignores_since_does_not_bring_back_the_past() -> None:
    async with sandbox() as harness:
        await one_comment(harness, "long ago")
        await harness.break_with(same_page=1.0)
        page = await read(harness, {**BEGINNING, "since": (utc_now() + timedelta(minutes=1)).isoformat()})
        assert page.comments == ()


async def test_more_comments_in_the_overlap_than_the_budget_are_all_read() -> None:
    async with sandbox() as harness:
        await harness.adapter.open()
        for number in range(9):
            await harness.write(f"comment {number}")
        page, seen = await read(harness, requests=1, comments=2), []
        seen += page.comments
        while not page.complete:
            page = await read(harness, page.cursor, requests=1, comments=2)
            seen += page.comments
        assert [c.text for c in seen] == [f"comment {number}" for number in range(9)]


async def test_a_page_over_the_size_limit_is_read_in_smaller_pieces_even_one_request_at_a_time() -> None:
    async with sandbox() as harness:
        await harness.adapter.open()
        for letter in "abcdefghij":
            await harness.write(letter + "x" * 950_000)
        page, seen = await read(harness, requests=1), []
        seen += page.comments
        while not page.complete:
            page = await read(harness, page.cursor, requests=1)
            seen += page.comments
        assert [c.text[0] for c in seen] == list("abcdefghij")


async def test_a_comment_deleted_just_before_the_reply_arrives_is_gone() -> None:
    async with sandbox() as harness:
        target = await one_comment(harness)
        await harness.break_with(delete_target=1)
        with pytest.raises(TargetGone):
            await harness.adapter.reply(target.ref, "too late", "key")


async def test_an_empty_or_too_long_reply_is_rejected_content() -> None:
    async with sandbox() as harness:
        target = await one_comment(harness)
        for text in ("  ", "x" * 10_001):
            with pytest.raises(RejectedContent):
                await harness.adapter.reply(target.ref, text, "key")


async def test_a_page_token_that_the_site_forgot_is_replaced_by_the_time() -> None:
    async with sandbox() as harness:
        await one_comment(harness)
        page = await read(harness, {**BEGINNING, "page": "forgotten"})
        assert [c.text for c in page.comments] == ["a question"]


async def test_under_every_fault_at_once_only_adapter_errors_come_out() -> None:
    switches = ["rate_limited", "expire_token", "error_before_store", "error_after_store", "drop_after_store"]
    switches += [
        "malformed_json",
        "truncated_json",
        "html_page",
        "numeric_ids",
        "missing_fields",
        "same_page",
    ]
    async with sandbox() as harness:
        target = await one_comment(harness)
        fresh, done = FreshAuth(harness.adapter), 0
        await harness.break_with(seed=3, **dict.fromkeys(switches, 0.15))
        for _ in range(60):
            for call in (
                lambda: read(harness),
                lambda: harness.adapter.reply(target.ref, "again", "key"),
                lambda: harness.adapter.find_own_replies(target.ref, target.ref.created_at),
            ):
                try:
                    await fresh.call(call)
                except AdapterError:
                    continue
                done += 1
        assert done > 20


async def test_ids_are_never_used_twice_and_nothing_is_lost_over_a_restart(tmp_path: Path) -> None:
    token, path, ids = new_token(), str(tmp_path / "site.db"), []
    for _ in range(2):
        app = create_site(path, refresh_token=token)
        (post_id,) = seed_posts(app, [("A post", "")])
        ids += seed_comments(app, post_id, [("Ann", "one"), ("王", "二")])
        site = await serve(app)
        async with new_session() as http:
            harness = SandboxHarness(site, http, token, post_id)
            await harness.adapter.open()
            latest = (await read(harness)).comments[-1]
            await harness.remove(latest.ref)
        await site.aclose()
        await site.aclose()
    assert len(set(ids)) == 4


def test_times_increase_when_the_clock_goes_back() -> None:
    seconds = iter([9, 5, 1, 1])
    store = SandboxStore(":memory:", lambda: datetime(2026, 11, 20, 12, 0, next(seconds), tzinfo=UTC))
    who = {"post_id": store.add_post("A post", ""), "parent": None, "author_id": "a", "author_name": "A"}
    times = [store.add_comment(**who, text="x", by_creator=False).created_us for _ in range(3)]
    store.close()
    assert times == sorted(set(times))


async def test_what_was_written_just_before_the_baseline_stays_unseen() -> None:
    async with sandbox() as harness:
        await one_comment(harness, "too old")
        cursor = await harness.adapter.baseline(utc_now())
        await harness.write("new")
        page = await read(harness, cursor)
        assert [c.text for c in page.comments] == ["new"]
        assert [c.text for c in (await read(harness, page.cursor)).comments] == ["new"]


async def test_a_taken_port_is_an_os_error_and_leaves_nothing_open() -> None:
    async with sandbox() as harness:
        port = int(harness.site.url.rsplit(":", 1)[1])
        with pytest.raises(OSError, match=str(port)):
            await serve(create_site(":memory:", refresh_token=new_token()), port=port)


def test_a_short_refresh_token_is_refused() -> None:
    with pytest.raises(ValueError, match="new_token"):
        create_site(":memory:", refresh_token="password")


async def test_the_admin_calls_exist_only_where_the_site_was_built_with_them() -> None:
    site = await serve(create_site(":memory:", refresh_token=new_token()))
    async with new_session() as http, http.post(f"{site.url}/admin/faults", json={"hang": 1}) as answer:
        assert answer.status == 404
    await site.aclose()


async def test_an_unknown_fault_is_named() -> None:
    async with (
        sandbox() as harness,
        harness.http.post(f"{harness.site.url}/admin/faults", json={"x": 1}) as answer,
    ):
        assert answer.status == 422
        assert "x: unknown switch" in await answer.text()


@pytest.mark.parametrize("path", ["/api/me", "/api/comments", "/api/comments/1/thread", "/api/stats"])
@pytest.mark.parametrize(
    "authorization", ["", "Bearer ", "Bearer 0.9999999999999999.00", "Basic x", "Bearer 王"]
)
async def test_the_api_takes_no_call_without_a_valid_token(path: str, authorization: str) -> None:
    async with sandbox() as harness:
        headers = {"Authorization": authorization} if authorization else {}
        async with harness.http.get(f"{harness.site.url}{path}", headers=headers) as answer:
            assert answer.status == 401


@pytest.mark.parametrize(
    "query", ["since=soon", "page=1", "page=9e9.1", "limit=many", "page=" + "9" * 40 + ".1"]
)
async def test_a_listing_that_makes_no_sense_is_a_bad_request(query: str) -> None:
    async with sandbox() as harness:
        await harness.adapter.open()
        headers = harness.adapter._headers()
        async with harness.http.get(f"{harness.site.url}/api/comments?{query}", headers=headers) as answer:
            assert answer.status == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 201),
        ({"Origin": "http://{host}"}, 201),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
async def test_a_visitor_writes_only_from_the_sites_own_page(headers: dict[str, str], status: int) -> None:
    async with sandbox() as harness:
        host = harness.site.url.removeprefix("http://")
        sent = {name: value.format(host=host) for name, value in headers.items()}
        body = f'{{"post_id": "{harness.post_id}", "name": "Ann", "text": "hello"}}'
        url = f"{harness.site.url}/visitor/comments"
        async with harness.http.post(
            url, data=body, headers={"Content-Type": "application/json", **sent}
        ) as answer:
            assert answer.status == status


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("[]", 400),
        ("{", 400),
        ('{"name": "Ann"}', 422),
        ('{"name": " ", "text": "x"}', 422),
        ('{"name": "Ann", "text": 5}', 422),
        ('{"name": "Ann", "text": "x", "post_id": "5"}', 404),
        ('{"name": "Ann", "text": "x", "post_id": 5}', 404),
        ('{"name": "Ann", "text": "x", "parent_id": "99999999999999999999999"}', 404),
        ('{"name": "Ann", "text": "x", "parent_id": []}', 404),
    ],
)
async def test_a_visitors_comment_that_makes_no_sense_is_refused(body: str, status: int) -> None:
    async with sandbox() as harness:
        url, headers = f"{harness.site.url}/visitor/comments", {"Content-Type": "application/json"}
        async with harness.http.post(url, data=body, headers=headers) as answer:
            assert answer.status == status


async def test_a_visitor_sees_a_reply_and_a_deletion_through_the_changes_alone() -> None:
    async with sandbox() as harness:
        target = await one_comment(harness)
        url = f"{harness.site.url}/visitor/changes"
        async with harness.http.get(url, params={"after": "0"}) as answer:
            first = await answer.json()
        await harness.adapter.reply(target.ref, "你好", "key")
        await harness.remove(target.ref)
        async with harness.http.get(url, params={"after": str(first["seq"])}) as answer:
            news = (await answer.json())["changes"]
        assert [(row["text"], row["by_creator"], row["deleted"]) for row in news] == [
            ("你好", True, False),
            ("", False, True),
        ]
        async with harness.http.get(url, params={"after": "-1"}) as answer:
            assert answer.status == 400


@pytest.mark.parametrize(
    ("query", "accept", "language", "words"),
    [
        ("", "", "en", "Post comment"),
        ("", "zh-CN,zh;q=0.9,en;q=0.8", "zh-CN", "发表评论"),
        ("", "en;q=0.5,zh-TW;q=0.9", "zh-CN", "发表评论"),
        ("", "fr,de;q=x", "en", "Post comment"),
        ("?lang=en", "zh", "en", "Post comment"),
        ("?lang=zh", "en", "zh-CN", "发表评论"),
    ],
)
async def test_the_page_speaks_the_visitors_language(
    query: str, accept: str, language: str, words: str
) -> None:
    async with sandbox() as harness:
        async with harness.http.get(
            f"{harness.site.url}/{query}", headers={"Accept-Language": accept}
        ) as answer:
            page = await answer.text()
        assert f'<html lang="{language}">' in page
        assert words in page


async def test_the_page_shows_titles_as_text_and_loads_nothing_from_elsewhere() -> None:
    app = create_site(":memory:", refresh_token=new_token(), creator="<i>Me</i>")
    seed_posts(app, [("<script>alert(1)</script>\ud800", '"><img src=x>')])
    site = await serve(app)
    async with new_session() as http:
        async with http.get(site.url) as answer:
            page, policy = await answer.text(), answer.headers["Content-Security-Policy"]
        async with http.get(f"{site.url}/static/sandbox.js") as answer:
            script = await answer.text()
        async with http.get(f"{site.url}/static/sandbox.css") as answer:
            style = await answer.text()
        async with http.get(f"{site.url}/static/sandbox.html") as answer:
            assert answer.status == 404
    await site.aclose()
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "<i>Me" not in page
    assert not re.search(r"https?://", page + script + style)
    assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|eval\(", script)
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


async def test_a_cursor_without_a_time_is_permanent() -> None:
    async with sandbox() as harness:
        await harness.adapter.open()
        with pytest.raises(Permanent, match="baseline"):
            await read(harness, {**BEGINNING, "since": "whenever"})
