"""Telegram's adapter on a Bot API server in memory."""

import asyncio
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
from aiohttp import web

from adapters.auth import FreshAuth
from adapters.base import Budget, Comment, CommentPage, Cursor
from adapters.conformance import CHECKS, Check
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
from adapters.telegram import TelegramAdapter
from adapters.telegram_options import TelegramOptions
from adapters.telegram_reading import POSTS, ROOTS
from tests.contract.cases import CASES
from tests.contract.harnesses import new_session
from tests.contract.harnesses_telegram import TelegramHarness, telegram
from tests.contract.misbehaving import BAD_ANSWERS, SHORT_S, platform
from tests.platforms.telegram import (
    ANONYMOUS,
    BOT,
    CHANNEL,
    CHANNEL_BOT,
    GROUP,
    TELEGRAM,
    TOKEN,
    Refused,
    Telegram,
    utc_now,
)

SECRET = TOKEN.partition(":")[2]
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def harness() -> AsyncIterator[TelegramHarness]:
    async with telegram() as made:
        yield made


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_telegram(check: Check, harness: TelegramHarness) -> None:
    await check(harness)


async def begin(harness: TelegramHarness) -> Cursor:
    await harness.adapter.open()
    return await harness.adapter.baseline(LONG_AGO)


async def poll(harness: TelegramHarness, cursor: Cursor | None = None) -> CommentPage:
    return await harness.adapter.poll(cursor or await begin(harness), Budget())


async def only(harness: TelegramHarness) -> Comment:
    (comment,) = (await poll(harness)).comments
    return comment


# --- reading ---


async def test_what_a_dead_process_had_read_and_not_saved_comes_again(harness: TelegramHarness) -> None:
    cursor = await begin(harness)
    await harness.write("asked before the process died")
    first = await poll(harness, cursor)
    again = await harness.make().poll(cursor, Budget())
    assert [c.ref for c in again.comments] == [c.ref for c in first.comments]
    assert harness.state.updates
    assert (await poll(harness, again.cursor)).comments == ()
    assert not harness.state.updates


async def test_one_poll_takes_one_batch_so_that_none_is_confirmed_before_it_is_saved(
    harness: TelegramHarness,
) -> None:
    cursor = await begin(harness)
    for number in range(120):
        harness.state.write(f"comment {number}", thread=harness.post, answers=harness.post)
    first = await poll(harness, cursor)
    assert (len(first.comments), first.complete) == (99, False)
    second = await poll(harness, first.cursor)
    assert (len(second.comments), second.complete) == (21, True)


async def test_after_a_week_of_silence_news_with_lower_numbers_are_not_lost(harness: TelegramHarness) -> None:
    await harness.write("before the silence")
    cursor = (await poll(harness)).cursor
    harness.state.updates.clear()
    harness.state.next_update = 5
    await harness.write("after the silence")
    quiet = {**cursor, "heard": (utc_now() - timedelta(days=8)).timestamp()}
    assert [c.text for c in (await poll(harness, quiet)).comments] == ["after the silence"]


async def test_a_comment_names_its_post_with_its_words_and_address(harness: TelegramHarness) -> None:
    harness.state.write("怎么开始？", thread=harness.post, answers=harness.post)
    page = await poll(harness)
    (post,) = page.posts
    assert (post.title, post.text) == ("A post", "A post\nAbout something")
    assert post.url == f"https://t.me/c/9000000000002/{harness.post}"
    assert page.comments[0].url.startswith("https://t.me/c/9000000000002/")
    assert page.comments[0].ref.post_id == f"{GROUP}:{harness.post}"


async def test_an_old_post_is_known_by_the_comment_that_answers_it(harness: TelegramHarness) -> None:
    cursor = await begin(harness)
    harness.state.updates.clear()
    await harness.write("about a post of last year")
    page = await poll(harness, cursor)
    assert [(c.text, page.posts[0].title) for c in page.comments] == [("about a post of last year", "A post")]


async def test_general_talk_is_read_only_when_asked(harness: TelegramHarness) -> None:
    harness.state.write("hello everybody", thread=None)
    assert (await poll(harness)).comments == ()
    harness.adapter = harness.make(general=True)
    page = await poll(harness)
    assert [(c.text, c.ref.post_id) for c in page.comments] == [("hello everybody", str(GROUP))]
    assert page.posts[0].title == "The discussion"


async def test_a_chain_of_answers_stays_in_one_thread_over_several_polls(harness: TelegramHarness) -> None:
    cursor, above, ids = await begin(harness), harness.post, []
    for number in range(5):
        above = harness.state.write(f"link {number}", thread=harness.post, answers=above)
        page = await poll(harness, cursor)
        cursor = page.cursor
        ids.append(page.comments[0].ref)
    assert {ref.thread_id for ref in ids} == {ids[0].comment_id}


async def test_a_chain_beyond_memory_begins_a_thread_of_its_own(harness: TelegramHarness) -> None:
    cursor = await begin(harness)
    top = harness.state.write("the top", thread=harness.post, answers=harness.post)
    page = await poll(harness, cursor)
    forgotten = {**page.cursor, "roots": {}}
    middle = harness.state.write("in the middle", thread=harness.post, answers=top)
    harness.state.write("at the end", thread=harness.post, answers=middle)
    found = (await poll(harness, forgotten)).comments
    assert [(c.ref.thread_id, c.parent_id) for c in found] == [
        (f"{GROUP}:{top}", f"{GROUP}:{top}"),
        (f"{GROUP}:{top}", f"{GROUP}:{middle}"),
    ]


async def test_who_answers_our_reply_stays_in_the_thread(harness: TelegramHarness) -> None:
    await harness.write("a question")
    page = await poll(harness)
    target = page.comments[0].ref
    sent = await harness.adapter.reply(target, "an answer", "key")
    harness.state.write("thank you", thread=harness.post, answers=int(sent.id.partition(":")[2]))
    (thanks,) = (await poll(harness, page.cursor)).comments
    assert (thanks.ref.thread_id, thanks.parent_id) == (target.comment_id, sent.id)


async def test_the_memory_has_bounds(harness: TelegramHarness) -> None:
    cursor = await begin(harness)
    for number in range(POSTS + 20):
        post = harness.state.post(f"post {number} " + "x" * 5000)
        for _ in range(8):
            harness.state.write("a comment", thread=post, answers=post)
    page = await poll(harness, cursor)
    while not page.complete:
        page = await poll(harness, page.cursor)
    assert (len(page.cursor["posts"]), len(page.cursor["roots"])) == (POSTS, ROOTS)
    assert max(len(text) for _, text in page.cursor["posts"].values()) == 800


@pytest.mark.parametrize(
    ("fields", "author"),
    [
        ({"from": CHANNEL_BOT, "sender_chat": CHANNEL}, str(CHANNEL["id"])),
        ({"from": ANONYMOUS, "sender_chat": {"id": GROUP, "type": "supergroup", "title": "x"}}, str(GROUP)),
        ({"from": {"id": 77, "is_bot": False, "first_name": "The creator"}}, "77"),
    ],
    ids=["the channel", "an anonymous administrator", "a person named in own_ids"],
)
async def test_who_speaks_for_the_creator_is_ours(
    harness: TelegramHarness, fields: dict[str, Any], author: str
) -> None:
    harness.adapter = harness.make(own_ids=[77])
    harness.state.write("I answer this", thread=harness.post, answers=harness.post, **fields)
    comment = await only(harness)
    assert (comment.is_own, comment.author_id) == (True, author)


async def test_a_person_who_writes_as_a_channel_of_their_own_is_a_visitor(harness: TelegramHarness) -> None:
    other = {"id": -1007, "type": "channel", "title": "Somebody's channel"}
    harness.state.write("hello", thread=harness.post, answers=harness.post, sender_chat=other)
    comment = await only(harness)
    assert (comment.is_own, comment.author_name) == (False, "Somebody's channel")


async def test_another_bot_is_never_a_visitor(harness: TelegramHarness) -> None:
    other = {**BOT, "id": 4, "username": "other_bot"}
    number = harness.state.write("beep?", thread=harness.post, answers=harness.post, **{"from": other})
    harness.state.write("what is that?", thread=harness.post, answers=number)
    page = await poll(harness)
    assert [(c.text, c.parent_id) for c in page.comments] == [("what is that?", f"{GROUP}:{number}")]


@pytest.mark.parametrize(
    ("fields", "texts"),
    [
        ({"photo": [{"file_id": "x"}], "caption": "is this it?"}, ["is this it?"]),
        ({"photo": [{"file_id": "x"}]}, [""]),
        ({"sticker": {"file_id": "x", "emoji": "🤔"}}, ["🤔"]),
        ({"new_chat_members": [BOT]}, []),
        ({"pinned_message": {"message_id": 1}}, []),
    ],
    ids=["a caption", "a picture alone", "a sticker", "somebody joined", "something was pinned"],
)
async def test_what_a_person_sent_is_a_comment_and_telegrams_notes_are_none(
    harness: TelegramHarness, fields: dict[str, Any], texts: list[str]
) -> None:
    harness.state.write("", thread=harness.post, answers=harness.post, **fields)
    assert [c.text for c in (await poll(harness)).comments] == texts


async def test_a_message_that_cannot_be_read_is_counted_and_holds_up_nothing(
    harness: TelegramHarness,
) -> None:
    harness.state.write("no author", thread=harness.post, answers=harness.post, **{"from": None})
    harness.state.announce({"message": {"text": "no chat", "message_id": 99}})
    await harness.write("fine")
    page = await poll(harness)
    assert ([c.text for c in page.comments], page.malformed) == (["fine"], 2)
    assert (await poll(harness, page.cursor)).malformed == 0


async def test_news_of_other_groups_are_passed_over_and_named_in_the_log(harness: TelegramHarness) -> None:
    chat = {"id": -1005, "type": "supergroup", "title": "Elsewhere"}
    harness.state.write("hello", thread=None, chat=chat)
    with structlog.testing.capture_logs() as logs:
        assert (await poll(harness)).comments == ()
    assert [line["group"] for line in logs if "group" in line] == [-1005]


async def test_a_clock_that_is_ten_minutes_off_hides_nothing(harness: TelegramHarness) -> None:
    def fast() -> datetime:
        return utc_now() + timedelta(minutes=10)

    chosen = {"base_url": harness.url, "token": TOKEN, "groups": [GROUP]}
    harness.adapter = TelegramAdapter(TelegramOptions.model_validate(chosen), http=harness.http, clock=fast)
    await harness.adapter.open()
    cursor = await harness.adapter.baseline(fast())
    await harness.write("asked just now")
    assert [c.text for c in (await poll(harness, cursor)).comments] == ["asked just now"]


# --- the account ---


async def test_the_account_says_what_the_bot_may_do(harness: TelegramHarness) -> None:
    account = await harness.adapter.open()
    assert (account.id, account.name, dict(account.can)) == (
        "4201", "creator_bot", {"read": True, "reply": True}
    )  # fmt: skip


async def test_a_bot_in_privacy_mode_cannot_read(harness: TelegramHarness) -> None:
    harness.state.status = "member"
    assert (await harness.adapter.open()).can["read"] is False
    harness.state.sees_all = True
    assert (await harness.adapter.open()).can["read"] is True


async def test_a_webhook_is_named_as_what_is_in_the_way(harness: TelegramHarness) -> None:
    cursor = await begin(harness)
    harness.state.webhook = "https://example.org/hook"
    for call in (harness.adapter.open(), harness.adapter.poll(cursor, Budget())):
        with pytest.raises(Permanent, match="webhook"):
            await call


async def test_a_bot_that_was_thrown_out_stops_until_it_is_back(harness: TelegramHarness) -> None:
    await harness.write("before")
    harness.state.throw_out()
    page = await poll(harness, await harness.adapter.baseline(LONG_AGO))
    assert [c.text for c in page.comments] == ["before"]
    with pytest.raises(AccountRestricted, match="add it again"):
        await poll(harness, page.cursor)
    with pytest.raises(AccountRestricted, match="add the bot to the group"):
        await harness.adapter.open()
    with pytest.raises(AccountRestricted):
        await harness.adapter.reply(page.comments[0].ref, "an answer", "key")
    harness.state.throw_out("administrator")
    await harness.write("after")
    assert [c.text for c in (await poll(harness, page.cursor)).comments] == ["after"]


async def test_a_group_that_moved_tells_its_new_number(harness: TelegramHarness) -> None:
    await harness.write("before")
    harness.state.write("", thread=None, migrate_to_chat_id=-1006)
    page = await poll(harness)
    with pytest.raises(Permanent, match="-1006"):
        await poll(harness, page.cursor)
    harness.state.moved_to = -1006
    with pytest.raises(Permanent, match="set groups to -1006"):
        await harness.adapter.reply(page.comments[0].ref, "an answer", "key")


async def test_a_revoked_token_is_refreshed_once_by_twenty_calls_and_then_asks_for_a_person(
    harness: TelegramHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor, rounds = await begin(harness), []
    refresh = harness.adapter.refresh_auth

    async def counted() -> None:
        rounds.append(1)
        await refresh()

    monkeypatch.setattr(harness.adapter, "refresh_auth", counted)
    harness.state.token = "4201:" + "another-Secret_0123456789"
    fresh = FreshAuth(harness.adapter)
    calls = [fresh.call(lambda: harness.adapter.poll(cursor, Budget())) for _ in range(20)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(result) for result in results} == {ReauthRequired}
    assert len(rounds) == 1


async def test_a_bot_that_is_gone_asks_for_a_person(harness: TelegramHarness) -> None:
    harness.state.token = "99:" + "another-Secret_0123456789"
    with pytest.raises(ReauthRequired, match="BotFather"):
        await harness.adapter.open()


# --- writing ---


async def test_a_reply_quotes_its_comment_and_is_plain_text(harness: TelegramHarness) -> None:
    await harness.write("a question")
    comment = await only(harness)
    sent = await harness.adapter.reply(comment.ref, "*not bold* <b>你好</b>", "key")
    method, params = harness.state.calls[-1]
    number = int(comment.ref.comment_id.partition(":")[2])
    assert (method, params) == (
        "sendMessage",
        {
            "chat_id": GROUP,
            "text": "*not bold* <b>你好</b>",
            "reply_parameters": {"message_id": number, "allow_sending_without_reply": False},
            "link_preview_options": {"is_disabled": True},
        },
    )
    assert (sent.parent_id, sent.text) == (comment.ref.comment_id, "*not bold* <b>你好</b>")


@pytest.mark.parametrize("text", ["x" * 4097, "\U0001f600" * 2049])
async def test_a_reply_that_is_too_long_is_refused_before_the_call(
    harness: TelegramHarness, text: str
) -> None:
    await harness.write("a question")
    comment = await only(harness)
    calls = len(harness.state.calls)
    with pytest.raises(RejectedContent, match="over 4096"):
        await harness.adapter.reply(comment.ref, text, "key")
    assert len(harness.state.calls) == calls


async def test_a_reply_whose_answer_is_lost_is_sent_once_and_unclear(harness: TelegramHarness) -> None:
    await harness.write("a question")
    comment = await only(harness)
    harness.state.lose_answers = True
    with pytest.raises(Transient) as lost:
        await harness.adapter.reply(comment.ref, "an answer", "key")
    assert lost.value.ambiguous
    assert [m["text"] for m in harness.state.messages.values()].count("an answer") == 1
    assert not harness.adapter.capabilities.can_find_own


async def test_too_many_calls_wait_as_long_as_the_body_says(harness: TelegramHarness) -> None:
    cursor = await begin(harness)
    harness.state.wait_s = 37
    with pytest.raises(RateLimited) as limited:
        await harness.adapter.poll(cursor, Budget())
    assert limited.value.retry_after == 37


@pytest.mark.parametrize(
    ("status", "description", "error"),
    [
        (400, "Bad Request: message to be replied not found", TargetGone),
        (400, "Bad Request: message thread not found", TargetGone),
        (400, "Bad Request: TOPIC_CLOSED", TargetGone),
        (400, "Bad Request: message is too long", RejectedContent),
        (400, "Bad Request: message text is empty", RejectedContent),
        (400, "Bad Request: not enough rights to send text messages to the chat", AccountRestricted),
        (400, "Bad Request: CHAT_WRITE_FORBIDDEN", AccountRestricted),
        (400, "Bad Request: chat not found", Permanent),
        (403, "Forbidden: bot was kicked from the supergroup chat", AccountRestricted),
        (409, "Conflict: terminated by other getUpdates request", Permanent),
        (413, "Request Entity Too Large", Permanent),
        (500, "Internal Server Error", Transient),
    ],
)
async def test_a_refusal_means_what_its_words_say(
    harness: TelegramHarness, status: int, description: str, error: type[AdapterError]
) -> None:
    await harness.write("a question")
    comment = await only(harness)
    harness.state.refusal = Refused(status, description)
    with pytest.raises(error) as refused:
        await harness.adapter.reply(comment.ref, "an answer", "key")
    assert type(refused.value) is error


# --- the token ---


def told(error: BaseException) -> Iterator[str]:
    """All that a log or a page could show of an error."""
    yield "".join(traceback.format_exception(error))
    seen: list[BaseException] = [error]
    for one in seen:
        yield f"{one!r} {one} {vars(one)}"
        seen += [above for above in (one.__cause__, one.__context__) if above is not None]


async def echoes(request: web.Request) -> web.StreamResponse:
    """As some proxies do, shows the address in its page."""
    return web.Response(text=f"<h1>Cannot {request.method} {request.path}</h1>" * 9, status=418)


async def hangs_up_in_the_head(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n")  # type: ignore[attr-defined]
    request.transport.close()
    return web.Response()


@pytest.mark.parametrize(
    "answer", [*BAD_ANSWERS, "echoes", "hangs up in the head", "nobody there", "no address"]
)
async def test_the_token_is_in_no_error_and_no_log(answer: str, caplog: pytest.LogCaptureFixture) -> None:
    answerers = {**BAD_ANSWERS, "echoes": echoes, "hangs up in the head": hangs_up_in_the_head}
    lines: list[str] = []
    caplog.set_level("DEBUG")
    async with new_session() as http:
        async with platform(answerers.get(answer, echoes)) as url:
            base = "http://[::1" if answer == "no address" else url
            if answer != "nobody there":
                lines += await everything_said(base, http)
        if answer == "nobody there":
            lines += await everything_said(base, http)
    lines += [
        record.getMessage() for record in caplog.records if not record.name.startswith("aiohttp.access")
    ]
    assert lines
    assert not [line for line in lines if SECRET in line or SECRET[:12] in line]


async def everything_said(base: str, http: Any) -> list[str]:
    options = TelegramOptions.model_construct(
        **{**TelegramOptions.model_validate({"token": TOKEN, "groups": [GROUP]}).__dict__, "base_url": base},
    )
    adapter = TelegramAdapter(options.model_copy(update={"timeout_s": SHORT_S}), http=http, clock=utc_now)
    cursor = {
        "from": LONG_AGO.timestamp(), "offset": 1, "heard": 0, "posts": {}, "threads": [], "roots": {},
        "lost": {str(GROUP): "why"},
    }  # fmt: skip
    calls: list[Callable[[], Awaitable[object]]] = [
        adapter.open,
        lambda: adapter.baseline(LONG_AGO),
        lambda: adapter.poll(cursor, Budget()),
        lambda: adapter.reply(CASES["telegram"].target, "an answer", "key"),
        lambda: adapter.find_own_replies(CASES["telegram"].target, LONG_AGO),
        adapter.refresh_auth,
    ]
    lines = [repr(options), str(options), repr(adapter)]
    with structlog.testing.capture_logs() as logs:
        for call in calls:
            try:
                await call()
            except AdapterError as error:
                lines += told(error)
    return [*lines, *(str(line) for line in logs)]


def test_the_fake_names_nobody_as_telegram_itself() -> None:
    assert TELEGRAM["id"] not in {BOT["id"], *Telegram().people.values()}
