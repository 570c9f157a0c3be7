"""The YouTube adapter on the fake: the suite of every adapter, and what only YouTube has."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.auth import FreshAuth
from adapters.base import Budget, Comment, CommentPage, CommentRef, Cursor, MemoryVault, Metered, Moderates
from adapters.conformance import CHECKS, Check
from adapters.errors import (
    AccountRestricted,
    AuthExpired,
    Permanent,
    QuotaExhausted,
    ReauthRequired,
    RejectedContent,
    TargetGone,
    Transient,
)
from adapters.youtube_options import YouTubeOptions
from tests.contract.harnesses_youtube import YouTubeHarness, youtube
from tests.platforms.youtube import OUR_CHANNEL, READONLY

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class Hands:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        return self.at

    def go(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
async def harness() -> AsyncIterator[YouTubeHarness]:
    async with youtube() as made:
        yield made


@pytest.fixture
async def slow() -> AsyncIterator[YouTubeHarness]:
    """Its clock stands still until a test moves it."""
    async with youtube(Hands()) as made:
        await made.adapter.open()
        yield made


def go(harness: YouTubeHarness, seconds: float) -> None:
    assert isinstance(harness.clock, Hands)
    harness.clock.go(seconds)


async def poll(harness: YouTubeHarness, cursor: Cursor, **budget: int) -> tuple[list[Comment], Cursor]:
    """Polls until there is no more, with a fresh token when an hour has gone by."""
    fresh = FreshAuth(harness.adapter)
    comments: list[Comment] = []
    for _ in range(300):
        page: CommentPage = await fresh.call(lambda at=cursor: harness.adapter.poll(at, Budget(**budget)))
        comments += page.comments
        cursor = page.cursor
        if page.complete:
            return comments, cursor
    raise AssertionError("never complete")


async def begin(harness: YouTubeHarness, threads: int = 0) -> Cursor:
    """A channel with old threads, baseline taken, first poll done, units forgotten."""
    for number in range(threads):
        harness.fake.store.add(f"old {number}", video=harness.video, at=harness.clock() - timedelta(days=1))
    cursor = await harness.adapter.baseline(harness.clock())
    _, cursor = await poll(harness, cursor)
    harness.adapter.take_units()
    return cursor


def ref(comment_id: str) -> CommentRef:
    return CommentRef("video", comment_id, comment_id, START)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_the_youtube_adapter(check: Check, harness: YouTubeHarness) -> None:
    await check(harness)


async def test_a_poll_without_news_costs_one_unit(slow: YouTubeHarness) -> None:
    cursor = await begin(slow, threads=150)
    go(slow, 300)
    assert (await poll(slow, cursor))[0] == []
    assert slow.adapter.take_units() == 1


async def test_a_poll_reads_back_to_what_it_knows_and_no_further(slow: YouTubeHarness) -> None:
    cursor = await begin(slow, threads=300)
    go(slow, 300)
    for number in range(150):
        slow.fake.store.add(f"new {number}", video=slow.video)
    comments, _ = await poll(slow, cursor)
    assert [comment.text for comment in comments] == sorted(
        (f"new {n}" for n in range(150)), key=lambda t: int(t[4:])
    )
    assert slow.adapter.take_units() == 2 + 1  # two pages, and one title


@pytest.mark.parametrize("shows_newest", [False, True])
@pytest.mark.parametrize("before", [0, 3, 5, 8, 150])
async def test_a_late_reply_behind_the_newest_page_is_found(
    slow: YouTubeHarness, before: int, shows_newest: bool
) -> None:
    slow.fake.store.shows_newest = shows_newest
    deep = slow.fake.store.add("the oldest", video=slow.video, at=START - timedelta(days=2))
    for number in range(before):
        slow.fake.store.add(f"early {number}", parent=deep.id, at=START - timedelta(days=1))
    cursor = await begin(slow, threads=250)
    go(slow, 300)
    late = slow.fake.store.add("迟到的回复 late", parent=deep.id)
    comments, cursor = await poll(slow, cursor)
    assert comments == []
    go(slow, 3_600)
    comments, cursor = await poll(slow, cursor)
    assert [(one.ref.comment_id, one.parent_id) for one in comments] == [(late.id, deep.id)]
    slow.adapter.take_units()
    go(slow, 3_600)
    again, _ = await poll(slow, cursor)
    assert {one.ref.comment_id for one in again} <= {late.id}
    assert slow.adapter.take_units() == 3  # its replies were not asked for once more


async def test_a_thread_that_starts_with_many_replies_is_read_whole_once(slow: YouTubeHarness) -> None:
    cursor = await begin(slow)
    top = slow.fake.store.add("popular", video=slow.video)
    for number in range(230):
        slow.fake.store.add(f"answer {number}", parent=top.id)
    comments, cursor = await poll(slow, cursor)
    assert len({one.ref.comment_id for one in comments}) == 231
    assert slow.adapter.take_units() == 1 + 3 + 1
    go(slow, 300)
    await poll(slow, cursor)
    assert slow.adapter.take_units() == 1


async def test_replies_left_for_the_next_poll_are_kept_however_old_they_are(slow: YouTubeHarness) -> None:
    for number in range(30):
        top = slow.fake.store.add(
            f"top {number}", video=slow.video, at=START - timedelta(days=30, minutes=number)
        )
        for _ in range(9):
            slow.fake.store.add("answer", parent=top.id, at=START - timedelta(days=29))
    slow.fake.store.add("recent", video=slow.video)
    cursor = await slow.adapter.baseline(START - timedelta(days=60))
    comments, _ = await poll(slow, cursor, requests=5)
    assert len({one.ref.comment_id for one in comments}) == 301


async def test_recent_threads_are_read_again_more_often_than_old_ones(slow: YouTubeHarness) -> None:
    slow.adapter = slow.make(full_read_units=40, titles=False)
    await slow.adapter.open()
    cursor = await begin(slow, threads=1_000)
    entries = list(slow.fake.store.threads("published"))
    late = {slow.fake.store.add("late", parent=entries[place].id).id: place for place in (250, 850)}
    seen: dict[int, int] = {}
    for hour in range(30):
        go(slow, 3_600)
        comments, cursor = await poll(slow, cursor)
        for one in comments:
            seen.setdefault(late[one.ref.comment_id], hour)
    assert seen[250] < seen[850]


async def test_reading_old_threads_keeps_to_its_share_of_the_day(slow: YouTubeHarness) -> None:
    slow.adapter = slow.make(full_read_units=20, titles=False)
    await slow.adapter.open()
    cursor = await begin(slow, threads=800)
    for _ in range(288):
        go(slow, 300)
        _, cursor = await poll(slow, cursor)
    assert 288 < slow.adapter.take_units() <= 288 + 20


async def test_the_numbers_of_replies_are_kept_for_so_many_threads_only(slow: YouTubeHarness) -> None:
    slow.adapter = slow.make(remembered_threads=3)
    await slow.adapter.open()
    for number in range(9):
        top = slow.fake.store.add(f"old {number}", video=slow.video, at=START - timedelta(days=9))
        for _ in range(6):
            slow.fake.store.add("answer", parent=top.id, at=START - timedelta(days=8))
    cursor = await begin(slow)
    assert len(cursor["counts"]) == 3


@pytest.mark.parametrize("requests", [1, 2, 5])
async def test_an_unfinished_walk_goes_on_where_it_stopped(slow: YouTubeHarness, requests: int) -> None:
    cursor = await begin(slow)
    wanted = {slow.fake.store.add(f"new {number}", video=slow.video).id for number in range(450)}
    page = await slow.adapter.poll(cursor, Budget(requests=requests))
    assert not page.complete
    assert page.cursor["newest"] == cursor["newest"]
    during = slow.fake.store.add("while it was read", video=slow.video).id
    rest, cursor = await poll(slow, page.cursor, requests=requests)
    more, _ = await poll(slow, cursor)
    seen = {one.ref.comment_id for one in (*page.comments, *rest, *more)}
    assert seen == wanted | {during}


async def test_a_walk_whose_page_is_forgotten_begins_again(slow: YouTubeHarness) -> None:
    cursor = await begin(slow)
    wanted = {slow.fake.store.add(f"new {number}", video=slow.video).id for number in range(250)}
    page = await slow.adapter.poll(cursor, Budget(requests=2))
    lost = {**page.cursor, "walk": {**page.cursor["walk"], "page": "forgotten"}}
    comments, _ = await poll(slow, lost)
    assert {one.ref.comment_id for one in comments} == wanted


async def test_pages_that_are_always_forgotten_end_the_poll(slow: YouTubeHarness) -> None:
    cursor = await begin(slow)
    for number in range(250):
        slow.fake.store.add(f"new {number}", video=slow.video)
    slow.fake.switches.forget_pages = True
    with pytest.raises(Transient, match="again and again"):
        await slow.adapter.poll(cursor, Budget())


async def test_a_comment_that_was_held_is_seen_when_it_is_let_through(slow: YouTubeHarness) -> None:
    cursor = await begin(slow)
    held = slow.fake.store.add("held", video=slow.video, status="heldForReview")
    go(slow, 300)
    slow.fake.store.add("later", video=slow.video)
    comments, cursor = await poll(slow, cursor)
    assert [one.text for one in comments] == ["later"]
    go(slow, 7_200)
    held.status = "published"
    comments, _ = await poll(slow, cursor)
    assert "held" in {one.text for one in comments}


async def test_a_video_that_closes_its_comments_does_not_stop_the_channel(slow: YouTubeHarness) -> None:
    cursor = await begin(slow)
    other = slow.fake.store.add_video("another")
    top = slow.fake.store.add("popular", video=other)
    for _ in range(9):
        slow.fake.store.add("answer", parent=top.id)
    slow.fake.store.add("elsewhere", video=slow.video)
    slow.fake.switches.refuse["GET comments"] = [(403, "commentsDisabled")]
    comments, cursor = await poll(slow, cursor)
    assert "elsewhere" in {one.text for one in comments}
    slow.fake.switches.refuse["GET commentThreads"] = [(403, "commentsDisabled")]
    assert await slow.adapter.poll(cursor, Budget())


async def test_titles_are_asked_for_fifty_at_a_time_and_once(slow: YouTubeHarness) -> None:
    cursor = await begin(slow)
    videos = [slow.fake.store.add_video(f"标题 {number}") for number in range(51)]
    for video in [*videos, "deleted"]:
        slow.fake.store.add("hello", video=video)
    page = await slow.adapter.poll(cursor, Budget())
    titles = {post.id: post.title for post in page.posts}
    assert (titles[videos[50]], titles["deleted"]) == ("标题 50", "")
    await slow.adapter.poll(page.cursor, Budget())
    assert slow.fake.calls["GET videos"] == 2


async def test_without_titles_no_video_is_asked_for(slow: YouTubeHarness) -> None:
    slow.adapter = slow.make(titles=False)
    await slow.adapter.open()
    cursor = await begin(slow)
    await slow.write("hello")
    page = await slow.adapter.poll(cursor, Budget())
    assert [(post.id, post.title) for post in page.posts] == [(slow.video, "")]
    assert slow.fake.calls["GET videos"] == 0


async def test_a_reply_whose_answer_is_lost_is_found_before_it_is_sent_again(slow: YouTubeHarness) -> None:
    top = slow.fake.store.add("请问？", video=slow.video)
    slow.fake.switches.lose_replies = 1
    with pytest.raises(Transient) as lost:
        await slow.adapter.reply(ref(top.id), "答案", "key")
    assert lost.value.ambiguous
    found = await slow.adapter.find_own_replies(ref(top.id), START)
    assert [(one.text, one.parent_id) for one in found] == [("答案", top.id)]


async def test_our_reply_is_found_among_hundreds(slow: YouTubeHarness) -> None:
    top = slow.fake.store.add("popular", video=slow.video)
    sent = await slow.adapter.reply(ref(top.id), "ours", "key")
    for number in range(230):
        slow.fake.store.add(f"answer {number}", parent=top.id)
    assert [one.id for one in await slow.adapter.find_own_replies(ref(top.id), START)] == [sent.id]


async def test_a_reply_that_is_gone_from_its_thread_is_gone(slow: YouTubeHarness) -> None:
    top = slow.fake.store.add("top", video=slow.video)
    target = CommentRef(slow.video, top.id, f"{top.id}.gone", START)
    with pytest.raises(TargetGone):
        await slow.adapter.find_own_replies(target, START)


@pytest.mark.parametrize("text", ["", " \n ", "长" * 10_001])
async def test_a_text_that_cannot_be_sent_is_refused_without_a_call(slow: YouTubeHarness, text: str) -> None:
    slow.adapter.take_units()
    with pytest.raises(RejectedContent):
        await slow.adapter.reply(ref("Ugx"), text, "key")
    assert slow.adapter.take_units() == 0


async def test_the_longest_reply_is_an_option(slow: YouTubeHarness) -> None:
    adapter = slow.make(max_reply_chars=5)
    assert adapter.capabilities.max_reply_chars == 5
    with pytest.raises(RejectedContent):
        await adapter.reply(ref("Ugx"), "six ch", "key")


@pytest.mark.parametrize(
    ("status", "reason", "error"),
    [
        (400, "commentTextTooLong", RejectedContent),
        (403, "commentsDisabled", TargetGone),
        (404, "videoNotFound", TargetGone),
        (403, "authenticatedUserAccountSuspended", AccountRestricted),
        (403, "insufficientPermissions", ReauthRequired),
        (400, "operationNotSupported", Permanent),
        (403, "forbidden", Permanent),
    ],
)
@pytest.mark.parametrize("new_envelope", [False, True])
async def test_a_refused_reply_raises_by_its_reason(
    slow: YouTubeHarness, status: int, reason: str, error: type[Exception], new_envelope: bool
) -> None:
    top = slow.fake.store.add("top", video=slow.video)
    slow.fake.switches.new_envelope = new_envelope
    slow.fake.switches.refuse["POST comments"] = [(status, reason)]
    with pytest.raises(error):
        await slow.adapter.reply(ref(top.id), "text", "key")


async def test_hiding_takes_a_comment_from_the_list_and_can_be_repeated(slow: YouTubeHarness) -> None:
    assert isinstance(slow.adapter, Moderates)
    cursor = await begin(slow)
    bad = slow.fake.store.add("bad", video=slow.video)
    await slow.adapter.hide(ref(bad.id))
    await slow.adapter.hide(ref(bad.id))
    assert bad.status == "heldForReview"
    assert (await poll(slow, cursor))[0] == []
    slow.fake.store.remove(bad.id)
    with pytest.raises(TargetGone):
        await slow.adapter.hide(ref(bad.id))
    assert slow.adapter.take_units() == 1 + 3 * 50


async def test_every_call_counts_also_a_refused_one(slow: YouTubeHarness) -> None:
    assert isinstance(slow.adapter, Metered)
    slow.adapter.take_units()
    before = slow.fake.units
    with pytest.raises(TargetGone):
        await slow.adapter.reply(ref("Ugx-gone"), "text", "key")
    slow.fake.expire_tokens()
    with pytest.raises(AuthExpired):
        await slow.adapter.find_own_replies(ref("Ugx-gone"), START)
    assert slow.adapter.take_units() == slow.fake.units - before == 51
    assert slow.adapter.take_units() == 0


async def test_an_empty_quota_lasts_until_midnight_in_california() -> None:
    async with youtube(Hands(), quota=1) as made:
        await made.adapter.open()
        with pytest.raises(QuotaExhausted) as empty:
            await made.adapter.baseline(START)
    assert empty.value.resets_at == datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


async def test_channels_of_one_google_project_share_its_quota(slow: YouTubeHarness) -> None:
    same, other = slow.make(refresh_token="another"), slow.make(client_id="another")
    quota = slow.adapter.capabilities.quota
    assert quota is not None
    assert quota == same.capabilities.quota != other.capabilities.quota
    assert (quota.units, quota.reply_units, quota.poll_units) == (10_000, 50, 1)
    assert slow.fake.client[0] not in quota.shared_by


async def test_twenty_calls_that_meet_an_expired_token_refresh_it_once(slow: YouTubeHarness) -> None:
    cursor = await begin(slow)
    fresh = FreshAuth(slow.adapter)
    slow.fake.expire_tokens()
    await asyncio.gather(*(fresh.call(lambda: slow.adapter.poll(cursor, Budget())) for _ in range(20)))
    assert slow.fake.refreshes == 2


async def test_a_token_past_its_end_costs_no_unit(slow: YouTubeHarness) -> None:
    go(slow, 3_600)
    slow.adapter.take_units()
    with pytest.raises(AuthExpired):
        await slow.adapter.baseline(START)
    assert slow.adapter.take_units() == 0


async def test_a_token_is_kept_before_it_is_used_and_another_process_takes_it(slow: YouTubeHarness) -> None:
    kept = await slow.vault.load()
    assert set(kept) == {"access_token", "expires_at", "scope"}
    other = slow.make()
    await other.open()
    assert slow.fake.refreshes == 1
    go(slow, 3_600)
    await slow.adapter.refresh_auth()
    await other.refresh_auth()
    assert slow.fake.refreshes == 2


async def test_a_token_of_the_vault_that_was_taken_back_is_replaced_at_once(slow: YouTubeHarness) -> None:
    slow.fake.expire_tokens()
    account = await slow.make().open()
    assert (account.id, slow.fake.refreshes) == (OUR_CHANNEL, 2)


@pytest.mark.parametrize(
    ("kept", "given"),
    [("1//refresh-token", None), ("dead", "1//refresh-token"), ("1//refresh-token", "dead")],
)
async def test_a_refresh_token_comes_from_the_vault_or_the_options(
    slow: YouTubeHarness, kept: str, given: str | None
) -> None:
    slow.vault = MemoryVault({"refresh_token": kept})
    await slow.make(refresh_token=given).open()
    assert (await slow.vault.load())["refresh_token"] == kept


async def test_revoked_consent_needs_a_person(slow: YouTubeHarness) -> None:
    slow.fake.switches.revoked = True
    with pytest.raises(ReauthRequired, match="connect the account again"):
        await FreshAuth(slow.adapter).call(lambda: slow.adapter.baseline(START))


@pytest.mark.parametrize("options", [{"client_secret": "wrong"}, {"refresh_token": None}])
async def test_wrong_or_missing_credentials_need_a_person(
    slow: YouTubeHarness, options: dict[str, str]
) -> None:
    slow.vault = MemoryVault()
    with pytest.raises(ReauthRequired) as refused:
        await slow.make(**options).open()
    assert "wrong" not in str(refused.value)


async def test_an_account_without_a_channel_needs_a_person(slow: YouTubeHarness) -> None:
    slow.fake.store.channel = ""
    with pytest.raises(ReauthRequired, match="no channel"):
        await slow.make().open()


@pytest.mark.parametrize(
    ("scope", "allowed"), [(READONLY, False), (f"{READONLY} {'x' * 9}", False), ("", None)]
)
async def test_what_the_account_may_do_follows_from_what_was_allowed(
    slow: YouTubeHarness, scope: str, allowed: bool | None
) -> None:
    account = await slow.adapter.open()
    assert account.can == {"read": True, "reply": True, "hide": True}
    slow.fake.scope, slow.vault = scope, MemoryVault()
    account = await slow.make().open()
    assert set(account.can.values()) == ({allowed} if allowed is not None else set())


@pytest.mark.parametrize("minutes", [10, -10])
async def test_ten_minutes_between_the_clocks_lose_and_repeat_nothing(minutes: int) -> None:
    async with youtube(Hands()) as made:
        made.fake.switches.skew = timedelta(minutes=minutes)
        made.fake.store.add("old", video=made.video)
        go(made, 60)
        await made.adapter.open()
        cursor = await made.adapter.baseline(made.clock())
        top = made.fake.store.add("new", video=made.video)
        comments, cursor = await poll(made, cursor)
        assert [one.text for one in comments] == ["new"]
        go(made, 60)
        since = made.clock()
        sent = await made.adapter.reply(comments[0].ref, "ours", "key")
        assert [one.id for one in await made.adapter.find_own_replies(ref(top.id), since)] == [sent.id]
        by_the_comment = comments[0].ref.created_at
        assert [one.id for one in await made.adapter.find_own_replies(ref(top.id), by_the_comment)] == [
            sent.id
        ]
        assert await made.adapter.find_own_replies(ref(top.id), since + timedelta(minutes=12)) == []
        made.fake.store.add("newer", video=made.video)
        assert "newer" in {one.text for one in (await poll(made, cursor))[0]}


async def test_a_time_ahead_of_youtubes_clock_does_not_hide_what_comes_before_it(
    slow: YouTubeHarness,
) -> None:
    cursor = await begin(slow)
    slow.fake.store.add("from the future", video=slow.video, at=START + timedelta(days=3))
    _, cursor = await poll(slow, cursor)
    assert cursor["newest"] == START.isoformat()


@pytest.mark.parametrize(
    "broken",
    [
        {"walk": {"page": 1}},
        {"queue": [{"thread": "a"}]},
        {"counts": [1]},
        {"counts": [["a", float("inf")]]},
        {"swept": [[0, "then", 1, 1]]},
        {"swept": [1]},
        {"newest": None},
    ],
)
async def test_a_cursor_that_is_broken_is_refused_clearly(
    slow: YouTubeHarness, broken: dict[str, object]
) -> None:
    cursor = await begin(slow)
    with pytest.raises(Permanent, match="cursor cannot be read"):
        await slow.adapter.poll({**cursor, **broken}, Budget())


async def test_secrets_stay_out_of_what_is_shown(slow: YouTubeHarness) -> None:
    options = slow.adapter._options
    assert slow.fake.client[1] not in repr(options)
    assert slow.fake.refresh_token not in repr(options)


@pytest.mark.parametrize("page", ["youtube.md", "youtube.zh.md"])
def test_the_pages_for_people_name_every_option_and_its_default(page: str) -> None:
    text = (Path(__file__).parents[2] / "docs" / "platforms" / page).read_text()
    for name, option in YouTubeOptions.model_fields.items():
        line = next((line for line in text.splitlines() if line.startswith("|") and f"`{name}`" in line), "")
        assert line, name
        if isinstance(option.default, int | float) and not isinstance(option.default, bool):
            assert f"| {option.default:,.0f} |" in line, name
