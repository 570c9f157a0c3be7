"""The inbox over HTTP, as programs use it, with the real service behind it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, col, select

from bot.bootstrap import ALL_ROLES, Running, assemble
from bot.loop import Loop
from bot.models import Comment, Draft, Event, Reply, Role, State
from bot.settings import Settings
from bot.store import channels, drafting
from tests.builders import START, FakeClock
from tests.inbox import registered
from tests.integration.test_api import ask, program_of, refused
from tests.site import Browser, logged_in

LEASE_S = 600.0
ROW = {
    "评论ID": "c1",
    "笔记ID": "n1",
    "用户昵称": "小满",
    "评论内容": "要烘多久？",
    "评论时间": "2026-03-01 21:00",
}


@dataclass
class Inbox:
    """A service with one inbox channel, a clock that the test moves, and a program that asks it."""

    running: Running
    clock: FakeClock
    program: Browser
    channel_id: int

    async def bring(self, *rows: Any, channel: str = "red", **more: Any) -> dict[str, Any]:
        status, told, _ = await ask(
            self.program, "POST", f"/inbox/{channel}/comments", json={"comments": list(rows), **more}
        )
        assert status == 200, told
        return dict(told)

    async def ready(self, *numbers: int) -> None:
        """Comments with these numbers, and replies to them that may go out."""
        await self.bring(
            *({**ROW, "评论ID": f"c{number}", "评论内容": f"问题 {number}？"} for number in numbers)
        )
        self.draft_all()

    def draft_all(self) -> None:
        """What waits for a draft gets one that may go out."""
        ledger = self.running.ledger
        for work in ledger.write(
            drafting.claim_new, owner="me", now=self.clock(), lease=timedelta(seconds=60), limit=100
        ):
            draft = Draft(comment_id=work.comment.id or 0, created_at=self.clock(), text="十分钟。")
            outcome = drafting.Outcome(work.comment.id or 0, State.READY, "grounded", draft=draft)
            ledger.write(drafting.save_outcomes, [outcome], owner="me", now=self.clock())

    async def take(self, **query: Any) -> list[dict[str, Any]]:
        status, told, _ = await ask(self.program, "GET", "/inbox/red/outbox", params=query)
        assert status == 200, told
        return list(told["items"])

    async def ack(self, reply: dict[str, Any], **body: Any) -> tuple[int, Any]:
        given = {"lease": reply["lease"], **body}
        status, told, _ = await ask(self.program, "POST", f"/inbox/red/outbox/{reply['id']}/ack", json=given)
        return status, told

    def states(self) -> dict[str, str]:
        return self.running.ledger.read(
            lambda session: dict(session.exec(select(Comment.platform_id, Comment.state)).all())
        )

    def reasons(self) -> list[str]:
        return self.running.ledger.read(
            lambda session: list(session.exec(select(Event.reason).order_by(col(Event.id))))
        )


def add_inbox(running: Running, clock: FakeClock, name: str = "red", **options: Any) -> int:
    chosen = {
        "preset": "xiaohongshu",
        "account": "烘豆师",
        "delivery": "outbox",
        "lease_s": LEASE_S,
        **options,
    }
    made = running.ledger.write(
        channels.add,
        name=name,
        platform="inbox",
        options=chosen,
        rules={},
        now=clock(),
        answer_since=START - timedelta(days=7),
    )
    return made.id or 0


@asynccontextmanager
async def opened(
    folder: Path, start: datetime = START + timedelta(hours=2), **options: Any
) -> AsyncIterator[Inbox]:
    clock = FakeClock(start)
    settings = Settings(data_dir=folder, web={"port": 0})
    async with assemble(settings, roles=ALL_ROLES, clock=clock) as running:
        channel_id = add_inbox(running, clock, **options)
        async with program_of(running, Role.REVIEWER) as program:
            yield Inbox(running, clock, program, channel_id)


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    registered(monkeypatch)


@pytest.fixture
async def inbox(tmp_path: Path) -> AsyncIterator[Inbox]:
    async with opened(tmp_path) as made:
        yield made


async def test_a_batch_is_answered_row_by_row_and_known_when_it_comes_again(inbox: Inbox) -> None:
    nameless = {"评论内容": "没有作品"}
    first = await inbox.bring(ROW, nameless, "no object", {**ROW, "评论ID": "c2", "评论时间": "gestern"})
    assert [row["status"] for row in first["rows"]] == ["new", "refused", "refused", "refused"]
    assert (first["new"], first["known"], first["refused"]) == (1, 0, 3)
    told = first["rows"][0]
    assert (told["id"], told["state"], told["error"]) == ("c1", "new", None)
    assert "names no post" in first["rows"][1]["error"]
    assert "no object" in first["rows"][2]["error"]
    assert "'gestern'" in first["rows"][3]["error"]
    again = await inbox.bring(ROW)
    assert [(row["status"], row["comment"]) for row in again["rows"]] == [("known", told["comment"])]


async def test_a_row_takes_the_way_of_a_poll(inbox: Inbox) -> None:
    await inbox.bring(ROW)

    def found(session: Session) -> tuple[Any, ...]:
        comment = session.exec(select(Comment)).one()
        return (
            comment.text,
            comment.author_name,
            comment.created_at.isoformat(),
            comment.language,
            comment.url,
        )

    url = "https://www.xiaohongshu.com/explore/n1"
    assert inbox.running.ledger.read(found) == ("要烘多久？", "小满", "2026-03-01T13:00:00+00:00", "zh", url)


async def test_the_same_id_twice_in_a_batch_is_one_comment_or_refused(inbox: Inbox) -> None:
    told = await inbox.bring(ROW, ROW, {**ROW, "评论内容": "另一句"})
    assert [row["status"] for row in told["rows"]] == ["new", "known", "refused"]
    assert told["rows"][2]["error"] == "it has the id of row 1 and another text"
    assert inbox.states() == {"c1": "new"}


async def test_our_own_answer_closes_what_it_answers(inbox: Inbox) -> None:
    own = {**ROW, "评论ID": "c2", "父评论ID": "c1", "用户昵称": "烘豆师", "评论内容": "十分钟"}
    told = await inbox.bring(ROW, own)
    assert [(row["state"], row["reason"]) for row in told["rows"]] == [
        ("skipped", "answered_by_human"),
        ("skipped", "own_comment"),
    ]


async def test_what_is_older_than_the_channel_is_kept_unanswered(inbox: Inbox) -> None:
    told = await inbox.bring({**ROW, "评论时间": "2026-01-01 10:00"})
    assert (told["rows"][0]["status"], told["rows"][0]["reason"]) == ("new", "before_baseline")


async def test_a_post_for_all_is_used_where_a_row_names_none(inbox: Inbox) -> None:
    told = await inbox.bring({"评论内容": "求链接"}, post="https://www.xiaohongshu.com/explore/abc123")
    assert told["rows"][0]["status"] == "new"
    assert told["rows"][0]["id"].startswith("row-")


async def test_a_later_import_without_a_title_keeps_the_title(inbox: Inbox) -> None:
    await inbox.bring({**ROW, "笔记标题": "在家烘豆"})
    await inbox.bring({**ROW, "评论ID": "c2"})
    _, case, _ = await ask(inbox.program, "GET", "/comments/2")
    assert case["post"]["title"] == "在家烘豆"


async def test_new_comments_wake_the_responder(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[str] = []
    monkeypatch.setattr(Loop, "wake", lambda loop: woken.append(loop.name))
    await inbox.bring(ROW)
    assert woken == ["responder"]
    await inbox.bring(ROW)
    assert woken == ["responder"]


async def test_other_channels_take_no_comments(inbox: Inbox) -> None:
    now = inbox.clock()
    inbox.running.ledger.write(
        channels.add, name="site", platform="sandbox", options={}, rules={}, now=now, answer_since=now
    )
    body = {"comments": [ROW]}
    assert (await refused(inbox.program, 409, "POST", "/inbox/site/comments", json=body))[
        "code"
    ] == "not_an_inbox"
    assert (await refused(inbox.program, 404, "POST", "/inbox/none/comments", json=body))[
        "code"
    ] == "not_found"
    assert (await refused(inbox.program, 400, "POST", "/inbox/red/comments", json={"comments": []}))["field"]
    many = {"comments": [ROW] * 501}
    assert (await refused(inbox.program, 400, "POST", "/inbox/red/comments", json=many))[
        "field"
    ] == "comments"


async def test_a_viewer_neither_brings_nor_takes(inbox: Inbox) -> None:
    async with logged_in(inbox.running, Role.VIEWER, "vic") as viewer:
        body = {"comments": [ROW]}
        assert (await refused(viewer, 403, "POST", "/inbox/red/comments", json=body))["code"] == "role"
        assert (await refused(viewer, 403, "GET", "/inbox/red/outbox"))["code"] == "role"


async def test_a_browser_cannot_take_replies_by_looking(inbox: Inbox) -> None:
    await inbox.ready(1)
    async with logged_in(inbox.running, Role.OWNER, "olga") as owner:
        assert (await refused(owner, 403, "GET", "/inbox/red/outbox"))["code"] == "token_only"
    assert inbox.states() == {"c1": "ready"}


async def test_a_reply_is_taken_acknowledged_and_sent_once(inbox: Inbox) -> None:
    await inbox.ready(1)
    [reply] = await inbox.take()
    assert (reply["text"], reply["comment_id"], reply["comment_text"]) == ("十分钟。", "c1", "问题 1？")
    assert inbox.states() == {"c1": "sending"}
    assert await inbox.take() == []
    assert await inbox.ack(reply, outcome="sent", id="r9") == (200, {"state": "sent"})
    assert await inbox.ack(reply, outcome="sent", id="r9") == (200, {"state": "sent"})
    assert await inbox.take() == []
    stored = inbox.running.ledger.read(lambda session: session.exec(select(Reply.platform_id)).one())
    assert stored == "r9"


async def test_a_refusal_of_the_platform_is_shown_with_its_reason(inbox: Inbox) -> None:
    await inbox.ready(1)
    [reply] = await inbox.take()
    assert await inbox.ack(reply, outcome="failed", reason="包含敏感词") == (200, {"state": "failed"})
    _, case, _ = await ask(inbox.program, "GET", f"/comments/{reply['comment']}")
    assert (case["reason"], case["detail"]) == ("refused_by_platform", "包含敏感词")


async def test_what_was_not_sent_is_handed_out_again_later(inbox: Inbox) -> None:
    await inbox.ready(1)
    [reply] = await inbox.take()
    assert await inbox.ack(reply, outcome="not_sent", retry_after_s=30) == (200, {"state": "ready"})
    assert await inbox.take() == []
    inbox.clock.forward(31)
    [again] = await inbox.take()
    assert (again["id"], again["key"]) == (reply["id"], reply["key"])
    assert again["lease"] != reply["lease"]
    status, problem = await inbox.ack(reply, outcome="failed")
    assert (status, problem["code"]) == (409, "lease")


async def test_a_lease_that_ends_is_asked_about_and_never_handed_out_again(inbox: Inbox) -> None:
    """As when the program that took it is killed before it acknowledges."""
    await inbox.ready(1)
    [reply] = await inbox.take()
    inbox.clock.forward(LEASE_S + 1)
    assert await inbox.take() == []
    assert inbox.states() == {"c1": "review"}
    assert inbox.reasons()[-2:] == ["interrupted", "send_unclear"]
    status, problem = await inbox.ack(reply, outcome="not_sent")
    assert (status, problem["code"]) == (409, "lease")
    assert await inbox.take() == []


async def test_that_it_was_sent_is_believed_late_too(inbox: Inbox) -> None:
    await inbox.ready(1)
    [reply] = await inbox.take()
    inbox.clock.forward(LEASE_S + 1)
    await inbox.take()
    assert await inbox.ack(reply, outcome="sent") == (200, {"state": "sent"})


async def test_the_service_itself_finds_a_lease_that_ended(inbox: Inbox) -> None:
    await inbox.ready(1)
    await inbox.take()
    inbox.clock.forward(LEASE_S + 1)
    part = inbox.running.service._parts.sender
    assert part is not None
    await part.tick()
    await part.drain()
    assert inbox.states() == {"c1": "review"}


async def test_the_sender_leaves_ready_replies_alone(inbox: Inbox) -> None:
    await inbox.ready(1)
    part = inbox.running.service._parts.sender
    assert part is not None
    await part.tick()
    await part.drain()
    assert inbox.states() == {"c1": "ready"}


async def test_two_programs_that_ask_at_once_never_get_the_same_reply(inbox: Inbox) -> None:
    await inbox.ready(*range(1, 13))
    taken = await asyncio.gather(*(inbox.take(limit=2) for _ in range(12)))
    ids = [reply["id"] for some in taken for reply in some]
    assert len(ids) == len(set(ids)) == 12


async def test_an_answer_that_was_imported_meanwhile_keeps_the_reply_back(inbox: Inbox) -> None:
    await inbox.ready(1)
    own = {**ROW, "评论ID": "c9", "父评论ID": "c1", "用户昵称": "烘豆师", "评论内容": "八分钟"}
    await inbox.bring(own)
    assert await inbox.take() == []
    assert inbox.states()["c1"] == "skipped"


async def test_gap_and_hourly_limit_hold(inbox: Inbox) -> None:
    await inbox.ready(1, 2, 3)
    rules = {"min_gap_s": 60, "max_per_hour": 2}
    inbox.running.ledger.write(channels.set_rules, "red", rules, now=inbox.clock())
    assert len(await inbox.take()) == 1
    assert len(await inbox.take()) == 0
    inbox.clock.forward(61)
    assert len(await inbox.take()) == 1
    inbox.clock.forward(61)
    assert len(await inbox.take()) == 0


async def test_in_shadow_nothing_is_handed_out(inbox: Inbox) -> None:
    await inbox.ready(1)
    inbox.running.ledger.write(channels.set_shadow, "red", on=True, now=inbox.clock())
    assert await inbox.take() == []
    assert inbox.states() == {"c1": "review"}


async def test_replies_that_go_another_way_are_not_taken(tmp_path: Path) -> None:
    async with opened(tmp_path, delivery="person") as inbox:
        await inbox.ready(1)
        assert (await refused(inbox.program, 409, "GET", "/inbox/red/outbox"))["code"] == "delivery"


async def test_an_id_of_another_reply_is_refused(inbox: Inbox) -> None:
    await inbox.ready(1, 2)
    first, second = await inbox.take()
    await inbox.ack(first, outcome="sent", id="r1")
    status, problem = await inbox.ack(second, outcome="sent", id="r1")
    assert (status, problem["field"]) == (409, "id")
    assert await inbox.ack(second, outcome="sent", id="r2") == (200, {"state": "sent"})


async def test_a_reply_of_another_channel_is_not_acknowledged(inbox: Inbox) -> None:
    add_inbox(inbox.running, inbox.clock, "blue")
    await inbox.ready(1)
    [reply] = await inbox.take()
    body = {"outcome": "sent", "lease": reply["lease"]}
    path = f"/inbox/blue/outbox/{reply['id']}/ack"
    assert (await refused(inbox.program, 404, "POST", path, json=body))["code"] == "not_found"
    assert inbox.states() == {"c1": "sending"}
