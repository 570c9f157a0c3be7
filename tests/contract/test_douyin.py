"""Douyin's adapter on a platform that is as strict as the real one's pages: reading and answering."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from adapters.base import Budget, Comment, CommentPage, Cursor
from adapters.conformance import CHECKS, Check
from adapters.douyin import DouyinAdapter
from adapters.errors import (
    AccountRestricted,
    Permanent,
    QuotaExhausted,
    RateLimited,
    ReauthRequired,
    RejectedContent,
    TargetGone,
    Transient,
)
from tests.builders import FakeClock
from tests.contract.harnesses import new_session
from tests.contract.harnesses_douyin import DouyinHarness, douyin
from tests.platforms.douyin import DEVICE, ME, Douyin, running

EVERY_SHAPE: list[dict[str, Any]] = [
    {},
    {"numbers_as_text": True, "layer": "extra"},
    {"old_codes": True, "layer": "sub"},
]


@pytest.fixture
async def harness() -> AsyncIterator[DouyinHarness]:
    async with douyin() as made:
        yield made


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def slow(clock: FakeClock) -> AsyncIterator[DouyinHarness]:
    """On a platform whose clock the test moves."""
    async with running(Douyin(clock)) as world, new_session() as http:
        yield DouyinHarness(world, http, clock)


@pytest.mark.parametrize("faults", EVERY_SHAPE, ids=["plain", "text and extra", "old and sub"])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_the_adapter(check: Check, faults: dict[str, Any], harness: DouyinHarness) -> None:
    for name, value in faults.items():
        setattr(harness.world.faults, name, value)
    await check(harness)


async def drained(adapter: DouyinAdapter, cursor: Cursor, **budget: int) -> CommentPage:
    comments: list[Comment] = []
    while True:
        page = await adapter.poll(cursor, Budget(**budget))
        comments += page.comments
        cursor = page.cursor
        if page.complete:
            return CommentPage(tuple(comments), (), cursor, complete=True)


async def opened(harness: DouyinHarness, **options: Any) -> tuple[DouyinAdapter, Cursor]:
    adapter = harness.make(**options)
    await adapter.open()
    return adapter, await adapter.baseline(harness.clock())


def texts(page: CommentPage) -> list[str]:
    return [comment.text for comment in page.comments]


async def the_comment(harness: DouyinHarness, adapter: DouyinAdapter, cursor: Cursor) -> Comment:
    await harness.write("什么时候更新？")
    [found] = (await drained(adapter, cursor)).comments
    return found


async def test_nothing_is_lost_between_pages_when_more_is_written_meanwhile(
    slow: DouyinHarness, clock: FakeClock
) -> None:
    adapter, cursor = await opened(slow)
    for number in range(50):
        clock.forward(30)
        await slow.write(f"c{number}")
    first = await adapter.poll(cursor, Budget(requests=1))
    assert first.complete is False
    for number in range(50, 60):
        clock.forward(30)
        await slow.write(f"c{number}")
    rest = await drained(adapter, first.cursor, requests=1)
    later = await drained(adapter, rest.cursor, requests=1)
    assert set(texts(first)) | set(texts(rest)) | set(texts(later)) == {f"c{n}" for n in range(60)}


async def test_a_look_that_was_cut_off_does_not_move_how_far_the_video_is_read(
    slow: DouyinHarness, clock: FakeClock
) -> None:
    adapter, cursor = await opened(slow)
    for number in range(30):
        clock.forward(3600)
        await slow.write(f"c{number}")
    page = await adapter.poll(cursor, Budget(requests=1))
    assert page.cursor["items"] == {}
    assert page.cursor["walk"]["read"] == 20


async def test_a_quiet_video_costs_one_call_a_look(slow: DouyinHarness, clock: FakeClock) -> None:
    adapter, cursor = await opened(slow)
    for number in range(45):
        clock.forward(60)
        await slow.write(f"c{number}")
    page = await drained(adapter, cursor)
    adapter.take_units()
    clock.forward(60)
    assert texts(await drained(adapter, page.cursor)) == [f"c{n}" for n in range(34, 45)]
    assert adapter.take_units() == 1
    assert adapter.take_units() == 0


async def test_a_pinned_old_comment_does_not_end_the_look(slow: DouyinHarness, clock: FakeClock) -> None:
    slow.world.write(slow.item, "置顶", pinned=True)
    clock.forward(90_000)
    adapter, cursor = await opened(slow)
    page = await drained(adapter, cursor)
    for number in range(25):
        clock.forward(60)
        await slow.write(f"c{number}")
    assert set(texts(await drained(adapter, page.cursor))) == {f"c{n}" for n in range(25)}


async def test_a_reply_that_the_review_held_back_is_seen_when_it_shows(
    slow: DouyinHarness, clock: FakeClock
) -> None:
    adapter, cursor = await opened(slow)
    top = slow.world.write(slow.item, "top")
    held = slow.world.write(slow.item, "held back for a day", top.id, shown=False)
    for number in range(5):
        clock.forward(86_400 / 5)
        await slow.write(f"c{number}")
    page = await drained(adapter, cursor)
    assert "held back for a day" not in texts(page)
    held.shown = True
    assert "held back for a day" in texts(await drained(adapter, page.cursor))


async def test_a_comment_that_came_late_is_seen_by_the_daily_full_read(
    slow: DouyinHarness, clock: FakeClock
) -> None:
    adapter, cursor = await opened(slow)
    late = slow.world.write(slow.item, "late", shown=False)
    clock.forward(7200)
    await slow.write("newer")
    page = await drained(adapter, cursor)
    late.shown = True
    page = await drained(adapter, page.cursor)
    assert texts(page) == ["newer"]
    clock.forward(86_400)
    assert texts(await drained(adapter, page.cursor)) == ["late", "newer"]


async def test_many_videos_are_read_in_turn_however_small_the_budget(harness: DouyinHarness) -> None:
    items = [harness.world.add_item() for _ in range(9)]
    adapter, cursor = await opened(harness, items=items)
    for item in items:
        harness.world.write(item, f"under {item}")
    page = await drained(adapter, cursor, requests=2)
    assert sorted(texts(page)) == sorted(f"under {item}" for item in items)


async def test_a_deleted_video_holds_up_no_other(harness: DouyinHarness) -> None:
    items = [harness.world.add_item() for _ in range(3)]
    adapter, cursor = await opened(harness, items=items)
    harness.world.refused_items.add(items[1])
    harness.world.write(items[0], "first")
    harness.world.write(items[2], "third")
    assert sorted(texts(await drained(adapter, cursor))) == ["first", "third"]


async def test_an_account_opens_though_its_first_video_is_deleted(harness: DouyinHarness) -> None:
    items = [harness.world.add_item() for _ in range(2)]
    harness.world.refused_items.add(items[0])
    adapter, cursor = await opened(harness, items=items)
    harness.world.write(items[1], "second")
    assert texts(await drained(adapter, cursor)) == ["second"]
    harness.world.refused_items.add(items[1])
    with pytest.raises(Permanent, match="28001007"):
        await adapter.open()


async def test_a_call_that_is_refused_for_every_video_is_told(harness: DouyinHarness) -> None:
    adapter, cursor = await opened(harness)
    harness.world.faults.needs_device = True
    with pytest.raises(Permanent, match="28001007"):
        await adapter.poll(cursor, Budget())
    device = {name: "203.0.113.7" if name == "ip" else "x" for name in DEVICE}
    told, cursor = await opened(harness, **device)
    await harness.write("with a device")
    assert texts(await drained(told, cursor)) == ["with a device"]


async def test_ids_travel_encoded(harness: DouyinHarness) -> None:
    adapter, cursor = await opened(harness)
    await drained(adapter, cursor)
    assert "+" in harness.item
    assert all("+" not in raw and "%2B" in raw for raw in harness.world.raw if "item_id" in raw)


async def test_a_platform_that_answers_the_same_page_for_ever_is_left(
    harness: DouyinHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter, cursor = await opened(harness)
    await harness.write("once")

    def stuck(*_: Any) -> dict[str, Any]:
        return {"list": [], "cursor": 0, "has_more": True}

    monkeypatch.setattr(harness.world, "_page", stuck)
    page = await adapter.poll(cursor, Budget(requests=5))
    assert page.complete is True


async def test_a_reply_too_long_or_empty_costs_no_call(harness: DouyinHarness) -> None:
    adapter, cursor = await opened(harness)
    target = await the_comment(harness, adapter, cursor)
    adapter.take_units()
    for text in ("长" * 101, " \n"):
        with pytest.raises(RejectedContent):
            await adapter.reply(target.ref, text, "k")
    assert adapter.take_units() == 0
    assert (await adapter.reply(target.ref, "长" * 100, "k")).id


async def test_the_returned_id_counts_while_the_review_hides_the_reply(harness: DouyinHarness) -> None:
    harness.world.faults.review = True
    adapter, cursor = await opened(harness)
    target = await the_comment(harness, adapter, cursor)
    sent = await adapter.reply(target.ref, "明天！", "k")
    assert await adapter.find_own_replies(target.ref, target.ref.created_at) == []
    harness.world.approve()
    [found] = await adapter.find_own_replies(target.ref, target.ref.created_at)
    assert (found.id, found.text, found.parent_id) == (sent.id, "明天！", target.ref.comment_id)


async def test_a_lost_answer_is_ambiguous_and_the_list_settles_it(harness: DouyinHarness) -> None:
    adapter, cursor = await opened(harness)
    target = await the_comment(harness, adapter, cursor)
    harness.world.faults.lose_answers = 1
    with pytest.raises(Transient) as lost:
        await adapter.reply(target.ref, "明天！", "k")
    assert lost.value.ambiguous is True
    assert [ref.text for ref in await adapter.find_own_replies(target.ref, target.ref.created_at)] == [
        "明天！"
    ]


async def test_an_answer_can_be_sent_under_the_top_comment(harness: DouyinHarness) -> None:
    adapter, cursor = await opened(harness, answer_under="thread")
    top = await the_comment(harness, adapter, cursor)
    await harness.write("an answer", top.ref)
    nested = next(c for c in (await drained(adapter, cursor)).comments if c.text == "an answer")
    sent = await adapter.reply(nested.ref, "ours", "k")
    assert sent.parent_id == top.ref.comment_id


async def test_a_deleted_answer_is_gone(harness: DouyinHarness) -> None:
    adapter, cursor = await opened(harness)
    top = await the_comment(harness, adapter, cursor)
    await harness.write("an answer", top.ref)
    nested = next(c for c in (await drained(adapter, cursor)).comments if c.text == "an answer")
    harness.world.remove(nested.ref.comment_id)
    with pytest.raises(TargetGone):
        await adapter.reply(nested.ref, "ours", "k")
    harness.world.remove(top.ref.comment_id)
    with pytest.raises(TargetGone):
        await adapter.find_own_replies(nested.ref, nested.ref.created_at)


async def test_a_refused_text_is_no_deleted_comment(harness: DouyinHarness) -> None:
    adapter, cursor = await opened(harness)
    target = await the_comment(harness, adapter, cursor)
    harness.world.faults.refuse.append(("/item/comment/reply/", 99_999_999))
    with pytest.raises(Permanent, match="99999999"):
        await adapter.reply(target.ref, "x", "k")
    named = harness.make(rejected_codes=[99_999_999], gone_codes=[88_888_888])
    await named.open()
    for code, kind in ((99_999_999, RejectedContent), (88_888_888, TargetGone)):
        harness.world.faults.refuse.append(("/item/comment/reply/", code))
        with pytest.raises(kind):
            await named.reply(target.ref, "x", "k")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (28001005, Transient),
        (2100004, Transient),
        (28001012, ReauthRequired),
        (28001015, ReauthRequired),
        (28001018, Permanent),
        (28001046, AccountRestricted),
        (2100009, AccountRestricted),
        (28001052, RateLimited),
        (28003018, RateLimited),
        (28003017, QuotaExhausted),
        (2190001, QuotaExhausted),
    ],
)
@pytest.mark.parametrize("layer", ["data", "extra", "sub"])
async def test_a_code_means_the_same_in_every_layer(
    harness: DouyinHarness, code: int, kind: type[Exception], layer: str
) -> None:
    adapter, cursor = await opened(harness)
    target = await the_comment(harness, adapter, cursor)
    harness.world.faults.layer = layer
    for path in ("/item/comment/list/", "/item/comment/reply/"):
        harness.world.faults.refuse.append((path, code))
        with pytest.raises(kind, match=str(code)) as told:
            await (adapter.poll(cursor, Budget()) if "list" in path else adapter.reply(target.ref, "x", "k"))
        if isinstance(told.value, Transient):
            assert told.value.ambiguous is ("list" not in path)


async def test_the_quota_ends_until_eight_in_beijing_and_the_cursor_stands(
    slow: DouyinHarness, clock: FakeClock
) -> None:
    adapter, cursor = await opened(slow)
    await slow.write("unread")
    slow.world.faults.quota = 0
    with pytest.raises(QuotaExhausted) as told:
        await adapter.poll(cursor, Budget())
    assert told.value.resets_at.isoformat() == "2026-03-02T08:00:00+08:00"
    assert (told.value.resets_at - clock()) == timedelta(hours=12)
    slow.world.faults.quota = None
    assert texts(await drained(adapter, cursor)) == ["unread"]


async def test_a_platform_that_bears_few_calls_at_a_time_is_read_to_the_end(harness: DouyinHarness) -> None:
    items = [harness.world.add_item() for _ in range(7)]
    adapter, cursor = await opened(harness, items=items)
    for item in items:
        harness.world.write(item, f"under {item}")
    found: set[str] = set()
    for _ in range(4):
        harness.world.faults.quota = 2
        page = await adapter.poll(cursor, Budget())
        found, cursor = found | set(texts(page)), page.cursor
        assert page.complete is (len(found) == 7)
        if page.complete:
            break
        with pytest.raises(QuotaExhausted):
            await adapter.poll(cursor, Budget())
    assert len(found) == 7


def call_about(item: str, to: str) -> bytes:
    content = {"reply_to_item_id": item}
    return json.dumps({"event": "item_comment_reply", "to_user_id": to, "content": content}).encode()


async def test_a_video_is_learnt_from_a_call_about_our_own_account_only(harness: DouyinHarness) -> None:
    adapter, cursor = await opened(harness)
    ours, others = harness.world.add_item(), harness.world.add_item()
    for item, to in ((ours, ME), (others, "another account")):
        harness.world.write(item, f"under {item}")
        body = call_about(item, to)
        assert adapter.read_hook(harness.world.sign(body), body).poll is True
    page = await drained(adapter, cursor)
    assert texts(page) == [f"under {ours}"]
    harness.world.write(ours, "and later")
    assert "and later" in texts(await drained(adapter, page.cursor))
    strict, _ = await opened(harness, learn_items=False)
    assert texts(await drained(strict, page.cursor)) == []


async def test_a_call_has_its_video_read_before_it_is_due(slow: DouyinHarness, clock: FakeClock) -> None:
    adapter, cursor = await opened(slow, min_poll_s=3600)
    page = await drained(adapter, cursor)
    clock.forward(60)
    await slow.write("at once")
    assert texts(await drained(adapter, page.cursor)) == []
    body = call_about(slow.item, ME)
    adapter.read_hook(slow.world.sign(body), body)
    assert texts(await drained(adapter, page.cursor)) == ["at once"]


async def test_a_clock_ten_minutes_wrong_hides_nothing(harness: DouyinHarness) -> None:
    for minutes in (-10, 10):
        harness.clock = lambda minutes=minutes: harness.world.clock() + timedelta(minutes=minutes)  # type: ignore[misc]
        adapter, cursor = await opened(harness)
        target = await the_comment(harness, adapter, cursor)
        await adapter.reply(target.ref, "明天！", "k")
        assert await adapter.find_own_replies(target.ref, harness.clock() - timedelta(seconds=30))
        assert await adapter.find_own_replies(target.ref, target.ref.created_at)
        harness.world.remove(target.ref.comment_id)
