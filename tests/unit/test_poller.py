"""What the poller makes of every way a platform can answer."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from adapters.auth import FreshAuth
from adapters.base import Account, Budget, CommentPage, Cursor, Post
from adapters.errors import (
    AccountRestricted,
    AdapterError,
    Permanent,
    QuotaExhausted,
    RateLimited,
    ReauthRequired,
    Transient,
)
from bot.connections import Connection
from bot.context import Context
from bot.metrics import Metrics
from bot.models import Channel, Comment
from bot.poller import Poller
from bot.settings import ServiceSettings
from bot.store.ledger import connect, sqlite_url
from bot.store.migrate import upgrade
from tests.builders import START, Desk, comment, page
from tests.unit.test_sender import CAPABILITIES

SETTINGS = ServiceSettings(poll_interval_s=30, retry_s=10, retry_max_s=600, lease_s=90)


class Platform:
    """Hands out scripted pages and errors, in order; then empty pages."""

    def __init__(self) -> None:
        self.capabilities = CAPABILITIES
        self.script: list[CommentPage | AdapterError] = []
        self.asked: list[Cursor] = []

    async def baseline(self, since: datetime) -> Cursor:
        return {"since": since.isoformat()}

    async def poll(self, cursor: Cursor, budget: Budget) -> CommentPage:
        self.asked.append(dict(cursor))
        answer = self.script.pop(0) if self.script else CommentPage((), (), cursor, True)
        if isinstance(answer, AdapterError):
            raise answer
        return answer


class OneConnection:
    def __init__(self, platform: Platform) -> None:
        self.platform = platform

    async def get(self, channel: Channel) -> Connection:
        return Connection(self.platform, Account("us", "Us"), 5.0, FreshAuth(self.platform))  # type: ignore[arg-type]


class Bench:
    def __init__(self, desk: Desk) -> None:
        self.desk, self.platform, self.news = desk, Platform(), 0
        context = Context(desk.ledger, OneConnection(self.platform), desk.clock, "me", SETTINGS, Metrics())  # type: ignore[arg-type]
        self.poller = Poller(context, on_new=self._count)

    def _count(self) -> None:
        self.news += 1

    async def round(self, *, later: float = 0) -> None:
        self.desk.clock.forward(later)
        await self.poller.tick()
        await self.poller.drain()

    def channel(self) -> Channel:
        return self.desk.ledger.read(lambda session: session.exec(select(Channel)).one())

    def stored(self) -> Sequence[str]:
        return self.desk.ledger.read(
            lambda session: list(session.exec(select(Comment.platform_id).order_by(Comment.id)))
        )


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    ledger = connect(sqlite_url(tmp_path / "ledger.db"))
    upgrade(ledger)
    yield Bench(Desk(ledger))
    ledger.close()


async def test_the_first_poll_starts_where_the_channel_started(bench: Bench) -> None:
    await bench.round()
    assert bench.platform.asked == [{"since": START.isoformat()}]


async def test_the_next_poll_goes_on_where_the_last_one_ended(bench: Bench) -> None:
    bench.platform.script = [page([comment(1)], cursor=7)]
    await bench.round()
    await bench.round(later=31)
    assert bench.platform.asked[1] == {"at": 7}
    assert bench.stored() == ["c1"]
    assert bench.news == 1


async def test_nothing_is_polled_before_its_time(bench: Bench) -> None:
    await bench.round()
    await bench.round(later=29)
    assert len(bench.platform.asked) == 1


async def test_news_over_the_budget_is_read_on_at_once(bench: Bench) -> None:
    bench.platform.script = [page([comment(1)], 1, complete=False), page([comment(2)], 2)]
    await bench.round()
    assert bench.stored() == ["c1", "c2"]


async def test_an_adapter_that_stands_still_is_stopped(bench: Bench) -> None:
    bench.platform.script = [page([comment(1)], 1, complete=False) for _ in range(50)]
    await bench.round()
    assert len(bench.platform.asked) == 2
    assert "stands still" in (bench.channel().last_error or "")


async def test_a_failure_in_the_middle_keeps_what_was_read(bench: Bench) -> None:
    bench.platform.script = [page([comment(1)], 1, complete=False), Transient("down", ambiguous=False)]
    await bench.round()
    assert bench.stored() == ["c1"]
    assert bench.channel().last_error == "down"
    bench.platform.script = [page([comment(2)], 2)]
    await bench.round(later=11)
    assert bench.platform.asked[-1] == {"at": 1}
    assert bench.stored() == ["c1", "c2"]
    assert bench.channel().last_error is None


@pytest.mark.parametrize(
    ("error", "wait_s"),
    [
        (Transient("down", ambiguous=False), 10),
        (RateLimited("slow down", retry_after=77), 77),
        (QuotaExhausted("used up", resets_at=START + timedelta(seconds=5000)), 5000),
        (Permanent("no such site"), 600),
    ],
)
async def test_each_error_says_when_to_come_back(bench: Bench, error: AdapterError, wait_s: float) -> None:
    bench.platform.script = [error]
    await bench.round()
    assert bench.channel().next_poll_at - START == timedelta(seconds=wait_s)
    assert bench.channel().last_error == str(error)
    assert not bench.channel().paused


@pytest.mark.parametrize("error", [ReauthRequired("connect again"), AccountRestricted("blocked")])
async def test_trouble_with_the_account_stops_the_channel(bench: Bench, error: AdapterError) -> None:
    bench.platform.script = [error]
    await bench.round()
    assert bench.channel().paused
    await bench.round(later=10_000)
    assert len(bench.platform.asked) == 1


async def test_failures_in_a_row_are_further_and_further_apart(bench: Bench) -> None:
    bench.platform.script = [Transient("down", ambiguous=False) for _ in range(4)]
    waits = []
    for _ in range(4):
        await bench.round()
        waits.append((bench.channel().next_poll_at - bench.desk.clock()).total_seconds())
        bench.desk.clock.forward(waits[-1])
    assert waits == [10, 20, 40, 80]


async def test_rows_that_cannot_be_read_are_counted(bench: Bench) -> None:
    bench.platform.script = [replace(page([comment(1)]), malformed=3)]
    await bench.round()
    metrics = bench.poller._context.metrics
    assert metrics.registry.get_sample_value("rejoinder_comments_malformed_total", {"channel": "demo"}) == 3


async def test_a_post_that_was_renamed_is_known_by_its_new_title(bench: Bench) -> None:
    bench.platform.script = [page([comment(1)])]
    await bench.round()
    bench.platform.script = [replace(page([comment(2)]), posts=(Post("p1", "A better title"),))]
    await bench.round(later=31)
    assert {work.post.title for work in bench.desk.claim()} == {"A better title"}


async def test_who_we_are_is_remembered(bench: Bench) -> None:
    await bench.round()
    assert (bench.channel().account_id, bench.channel().account_name) == ("us", "Us")
