"""The Mastodon adapter against a strict fake of a server."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from adapters.auth import FreshAuth
from adapters.base import Budget, Comment, CommentPage, Cursor, MemoryVault
from adapters.conformance import CHECKS, Check
from adapters.errors import (
    AccountRestricted,
    AuthExpired,
    Permanent,
    RateLimited,
    ReauthRequired,
    RejectedContent,
    TargetGone,
    Transient,
)
from adapters.sandbox_site import utc_now
from tests.builders import FakeClock
from tests.contract.harnesses_fediverse import MastodonHarness, mastodon
from tests.platforms.mastodon import Account, Instance

EVERYTHING = datetime(2020, 1, 1, tzinfo=UTC)
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture
async def harness() -> AsyncIterator[MastodonHarness]:
    async with mastodon() as made:
        yield made


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_the_mastodon_adapter(check: Check, harness: MastodonHarness) -> None:
    await check(harness)


async def read(harness: MastodonHarness, cursor: Cursor | None = None) -> CommentPage:
    await harness.adapter.open()
    return await harness.adapter.poll(cursor or await harness.adapter.baseline(EVERYTHING), Budget())


async def one_comment(harness: MastodonHarness, text: str = "how long?") -> Comment:
    await harness.write(text)
    return (await read(harness)).comments[-1]


async def one_message(harness: MastodonHarness, visibility: str, author: Account | None = None) -> Comment:
    fan, me = author or harness.instance.add_account("Fan"), harness.instance.me
    harness.instance.post(fan, f"@{me.acct} how long?", harness.post.id, visibility=visibility)
    return (await read(harness)).comments[-1]


def ours(harness: MastodonHarness) -> list[str]:
    """What our account answered, as it was posted."""
    statuses = harness.instance.statuses.values()
    return [one.text for one in statuses if one.author is harness.instance.me and one.parent]


# --- logging in ---


async def test_the_account_may_do_what_the_apps_scopes_say(harness: MastodonHarness) -> None:
    assert (await harness.adapter.open()).can == {"read": True, "reply": True}
    harness.instance.scopes = ("read:accounts", "read:notifications", "read:statuses")
    assert (await harness.adapter.open()).can == {"read": True, "reply": False}
    harness.instance.scopes = ("read:accounts", "write")
    assert (await harness.adapter.open()).can == {"read": False, "reply": True}


async def test_an_older_server_does_not_tell_the_scopes(harness: MastodonHarness) -> None:
    harness.instance.old = True
    assert (await harness.adapter.open()).can == {}


async def test_a_revoked_token_needs_a_person_after_one_look_into_the_vault(harness: MastodonHarness) -> None:
    vault = MemoryVault({"access_token": harness.instance.token})
    adapter = harness.make(vault=vault, access_token=None)
    fresh = FreshAuth(adapter)
    await fresh.call(adapter.open)
    harness.instance.token = "a-new-token"
    with pytest.raises(AuthExpired):
        await adapter.open()
    with pytest.raises(ReauthRequired, match="revoked") as revoked:
        await fresh.call(lambda: adapter.baseline(EVERYTHING))
    assert "access-token-of" not in str(revoked.value)
    await vault.save({"access_token": "a-new-token"})
    cursor = await fresh.call(lambda: adapter.baseline(EVERYTHING))
    await asyncio.gather(*(fresh.call(lambda: adapter.poll(cursor, Budget())) for _ in range(20)))


async def test_without_a_token_a_person_is_asked_for_one(harness: MastodonHarness) -> None:
    with pytest.raises(ReauthRequired, match="access_token"):
        await harness.make(access_token=None).open()


async def test_a_token_without_a_scope_needs_a_person(harness: MastodonHarness) -> None:
    target = await one_comment(harness)
    harness.instance.scopes = ("read",)
    with pytest.raises(ReauthRequired, match="write:statuses"):
        await harness.adapter.reply(target.ref, "an answer", "key")


async def test_a_closed_account_is_restricted(harness: MastodonHarness) -> None:
    harness.instance.disabled = True
    with pytest.raises(AccountRestricted, match="disabled"):
        await harness.adapter.open()


# --- reading ---


async def test_the_text_is_plain_without_the_names_it_was_addressed_to(harness: MastodonHarness) -> None:
    other = harness.instance.add_account("Other", "far.example")
    fan = harness.instance.add_account("Fan")
    text = (
        f"@{harness.instance.me.acct} @{other.acct} 你好 <b> &\nlook: https://example.org/{'a' * 40}\n\nbye"
    )
    harness.instance.post(fan, text, harness.post.id)
    [comment] = (await read(harness)).comments
    expected = f"@{other.username} 你好 <b> &\nlook: https://example.org/{'a' * 40}\nbye"
    assert comment.text == expected
    assert comment.url == f"https://example.social/@{fan.acct}/{comment.ref.comment_id}"


async def test_a_warning_stands_before_the_text_that_it_hides(harness: MastodonHarness) -> None:
    fan, me = harness.instance.add_account("Fan"), harness.instance.me
    harness.instance.post(fan, f"@{me.acct} it breaks", harness.post.id, warning="spoiler")
    [comment] = (await read(harness)).comments
    assert comment.text == "spoiler\nit breaks"


async def test_private_messages_are_never_returned(harness: MastodonHarness) -> None:
    fan, me = harness.instance.add_account("Fan"), harness.instance.me
    message = harness.instance.post(fan, f"@{me.acct} my address is", visibility="direct")
    harness.instance.post(me, f"@{fan.acct} thanks", message.id, visibility="direct")
    harness.instance.post(fan, f"@{me.acct} and in public", message.id)
    page = await read(harness)
    assert [comment.text for comment in page.comments] == ["and in public"]
    assert [(post.title, post.text) for post in page.posts] == [("", "")]


async def test_a_bots_mention_is_no_comment_since_two_would_go_on_for_ever(harness: MastodonHarness) -> None:
    site, fan = harness.instance, harness.instance.add_account("Fan")
    robot = site.add_account("Robot")
    robot.bot = True
    site.post(robot, f"@{site.me.acct} what did you say?")
    site.post(robot, f"@{site.me.acct} and under your post?", harness.post.id)
    site.post(fan, f"@{site.me.acct} a question")
    assert [comment.text for comment in (await read(harness)).comments] == ["a question"]


async def test_a_mention_of_its_own_is_a_comment_under_itself(harness: MastodonHarness) -> None:
    fan, me = harness.instance.add_account("Fan"), harness.instance.me
    first = harness.instance.post(fan, f"@{me.acct} a question")
    [comment] = (page := await read(harness)).comments
    assert (comment.ref.post_id, comment.ref.thread_id, comment.parent_id) == (first.id, first.id, None)
    assert page.posts[0].text == "a question"
    sent = await harness.adapter.reply(comment.ref, "an answer", "key")
    mine = next(found for found in (await read(harness)).comments if found.is_own)
    assert (mine.ref.comment_id, mine.parent_id, mine.ref.thread_id) == (sent.id, first.id, first.id)


async def test_a_deep_comment_belongs_to_the_thread_at_its_top(harness: MastodonHarness) -> None:
    fan, me = harness.instance.add_account("Fan"), harness.instance.me
    top = above = harness.instance.post(fan, "top", harness.post.id)
    for number in range(5):
        above = harness.instance.post(fan, f"level {number}", above.id)
    deepest = harness.instance.post(fan, f"@{me.acct} deepest", above.id)
    page = await read(harness)
    [comment] = page.comments
    assert (comment.ref.comment_id, comment.parent_id) == (deepest.id, above.id)
    assert (comment.ref.post_id, comment.ref.thread_id) == (harness.post.id, top.id)
    assert [post.text for post in page.posts] == ["A post about coffee\n关于咖啡 https://example.org/coffee"]
    assert page.posts[0].title == "A post about coffee"


async def test_comments_under_a_known_post_ask_for_nothing_more(harness: MastodonHarness) -> None:
    for number in range(30):
        await harness.write(f"comment {number}")
    page = await read(harness)
    asked = [path for path in harness.instance.asked if path.endswith("/context")]
    assert (len(page.comments), len(asked)) == (30, 1)


async def test_many_comments_are_read_over_many_pages(harness: MastodonHarness) -> None:
    cursor = (await read(harness)).cursor
    for number in range(230):
        await harness.write(f"comment {number}")
    page = await read(harness, cursor)
    assert (len(page.comments), page.complete) == (230, True)
    assert {comment.text for comment in page.comments} == {f"comment {number}" for number in range(230)}


async def test_only_mentions_are_asked_for(harness: MastodonHarness) -> None:
    fan = harness.instance.add_account("Fan")
    for kind in ("favourite", "reblog", "follow"):
        harness.instance.notify(kind, fan, harness.post)
    page = await read(harness)
    assert (page.comments, page.malformed) == ((), 0)


async def test_what_was_read_lately_is_read_again_and_what_is_settled_is_not() -> None:
    clock = FakeClock(NOON)
    async with mastodon(Instance(clock=clock)) as harness:
        await harness.write("a comment")
        page = await read(harness)
        clock.forward(30)
        again = await read(harness, page.cursor)
        assert [comment.text for comment in again.comments] == ["a comment"]
        clock.forward(60)
        settled = await read(harness, again.cursor)
        later = await read(harness, settled.cursor)
        assert later.comments == ()
        marks = [one["mark"] for one in later.cursor["streams"].values()]
        assert marks == [harness.instance.notifications[-1].id, harness.post.id]


async def test_a_notification_that_appears_late_before_a_younger_one_is_seen() -> None:
    clock = FakeClock(NOON)
    async with mastodon(Instance(clock=clock)) as harness:
        cursor = (await read(harness)).cursor
        for text in ("slow transaction", "fast transaction"):
            await harness.write(text)
        slow = harness.instance.notifications.pop(0)
        page = await read(harness, cursor)
        assert [comment.text for comment in page.comments] == ["fast transaction"]
        harness.instance.notifications.insert(0, slow)
        clock.forward(50)
        later = await read(harness, page.cursor)
        assert "slow transaction" in [comment.text for comment in later.comments]


async def test_the_mark_does_not_pass_a_page_that_was_not_read(harness: MastodonHarness) -> None:
    cursor = (await read(harness)).cursor
    for number in range(6):
        await harness.write(f"comment {number}")
    half = await harness.adapter.poll(cursor, Budget(requests=1, comments=2))
    assert half.complete is False
    rest = await read(harness, half.cursor)
    texts = [comment.text for comment in (*half.comments, *rest.comments)]
    assert texts == [f"comment {number}" for number in range(6)]


async def test_the_baseline_is_found_over_many_pages() -> None:
    clock = FakeClock(NOON)
    async with mastodon(Instance(clock=clock)) as harness:
        for number in range(200):
            clock.forward(1)
            await harness.write(f"comment {number}")
        await harness.adapter.open()
        cursor = await harness.adapter.baseline(NOON + timedelta(seconds=30, milliseconds=500))
        page = await harness.adapter.poll(cursor, Budget())
    assert {comment.text for comment in page.comments} == {f"comment {number}" for number in range(29, 200)}
    assert cursor["streams"]["mentions"]["mark"] == harness.instance.notifications[28].id


async def test_a_clock_that_runs_ahead_does_not_hide_what_comes_next() -> None:
    async with mastodon(Instance(clock=utc_now, skew=timedelta(minutes=10))) as harness:
        start = datetime.now(UTC)
        await harness.adapter.open()
        cursor = await harness.adapter.baseline(start)
        await harness.write("first")
        page = await read(harness, cursor)
        await harness.write("second")
        later = await read(harness, page.cursor)
    assert [comment.text for comment in page.comments] == ["first"]
    assert [comment.text for comment in later.comments] == ["first", "second"]


# --- writing ---


async def test_a_reply_begins_with_the_name_of_whom_it_answers(harness: MastodonHarness) -> None:
    fan = harness.instance.add_account("Fan", "far.example")
    target = await one_message(harness, "public", fan)
    sent = await harness.adapter.reply(target.ref, "twelve minutes", "key")
    assert ours(harness) == [f"@{fan.acct} twelve minutes"]
    assert (sent.text, sent.parent_id) == ("twelve minutes", target.ref.comment_id)
    [found] = await harness.adapter.find_own_replies(target.ref, EVERYTHING)
    assert found.text == "twelve minutes"
    await harness.adapter.reply(target.ref, f"@{fan.acct} again", "other key")
    assert ours(harness)[-1] == f"@{fan.acct} again"


@pytest.mark.parametrize(("comment", "option", "reply"), [
    ("public", "same", "public"), ("public", "unlisted", "unlisted"), ("unlisted", "same", "unlisted"),
    ("unlisted", "unlisted", "unlisted"), ("private", "same", "private"), ("private", "unlisted", "private"),
])  # fmt: skip
async def test_a_reply_is_never_more_visible_than_its_comment(
    harness: MastodonHarness, comment: str, option: str, reply: str
) -> None:
    target = await one_message(harness, comment)
    adapter = harness.make(visibility=option)
    await adapter.open()
    sent = await adapter.reply(target.ref, "an answer", "key")
    assert harness.instance.statuses[sent.id].visibility == reply


async def test_a_private_message_or_one_of_unknown_visibility_is_not_answered(
    harness: MastodonHarness,
) -> None:
    target = await one_comment(harness)
    for extra in ({"acct": "fan", "visibility": "direct"}, {"acct": "fan"}, {"visibility": "mutuals"}):
        changed = type(target.ref)("1", "1", target.ref.comment_id, EVERYTHING, extra)
        with pytest.raises(Permanent, match="not answered"):
            await harness.adapter.reply(changed, "an answer", "key")
    assert ours(harness) == []


async def test_a_reply_sent_twice_by_force_stands_there_once(harness: MastodonHarness) -> None:
    target = await one_comment(harness)
    harness.instance.lose_answers = 1
    with pytest.raises(Transient) as lost:
        await harness.adapter.reply(target.ref, "an answer", "key")
    assert lost.value.ambiguous is True
    [found] = await harness.adapter.find_own_replies(target.ref, target.ref.created_at)
    again = await harness.adapter.reply(target.ref, "an answer", "key")
    assert (again.id, len(ours(harness))) == (found.id, 1)
    await harness.adapter.reply(target.ref, "another answer", "another key")
    assert len(ours(harness)) == 2


async def test_the_server_forgets_the_key_after_an_hour_so_the_service_must_look() -> None:
    clock = FakeClock(NOON)
    async with mastodon(Instance(clock=clock)) as harness:
        target = await one_comment(harness)
        await harness.adapter.reply(target.ref, "an answer", "key")
        clock.forward(3700)
        await harness.adapter.reply(target.ref, "an answer", "key")
        assert len(ours(harness)) == 2
        assert harness.adapter.capabilities.idempotent_reply is False
        assert harness.adapter.capabilities.can_find_own is True


async def test_the_length_is_this_servers_and_is_checked_before_anything_is_asked() -> None:
    async with mastodon(Instance(clock=utc_now, max_chars=60)) as harness:
        fan = harness.instance.add_account("Fan", "a-very-long-name-of-a-server.example")
        target = await one_message(harness, "public", fan)
        assert harness.adapter.capabilities.max_reply_chars == 60 - 32
        room = 60 - len(f"@{fan.username} ")
        harness.instance.asked.clear()
        with pytest.raises(RejectedContent, match="60"):
            await harness.adapter.reply(target.ref, "好" * (room + 1), "key")
        with pytest.raises(RejectedContent, match="empty"):
            await harness.adapter.reply(target.ref, " ", "key")
        assert harness.instance.asked == []
        await harness.adapter.reply(target.ref, "好" * room, "key")
        long_address = f"https://example.org/{'a' * 100}"
        await harness.adapter.reply(target.ref, f"{long_address} {'好' * (room - 24)}", "other key")
        assert len(ours(harness)) == 2


async def test_a_text_that_the_server_refuses_is_rejected_content(harness: MastodonHarness) -> None:
    target = await one_comment(harness)
    adapter = harness.make(max_chars=600)
    await adapter.open()
    with pytest.raises(RejectedContent, match="character limit"):
        await adapter.reply(target.ref, "x" * 550, "key")


async def test_a_limited_account_waits_as_long_as_it_is_told_whatever_the_clocks_say() -> None:
    clock = FakeClock(NOON)
    async with mastodon(Instance(clock=clock, skew=timedelta(minutes=10))) as harness:
        target = await one_comment(harness)
        harness.instance.limited_until = clock.now + timedelta(seconds=90)
        with pytest.raises(RateLimited) as limited:
            await harness.adapter.reply(target.ref, "an answer", "key")
        assert limited.value.retry_after == 90
        clock.forward(90)
        await harness.adapter.reply(target.ref, "an answer", "key")


@pytest.mark.parametrize("minutes", [10, -10])
async def test_a_reply_is_found_however_wrong_a_clock_is(minutes: int) -> None:
    async with mastodon(Instance(clock=utc_now, skew=timedelta(minutes=minutes))) as harness:
        target = await one_comment(harness)
        sent = await harness.adapter.reply(target.ref, "an answer", "key")
        for since in (target.ref.created_at, datetime.now(UTC) - timedelta(seconds=5)):
            found = await harness.adapter.find_own_replies(target.ref, since)
            assert [reply.id for reply in found] == [sent.id]


async def test_a_comment_deleted_while_it_is_read_is_left_out(harness: MastodonHarness) -> None:
    await harness.write("kept")
    await harness.write("soon gone")
    gone = harness.instance.notifications[-1].status
    del harness.instance.statuses[gone.id]
    harness.instance.notifications.reverse()
    page = await read(harness)
    assert "kept" in [comment.text for comment in page.comments]
    target = page.comments[0].ref
    harness.instance.remove(target.comment_id)
    with pytest.raises(TargetGone):
        await harness.adapter.find_own_replies(target, EVERYTHING)
