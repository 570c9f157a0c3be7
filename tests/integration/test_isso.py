"""What only a real Isso server shows: its guard, its moderator, its hashes and its recycled numbers."""

from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from adapters.base import Budget, Comment
from adapters.errors import Permanent, RateLimited, RejectedContent, TargetGone, Unsupported
from adapters.http import Http
from adapters.isso import IssoAdapter
from adapters.isso_reading import MAX_ROOTS
from adapters.isso_rows import author_hash, comment_number
from adapters.sandbox_site import utc_now
from tests.conftest import require
from tests.contract.harnesses import EMAIL, IssoHarness, new_session
from tests.integration import isso_server
from tests.integration.isso_server import IssoServer

OTHER_SALT = "another-salt"


@pytest.fixture(scope="module")
def installed() -> None:
    problem = isso_server.install()
    require(not problem, problem)


@pytest.fixture(scope="module")
def open_url(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with isso_server.running(tmp_path_factory.mktemp("isso"), salt=OTHER_SALT) as server:
        yield server.url


@pytest.fixture
def guarded_url(installed: None, tmp_path: Path) -> Iterator[str]:
    with isso_server.running(tmp_path, guard=True) as server:
        yield server.url


@pytest.fixture
def moderated(installed: None, tmp_path: Path) -> Iterator[IssoServer]:
    with isso_server.running(tmp_path, moderated=True) as server:
        yield server


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with new_session() as session:
        yield session


async def comments(adapter: IssoAdapter, since: datetime) -> tuple[Comment, ...]:
    page = await adapter.poll(await adapter.baseline(since), Budget())
    assert page.complete
    return page.comments


async def test_the_guard_is_a_rate_limit_and_not_a_refusal(
    guarded_url: str, http: aiohttp.ClientSession
) -> None:
    start = utc_now()
    harness = IssoHarness(guarded_url, http)
    await harness.write("the only comment")
    (target,) = await comments(harness.adapter, start)
    await harness.adapter.reply(target.ref, "the second post of this minute", "key")
    with pytest.raises(RateLimited) as limited:
        await harness.adapter.reply(target.ref, "the third post of this minute", "key")
    assert limited.value.retry_after == 60
    assert len(await harness.adapter.find_own_replies(target.ref, start)) == 1


async def test_a_comment_released_late_by_the_moderator_is_seen_and_our_held_reply_counts_as_accepted(
    moderated: IssoServer, http: aiohttp.ClientSession
) -> None:
    harness = IssoHarness(moderated.url, http)
    cursor = await harness.adapter.baseline(utc_now())
    await harness.write("released second")
    await harness.write("released first")
    for link in reversed(moderated.links("activate")):
        async with http.post(link) as answer:
            assert answer.status == 200
        page = await harness.adapter.poll(cursor, Budget())
        cursor = page.cursor
    assert [comment.text for comment in page.comments] == ["released second", "released first"]
    assert harness.adapter.capabilities.can_find_own
    sent = await harness.adapter.reply(page.comments[0].ref, "held as well", "key")
    assert sent.text == "held as well"
    assert not harness.adapter.capabilities.can_find_own


async def test_the_hash_of_a_server_with_its_own_salt_is_learnt_from_our_first_reply_and_kept_in_the_cursor(
    open_url: str, http: aiohttp.ClientSession
) -> None:
    harness = IssoHarness(open_url, http)
    adapter = harness.make()
    start = utc_now()
    cursor = await adapter.baseline(start)
    await harness.write("a question")
    (question,) = (await adapter.poll(cursor, Budget())).comments
    sent = await adapter.reply(question.ref, "our reply", "key")
    page = await adapter.poll(cursor, Budget())
    assert page.cursor["hashes"] == sorted([author_hash(EMAIL), author_hash(EMAIL, salt=OTHER_SALT)])
    await harness.write("not really you", question.ref, name="Creator")

    restarted = harness.make()
    page = await restarted.poll({**page.cursor, "posts": {}}, Budget())
    assert [comment.text for comment in page.comments if comment.is_own] == ["our reply"]
    assert [reply.id for reply in await restarted.find_own_replies(question.ref, start)] == [sent.id]


async def test_until_the_hash_is_sure_a_comment_under_our_name_counts_as_ours(
    open_url: str, http: aiohttp.ClientSession
) -> None:
    harness = IssoHarness(open_url, http)
    start = utc_now()
    await harness.write("written by hand, from another address", name="Creator")
    (unsure,) = await comments(harness.make(), start)
    (sure,) = await comments(harness.make(hash_salt=OTHER_SALT, author_hash="0" * 12), start)
    assert (unsure.is_own, sure.is_own) == (True, False)


async def test_the_hash_computed_with_the_servers_salt_is_the_servers(
    open_url: str, http: aiohttp.ClientSession
) -> None:
    harness = IssoHarness(open_url, http)
    body = {"text": "mine", "author": "Someone", "email": "a&b@example.org", "title": "t"}
    async with http.post(f"{open_url}/new", params={"uri": harness.uri}, json=body) as answer:
        shown = (await answer.json())["hash"]
    assert shown == author_hash("a&b@example.org", salt=OTHER_SALT)


async def test_a_comment_that_got_a_deleted_ones_number_is_another_comment(
    open_url: str, http: aiohttp.ClientSession
) -> None:
    harness = IssoHarness(open_url, http)
    start = utc_now()
    await harness.write("first try")
    (first,) = await comments(harness.adapter, start)
    await harness.remove(first.ref)
    await harness.write("second try")
    (second,) = await comments(harness.adapter, start)
    assert comment_number(first.ref.comment_id) == comment_number(second.ref.comment_id)
    assert first.ref.comment_id != second.ref.comment_id
    with pytest.raises(TargetGone):
        await harness.adapter.find_own_replies(first.ref, start)


async def test_a_reply_whose_comment_is_gone_leaves_nothing_at_the_top(
    open_url: str, http: aiohttp.ClientSession
) -> None:
    harness = IssoHarness(open_url, http)
    start = utc_now()
    await harness.write("stays")
    await harness.write("goes")
    stays, goes = await comments(harness.adapter, start)
    await harness.remove(goes.ref)
    with pytest.raises(TargetGone):
        await harness.adapter.reply(goes.ref, "for nobody", "key")
    assert [comment.text for comment in await comments(harness.adapter, start)] == ["stays"]
    assert stays.ref.comment_id


async def test_a_thread_whose_top_was_deleted_still_shows_its_replies(
    open_url: str, http: aiohttp.ClientSession
) -> None:
    harness = IssoHarness(open_url, http)
    start = utc_now()
    await harness.write("the top")
    (top,) = await comments(harness.adapter, start)
    await harness.write("an answer", top.ref)
    await harness.remove(top.ref)
    (answer,) = await comments(harness.adapter, start)
    assert (answer.text, answer.ref.thread_id) == ("an answer", top.ref.comment_id)
    with pytest.raises(TargetGone):
        await harness.adapter.find_own_replies(top.ref, start)


async def test_posts_are_discovered_where_the_owner_asks_for_it(
    open_url: str, http: aiohttp.ClientSession
) -> None:
    harness = IssoHarness(open_url, http)
    adapter = harness.make(posts=[], discover=True)
    start = utc_now()
    await harness.write("found by itself")
    page = await adapter.poll(await adapter.baseline(start), Budget(requests=200))
    assert [(c.ref.post_id, c.text) for c in page.comments] == [(harness.uri, "found by itself")]


async def test_an_unchanged_post_costs_one_request_and_shows_nothing(
    open_url: str, http: aiohttp.ClientSession
) -> None:
    harness = IssoHarness(open_url, http)
    cursor = await harness.adapter.baseline(utc_now())
    await harness.write("the only comment")
    first = await harness.adapter.poll(cursor, Budget())
    second = await harness.adapter.poll(first.cursor, Budget(requests=1))
    assert (len(first.comments), second.comments, second.complete) == (1, (), True)


async def test_markdown_and_html_come_back_as_they_were_written(
    open_url: str, http: aiohttp.ClientSession
) -> None:
    harness = IssoHarness(open_url, http)
    start = utc_now()
    await harness.write("*stars* & <b>tags</b>\n\n> 引用", name="Tom & <Jerry>")
    (comment,) = await comments(harness.adapter, start)
    assert (comment.text, comment.author_name) == ("*stars* & <b>tags</b>\n\n> 引用", "Tom & <Jerry>")


async def test_a_reply_that_isso_would_refuse_is_rejected_content(
    open_url: str, http: aiohttp.ClientSession
) -> None:
    harness = IssoHarness(open_url, http)
    await harness.write("a question")
    (target,) = await comments(harness.adapter, utc_now() - timedelta(seconds=30))
    with pytest.raises(RejectedContent):
        await harness.adapter.reply(target.ref, "ok", "key")
    with pytest.raises(RejectedContent, match="too long"):
        await harness.adapter.reply(target.ref, "x" * 65_536, "key")


async def test_a_server_that_is_no_isso_is_named_when_the_channel_opens(
    open_url: str, http: aiohttp.ClientSession
) -> None:
    harness = IssoHarness(f"{open_url}/nowhere", http)
    with pytest.raises(Permanent, match="no Isso server"):
        await harness.adapter.open()
    with pytest.raises(Unsupported):
        await harness.adapter.refresh_auth()


async def test_a_post_of_many_pages_is_read_whole_one_request_at_a_time(
    open_url: str, http: aiohttp.ClientSession
) -> None:
    harness = IssoHarness(open_url, http)
    page = await harness.adapter.poll(await harness.adapter.baseline(utc_now()), Budget())
    wanted = [f"comment {number:03}" for number in range(MAX_ROOTS + 5)]
    for text in wanted:
        await harness.write(text)
    seen = []
    for _ in range(5):
        page = await harness.adapter.poll(page.cursor, Budget(requests=1))
        seen += [comment.text for comment in page.comments]
    assert (seen, page.complete) == (wanted, True)


async def test_a_budget_of_few_comments_is_kept_and_the_rest_comes_later(
    open_url: str, http: aiohttp.ClientSession
) -> None:
    harness = IssoHarness(open_url, http)
    cursor = await harness.adapter.baseline(utc_now())
    for number in range(5):
        await harness.write(f"comment {number}")
    sizes = []
    for _ in range(3):
        page = await harness.adapter.poll(cursor, Budget(comments=2))
        cursor = page.cursor
        sizes.append(len(page.comments))
    assert (sizes, page.complete) == ([2, 2, 1], True)


async def test_a_listing_over_the_size_limit_is_read_in_smaller_pieces(
    open_url: str, http: aiohttp.ClientSession
) -> None:
    harness = IssoHarness(open_url, http)
    cursor = await harness.adapter.baseline(utc_now())
    for letter in "abcdefgh":
        await harness.write(letter + "x" * 9_999)
    harness.adapter._http = Http(http, open_url, clock=utc_now, max_bytes=30_000)
    page = await harness.adapter.poll(cursor, Budget())
    assert ([comment.text[0] for comment in page.comments], page.complete) == (list("abcdefgh"), True)


async def test_two_posts_are_read_in_turn_when_the_budget_is_one_request(
    open_url: str, http: aiohttp.ClientSession
) -> None:
    first, second = IssoHarness(open_url, http), IssoHarness(open_url, http)
    adapter = first.make(posts=[first.uri, {"uri": second.uri, "title": "第二篇"}])
    cursor = await adapter.baseline(utc_now())
    await first.write("under the first")
    await second.write("under the second")
    seen = []
    for _ in range(2):
        page = await adapter.poll(cursor, Budget(requests=1))
        cursor = page.cursor
        seen += [(comment.text, post.title) for comment, post in zip(page.comments, page.posts, strict=True)]
    assert seen == [("under the first", first.uri), ("under the second", "第二篇")]
    assert page.complete
