"""How replies were taken: what is asked of a platform, when, and what is kept."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlmodel import select

from adapters.base import Budget, CommentRef, ReplyRef
from adapters.errors import QuotaExhausted, TargetGone, Transient
from bot.context import Context
from bot.metrics import Metrics
from bot.models import Channel, Draft, Reply, Signal, State, Verdict
from bot.settings import ServiceSettings
from bot.signals import Signals
from bot.store import signals, tallies
from bot.store.ledger import Ledger
from tests.builders import START, Desk, comment
from tests.contract.harnesses import SandboxHarness, sandbox

HOUR = 3600.0


@dataclass
class Platform:
    """Answers what it is told to, in place of an adapter and its connection."""

    desk: Desk
    shown: dict[str, ReplyRef] = field(default_factory=dict)
    error: Exception | None = None
    can_find: bool = True
    asked: list[str] = field(default_factory=list)

    async def get(self, channel: Channel) -> Any:
        capabilities = SimpleNamespace(can_find_own=self.can_find)
        return SimpleNamespace(capabilities=capabilities, adapter=self, call=self._call)

    async def _call(self, attempt: Callable[[], Any]) -> Any:
        return await attempt()

    async def find_own_replies(self, target: CommentRef, since: Any) -> list[ReplyRef]:
        self.asked.append(target.comment_id)
        if self.error is not None:
            raise self.error
        return [ref for ref in self.shown.values() if ref.parent_id == target.comment_id]

    def show(self, number: int, **more: Any) -> None:
        self.shown[f"r{number}"] = ReplyRef(f"r{number}", f"c{number}", "Ten minutes.", START, **more)


@pytest.fixture
def desk(ledger: Ledger) -> Desk:
    return Desk(ledger)


@pytest.fixture
def platform(desk: Desk) -> Platform:
    return Platform(desk)


def looker(desk: Desk, connections: Any) -> Signals:
    settings = ServiceSettings()
    return Signals(Context(desk.ledger, connections, desk.clock, desk.owner, settings, Metrics()))


def sent(desk: Desk, *numbers: int) -> None:
    """Comments `numbers`, answered now by `r<number>`."""
    desk.ready(*numbers)

    def mark(session: Any) -> None:
        for reply in session.exec(select(Reply).where(Reply.sent_at == None)):  # noqa: E711
            reply.sent_at = desk.clock()
            reply.platform_id = f"r{reply.comment_id}"

    desk.ledger.write(mark)


def kept(desk: Desk) -> dict[str, int]:
    return desk.ledger.read(lambda session: {row.kind: row.value for row in session.exec(select(Signal))})


def looks(desk: Desk) -> list[int]:
    return desk.ledger.read(lambda session: list(session.exec(select(Reply.looks).order_by(Reply.id))))


async def test_a_reply_is_looked_at_after_a_quarter_of_an_hour_an_hour_a_day_and_a_week(
    desk: Desk, platform: Platform
) -> None:
    sent(desk, 1)
    platform.show(1, likes=2, hearted=True)
    look = looker(desk, platform)
    asked = []
    for step in (HOUR / 4 - 60, 120, HOUR / 2, HOUR, HOUR, 23 * HOUR, HOUR, 6 * 24 * HOUR, HOUR, 24 * HOUR):
        desk.clock.forward(step)
        await look.tick()
        asked.append(len(platform.asked))
    assert asked == [0, 1, 1, 2, 2, 3, 3, 4, 4, 4]
    assert kept(desk) == {"likes": 2, "heart": 1}


async def test_likes_are_kept_as_last_seen_and_none_at_all_is_no_signal(
    desk: Desk, platform: Platform
) -> None:
    sent(desk, 1)
    platform.show(1, likes=0)
    look = looker(desk, platform)
    desk.clock.forward(HOUR + 1)
    await look.tick()
    assert kept(desk) == {}
    for age, likes in ((24 * HOUR, 5), (6 * 24 * HOUR, 0)):
        platform.show(1, likes=likes)
        desk.clock.forward(age)
        await look.tick()
        assert kept(desk) == {"likes": likes}


async def test_a_reply_counts_as_removed_only_when_it_is_missing_twice(
    desk: Desk, platform: Platform
) -> None:
    sent(desk, 1)
    look = looker(desk, platform)
    desk.clock.forward(HOUR + 1)
    await look.tick()
    assert kept(desk) == {"removed": 1}
    desk.clock.forward(60)
    await look.tick()
    assert len(platform.asked) == 1
    desk.clock.forward(HOUR)
    await look.tick()
    assert kept(desk) == {"removed": signals.CONFIRMED}
    desk.clock.forward(25 * HOUR)
    await look.tick()
    assert len(platform.asked) == 2


async def test_a_reply_that_comes_back_was_never_removed(desk: Desk, platform: Platform) -> None:
    sent(desk, 1)
    look = looker(desk, platform)
    desk.clock.forward(HOUR + 1)
    await look.tick()
    platform.show(1, likes=1)
    desk.clock.forward(HOUR + 1)
    await look.tick()
    assert kept(desk) == {"likes": 1}
    assert looks(desk) == [2]


async def test_a_question_under_our_reply_is_a_follow_up_and_thanks_are_not(
    desk: Desk, platform: Platform
) -> None:
    sent(desk, 1)
    platform.show(1)
    desk.ingest(
        comment(5, "And how hot should it be?", thread_id="c1", parent_id="r1"),
        comment(6, "Thank you so much!", thread_id="c1", parent_id="r1"),
        comment(7, "What about tea?", thread_id="c1", parent_id="c1"),
        comment(8, "Is that so?", thread_id="c1", parent_id="r1", is_own=True),
    )
    desk.clock.forward(HOUR + 1)
    await looker(desk, platform).tick()
    assert kept(desk) == {"follow_up": 1}


async def test_in_a_flat_thread_only_the_askers_later_question_is_a_follow_up(
    desk: Desk, platform: Platform
) -> None:
    sent(desk, 1)
    later = desk.clock() + timedelta(minutes=1)

    def flatten(session: Any) -> None:
        session.exec(select(Channel)).one().flat_threads = True

    desk.ledger.write(flatten)
    platform.can_find = False
    desk.ingest(
        comment(5, "那温度要多少？", thread_id="c1", parent_id="c1", created_at=later),
        comment(6, "怎么买？", thread_id="c1", parent_id="c1", created_at=later, author_id="someone else"),
    )
    desk.clock.forward(HOUR + 1)
    await looker(desk, platform).tick()
    assert kept(desk) == {"follow_up": 1}
    assert platform.asked == []


@pytest.mark.parametrize("pause", ["paused", "failing"])
async def test_a_channel_that_is_paused_or_failing_is_left_alone(
    desk: Desk, platform: Platform, pause: str
) -> None:
    sent(desk, 1)

    def change(session: Any) -> None:
        channel = session.exec(select(Channel)).one()
        channel.paused, channel.failures = pause == "paused", int(pause == "failing")

    desk.ledger.write(change)
    desk.clock.forward(HOUR + 1)
    await looker(desk, platform).tick()
    assert (platform.asked, looks(desk)) == ([], [0])


async def test_at_most_one_look_in_half_a_minute_on_a_channel(desk: Desk, platform: Platform) -> None:
    sent(desk, 1, 2, 3)
    for number in (1, 2, 3):
        platform.show(number)
    look = looker(desk, platform)
    desk.clock.forward(HOUR + 1)
    for _ in range(20):
        await look.tick()
        desk.clock.forward(1)
    assert len(platform.asked) == 1
    for _ in range(3):
        desk.clock.forward(31)
        await look.tick()
    assert sorted(platform.asked) == ["c1", "c2", "c3"]


@pytest.mark.parametrize(
    "error",
    [Transient("down", ambiguous=False), QuotaExhausted("used up", resets_at=START + timedelta(days=1))],
)
async def test_a_look_that_fails_is_spent_and_the_channel_rests(
    desk: Desk, platform: Platform, error: Exception
) -> None:
    sent(desk, 1, 2)
    platform.error = error
    look = looker(desk, platform)
    desk.clock.forward(HOUR + 1)
    for _ in range(5):
        await look.tick()
        desk.clock.forward(60)
    assert len(platform.asked) == 1
    assert kept(desk) == {}
    failures = desk.ledger.read(lambda session: session.exec(select(Channel.failures)).one())
    assert failures == 0


async def test_a_comment_that_is_gone_says_nothing_about_our_reply(desk: Desk, platform: Platform) -> None:
    sent(desk, 1)
    platform.error = TargetGone("gone")
    desk.clock.forward(HOUR + 1)
    await looker(desk, platform).tick()
    assert (kept(desk), looks(desk)) == ({}, [2])


async def test_two_processes_share_the_looks(desk: Desk, platform: Platform) -> None:
    sent(desk, 1)
    platform.show(1, likes=1)
    desk.clock.forward(HOUR + 1)
    for _ in range(2):
        await looker(desk, platform).tick()
    assert platform.asked == ["c1"]


async def test_replies_of_long_ago_are_not_asked_about(desk: Desk, platform: Platform) -> None:
    sent(desk, 1)
    desk.clock.forward(30 * 24 * HOUR)
    await looker(desk, platform).tick()
    assert platform.asked == []


@pytest.fixture
async def site() -> AsyncIterator[SandboxHarness]:
    async with sandbox() as made:
        yield made


async def test_the_sandbox_shows_likes_and_the_heart_of_a_reply(site: SandboxHarness) -> None:
    await site.adapter.open()
    cursor = await site.adapter.baseline(START)
    await site.write("How long?")
    [asked] = (await site.adapter.poll(cursor, Budget())).comments
    ours = await site.adapter.reply(asked.ref, "Ten minutes.", "key")
    assert (ours.likes, ours.hearted) == (0, False)
    await site.like(ours.id, likes=4, hearted=True)
    [found] = await site.adapter.find_own_replies(asked.ref, START)
    assert (found.likes, found.hearted) == (4, True)


def test_a_verdict_that_was_taken_back_and_a_skip_count_for_no_voice(desk: Desk) -> None:
    desk.ingest(*(comment(number) for number in range(1, 5)))
    for work in desk.claim():
        desk.decide(work, State.REVIEW)

    def judge(session: Any) -> None:
        kinds: list[tuple[str, Any]] = [("approve", None), ("reject", START), ("skip", None), ("edit", START)]
        for draft, (kind, undone_at) in zip(session.exec(select(Draft)), kinds, strict=True):
            draft.voice = "v1"
            session.add(
                Verdict(
                    comment_id=draft.comment_id,
                    draft_id=draft.id,
                    kind=kind,
                    by="ann",
                    at=START,
                    undone_at=undone_at,
                )
            )

    desk.ledger.write(judge)
    tally = desk.ledger.read(tallies.by_voice)["v1"]
    assert (tally.approved, tally.edited, tally.rejected) == (1, 0, 0)
