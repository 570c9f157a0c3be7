"""What only a real WordPress shows: whole seconds, its moderator, its refusals, its roles."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from adapters.auth import FreshAuth
from adapters.base import Budget, Comment, CommentRef, Moderates
from adapters.errors import (
    AlreadyReplied,
    Permanent,
    RateLimited,
    ReauthRequired,
    RejectedContent,
    TargetGone,
)
from adapters.http import Http
from adapters.sandbox_site import utc_now
from adapters.text import same_text
from adapters.wordpress import WordPressAdapter
from tests.conftest import require
from tests.contract.harnesses import new_session
from tests.contract.harnesses_wordpress import WordPressHarness, ask, on_a_post_of_its_own
from tests.integration import wordpress_server
from tests.integration.wordpress_server import WordPressServer

HOUR = timedelta(hours=1)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with new_session() as session:
        yield session


@pytest.fixture
async def harness(wordpress: WordPressServer, http: aiohttp.ClientSession) -> WordPressHarness:
    return await on_a_post_of_its_own(wordpress, http)


def ago(**time: float) -> str:
    """A moment as WordPress takes it for a comment's `date_gmt`."""
    return (utc_now() - timedelta(**time)).strftime("%Y-%m-%dT%H:%M:%S")


async def read(adapter: WordPressAdapter, since: datetime) -> tuple[Comment, ...]:
    page = await adapter.poll(await adapter.baseline(since), Budget())
    assert page.complete
    return page.comments


async def target_of(harness: WordPressHarness, text: str = "a question") -> CommentRef:
    row = await harness.comment(text)
    made = datetime.fromisoformat(row["date_gmt"]).replace(tzinfo=UTC)
    return CommentRef(str(harness.post_id), str(row["id"]), str(row["id"]), made)


async def texts_by(adapter: WordPressAdapter, cursor: object, budget: Budget, polls: int = 30) -> list[str]:
    """What polls of a small budget bring until one is complete, each comment once."""
    seen: dict[str, str] = {}
    for _ in range(polls):
        page = await adapter.poll(cursor, budget)  # type: ignore[arg-type]
        seen |= {comment.ref.comment_id: comment.text for comment in page.comments}
        cursor = page.cursor
        if page.complete:
            return list(seen.values())
    raise AssertionError(f"not complete after {polls} polls")


# --- reading ---


async def test_many_comments_of_one_second_are_read_in_small_pages(harness: WordPressHarness) -> None:
    cursor = await harness.adapter.baseline(utc_now() - HOUR)
    wanted = [f"comment {number}" for number in range(7)]
    when = ago(minutes=30)
    for text in wanted:
        await harness.comment(text, date_gmt=when)
    assert await texts_by(harness.adapter, cursor, Budget(requests=1, comments=2)) == wanted
    assert await texts_by(harness.adapter, cursor, Budget(requests=1, comments=1)) == wanted


async def test_comments_deleted_and_released_while_the_pages_are_walked_cost_no_other_one(
    harness: WordPressHarness,
) -> None:
    cursor = await harness.adapter.baseline(utc_now() - HOUR)
    rows = [await harness.comment(f"comment {n}", date_gmt=ago(minutes=30 - n)) for n in range(8)]
    held = await harness.comment("please hold me", date_gmt=ago(minutes=40))
    seen: list[str] = []
    for turn in range(12):
        page = await harness.adapter.poll(cursor, Budget(requests=2, comments=3))
        seen += [comment.text for comment in page.comments if comment.text not in seen]
        cursor = page.cursor
        if turn == 0:
            for row in rows[:3]:
                await harness.ask("DELETE", f"comments/{row['id']}")
            await harness.ask("POST", f"comments/{held['id']}", body={"status": "approve"})
        if page.complete:
            break
    page = await harness.adapter.poll(cursor, Budget())
    seen += [comment.text for comment in page.comments if comment.text not in seen]
    assert seen == [*(f"comment {number}" for number in range(8)), "please hold me"]


async def test_comments_on_posts_that_we_may_not_read_leave_no_gap(
    wordpress: WordPressServer, http: aiohttp.ClientSession
) -> None:
    hidden = await on_a_post_of_its_own(wordpress, http, password="secret")
    shown = await on_a_post_of_its_own(wordpress, http)
    adapter = shown.make("reader", posts=[])
    cursor = await adapter.baseline(utc_now() + 240 * HOUR)
    for number in range(5):
        await hidden.comment(f"not for readers {number}", "creator", date_gmt=ago(days=-11))
        await shown.comment(f"for all {number}", date_gmt=ago(days=-12 - number))
    assert await texts_by(adapter, cursor, Budget(requests=1, comments=2)) == [
        f"for all {n}" for n in range(5)
    ]


async def test_a_chosen_post_that_we_may_not_read_is_said_so(
    wordpress: WordPressServer, http: aiohttp.ClientSession
) -> None:
    hidden = await on_a_post_of_its_own(wordpress, http, password="secret")
    adapter = hidden.make("reader")
    with pytest.raises(Permanent, match="not allowed to read the post"):
        await adapter.poll(await adapter.baseline(utc_now()), Budget())


async def test_a_comment_released_late_is_seen_with_its_old_time(harness: WordPressHarness) -> None:
    cursor = await harness.adapter.baseline(utc_now() - 2 * HOUR)
    held = await harness.comment("please hold me, I am early", date_gmt=ago(minutes=90))
    await harness.comment("newer, and shown at once", date_gmt=ago(minutes=10))
    first = await harness.adapter.poll(cursor, Budget())
    second = await harness.adapter.poll(first.cursor, Budget())
    await harness.ask("POST", f"comments/{held['id']}", body={"status": "approve"})
    third = await harness.adapter.poll(second.cursor, Budget())
    fourth = await harness.adapter.poll(third.cursor, Budget())
    wanted = ["please hold me, I am early", "newer, and shown at once"]
    assert [comment.text for comment in first.comments] == wanted[1:]
    assert [comment.text for comment in third.comments] == wanted
    assert [comment.text for comment in fourth.comments] == wanted[1:]


async def test_what_comes_back_from_spam_is_seen_when_all_is_read_again_and_not_too_late(
    harness: WordPressHarness,
) -> None:
    cursor = await harness.adapter.baseline(utc_now() - 2 * HOUR)
    spam = await harness.comment("buy cheap pills, or not", date_gmt=ago(minutes=90))
    await harness.comment("newer", date_gmt=ago(minutes=10))
    cursor = (await harness.adapter.poll(cursor, Budget())).cursor
    await harness.ask("POST", f"comments/{spam['id']}", body={"status": "approve"})
    soon = await harness.adapter.poll(cursor, Budget())
    too_late = await harness.make(full_read_s=0, late_s=600).poll(cursor, Budget())
    again = await harness.make(full_read_s=0).poll(cursor, Budget())
    assert [len(page.comments) for page in (soon, too_late, again)] == [1, 1, 2]


async def test_the_beginning_of_time_is_no_trouble(harness: WordPressHarness) -> None:
    await harness.comment("long ago", date_gmt="2007-01-01T00:00:00")
    for since in (datetime(1970, 1, 1, tzinfo=UTC), datetime.min.replace(tzinfo=UTC)):
        assert [comment.text for comment in await read(harness.adapter, since)] == ["long ago"]


async def test_a_comment_from_the_future_hides_no_other(harness: WordPressHarness) -> None:
    cursor = await harness.adapter.baseline(utc_now())
    await harness.comment("from the future", date_gmt=ago(hours=-5))
    page = await harness.adapter.poll(cursor, Budget())
    await harness.comment("from now")
    page = await harness.adapter.poll(page.cursor, Budget())
    assert [comment.text for comment in page.comments] == ["from now", "from the future"]


@pytest.mark.parametrize("skew", [timedelta(minutes=10), timedelta(minutes=-10)])
async def test_a_clock_ten_minutes_off_loses_nothing_and_finds_our_replies(
    harness: WordPressHarness, skew: timedelta
) -> None:
    adapter = harness.make(clock=lambda: utc_now() + skew)
    await harness.comment("old", date_gmt=ago(minutes=5))
    cursor = await adapter.baseline(utc_now() + skew)
    target = await target_of(harness)
    page = await adapter.poll(cursor, Budget())
    sent = await adapter.reply(target, "our reply", "key")
    again = await adapter.poll(page.cursor, Budget())
    assert [comment.text for comment in page.comments] == ["a question"]
    assert [comment.text for comment in again.comments] == ["a question", "our reply"]
    for since in (target.created_at, target.created_at + skew):
        assert [reply.id for reply in await adapter.find_own_replies(target, since)] == [sent.id]


async def test_posts_and_pages_have_their_titles_and_each_is_asked_for_once(
    wordpress: WordPressServer, http: aiohttp.ClientSession
) -> None:
    post = await on_a_post_of_its_own(
        wordpress, http, title="咖啡 & <i>tea</i>", content="About <b>coffee</b>"
    )
    open_page = {"title": "A page", "status": "publish", "comment_status": "open"}
    page = await ask(wordpress, http, "POST", "pages", body=open_page)
    await post.comment("under the post")
    await post.comment("under the page", post=page["id"])
    adapter = post.make(posts=[post.post_id, page["id"]])
    cursor = await adapter.baseline(utc_now() - HOUR)
    read = await adapter.poll(cursor, Budget())
    shown = {found.id: (found.title, found.text) for found in read.posts}
    assert shown == {str(post.post_id): ("咖啡 & tea", "About coffee"), str(page["id"]): ("A page", "")}
    await ask(wordpress, http, "POST", f"pages/{page['id']}", body={"title": "Another name"})
    again = await adapter.poll(cursor, Budget())
    later = await adapter.poll({**cursor, "read": 1e9}, Budget())
    assert [{found.title for found in polled.posts} for polled in (again, later)] == [
        {"咖啡 & tea", "A page"},
        {"咖啡 & tea", "Another name"},
    ]


async def test_an_answer_deep_in_an_old_thread_belongs_to_its_top(harness: WordPressHarness) -> None:
    above, top = 0, 0
    for level in range(7):
        row = await harness.comment(f"level {level}", parent=above, date_gmt=ago(hours=5 - level / 10))
        above, top = row["id"], top or row["id"]
    cursor = await harness.adapter.baseline(utc_now() - HOUR)
    row = await harness.comment("the deepest", parent=above)
    (deepest,) = (await harness.adapter.poll(cursor, Budget())).comments
    assert (deepest.parent_id, deepest.ref.thread_id) == (str(above), str(top))
    sent = await harness.adapter.reply(deepest.ref, "deeper still", "key")
    assert sent.parent_id == str(row["id"])


async def test_what_people_typed_arrives_as_text_in_every_role(harness: WordPressHarness) -> None:
    typed = 'Tom\'s "1 < 2" & <b>bold</b> -- ok...\n\n第二行 :)'
    await harness.comment(typed, author_name="Tom & <Jerry>")
    since = utc_now() - HOUR
    (by_source,) = await read(harness.adapter, since)
    (by_page,) = await read(harness.make("reader"), since)
    assert by_source.text == 'Tom\'s "1 < 2" & bold -- ok...\n第二行 :)'
    assert by_page.text.startswith("Tom’s “1 < 2")
    assert by_source.author_name == "Tom &"


async def test_visitors_without_an_account_are_told_apart_by_name(harness: WordPressHarness) -> None:
    await harness.write("one", name="Ann")
    await harness.write("two", name="Bob")
    await harness.comment("three", "reader")
    ids = [comment.author_id for comment in await read(harness.adapter, utc_now() - HOUR)]
    assert ids[:2] == ["guest:Ann", "guest:Bob"]
    assert ids[2].isdigit()


async def test_a_site_without_permalinks_is_read_and_answered(harness: WordPressHarness) -> None:
    adapter = harness.make(api="?rest_route=")
    target = await target_of(harness)
    sent = await adapter.reply(target, "our reply", "key")
    page = await adapter.poll(await adapter.baseline(utc_now() - HOUR), Budget())
    assert [comment.ref.comment_id for comment in page.comments] == [target.comment_id, sent.id]
    assert [post.title for post in page.posts] == ["A post"]


async def test_without_a_choice_of_posts_the_whole_site_is_read(
    wordpress: WordPressServer, http: aiohttp.ClientSession
) -> None:
    first = await on_a_post_of_its_own(wordpress, http)
    second = await on_a_post_of_its_own(wordpress, http)
    rows = [await first.comment("here"), await second.comment("and there")]
    found = {comment.ref.comment_id for comment in await read(first.make(posts=[]), utc_now())}
    assert found >= {str(row["id"]) for row in rows}


async def test_a_listing_over_the_size_limit_is_read_in_smaller_pieces(harness: WordPressHarness) -> None:
    cursor = await harness.adapter.baseline(utc_now())
    for letter in "abcdefgh":
        await harness.comment(letter + "x" * 9_999)
    harness.adapter._site._http = Http(harness.http, harness.site.url, clock=utc_now, max_bytes=60_000)
    page = await harness.adapter.poll(cursor, Budget())
    assert ([comment.text[0] for comment in page.comments], page.complete) == (list("abcdefgh"), True)


# --- answering ---


async def test_the_same_reply_sent_twice_is_there_once_and_the_second_names_the_first(
    harness: WordPressHarness,
) -> None:
    target = await target_of(harness)
    sent = await harness.adapter.reply(target, 'it\'s <b>only</b> "once" & for all -- 一次', "key")
    with pytest.raises(AlreadyReplied) as again:
        await harness.adapter.reply(target, 'it\'s <b>only</b> "once" & for all -- 一次', "key")
    assert again.value.reply_id == sent.id
    assert len(await harness.adapter.find_own_replies(target, target.created_at)) == 1


async def test_a_reply_is_shown_as_the_text_that_it_is(harness: WordPressHarness) -> None:
    target = await target_of(harness)
    text = "<script>alert(1)</script> if a<b && c>d: *yes* 你好"
    sent = await harness.adapter.reply(target, text, "key")
    (found,) = await harness.adapter.find_own_replies(target, target.created_at)
    row = await harness.ask("GET", f"comments/{sent.id}", login="")
    assert "<script>" not in row["content"]["rendered"]
    assert (sent.text, same_text(found.text, text)) == (text, True)


async def test_the_limit_of_one_comment_in_fifteen_seconds_is_a_wait_and_not_a_refusal(
    harness: WordPressHarness,
) -> None:
    adapter = harness.make("hasty")
    target = await target_of(harness)
    await adapter.reply(target, "the first", "key-1")
    with pytest.raises(RateLimited) as limited:
        await adapter.reply(target, "the second", "key-2")
    assert limited.value.retry_after == 15
    assert [r.text for r in await adapter.find_own_replies(target, target.created_at)] == ["the first"]


async def test_a_reply_whose_comment_is_gone_leaves_nothing(harness: WordPressHarness) -> None:
    for force in ("", "?force=true"):
        target = await target_of(harness, f"soon gone {force}")
        await harness.ask("DELETE", f"comments/{target.comment_id}{force}")
        with pytest.raises(TargetGone):
            await harness.adapter.reply(target, "for nobody", "key")
        left = await harness.ask("GET", f"comments?parent={target.comment_id}&status=any")
        assert left == []
        with pytest.raises(TargetGone):
            await harness.adapter.find_own_replies(target, target.created_at)


async def test_closed_comments_are_said_so_and_a_deleted_post_is_gone(harness: WordPressHarness) -> None:
    target = await target_of(harness)
    await harness.ask("POST", f"posts/{harness.post_id}", body={"comment_status": "closed"})
    with pytest.raises(Permanent, match="comments are closed on this post; open them"):
        await harness.adapter.reply(target, "too late", "key")
    assert await harness.adapter.find_own_replies(target, target.created_at) == []
    for force in ("", "?force=true"):
        await harness.ask("DELETE", f"posts/{harness.post_id}{force}")
        with pytest.raises(TargetGone):
            await harness.adapter.reply(target, "too late", "key")
        with pytest.raises(TargetGone):
            await harness.adapter.find_own_replies(target, target.created_at)


async def test_a_reply_of_too_many_bytes_is_refused_before_the_call_and_by_the_site(
    harness: WordPressHarness,
) -> None:
    target = await target_of(harness)
    with pytest.raises(RejectedContent, match="65526 bytes"):
        await harness.adapter.reply(target, "长" * 21_842, "key")
    with pytest.raises(RejectedContent, match="empty"):
        await harness.adapter.reply(target, " \n", "key")
    with pytest.raises(RejectedContent, match="comment_content_column_length"):
        await harness.make(max_reply_bytes=100_000).reply(target, "长" * 21_842, "key")
    longest = "长" * 21_841
    await harness.adapter.reply(target, longest, "key")
    (found,) = await harness.adapter.find_own_replies(target, target.created_at)
    assert found.text == longest


async def test_a_reply_that_is_held_counts_as_accepted_and_one_in_spam_as_refused(
    harness: WordPressHarness,
) -> None:
    target = await target_of(harness)
    reader, start = harness.make("reader"), target.created_at
    sent = await harness.adapter.reply(target, "please hold me", "key-1")
    assert [reply.id for reply in await harness.adapter.find_own_replies(target, start)] == [sent.id]
    assert harness.adapter.capabilities.can_find_own
    await reader.reply(target, "please hold me too", "key-2")
    assert not reader.capabilities.can_find_own
    with pytest.raises(RejectedContent, match="into its spam"):
        await harness.adapter.reply(target, "buy cheap pills", "key-3")


# --- rights ---


async def test_a_role_says_what_the_account_may_do(harness: WordPressHarness) -> None:
    accounts = [await harness.make(login).open() for login in ("creator", "writer", "reader")]
    assert [(account.name, account.can["hide"]) for account in accounts] == [
        ("Creator", True),
        ("Writer", False),
        ("Reader", False),
    ]


async def test_a_hidden_comment_is_held_for_the_moderator(harness: WordPressHarness) -> None:
    assert isinstance(harness.adapter, Moderates)
    target = await target_of(harness)
    await harness.adapter.hide(target)
    await harness.adapter.hide(target)
    assert await harness.ask("GET", f"comments?post={harness.post_id}", login="") == []
    with pytest.raises(TargetGone):
        await harness.adapter.find_own_replies(target, target.created_at)
    await harness.remove(target)
    with pytest.raises(TargetGone):
        await harness.adapter.hide(target)
    row = await harness.ask("GET", f"comments/{target.comment_id}")
    assert row["status"] == "trash"


async def test_who_may_not_hide_is_told_so(harness: WordPressHarness) -> None:
    target = await target_of(harness)
    with pytest.raises(Permanent, match="rest_cannot_edit"):
        await harness.make("writer").hide(target)


@pytest.mark.parametrize("login", ["writer", "reader"])
async def test_every_role_reads_answers_and_finds_its_replies(
    wordpress: WordPressServer, http: aiohttp.ClientSession, login: str
) -> None:
    harness = await on_a_post_of_its_own(wordpress, http)
    adapter = harness.make(login)
    target = await target_of(harness)
    sent = await adapter.reply(target, "our <b>reply</b>", "key")
    await harness.comment("another's reply", parent=int(target.comment_id))
    found = await adapter.find_own_replies(target, target.created_at)
    own = [comment.text for comment in await read(adapter, utc_now() - HOUR) if comment.is_own]
    assert ([reply.id for reply in found], own) == ([sent.id], ["our <b>reply</b>"])


async def test_an_author_sees_what_is_released_on_posts_of_their_own(
    wordpress: WordPressServer, http: aiohttp.ClientSession
) -> None:
    harness = await on_a_post_of_its_own(wordpress, http, "writer")
    adapter = harness.make("writer")
    cursor = await adapter.baseline(utc_now() - 2 * HOUR)
    held = await harness.comment("please hold me", date_gmt=ago(minutes=90))
    await harness.comment("newer")
    page = await adapter.poll(cursor, Budget())
    await harness.ask("POST", f"comments/{held['id']}", body={"status": "approve"})
    page = await adapter.poll(page.cursor, Budget())
    assert [comment.text for comment in page.comments] == ["please hold me", "newer"]


async def test_a_role_that_was_lowered_is_noticed_at_the_next_poll(
    wordpress: WordPressServer, http: aiohttp.ClientSession, harness: WordPressHarness
) -> None:
    writer = await ask(wordpress, http, "GET", "users/me?context=edit", "writer")
    route = f"users/{writer['id']}"
    await harness.ask("POST", route, body={"roles": ["editor"]})
    adapter = harness.make("writer")
    cursor = await adapter.baseline(utc_now())
    await adapter.poll(cursor, Budget())
    await harness.ask("POST", route, body={"roles": ["author"]})
    await harness.comment("a question")
    with pytest.raises(Permanent, match="rest_forbidden_context"):
        await adapter.poll(cursor, Budget())
    assert [comment.text for comment in (await adapter.poll(cursor, Budget())).comments] == ["a question"]


async def test_a_revoked_password_stops_every_call_and_writes_nothing_as_a_stranger(
    wordpress: WordPressServer, http: aiohttp.ClientSession, harness: WordPressHarness
) -> None:
    target = await target_of(harness)
    route = "users/me/application-passwords"
    made = await ask(wordpress, http, "POST", route, "creator", {"name": "to be revoked"})
    adapter = harness.make(application_password=made["password"])
    await adapter.open()
    cursor = await adapter.baseline(utc_now())
    await ask(wordpress, http, "DELETE", f"{route}/{made['uuid']}")
    calls = [adapter.open, lambda: adapter.poll(cursor, Budget()), lambda: adapter.baseline(utc_now())]
    fresh = FreshAuth(adapter)
    calls += [lambda: fresh.call(lambda: adapter.reply(target, "who am I?", "key"))] * 3
    results = await asyncio.gather(*(call() for call in calls), return_exceptions=True)
    assert [type(result) for result in results] == [ReauthRequired] * len(calls)
    assert not [str(result) for result in results if made["password"] in str(result)]
    assert await harness.ask("GET", f"comments?parent={target.comment_id}&status=any") == []
    with pytest.raises(ReauthRequired, match="cannot be renewed"):
        await adapter.refresh_auth()


async def test_a_place_without_wordpress_is_named(harness: WordPressHarness) -> None:
    elsewhere = harness.site.url.removesuffix("/blog")
    with pytest.raises(Permanent, match="no REST API of WordPress answers at http"):
        await harness.make(base_url=elsewhere).open()


def test_nothing_of_the_site_is_left_when_the_tests_are_done() -> None:
    problem = wordpress_server.missing()
    require(not problem, problem)
    with wordpress_server.running() as site:
        home, pids = Path(site.home), site.pids
        assert all(Path(f"/proc/{pid}").exists() for pid in pids)
    assert not home.exists()
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
