"""Platforms that call the service: who is believed, what a call does, and what nobody learns."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, select

from bot.bootstrap import assemble
from bot.models import Channel, Comment
from bot.store import channels, polling
from bot.web.hooks import MOST_BYTES
from tests.access import Got, House, house
from tests.contract.harnesses import new_session
from tests.contract.harnesses_douyin import DouyinHarness
from tests.platforms.douyin import KEY, ME, SECRET, Douyin, running
from tests.service import quick_settings, until

OPTIONS = {
    "base_url": "http://127.0.0.1:9",
    "client_key": KEY,
    "client_secret": "env:DOUYIN_SECRET",
    "open_id": ME,
    "refresh_token": "env:DOUYIN_TOKEN",
    "items": ["@a=="],
    "min_poll_s": 60,
}
LATER_S = 3600
NOBODY = "no channel listens here"


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOUYIN_SECRET", SECRET)
    monkeypatch.setenv("DOUYIN_TOKEN", "rft.0123456789")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as made:
        yield made


def add(site: House, name: str = "dy", platform: str = "douyin", **options: Any) -> Channel:
    """A channel that was polled just now and will be in an hour."""
    now, given = site.clock(), {**OPTIONS, **options} if platform == "douyin" else {}

    def added(session: Session) -> Channel:
        channel = channels.add(session, name=name, platform=platform, options=given, rules={}, now=now)
        channel.last_poll_at, channel.next_poll_at = now, now + timedelta(seconds=LATER_S)
        session.add(channel)
        return channel

    return site.running.ledger.write(added)


def change(site: House, **values: Any) -> None:
    def changed(session: Session) -> None:
        channel = channels.named(session, "dy")
        for name, value in values.items():
            setattr(channel, name, value)
        session.add(channel)

    site.running.ledger.write(changed)


def due_in(site: House) -> float:
    channel = site.running.ledger.read(channels.named, "dy")
    return (channel.next_poll_at - site.clock()).total_seconds()


def event(text: str = "新评论", kind: str = "item_comment_reply", **content: Any) -> bytes:
    told = {"event": kind, "client_key": KEY, "to_user_id": ME, "content": {"content": text, **content}}
    return json.dumps(told, ensure_ascii=False).encode() + b"\n"


async def call(site: House, body: bytes, channel: str = "dy", **headers: str) -> Got:
    signed = Douyin().sign(body) | {"Content-Type": "application/json"} | headers
    return await site.outside().ask("POST", f"/hooks/{channel}", data=io.BytesIO(body), headers=signed)


async def test_a_signed_call_makes_the_channel_due(site: House) -> None:
    add(site)
    site.clock.forward(120)
    assert due_in(site) == LATER_S - 120
    got = await call(site, event())
    assert (got.status, got.text, due_in(site)) == (200, "{}", 0)


async def test_calls_make_it_due_no_sooner_than_its_shortest_interval(site: House) -> None:
    add(site)
    site.clock.forward(10)
    for number in range(5):
        assert (await call(site, event(f"评论 {number}"))).status == 200
        assert due_in(site) == 50


async def test_the_address_is_tried_with_a_challenge(site: House) -> None:
    add(site)
    got = await call(site, event(kind="verify_webhook", challenge=12345))
    assert (got.status, json.loads(got.text), due_in(site)) == (200, {"challenge": 12345}, LATER_S)


@pytest.mark.parametrize(
    "headers", [{"X-Douyin-Signature": "0" * 40}, {"X-Douyin-Signature": ""}, {"X-Douyin-Signature": "é"}]
)
async def test_a_wrong_signature_is_told_in_one_line_that_leaks_nothing(
    site: House, headers: dict[str, str]
) -> None:
    add(site)
    got = await call(site, event(), **headers)
    told = json.loads(got.text)
    assert (got.status, told["code"], due_in(site)) == (403, "unproven", LATER_S)
    assert "\n" not in told["detail"]
    assert not [secret for secret in (SECRET, KEY, ME, "douyin") if secret in got.text]


async def test_the_raw_body_is_what_is_signed(site: House) -> None:
    add(site)
    body = event()
    got = await call(site, body.rstrip(b"\n"), **Douyin().sign(body))
    assert got.status == 403


async def test_a_channel_without_the_secret_believes_nobody(site: House) -> None:
    add(site, client_secret=None)
    assert (await call(site, event())).status == 403


async def test_a_call_for_another_application_is_refused(site: House) -> None:
    add(site, client_key="another")
    assert (await call(site, event())).status == 403


async def test_nobody_learns_which_channels_there_are(site: House) -> None:
    add(site)
    add(site, name="quiet", platform="isso")
    add(site, name="lost", platform="nowhere")
    names = ("quiet", "lost", "absent", "dy%20", "%E6%8A%96", "dy")
    forged = {"X-Douyin-Signature": "0" * 40}
    answers = [await call(site, event(), name, **forged) for name in names]
    assert {(got.status, json.loads(got.text)["detail"][: len(NOBODY)]) for got in answers} == {(403, NOBODY)}
    assert len({got.text for got in answers}) == 1
    assert {(await call(site, b" " * (MOST_BYTES + 1), name)).status for name in names} == {413}


async def test_a_repeated_call_does_nothing(site: House) -> None:
    add(site)
    body = event(create_time=int(site.clock().timestamp()))
    site.clock.forward(120)
    await call(site, body)
    now = site.clock.forward(300)
    change(site, last_poll_at=now, next_poll_at=now + timedelta(seconds=LATER_S))
    site.clock.forward(120)
    assert (await call(site, body)).status == 200
    assert due_in(site) == LATER_S - 120


async def test_a_call_about_an_old_comment_does_nothing(site: House) -> None:
    add(site)
    body = event(create_time=int(site.clock().timestamp()))
    site.clock.forward(86_401)
    change(site, next_poll_at=site.clock() + timedelta(seconds=LATER_S))
    assert (await call(site, body)).status == 200
    assert due_in(site) == LATER_S


@pytest.mark.parametrize("state", [{"failures": 1}, {"poll_owner": "another process"}])
async def test_a_channel_that_waits_after_a_failure_or_is_polled_is_left_alone(
    site: House, state: dict[str, Any]
) -> None:
    add(site)
    change(site, **state)
    site.clock.forward(120)
    assert (await call(site, event())).status == 200
    assert due_in(site) == LATER_S - 120


async def test_a_channel_that_is_gone_is_not_woken(site: House) -> None:
    assert site.running.ledger.write(polling.wake, 99, now=site.clock(), gap=timedelta(0)) is False


async def test_a_body_of_more_than_a_mebibyte_is_refused(site: House) -> None:
    add(site)
    assert (await call(site, b" " * (MOST_BYTES + 1))).status == 413
    assert (await call(site, event("长" * 300_000))).status == 200


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
async def test_a_page_of_another_site_cannot_call(site: House, headers: dict[str, str]) -> None:
    add(site)
    assert (await call(site, event(), **headers)).status == 403
    assert due_in(site) == LATER_S


async def test_a_refusal_is_logged_once_a_minute(site: House, capsys: pytest.CaptureFixture[str]) -> None:
    add(site)
    for _ in range(5):
        await call(site, event(), **{"X-Douyin-Signature": "0" * 40})
    logged = capsys.readouterr()
    assert (logged.out + logged.err).count("a platform's call was refused") == 1


async def test_a_call_brings_a_comment_into_the_ledger_long_before_the_next_poll(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = quick_settings(tmp_path, service={"poll_interval_s": LATER_S}, web={"port": 0})
    async with (
        running(Douyin()) as world,
        new_session() as http,
        assemble(settings, roles=frozenset({"poll", "web"})) as service,
    ):
        platform = DouyinHarness(world, http)
        monkeypatch.setenv("DOUYIN_TOKEN", platform.refresh_token)
        options = {
            **OPTIONS,
            "base_url": world.url,
            "items": [platform.item],
            "min_poll_s": 0,
        }
        service.ledger.write(
            channels.add, name="dy", platform="douyin", options=options, rules={}, now=world.clock()
        )

        def known() -> list[str]:
            return service.ledger.read(lambda session: list(session.exec(select(Comment.text))))

        def polled() -> bool:
            channel = service.ledger.read(channels.named, "dy")
            return channel.last_poll_at is not None and channel.poll_owner is None

        stop = asyncio.Event()
        task = asyncio.create_task(service.service.run(stop))
        await until(polled)
        fresh = world.add_item()
        world.write(fresh, "在新视频下面")
        body = event("在新视频下面", reply_to_item_id=fresh)
        url = f"{(service.page or '').rstrip('/')}/hooks/dy"
        async with http.post(url, data=body, headers=world.sign(body)) as answer:
            assert answer.status == 200
        await until(lambda: known() == ["在新视频下面"])
        stop.set()
        await task
