"""Replies that the service hands to the owner's address: each once, and a person is asked where that is not sure."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.inbox import registered
from tests.integration.test_inbox_api import Inbox, opened


class Receiver:
    """What the owner runs: keeps what it is given, by key, and answers as told."""

    def __init__(self) -> None:
        self.status = 200
        self.keys: list[str] = []

    async def take(self, request: web.Request) -> web.StreamResponse:
        key = request.headers["Idempotency-Key"]
        again = key in self.keys
        self.keys.append(key)
        return web.json_response({"id": "r1"}, status=409 if again else self.status)


@asynccontextmanager
async def delivering(
    folder: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, **options: object
) -> AsyncIterator[Inbox]:
    registered(monkeypatch)
    monkeypatch.setenv("HOOK_SECRET", "a secret")
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    async with TestServer(app) as server:
        hook = {"webhook_url": str(server.make_url("/hook")), "webhook_secret": "env:HOOK_SECRET"}
        async with opened(folder, delivery="webhook", **hook, **options) as inbox:
            await inbox.ready(1)
            yield inbox


async def send(inbox: Inbox) -> dict[str, str]:
    """What became of the comments once the sender has done all that it can now."""
    sender = inbox.running.service._parts.sender
    assert sender is not None
    await sender.tick()
    await sender.drain()
    return inbox.states()


async def test_a_reply_is_handed_over_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = Receiver()
    async with delivering(tmp_path, receiver, monkeypatch) as inbox:
        assert await send(inbox) == {"c1": "sent"}
        await send(inbox)
    assert len(receiver.keys) == 1


async def test_an_unclear_call_is_asked_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = Receiver()
    receiver.status = 500
    async with delivering(tmp_path, receiver, monkeypatch) as inbox:
        assert await send(inbox) == {"c1": "review"}
        assert inbox.reasons()[-1] == "send_unclear"
    assert len(receiver.keys) == 1


async def test_a_receiver_that_knows_keys_is_called_again_and_takes_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = Receiver()
    receiver.status = 500
    async with delivering(tmp_path, receiver, monkeypatch, dedupes=True) as inbox:
        assert await send(inbox) == {"c1": "sent"}
    assert len(receiver.keys) == 2
    assert len(set(receiver.keys)) == 1
