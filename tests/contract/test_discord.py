"""Discord's adapter on its REST API in memory."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog

from adapters.auth import FreshAuth
from adapters.base import Budget, Comment, CommentPage, Cursor
from adapters.conformance import CHECKS, Check
from adapters.discord import SUPPRESS_EMBEDS, DiscordAdapter
from adapters.discord_options import DiscordOptions
from adapters.discord_rows import nonce
from adapters.errors import (
    AccountRestricted,
    AdapterError,
    Permanent,
    RateLimited,
    ReauthRequired,
    RejectedContent,
    TargetGone,
    Transient,
)
from tests.contract.harnesses_discord import DiscordHarness, discord
from tests.platforms.discord import BOT, CHANNEL, FORUM, GUILD, TOKEN, Discord, Refused, utc_now

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def harness() -> AsyncIterator[DiscordHarness]:
    async with discord() as made:
        yield made


@pytest.fixture(params=["channel", "thread", "forum"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[DiscordHarness]:
    async with discord() as made:
        made.state.clock = lambda: utc_now() - timedelta(hours=1)
        if request.param == "thread":
            made.place = made.state.start_thread("A thread", message=made.state.write("A post"))
        if request.param == "forum":
            made.adapter = made.make(channels=[FORUM])
            made.place = made.state.start_thread("A question", parent=FORUM, text="About something")
        made.state.clock = utc_now
        yield made


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_discord(check: Check, place: DiscordHarness) -> None:
    await check(place)


async def begin(harness: DiscordHarness) -> Cursor:
    await harness.adapter.open()
    return await harness.adapter.baseline(LONG_AGO)


async def poll(harness: DiscordHarness, cursor: Cursor | None = None) -> CommentPage:
    return await harness.adapter.poll(cursor or await begin(harness), Budget())


async def only(harness: DiscordHarness) -> Comment:
    (comment,) = (await poll(harness)).comments
    return comment


def texts(page: CommentPage) -> list[str]:
    return [comment.text for comment in page.comments]


# --- reading ---


async def test_pages_that_come_newest_first_are_read_to_the_end(harness: DiscordHarness) -> None:
    wanted = [f"comment {number}" for number in range(250)]
    for text in wanted:
        harness.state.write(text)
    assert texts(await poll(harness)) == wanted
    pages = [call for call in harness.state.calls if "messages?after" in call]
    assert len(pages) == 3


async def test_what_a_failed_poll_had_read_comes_again(harness: DiscordHarness) -> None:
    cursor = await begin(harness)
    for number in range(120):
        harness.state.write(f"comment {number}")
    half = await harness.adapter.poll(cursor, Budget(requests=1))
    assert (len(half.comments), half.complete) == (100, False)
    harness.state.refusal = Refused(503, 0, "no")
    with pytest.raises(Transient):
        await poll(harness, half.cursor)
    harness.state.refusal = None
    rest = await poll(harness, half.cursor)
    assert (texts(rest), rest.complete) == ([f"comment {number}" for number in range(100, 120)], True)


async def test_a_quiet_round_costs_three_calls_and_brings_nothing(harness: DiscordHarness) -> None:
    harness.state.clock = lambda: utc_now() - timedelta(minutes=5)
    harness.state.write("an old comment")
    harness.state.clock = utc_now
    page = await poll(harness)
    page = await poll(harness, page.cursor)
    harness.state.calls.clear()
    page = await poll(harness, page.cursor)
    assert len(harness.state.calls) == 3
    assert len(str(page.cursor)) < 1000


async def test_a_message_that_appears_late_in_another_channel_is_seen(harness: DiscordHarness) -> None:
    second = harness.state.add_channel("200000000000000009", 0, name="second")
    harness.adapter = harness.make(channels=[CHANNEL, second], overlap_s=0)
    cursor = await begin(harness)
    half = await harness.adapter.poll(cursor, Budget(requests=3))
    while half.cursor["queue"][0]["id"] != second or half.cursor["queue"][0]["kind"] != "messages":
        half = await harness.adapter.poll(half.cursor, Budget(requests=1))
    harness.state.write("behind the reader's back")
    harness.state.write("before the reader", channel=second)
    page = await poll(harness, half.cursor)
    assert texts(page) == ["before the reader"]
    assert "behind the reader's back" in texts(await poll(harness, page.cursor))


async def test_a_thread_that_was_archived_between_two_polls_is_read(harness: DiscordHarness) -> None:
    thread = harness.state.start_thread("A thread", message=harness.state.write("the post of the thread"))
    cursor = (await poll(harness)).cursor
    harness.state.write("the last word", channel=thread)
    harness.state.archive(thread)
    page = await poll(harness, cursor)
    assert "the last word" in texts(page)
    posts = {post.id: post for post in page.posts}
    assert (posts[thread].title, posts[thread].text) == ("A thread", "the post of the thread")
    assert (posts[CHANNEL].title, posts[CHANNEL].text) == ("questions", "Ask here")


async def test_old_archived_threads_are_not_listed_to_the_end(harness: DiscordHarness) -> None:
    harness.state.clock = lambda: LONG_AGO + timedelta(days=9)
    for number in range(250):
        harness.state.archive(harness.state.start_thread(f"{number}", message=harness.state.write("a post")))
    harness.state.clock = utc_now
    await harness.adapter.open()
    cursor = await harness.adapter.baseline(utc_now() - timedelta(days=1))
    harness.state.calls.clear()
    assert texts(await poll(harness, cursor)) == []
    assert len([call for call in harness.state.calls if "archived" in call]) == 1


@pytest.mark.parametrize(
    ("kind", "parent", "options"),
    [(12, CHANNEL, {}), (11, "999", {}), (11, CHANNEL, {"threads": False})],
    ids=["a private thread", "a thread of another channel", "threads are off"],
)
async def test_a_thread_that_is_not_ours_to_read_is_left_alone(
    harness: DiscordHarness, kind: int, parent: str, options: dict[str, Any]
) -> None:
    thread = harness.state.start_thread("A thread", message=harness.state.write("hello"))
    harness.state.channels[thread] |= {"type": kind, "parent_id": parent}
    harness.state.write("in the thread", channel=thread)
    harness.adapter = harness.make(**options)
    assert texts(await poll(harness)) == ["hello"]


async def test_a_chain_of_answers_stays_in_one_thread_over_several_polls(harness: DiscordHarness) -> None:
    cursor, above, refs = await begin(harness), None, []
    for number in range(5):
        above = harness.state.write(f"link {number}", answers=above)
        page = await poll(harness, cursor)
        cursor = page.cursor
        refs.append(page.comments[-1].ref)
    assert {ref.thread_id for ref in refs} == {refs[0].comment_id}


async def test_an_answer_to_a_deleted_message_keeps_its_parent(harness: DiscordHarness) -> None:
    top = harness.state.write("soon gone")
    harness.state.remove(top)
    harness.state.write("what was that?", answers=top)
    comment = await only(harness)
    assert (comment.parent_id, comment.ref.thread_id) == (top, top)


@pytest.mark.parametrize(
    "fields",
    [
        {"author": {**BOT, "id": "7"}},
        {"webhook_id": "8", "author": {"id": "8", "username": "hook", "bot": True}},
    ],
    ids=["a bot", "a webhook"],
)
async def test_another_bot_is_never_a_visitor(harness: DiscordHarness, fields: dict[str, Any]) -> None:
    number = harness.state.write("beep?", **fields)
    harness.state.write("what is that?", answers=number)
    page = await poll(harness)
    assert [(c.text, c.parent_id) for c in page.comments] == [("what is that?", number)]


async def test_people_named_in_own_ids_speak_for_the_creator(harness: DiscordHarness) -> None:
    harness.adapter = harness.make(own_ids=[77])
    harness.state.write("I answer this", author={"id": "77", "username": "creator"})
    assert (await only(harness)).is_own


@pytest.mark.parametrize("kind", [6, 7, 18, 20, 21])
async def test_discords_own_notes_are_no_comments(harness: DiscordHarness, kind: int) -> None:
    harness.state.write("", type=kind)
    page = await poll(harness)
    assert (page.comments, page.malformed) == ((), 0)


async def test_a_comment_reads_as_people_see_it(harness: DiscordHarness) -> None:
    harness.state.write(
        "<@77> 你好 <a:wave:123456789> <@88>",
        mentions=[{"id": "77", "username": "ann", "global_name": "Ann"}],
        attachments=[
            {"id": "1", "content_type": "image/png", "url": "https://cdn.example/a.png"},
            {"id": "2", "content_type": "text/plain", "url": "https://cdn.example/a.txt"},
        ],
        reactions=[{"count": 3, "emoji": {"name": "👍"}}, {"count": 9, "emoji": {"name": "👎"}}],
        member={"nick": "Visi"},
    )
    comment = await only(harness)
    assert (comment.text, comment.author_name, comment.likes) == ("@Ann 你好 :wave: @88", "Visi", 3)
    assert comment.pictures == ("https://cdn.example/a.png",)
    assert comment.url == f"https://discord.com/channels/{GUILD}/{CHANNEL}/{comment.ref.comment_id}"


async def test_a_message_that_cannot_be_read_is_counted_and_holds_up_nothing(harness: DiscordHarness) -> None:
    harness.state.write("no author", author=None)
    harness.state.write("fine")
    page = await poll(harness)
    assert (texts(page), page.malformed) == (["fine"], 1)


@pytest.mark.parametrize("minutes", [10, -10])
async def test_a_clock_that_is_ten_minutes_off_hides_nothing(harness: DiscordHarness, minutes: int) -> None:
    def wrong() -> datetime:
        return utc_now() + timedelta(minutes=minutes)

    chosen = {"base_url": harness.url, "token": TOKEN, "channels": [CHANNEL]}
    harness.adapter = DiscordAdapter(DiscordOptions.model_validate(chosen), http=harness.http, clock=wrong)
    await harness.adapter.open()
    cursor = await harness.adapter.baseline(wrong())
    start = wrong()
    harness.state.write("asked just now")
    page = await poll(harness, cursor)
    assert texts(page) == ["asked just now"]
    sent = await harness.adapter.reply(page.comments[0].ref, "an answer", "key")
    for since in (start, page.comments[0].ref.created_at):
        found = await harness.adapter.find_own_replies(page.comments[0].ref, since)
        assert [ref.id for ref in found] == [sent.id]


# --- the account ---


async def test_without_the_message_content_intent_the_way_to_switch_it_on_is_told(
    harness: DiscordHarness,
) -> None:
    harness.state.flags = 0
    with pytest.raises(Permanent, match="Message Content Intent"):
        await harness.adapter.open()


async def test_an_intent_that_is_switched_off_later_loses_nothing(harness: DiscordHarness) -> None:
    cursor = await begin(harness)
    harness.state.write("do not lose me")
    harness.state.flags = 0
    with pytest.raises(Permanent, match="Message Content Intent"):
        await poll(harness, cursor)
    harness.state.flags = 1 << 18
    assert texts(await poll(harness, cursor)) == ["do not lose me"]


async def test_an_empty_message_alone_stops_nobody(harness: DiscordHarness) -> None:
    harness.state.write("")
    harness.state.write("fine")
    assert texts(await poll(harness)) == ["", "fine"]


async def test_a_history_that_may_not_be_read_does_not_look_like_quiet(harness: DiscordHarness) -> None:
    harness.state.write("hello")
    assert (await harness.adapter.open()).can == {"read": True}
    harness.state.history = False
    with structlog.testing.capture_logs() as logs:
        assert (await harness.adapter.open()).can == {"read": False}
    assert [line["channel"] for line in logs] == [CHANNEL]
    target = (await poll(harness, await harness.adapter.baseline(LONG_AGO))).comments
    assert target == ()


@pytest.mark.parametrize(
    ("options", "kind"), [({"channels": ["404"]}, 0), ({}, 4)], ids=["no such channel", "a category"]
)
async def test_a_channel_that_holds_nothing_is_named(
    harness: DiscordHarness, options: dict[str, Any], kind: int
) -> None:
    harness.state.channels[CHANNEL]["type"] = kind
    harness.adapter = harness.make(**options)
    with pytest.raises(Permanent, match=r"404|of type 4"):
        await poll(harness)


async def test_a_reset_token_is_refreshed_once_by_twenty_calls_and_then_asks_for_a_person(
    harness: DiscordHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor, rounds = await begin(harness), []
    refresh = harness.adapter.refresh_auth

    async def counted() -> None:
        rounds.append(1)
        await refresh()

    monkeypatch.setattr(harness.adapter, "refresh_auth", counted)
    harness.state.token = "another"
    fresh = FreshAuth(harness.adapter)
    calls = [fresh.call(lambda: harness.adapter.poll(cursor, Budget())) for _ in range(20)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(result) for result in results} == {ReauthRequired}
    assert len(rounds) == 1
    assert not [result for result in results if TOKEN in str(result)]


# --- writing ---


async def test_a_reply_names_its_comment_and_calls_nobody(harness: DiscordHarness) -> None:
    harness.state.write("a question")
    comment = await only(harness)
    await harness.adapter.reply(comment.ref, "@everyone hear", "job-1")
    assert harness.state.bodies == [
        {
            "content": "@everyone hear",
            "nonce": nonce("job-1"),
            "enforce_nonce": True,
            "message_reference": {"message_id": comment.ref.comment_id, "fail_if_not_exists": True},
            "allowed_mentions": {"parse": []},
            "flags": SUPPRESS_EMBEDS,
        }
    ]
    assert len(nonce("job-1")) == 25
    assert nonce("job-1") != nonce("job-2")


async def test_a_reply_sent_twice_by_force_is_visible_once(harness: DiscordHarness) -> None:
    harness.state.write("a question")
    comment = await only(harness)
    first = await harness.adapter.reply(comment.ref, "an answer", "key")
    second = await harness.adapter.reply(comment.ref, "an answer", "key")
    assert first.id == second.id
    assert [c.text for c in (await poll(harness)).comments].count("an answer") == 1


@pytest.mark.parametrize("how", ["lost", "a server error"])
async def test_a_reply_whose_answer_is_lost_is_unclear_and_found(harness: DiscordHarness, how: str) -> None:
    harness.state.write("a question")
    comment = await only(harness)
    harness.state.lose_answers, harness.state.fail_writes = how == "lost", 1
    with pytest.raises(Transient) as lost:
        await harness.adapter.reply(comment.ref, "an answer", "key")
    assert lost.value.ambiguous
    found = await harness.adapter.find_own_replies(comment.ref, comment.ref.created_at)
    assert [ref.text for ref in found] == ["an answer"]
    assert len(harness.state.bodies) == 1


async def test_our_reply_is_found_behind_hundreds_of_others(harness: DiscordHarness) -> None:
    harness.state.write("a question")
    comment = await only(harness)
    for number in range(130):
        harness.state.write(f"noise {number}")
    sent = await harness.adapter.reply(comment.ref, "an answer", "key")
    found = await harness.adapter.find_own_replies(comment.ref, comment.ref.created_at)
    assert [ref.id for ref in found] == [sent.id]
    few = harness.make(look_pages=1)
    await few.open()
    with pytest.raises(Permanent, match="by hand"):
        await few.find_own_replies(comment.ref, comment.ref.created_at)


async def test_a_reply_that_is_too_long_is_refused_before_the_call(harness: DiscordHarness) -> None:
    harness.state.write("a question")
    comment = await only(harness)
    with pytest.raises(RejectedContent, match="over 2000"):
        await harness.adapter.reply(comment.ref, "x" * 2001, "key")
    assert harness.state.bodies == []


async def test_too_many_calls_wait_as_long_as_the_body_says(harness: DiscordHarness) -> None:
    cursor = await begin(harness)
    harness.state.wait_s, harness.state.everywhere = 1.75, True
    with pytest.raises(RateLimited) as limited:
        await harness.adapter.poll(cursor, Budget())
    assert limited.value.retry_after == 1.75


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (404, 10003, TargetGone),
        (404, 10008, TargetGone),
        (400, 50083, TargetGone),
        (400, 160005, TargetGone),
        (400, 50006, RejectedContent),
        (400, 200000, RejectedContent),
        (400, 240000, RejectedContent),
        (403, 50001, AccountRestricted),
        (403, 50013, AccountRestricted),
        (403, 40007, AccountRestricted),
        (403, 40333, AccountRestricted),
        (400, 20016, RateLimited),
        (400, 20028, RateLimited),
        (400, 20029, RateLimited),
        (400, 130000, Transient),
        (400, 50035, Permanent),
        (400, 12345, Permanent),
    ],
)
async def test_a_refusal_means_what_its_code_says(
    harness: DiscordHarness, status: int, code: int, error: type[AdapterError]
) -> None:
    harness.state.write("a question")
    comment = await only(harness)
    harness.state.refusal = Refused(status, code, "no", retry_after=9.5)
    with pytest.raises(error) as refused:
        await harness.adapter.reply(comment.ref, "an answer", "key")
    assert type(refused.value) is error
    assert not isinstance(refused.value, Transient) or not refused.value.ambiguous
    assert not isinstance(refused.value, RateLimited) or refused.value.retry_after == 9.5


async def test_a_bot_that_was_thrown_out_of_the_server_stops(harness: DiscordHarness) -> None:
    cursor = await begin(harness)
    harness.state.refusal = Refused(403, 50001, "Missing Access")
    with pytest.raises(AccountRestricted, match="invite the bot again"):
        await poll(harness, cursor)


async def test_a_thread_that_is_gone_when_its_turn_comes_is_passed_over(harness: DiscordHarness) -> None:
    thread = harness.state.start_thread("A thread", message=harness.state.write("hello"))
    harness.state.write("in the thread", channel=thread)
    cursor = await begin(harness)
    half = await harness.adapter.poll(cursor, Budget(requests=3))
    assert [step["id"] for step in half.cursor["queue"]] == [thread]
    del harness.state.channels[thread]
    assert (await poll(harness, half.cursor)).complete


def test_the_fake_answers_a_repeated_nonce_only_for_minutes() -> None:
    now = [utc_now()]
    state = Discord(clock=lambda: now[0])
    body = {"content": "x", "nonce": "n", "enforce_nonce": True}
    first = state._send(CHANNEL, body)
    assert state._send(CHANNEL, body)["id"] == first["id"]
    now[0] += timedelta(minutes=10)
    assert state._send(CHANNEL, body)["id"] != first["id"]
