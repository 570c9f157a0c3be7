"""The Bluesky adapter against a strict fake of a server and its network."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.auth import FreshAuth
from adapters.base import Budget, Comment, CommentPage, Cursor, MemoryVault, Moderates
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
from tests.contract.harnesses_fediverse import BlueskyHarness, bluesky
from tests.platforms.bluesky import GATES, POSTS, Network, iso, parent_of

EVERYTHING = datetime(2020, 1, 1, tzinfo=UTC)
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


@pytest.fixture
async def harness() -> AsyncIterator[BlueskyHarness]:
    async with bluesky() as made:
        yield made


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_the_bluesky_adapter(check: Check, harness: BlueskyHarness) -> None:
    await check(harness)


async def read(harness: BlueskyHarness, cursor: Cursor | None = None) -> CommentPage:
    await harness.adapter.open()
    return await harness.adapter.poll(cursor or await harness.adapter.baseline(EVERYTHING), Budget())


async def one_comment(harness: BlueskyHarness, text: str = "how long?") -> Comment:
    await harness.write(text)
    return (await read(harness)).comments[-1]


def ours(harness: BlueskyHarness) -> list[str]:
    """The texts of what our account answered."""
    mine = [post for post in harness.network.posts() if post.did == harness.network.me.did]
    return [post.value["text"] for post in mine if parent_of(post)]


# --- logging in ---


@pytest.mark.parametrize("name", ["ExpiredToken", "InvalidToken"])
async def test_a_stale_token_is_renewed_once_for_twenty_calls(harness: BlueskyHarness, name: str) -> None:
    network = harness.network
    await harness.adapter.open()
    cursor = await harness.adapter.baseline(EVERYTHING)
    if name == "ExpiredToken":
        network.access = dict.fromkeys(network.access, datetime.now(UTC) - timedelta(seconds=1))
    else:
        network.access.clear()
    fresh = FreshAuth(harness.adapter)
    await asyncio.gather(*(fresh.call(lambda: harness.adapter.poll(cursor, Budget())) for _ in range(20)))
    assert (network.refreshes, network.logins) == (1, 1)


async def test_a_stale_token_is_told_apart_from_other_bad_requests(harness: BlueskyHarness) -> None:
    target = await one_comment(harness)
    harness.network.access.clear()
    for call in (
        lambda: harness.adapter.reply(target.ref, "an answer", "key"),
        lambda: harness.adapter.find_own_replies(target.ref, EVERYTHING),
        lambda: harness.adapter.hide(target.ref),
    ):
        with pytest.raises(AuthExpired):
            await call()


async def test_the_session_in_the_vault_saves_a_log_in(harness: BlueskyHarness) -> None:
    await harness.adapter.open()
    await harness.adapter.aclose()
    again = harness.make(app_password="not needed")
    assert (await again.open()).id == harness.network.me.did
    assert harness.network.logins == 1


async def test_a_session_of_another_account_in_the_vault_is_not_used(harness: BlueskyHarness) -> None:
    await harness.adapter.open()
    other = harness.make(identifier=harness.network.me.did)
    await other.open()
    assert harness.network.logins == 2


async def test_what_another_process_refreshed_is_taken(harness: BlueskyHarness) -> None:
    await harness.adapter.open()
    other = harness.make()
    await other.open()
    await other.refresh_auth()
    await harness.adapter.refresh_auth()
    await harness.adapter.open()
    assert harness.network.refreshes == 1


async def test_a_spent_refresh_token_leads_to_a_log_in(harness: BlueskyHarness) -> None:
    await harness.adapter.open()
    harness.network.access.clear()
    harness.network.refresh.clear()
    await harness.adapter.refresh_auth()
    await harness.adapter.open()
    assert harness.network.logins == 2


async def test_a_new_token_is_kept_before_it_is_used(harness: BlueskyHarness) -> None:
    class Full(MemoryVault):
        async def save(self, tokens: object) -> None:
            raise OSError("disk full")

    adapter = harness.make(vault=Full())
    with pytest.raises(OSError, match="disk full"):
        await adapter.open()
    assert "app.bsky.notification.listNotifications" not in harness.network.asked
    with pytest.raises(AuthExpired):
        await adapter.baseline(EVERYTHING)


async def test_what_else_the_vault_holds_stays_there(harness: BlueskyHarness) -> None:
    vault = MemoryVault({"app_password": harness.network.password})
    adapter = harness.make(vault=vault, app_password=None)
    await adapter.open()
    kept = await vault.load()
    assert set(kept) == {"app_password", "identifier", "access_jwt", "refresh_jwt"}


async def test_a_refused_app_password_needs_a_person_and_is_not_shown(harness: BlueskyHarness) -> None:
    adapter = harness.make(vault=MemoryVault(), app_password="wrong-secret")
    with pytest.raises(ReauthRequired, match="app password") as refused:
        await adapter.open()
    assert "wrong-secret" not in str(refused.value)
    with pytest.raises(ReauthRequired, match="app_password"):
        await harness.make(vault=MemoryVault(), app_password=None).open()


@pytest.mark.parametrize("status", ["takendown", "suspended", "deactivated"])
async def test_a_closed_account_is_restricted(harness: BlueskyHarness, status: str) -> None:
    await harness.adapter.open()
    harness.network.me.status = status
    with pytest.raises(AccountRestricted, match=status):
        await harness.adapter.open()


# --- reading ---


async def test_a_comment_by_a_slow_clock_is_seen_behind_newer_ones(harness: BlueskyHarness) -> None:
    await one_comment(harness)
    page = await read(harness)
    fan = harness.network.add_person("Late")
    harness.network.post(fan, "my clock is slow", harness.post.uri)
    slow = harness.network.posts()[0]
    slow.value["createdAt"] = iso(slow.indexed_at - timedelta(minutes=10))
    later = await read(harness, page.cursor)
    assert "my clock is slow" in [comment.text for comment in later.comments]


async def test_a_clock_that_runs_ahead_does_not_hide_what_comes_next() -> None:
    async with bluesky(Network(clock=utc_now, skew=timedelta(minutes=10))) as harness:
        start = datetime.now(UTC)
        await harness.adapter.open()
        cursor = await harness.adapter.baseline(start)
        await harness.write("first")
        page = await read(harness, cursor)
        await harness.write("second")
        later = await read(harness, page.cursor)
    assert [comment.text for comment in page.comments] == ["first"]
    assert [comment.text for comment in later.comments] == ["first", "second"]


async def test_the_watermark_waits_until_the_walk_has_reached_the_known(harness: BlueskyHarness) -> None:
    before = (await read(harness)).cursor
    for number in range(6):
        await harness.write(f"comment {number}")
    half = await harness.adapter.poll(before, Budget(requests=1, comments=2))
    assert half.complete is False
    assert half.cursor["streams"]["inbox"]["since"] == before["streams"]["inbox"]["since"]
    rest = await read(harness, half.cursor)
    seen = {comment.text for comment in (*half.comments, *rest.comments)}
    assert seen == {f"comment {number}" for number in range(6)}


async def test_a_place_that_the_server_forgot_is_looked_for_from_the_top(harness: BlueskyHarness) -> None:
    cursor = (await read(harness)).cursor
    for number in range(4):
        await harness.write(f"comment {number}")
    half = await harness.adapter.poll(cursor, Budget(requests=1, comments=2))
    harness.network.forget_places = True
    rest = await read(harness, half.cursor)
    assert {comment.text for comment in rest.comments} == {f"comment {number}" for number in range(4)}


async def test_only_answers_of_ours_are_comments_not_our_posts(harness: BlueskyHarness) -> None:
    harness.network.post(harness.network.me, "another post")
    page = await read(harness)
    assert page.comments == ()


async def test_a_mention_in_somebodys_post_is_a_comment_under_itself(harness: BlueskyHarness) -> None:
    fan, me = harness.network.add_person("Fan"), harness.network.me
    text = f"ask @{me.handle}"
    feature = {"$type": "app.bsky.richtext.facet#mention", "did": me.did}
    index = {"byteStart": 4, "byteEnd": len(text)}
    first = harness.network.post(fan, text, facets=[{"index": index, "features": [feature]}])
    [comment] = (page := await read(harness)).comments
    assert (comment.ref.post_id, comment.ref.thread_id, comment.parent_id) == (first.uri, first.uri, None)
    assert page.posts[0].text == text
    sent = await harness.adapter.reply(comment.ref, "here I am", "key")
    mine = next(found for found in (await read(harness)).comments if found.is_own)
    assert (mine.ref.comment_id, mine.parent_id, mine.ref.thread_id) == (sent.id, first.uri, first.uri)


async def test_a_deep_comment_belongs_to_the_thread_at_its_top(harness: BlueskyHarness) -> None:
    fan = harness.network.add_person("Fan")
    top = above = harness.network.post(fan, "top", harness.post.uri)
    for number in range(3):
        above = harness.network.post(fan, f"level {number}", above.uri)
    start = await harness_cursor(harness, above.indexed_at)
    deepest = harness.network.post(fan, "deepest", above.uri)
    page = await harness.adapter.poll(start, Budget())
    [comment] = [found for found in page.comments if found.ref.comment_id == deepest.uri]
    assert (comment.ref.thread_id, comment.parent_id) == (top.uri, above.uri)
    assert comment.ref.post_id == harness.post.uri


async def harness_cursor(harness: BlueskyHarness, since: datetime) -> Cursor:
    await harness.adapter.open()
    return await harness.adapter.baseline(since)


async def test_under_a_deleted_comment_a_thread_of_its_own_begins(harness: BlueskyHarness) -> None:
    fan = harness.network.add_person("Fan")
    gone = harness.network.post(fan, "soon gone", harness.post.uri)
    kept = harness.network.post(fan, "still here", gone.uri)
    deeper = harness.network.post(fan, "deeper", kept.uri)
    del harness.network.records[gone.uri]
    # Only what answers our own post is told to us now; the account's feed brings the rest.
    answer = harness.network.post(harness.network.me, "ours", deeper.uri)
    page = await read(harness)
    [mine] = [found for found in page.comments if found.ref.comment_id == answer.uri]
    assert mine.ref.thread_id == gone.uri


async def test_the_post_shows_its_first_line_and_its_text(harness: BlueskyHarness) -> None:
    await harness.write("nice")
    [post] = (await read(harness)).posts
    assert (post.title, post.text) == ("A post about coffee", "A post about coffee\n关于咖啡")
    assert post.url == f"https://bsky.app/profile/{harness.network.me.did}/post/{post.id.rpartition('/')[2]}"


async def test_rows_that_cannot_be_read_are_counted_and_the_rest_is_kept(harness: BlueskyHarness) -> None:
    await harness.write("a good one")
    await harness.write("a bad one")
    harness.network.posts()[0].value["text"] = 7
    page = await read(harness)
    assert ([comment.text for comment in page.comments], page.malformed) == (["a good one"], 1)


async def test_likes_that_come_unasked_are_no_comments(harness: BlueskyHarness) -> None:
    await harness.write("a comment")
    harness.network.deaf = True
    like = {"$type": "app.bsky.feed.like", "createdAt": iso(datetime.now(UTC))}
    fan = harness.people["Visitor"]
    harness.network.put(fan.did, "app.bsky.feed.like", harness.network.next_key(), like)
    page = await read(harness)
    assert ([comment.text for comment in page.comments], page.malformed) == (["a comment"], 0)


async def test_many_comments_are_read_over_many_pages(harness: BlueskyHarness) -> None:
    cursor = (await read(harness)).cursor
    for number in range(230):
        await harness.write(f"comment {number}")
    page = await read(harness, cursor)
    assert (len(page.comments), page.complete) == (230, True)
    assert [comment.text for comment in page.comments] == [f"comment {number}" for number in range(230)]


# --- writing ---


async def test_a_reply_sent_twice_by_force_stands_there_once(harness: BlueskyHarness) -> None:
    target = await one_comment(harness)
    harness.network.lose_answers = 1
    with pytest.raises(Transient) as lost:
        await harness.adapter.reply(target.ref, "an answer", "key")
    assert lost.value.ambiguous is True
    [found] = await harness.adapter.find_own_replies(target.ref, target.ref.created_at)
    commits = harness.network.commits
    again = await harness.adapter.reply(target.ref, "an answer", "key")
    other = await harness.make().open()
    assert other.id == harness.network.me.did
    third = await harness.adapter.reply(target.ref, "an answer, changed", "key")
    assert ours(harness) == ["an answer"]
    assert (again, third.text, harness.network.commits) == (third, "an answer", commits)
    assert {again.id, third.id} == {found.id}


async def test_the_first_attempts_time_stays(harness: BlueskyHarness) -> None:
    clock = FakeClock(datetime.now(UTC))
    harness.network.clock = clock
    adapter = harness.make()
    await adapter.open()
    await harness.write("how long?")
    target = (await adapter.poll(await adapter.baseline(EVERYTHING), Budget())).comments[-1]
    clock.forward(3600)
    first = await adapter.reply(target.ref, "an hour later", "key")
    clock.forward(600)
    second = await adapter.reply(target.ref, "an hour later", "key")
    stored = harness.network.records[first.id].value["createdAt"]
    assert abs((second.created_at - first.created_at).total_seconds()) < 0.001
    assert stored == iso(first.created_at) > iso(target.ref.created_at + timedelta(minutes=59))


async def test_two_replies_to_one_comment_have_records_of_their_own(harness: BlueskyHarness) -> None:
    target = await one_comment(harness)
    sent = [await harness.adapter.reply(target.ref, text, text) for text in ("one", "two")]
    assert len({reply.id for reply in sent}) == 2
    assert sorted(ours(harness)) == ["one", "two"]


@pytest.mark.parametrize(("text", "fits"), [
    ("x" * 300, True), ("x" * 301, False), (FAMILY * 166, True), (FAMILY * 167, False), ("", False), (" \n", False),
    ("é" * 300, True), ("好" * 301, False),
])  # fmt: skip
async def test_the_length_is_checked_before_anything_is_asked(
    harness: BlueskyHarness, text: str, fits: bool
) -> None:
    target = await one_comment(harness)
    harness.network.asked.clear()
    if fits:
        await harness.adapter.reply(target.ref, text, "key")
        assert ours(harness) == [text]
        return
    with pytest.raises(RejectedContent, match="reply"):
        await harness.adapter.reply(target.ref, text, "key")
    assert harness.network.asked == []


async def test_links_and_known_names_become_facets_by_their_bytes(harness: BlueskyHarness) -> None:
    target = await one_comment(harness)
    handle = harness.people["Visitor"].handle
    text = f"你好 @{handle}，看 https://example.org/a?b=1。 and (https://example.org/c). @nobody.example.org"
    sent = await harness.adapter.reply(target.ref, text, "key")
    facets = harness.network.records[sent.id].value["facets"]
    marked = [
        (text.encode()[facet["index"]["byteStart"] : facet["index"]["byteEnd"]].decode(), *facet["features"])
        for facet in facets
    ]
    link, mention = "app.bsky.richtext.facet#link", "app.bsky.richtext.facet#mention"
    assert marked == [
        (f"@{handle}", {"$type": mention, "did": harness.people["Visitor"].did}),
        ("https://example.org/a?b=1", {"$type": link, "uri": "https://example.org/a?b=1"}),
        ("https://example.org/c", {"$type": link, "uri": "https://example.org/c"}),
    ]


async def test_who_blocks_us_is_gone(harness: BlueskyHarness) -> None:
    target = await one_comment(harness)
    harness.network.blockers.add(harness.people["Visitor"].did)
    with pytest.raises(TargetGone):
        await harness.adapter.reply(target.ref, "an answer", "key")
    with pytest.raises(TargetGone):
        await harness.adapter.find_own_replies(target.ref, EVERYTHING)


async def test_a_closed_conversation_takes_no_reply(harness: BlueskyHarness) -> None:
    target = await one_comment(harness)
    harness.network.closed_threads.add(harness.post.uri)
    with pytest.raises(Permanent, match="may not reply"):
        await harness.adapter.reply(target.ref, "an answer", "key")
    assert ours(harness) == []


async def test_a_text_that_the_server_refuses_is_rejected_content(harness: BlueskyHarness) -> None:
    target = await one_comment(harness)
    adapter = harness.make(max_graphemes=400)
    await adapter.open()
    with pytest.raises(RejectedContent, match="grapheme too big"):
        await adapter.reply(target.ref, "x" * 350, "key")


async def test_a_limited_account_waits_as_long_as_it_is_told_whatever_the_clocks_say() -> None:
    clock = FakeClock(datetime(2026, 11, 20, 12, 0, tzinfo=UTC))
    async with bluesky(Network(clock=clock, skew=timedelta(minutes=10))) as harness:
        target = await one_comment(harness)
        harness.network.limited_until = clock.now + timedelta(seconds=90)
        with pytest.raises(RateLimited) as limited:
            await harness.adapter.reply(target.ref, "an answer", "key")
        assert limited.value.retry_after == 90
        clock.forward(90)
        await harness.adapter.reply(target.ref, "an answer", "key")


@pytest.mark.parametrize("minutes", [10, -10])
async def test_a_reply_is_found_however_wrong_a_clock_is(minutes: int) -> None:
    async with bluesky(Network(clock=utc_now, skew=timedelta(minutes=minutes))) as harness:
        target = await one_comment(harness)
        sent = await harness.adapter.reply(target.ref, "an answer", "key")
        assert sent.created_at > target.ref.created_at
        for since in (target.ref.created_at, datetime.now(UTC) - timedelta(seconds=5)):
            found = await harness.adapter.find_own_replies(target.ref, since)
            assert [reply.id for reply in found] == [sent.id]


# --- hiding ---


def gate(harness: BlueskyHarness) -> dict[str, Any]:
    uri = harness.post.uri.replace(f"/{POSTS}/", f"/{GATES}/")
    return harness.network.records[uri].value


async def test_hiding_keeps_the_rules_of_the_post_and_what_was_hidden_before(harness: BlueskyHarness) -> None:
    first, second = await one_comment(harness, "rude"), await one_comment(harness, "ruder")
    rules = {"allow": [{"$type": f"{GATES}#followerRule"}], "hiddenReplies": ["at://did:plc:x/y/z"]}
    value = {"$type": GATES, "post": harness.post.uri, "createdAt": iso(datetime.now(UTC)), **rules}
    harness.network.put(harness.network.me.did, GATES, harness.post.uri.rpartition("/")[2], value)
    assert isinstance(harness.adapter, Moderates)
    for comment in (first, second, first):
        await harness.adapter.hide(comment.ref)
    hidden = ["at://did:plc:x/y/z", first.ref.comment_id, second.ref.comment_id]
    assert gate(harness) == {**value, "hiddenReplies": hidden}


async def test_hiding_makes_a_threadgate_where_there_is_none(harness: BlueskyHarness) -> None:
    comment = await one_comment(harness, "rude")
    await harness.adapter.hide(comment.ref)
    assert gate(harness)["hiddenReplies"] == [comment.ref.comment_id]
    assert "allow" not in gate(harness)


async def test_hiding_many_at_once_loses_none(harness: BlueskyHarness) -> None:
    comments = [await one_comment(harness, f"rude {number}") for number in range(2)]
    await asyncio.gather(*(harness.adapter.hide(comment.ref) for comment in comments))
    assert set(gate(harness)["hiddenReplies"]) == {comment.ref.comment_id for comment in comments}


async def test_only_under_our_own_posts_can_anything_be_hidden(harness: BlueskyHarness) -> None:
    fan = harness.network.add_person("Fan")
    theirs = harness.network.post(fan, "a post")
    mine = harness.network.post(harness.network.me, "I was here", theirs.uri)
    harness.network.post(fan, "go away", mine.uri)
    comment = next(found for found in (await read(harness)).comments if found.text == "go away")
    with pytest.raises(Permanent, match="own posts"):
        await harness.adapter.hide(comment.ref)
