"""A whole service in shadow on a real site: everything is drafted, and nothing reaches the site."""

from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import Session

from adapters.base import CommentRef
from adapters.errors import Permanent
from bot.bootstrap import Running, utc_now
from bot.models import State
from bot.reasons import Reason
from bot.store import channels, queue, sending
from bot.store.ledger import Ledger
from bot.store.queue import Filters
from tests.builders import LEASE, Desk
from tests.integration.test_hostile import QUESTION, service
from tests.service import run_until_done


async def replies_on_the_site(running: Running, since: datetime) -> int:
    """As the platform itself tells it."""
    [item] = running.ledger.read(queue.queue, Filters(states=tuple(State))).items
    target = CommentRef(
        item.post.platform_id, item.comment.thread_id, item.comment.platform_id, item.comment.created_at
    )
    connection = await running.connections.get(item.channel)
    return len(await connection.adapter.find_own_replies(target, since))


async def test_the_site_of_a_channel_without_shadow_gets_the_reply(tmp_path: Path) -> None:
    async with service(tmp_path, [QUESTION]) as running:
        counts = await run_until_done(running, 1)
        assert counts[State.SENT] == 1
        assert (
            await replies_on_the_site(running, running.ledger.read(channels.named, "demo").answer_since) == 1
        )


async def test_the_site_of_a_channel_in_shadow_gets_nothing(tmp_path: Path) -> None:
    async with service(tmp_path, [QUESTION]) as running:
        running.ledger.write(channels.set_shadow, "demo", on=True, now=utc_now())
        counts = await run_until_done(running, 1)
        assert counts.by_reason == {(State.REVIEW, Reason.SHADOW): 1}
        [item] = running.ledger.read(queue.queue, Filters()).items
        assert item.draft is not None
        assert (item.draft.decision, item.draft.reason) == ("send", Reason.GROUNDED)
        assert await replies_on_the_site(running, item.channel.answer_since) == 0


async def test_a_service_in_shadow_sends_nothing_on_any_channel(tmp_path: Path) -> None:
    async with service(tmp_path, [QUESTION], service={"shadow": True}) as running:
        counts = await run_until_done(running, 1)
        assert counts.by_reason == {(State.REVIEW, Reason.SHADOW): 1}
        [item] = running.ledger.read(queue.queue, Filters()).items
        assert await replies_on_the_site(running, item.channel.answer_since) == 0


@pytest.mark.parametrize("everywhere", [False, True])
async def test_in_shadow_the_adapter_itself_takes_no_reply(tmp_path: Path, everywhere: bool) -> None:
    options = {"service": {"shadow": True}} if everywhere else {}
    async with service(tmp_path, [QUESTION], **options) as running:
        if not everywhere:
            running.ledger.write(channels.set_shadow, "demo", on=True, now=utc_now())
        await run_until_done(running, 1)
        [item] = running.ledger.read(queue.queue, Filters()).items
        connection = await running.connections.get(item.channel)
        target = CommentRef(
            item.post.platform_id, item.comment.thread_id, item.comment.platform_id, item.comment.created_at
        )
        with pytest.raises(Permanent, match="in shadow"):
            await connection.adapter.reply(target, "text", "key")
        assert await replies_on_the_site(running, item.channel.answer_since) == 0


def test_who_moves_a_comment_does_not_wait_for_the_shadow_switch(ledger: Ledger) -> None:
    """The switch, for its part, waits for comments: with both waiting, PostgreSQL breaks one of the two off."""
    if ledger.engine.dialect.name == "sqlite":
        pytest.skip("one writer at a time")
    desk = Desk(ledger)
    desk.ready(1)
    jobs = desk.claim_ready()
    with Session(ledger.engine) as switching, switching.begin():
        channels.set_shadow(switching, "demo", on=False, now=desk.clock())
        with Session(ledger.engine) as sending_one, sending_one.begin():
            sending_one.execute(text("SET LOCAL lock_timeout = '2s'"))
            granted = sending.write_intents(
                sending_one, jobs, owner=desk.owner, now=desk.clock(), lease=LEASE
            )
    assert len(granted) == 1
