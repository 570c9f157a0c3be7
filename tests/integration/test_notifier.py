"""Outgoing webhooks, against a real receiver on loopback."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.bootstrap import ALL_ROLES, assemble, open_http
from bot.doctor.webhooks import webhook_findings
from bot.models import State, Webhook
from bot.notifier import Notifier, Target, target_of
from bot.settings import Settings, SettingsError, WebhookSettings
from bot.store import channels, notices
from bot.store.deciding import Sign
from bot.store.ledger import Ledger
from bot.store.verdicts import approve, skip, undo
from tests.builders import Desk, comment
from tests.command_line import Cli


@dataclass
class Receiver:
    """Takes notices, and answers as it is told."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    got: list[tuple[Any, dict[str, str]]] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.got.append((await request.json(), dict(request.headers)))
        return web.Response(status=self.status, headers=self.headers, body=self.body)

    @property
    def comments(self) -> list[list[int]]:
        return [[one["comment"] for one in told["events"]] for told, _ in self.got]


@pytest.fixture
async def receivers() -> AsyncIterator[list[Receiver]]:
    async with AsyncExitStack() as stack:
        made = []
        for _ in range(2):
            receiver, app = Receiver(), web.Application()
            app.router.add_post("/hook", receiver.answer)
            server = await stack.enter_async_context(TestServer(app))
            receiver.url = str(server.make_url("/hook"))
            made.append(receiver)
        yield made


@pytest.fixture
async def rig(ledger: Ledger, receivers: list[Receiver]) -> AsyncIterator["Rig"]:
    async with open_http() as http:
        desk = Desk(ledger)

        def notifier(owner: str = "me") -> Notifier:
            targets = [
                Target(WebhookSettings(name=name, url="env:X"), receiver.url, "s")
                for name, receiver in zip(("first", "second"), receivers, strict=True)
            ]
            return Notifier(ledger=ledger, http=http, targets=targets, desk="", owner=owner, clock=desk.clock)

        made = Rig(desk, receivers, notifier(), notifier)
        await made.notifier.tick()
        yield made


@dataclass
class Rig:
    desk: Desk
    receivers: list[Receiver]
    notifier: Notifier
    another: Any

    def happens(self, *numbers: int, state: State = State.REVIEW) -> None:
        self.desk.ingest(*(comment(number) for number in numbers))
        for work in self.desk.claim():
            assert self.desk.decide(work, state)

    async def later(self, seconds: float = 61) -> None:
        self.desk.clock.forward(seconds)
        await self.notifier.tick()

    def row(self, name: str = "first") -> Webhook:
        return next(row for row in self.desk.ledger.read(notices.every) if row.name == name)


async def test_a_new_webhook_is_told_what_happens_from_now_on(ledger: Ledger, rig: Rig) -> None:
    rig.happens(1, 2)
    rig.happens(3, state=State.FAILED)
    await rig.later()
    first, _ = rig.receivers
    assert first.comments == [[1, 2, 3]]
    assert [one["kind"] for one in first.got[0][0]["events"]] == ["needs_review", "needs_review", "failed"]
    newcomer = rig.another()
    ledger.write(lambda session: session.delete(session.get(Webhook, "first")))
    await newcomer.tick()
    rig.desk.clock.forward(61)
    await newcomer.tick()
    assert first.comments == [[1, 2, 3]]


async def test_there_is_at_most_one_notice_a_minute(rig: Rig) -> None:
    first, _ = rig.receivers
    for number in (1, 2, 3):
        rig.happens(number)
        await rig.later(6)
    assert first.comments == [[1]]
    await rig.later(60)
    assert first.comments == [[1], [2, 3]]


async def test_what_has_just_happened_waits_for_what_happens_beside_it(rig: Rig) -> None:
    rig.happens(1)
    await rig.notifier.tick()
    assert rig.receivers[0].got == []
    await rig.later(6)
    assert rig.receivers[0].comments == [[1]]


async def test_what_no_longer_needs_a_person_is_not_told(rig: Rig) -> None:
    rig.happens(1, 2)
    rig.desk.ledger.write(skip, 1, sign=Sign("bea"), now=rig.desk.clock.forward(1))
    await rig.later()
    assert rig.receivers[0].comments == [[2]]


async def test_a_verdict_that_is_taken_back_is_no_news(rig: Rig) -> None:
    rig.happens(1)
    await rig.later()
    ledger, clock = rig.desk.ledger, rig.desk.clock
    ledger.write(approve, 1, sign=Sign("bea"), now=clock.forward(1), undo_s=8)
    ledger.write(undo, 1, sign=Sign("bea"), now=clock.forward(1))
    await rig.later()
    assert rig.receivers[0].comments == [[1]]


async def test_a_receiver_that_is_down_is_told_later_and_holds_nobody_up(rig: Rig) -> None:
    first, second = rig.receivers
    first.status, first.body = 503, b"busy\n<b>"
    rig.happens(1)
    await rig.later(6)
    assert second.comments == [[1]]
    assert rig.row().last_error == "it answered 503 (busy <b>)"
    assert first.url not in str(rig.row())
    await rig.later(1)
    assert len(first.got) == 1
    assert rig.notifier.troubles == {"first": "it answered 503 (busy <b>)"}
    first.status = 200
    rig.happens(2)
    await rig.later(60)
    assert first.comments == [[1], [1, 2]]
    assert (rig.row().last_error, rig.row().attempts) == (None, 0)
    assert first.got[1][1]["X-Rejoinder-Delivery"] != first.got[0][1]["X-Rejoinder-Delivery"]


async def test_a_notice_that_is_told_again_has_the_same_number(rig: Rig) -> None:
    first, _ = rig.receivers
    first.status = 500
    rig.happens(1)
    await rig.later(6)
    await rig.later(60)
    numbers = {headers["X-Rejoinder-Delivery"] for _, headers in first.got}
    assert (len(first.got), len(numbers)) == (2, 1)


async def test_a_receiver_that_asks_to_wait_is_left_in_peace(rig: Rig) -> None:
    first, _ = rig.receivers
    first.status, first.headers = 429, {"Retry-After": "300"}
    rig.happens(1)
    await rig.later(6)
    await rig.later(290)
    assert len(first.got) == 1
    await rig.later(11)
    assert len(first.got) == 2


async def test_an_address_that_is_gone_is_asked_no_more_until_a_test_arrives(rig: Rig) -> None:
    first, _ = rig.receivers
    first.status = 410
    rig.happens(1)
    await rig.later(6)
    await rig.later(86_400)
    assert len(first.got) == 1
    assert "gone for good" in (rig.row().last_error or "")
    first.status = 200
    rig.desk.ledger.write(notices.revive, "first", now=rig.desk.clock())
    await rig.notifier.tick()
    assert first.comments == [[1], [1]]


async def test_what_a_dying_process_had_in_hand_is_told_by_another(ledger: Ledger, rig: Rig) -> None:
    rig.happens(1)
    now = rig.desk.clock.forward(6)
    ledger.write(notices.claim, ["first"], owner="dead", now=now, lease=timedelta(seconds=60))
    await rig.later(0)
    assert rig.receivers[0].got == []
    await rig.later(61)
    assert rig.receivers[0].comments == [[1]]


async def test_two_processes_tell_once(rig: Rig) -> None:
    rig.happens(1)
    other = rig.another("other")
    rig.desk.clock.forward(6)
    await other.tick()
    await rig.notifier.tick()
    assert rig.receivers[0].comments == [[1]]


async def test_a_redirect_is_not_followed_and_a_long_answer_not_read(rig: Rig) -> None:
    first, second = rig.receivers
    first.status, first.headers = 307, {"Location": second.url}
    second.status, second.body = 500, b"x" * 5_000_000
    rig.happens(1)
    await rig.later(6)
    assert (len(first.got), len(second.got)) == (1, 1)
    assert (rig.row().last_error or "").startswith("it answered 307")
    assert len(rig.row("second").last_error or "") < 300


async def test_nobody_listening_is_told_without_the_address(rig: Rig) -> None:
    target = Target(WebhookSettings(name="first", url="env:X"), "http://127.0.0.1:1/s3cret", "")
    rig.notifier._targets = {"first": target}
    rig.happens(1)
    await rig.later(6)
    assert "cannot be reached" in (rig.row().last_error or "")
    assert "s3cret" not in (rig.row().last_error or "")


async def test_a_long_past_is_gone_through_in_pieces(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "AT_ONCE", 3)
    rig.happens(1, 2, 3)
    for _ in range(6):
        await rig.later()
    told = [number for numbers in rig.receivers[0].comments for number in numbers]
    assert sorted(told) == [1, 2, 3]


async def test_the_service_tells_and_shows_what_does_not_arrive(
    tmp_path: Path, receivers: list[Receiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK", receivers[0].url)
    hooks = [{"name": "team", "url": "env:HOOK", "format": "dingtalk"}]
    settings = Settings(data_dir=tmp_path, web={"port": 0}, webhooks=hooks)
    async with assemble(settings, roles=ALL_ROLES) as running:
        [loop] = [loop for loop in running.service.loops if loop.name == "notifier"]
        await loop._tick()
        running.ledger.write(mark_failed, "team")
        await loop._tick()
        assert running.service.troubles == {"webhook team": "it answered 500"}
        [finding] = webhook_findings(settings, running.ledger.read(notices.every))
        assert (finding.level, finding.part) == ("error", "webhook team")


def mark_failed(session: Any, name: str) -> None:
    session.get(Webhook, name).last_error = "it answered 500"


@pytest.mark.parametrize("url", ["", "ftp://x", "https://", "not an address", "http://[x"])
def test_an_address_that_is_none_is_refused_without_being_shown(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK", url)
    with pytest.raises(SettingsError, match="address of team") as refusal:
        target_of(WebhookSettings(name="team", url="env:HOOK"))
    assert not url or url not in str(refusal.value)


@pytest.fixture
def hook_server() -> Iterator[tuple[str, list[Any]]]:
    """A receiver on a thread: commands run event loops of their own."""
    got: list[Any] = []

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Taking) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/hook", got
        server.shutdown()
        thread.join()


def test_the_command_line_sends_a_test_notice(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, hook_server: tuple[str, list[Any]]
) -> None:
    url, got = hook_server
    monkeypatch.setenv("HOOK", url)
    assert cli("webhooks", "list") == 0
    assert "No webhook is set up" in cli.err
    (cli.folder / "rejoinder.toml").write_text('[[webhooks]]\nname = "team"\nurl = "env:HOOK"\n')
    assert cli("webhooks", "test", "team") == 0
    assert (cli.out, got[0]["event"]) == ("team took the test notice.\n", "test")
    assert cli.json("webhooks", "list", "--json")[0]["last_error"] is None
    assert cli("webhooks", "list") == 0
    assert "never" in cli.out
    assert cli("webhooks", "test", "other") == 2
    assert "there are: team" in cli.err
    monkeypatch.setenv("HOOK", "http://127.0.0.1:1/s3cret")
    assert cli("webhooks", "test", "team") == 1
    assert "cannot be reached" in cli.err
    assert "s3cret" not in cli.err


async def test_a_channel_that_stopped_is_told_once_with_why(rig: "Rig") -> None:
    rig.desk.ledger.write(channels.restrict, rig.desk.channel_id, error="3 refused", now=rig.desk.clock())
    rig.desk.ledger.write(channels.restrict, rig.desk.channel_id, error="again", now=rig.desk.clock())
    for _ in range(3):
        rig.desk.clock.forward(61)
        await rig.notifier.tick()
    [(told, headers)] = rig.receivers[0].got
    assert headers["X-Rejoinder-Event"] == "stopped"
    assert told["text"] == "Rejoinder: 1 channel stopped\n[demo] 3 refused"
    [event] = told["events"]
    assert (event["kind"], event["comment"], event["channel"]) == ("stopped", None, "demo")
