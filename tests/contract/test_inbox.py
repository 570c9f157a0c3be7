"""The inbox's part of the contract that adapters meet, and its webhook.

Of `adapters.conformance.CHECKS` two apply: a cursor of another shape, and closing twice. The others need a platform
that can be polled and asked for our replies; here nothing is polled, and what imports bring is checked where they are
read (tests/unit/test_inbox_rows.py) and taken in (tests/integration/test_inbox_api.py).
"""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from adapters.base import Budget, CommentRef
from adapters.conformance import (
    a_cursor_of_another_shape_is_refused_clearly,
    it_can_be_closed_twice,
)
from adapters.errors import (
    AdapterError,
    AlreadyReplied,
    Permanent,
    RateLimited,
    ReauthRequired,
    RejectedContent,
    TargetGone,
    Transient,
    Unsupported,
)
from adapters.inbox import InboxAdapter
from adapters.inbox_options import InboxOptions
from tests.contract.harnesses import new_session
from tests.contract.misbehaving import BAD_ANSWERS, Answerer, platform, says

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TARGET = CommentRef("p1", "c1", "c1", NOW)
SECRET = "a secret of the owner's"
SHORT_S = 0.15


def make(http: aiohttp.ClientSession, url: str = "", timeout_s: float = 10.0, **options: Any) -> InboxAdapter:
    hook = {"delivery": "webhook", "webhook_url": url, "webhook_secret": SECRET} if url else {}
    chosen = {"account": "Roaster", "timeout_s": timeout_s, **hook, **options}
    return InboxAdapter(InboxOptions.model_validate(chosen), http=http, clock=lambda: NOW)


class Harness:
    """What the two checks need."""

    def __init__(self, adapter: InboxAdapter) -> None:
        self.adapter = adapter

    async def write(self, text: str, parent: CommentRef | None = None, name: str = "Visitor") -> None:
        raise AssertionError("an inbox has no platform to write on")

    async def remove(self, ref: CommentRef) -> None:
        raise AssertionError("an inbox has no platform to remove from")


@pytest.mark.parametrize("check", [a_cursor_of_another_shape_is_refused_clearly, it_can_be_closed_twice])
async def test_it_passes_what_of_the_conformance_suite_applies(check: Any) -> None:
    async with new_session() as http:
        await check(Harness(make(http)))


async def test_there_is_nothing_to_poll_and_nobody_to_ask() -> None:
    async with new_session() as http:
        adapter = make(http, account_id="me")
        assert ((await adapter.open()).id, (await adapter.open()).name) == ("me", "Roaster")
        page = await adapter.poll(await adapter.baseline(NOW), Budget())
        assert (page.comments, page.posts, page.complete, page.malformed) == ((), (), True, 0)
        with pytest.raises(Unsupported):
            await adapter.find_own_replies(TARGET, NOW)
        with pytest.raises(Unsupported):
            await adapter.refresh_auth()


@pytest.mark.parametrize(
    ("delivery", "writes", "idempotent"),
    [
        ({}, "assist", False),
        ({"delivery": "outbox"}, "assist", False),
        ({"url": "http://x.example"}, "auto", False),
        ({"url": "http://x.example", "dedupes": True}, "auto", True),
        ({"dedupes": True}, "assist", False),
    ],
)
async def test_what_it_can_do_depends_on_how_replies_go_out(
    delivery: dict[str, Any], writes: str, idempotent: bool
) -> None:
    async with new_session() as http:
        able = make(http, **delivery).capabilities
    assert (able.writes, able.idempotent_reply, able.can_find_own) == (writes, idempotent, False)


@pytest.mark.parametrize("delivery", ["person", "outbox"])
async def test_what_a_person_or_a_program_brings_out_is_never_sent_by_itself(delivery: str) -> None:
    async with new_session() as http:
        with pytest.raises(Unsupported):
            await make(http, delivery=delivery).reply(TARGET, "ten minutes", "key")


def test_the_secret_is_in_no_text_of_the_options() -> None:
    options = InboxOptions(
        account="Roaster",
        delivery="webhook",
        webhook_url="http://x.example",
        webhook_secret=SECRET,  # type: ignore[arg-type]
    )
    assert SECRET not in repr(options)


# --- the webhook ---


@asynccontextmanager
async def receiving(answer: Answerer) -> AsyncIterator[InboxAdapter]:
    async with platform(answer) as url, new_session() as http:
        yield make(http, f"{url}/hook")


async def test_the_receiver_gets_the_reply_signed_over_time_and_raw_body() -> None:
    got: list[tuple[Any, bytes]] = []

    async def take(request: web.Request) -> web.StreamResponse:
        got.append((request.headers.copy(), await request.read()))
        return web.Response(text="thanks")

    async with receiving(take) as adapter:
        reply = await adapter.reply(TARGET, "十分钟。“ok”", "key-1")
    assert (reply.id, reply.parent_id, reply.text) == ("key-1", "c1", "十分钟。“ok”")
    [(headers, body)] = got
    told = json.loads(body)
    assert (told["event"], told["key"], told["text"]) == ("reply", "key-1", "十分钟。“ok”")
    assert told["comment"] == {"id": "c1", "thread": "c1", "post": "p1", "created_at": NOW.isoformat()}
    parts = dict(part.split("=", 1) for part in headers["X-Rejoinder-Signature"].split(","))
    expected = hmac.new(SECRET.encode(), parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
    assert (parts["t"], parts["v1"]) == (str(int(NOW.timestamp())), expected)
    assert (headers["Idempotency-Key"], headers["X-Rejoinder-Event"]) == ("key-1", "reply")


@pytest.mark.parametrize(
    ("status", "body", "reply_id"),
    [
        (200, "", "key"),
        (202, "<p>taken</p>", "key"),
        (204, "", "key"),
        (201, '{"id": "r7"}', "r7"),
        (200, '{"id": 7}', "key"),
        (200, json.dumps({"id": "x" * 300}), "key"),
        (200, "[" * 50_000, "key"),
    ],
)
async def test_every_2xx_is_accepted_whatever_its_body(status: int, body: str, reply_id: str) -> None:
    async with receiving(says(body, status)) as adapter:
        assert (await adapter.reply(TARGET, "ten minutes", "key")).id == reply_id


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (409, AlreadyReplied),
        (410, TargetGone),
        (422, RejectedContent),
        (401, ReauthRequired),
        (404, Permanent),
        (302, Permanent),
        (400, Permanent),
        (429, RateLimited),
        (500, Transient),
        (408, Transient),
    ],
)
async def test_other_answers_mean_what_they_say(status: int, error: type[AdapterError]) -> None:
    async with receiving(says("no", status, Location="http://127.0.0.1:1/")) as adapter:
        with pytest.raises(error) as raised:
            await adapter.reply(TARGET, "ten minutes", "key")
    assert SECRET not in str(raised.value)
    if isinstance(raised.value, Transient):
        assert raised.value.ambiguous


async def test_a_second_call_with_the_key_counts_as_sent_under_the_id_that_is_told() -> None:
    async with receiving(says('{"id": "r7"}', 409)) as adapter:
        with pytest.raises(AlreadyReplied) as raised:
            await adapter.reply(TARGET, "ten minutes", "key")
    assert raised.value.reply_id == "r7"


async def test_a_reply_that_is_too_long_is_not_sent() -> None:
    asked: list[str] = []

    async def count(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return web.Response()

    async with receiving(count) as adapter:
        with pytest.raises(RejectedContent, match="301 characters"):
            await adapter.reply(TARGET, "x" * 301, "key")
    assert asked == []


@pytest.mark.parametrize("answer", BAD_ANSWERS.values(), ids=BAD_ANSWERS.keys())
async def test_a_bad_answer_of_the_receiver_raises_adapter_errors_only_and_soon(answer: Answerer) -> None:
    async with platform(answer) as url, new_session() as http:
        adapter = make(http, url, SHORT_S)
        messages: list[str] = []
        async with asyncio.timeout(20):
            try:
                await adapter.reply(TARGET, "ten minutes", "key")
            except AdapterError as error:
                messages.append(str(error))
    assert not any(SECRET in message for message in messages)


@pytest.mark.parametrize("answer", ["truncated", "drops", "never", "fifty megabytes", "drips for ever"])
async def test_a_lost_answer_is_ambiguous(answer: str) -> None:
    async with platform(BAD_ANSWERS[answer]) as url, new_session() as http:
        with pytest.raises(Transient) as raised:
            await make(http, url, SHORT_S).reply(TARGET, "ten minutes", "key")
    assert raised.value.ambiguous


async def test_a_call_that_never_left_is_not() -> None:
    async with new_session() as http:
        async with platform(says("{}")) as url:
            adapter = make(http, url)
        with pytest.raises(Transient) as raised:
            await adapter.reply(TARGET, "ten minutes", "key")
    assert not raised.value.ambiguous


async def test_cancelling_a_call_cancels_it() -> None:
    arrived = asyncio.Event()

    async def hang(_: web.Request) -> web.StreamResponse:
        arrived.set()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async with receiving(hang) as adapter:
        task = asyncio.ensure_future(adapter.reply(TARGET, "ten minutes", "key"))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_clock_that_is_wrong_by_ten_minutes_is_what_the_receiver_can_tell() -> None:
    got: list[str] = []

    async def take(request: web.Request) -> web.StreamResponse:
        got.append(request.headers["X-Rejoinder-Signature"])
        return web.Response()

    async with platform(take) as url, new_session() as http:
        adapter = make(http, url)
        adapter._clock = lambda: NOW + timedelta(minutes=10)
        await adapter.reply(TARGET, "ten minutes", "key")
    assert got[0].startswith(f"t={int(NOW.timestamp()) + 600},")
