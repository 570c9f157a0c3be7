"""Whatever a platform answers, an adapter raises adapter errors and nothing else, and soon."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from adapters.base import Budget, PlatformAdapter
from adapters.errors import AdapterError, Permanent, RateLimited, Transient
from tests.contract.cases import CASES, NOW, SECRET
from tests.contract.harnesses import new_session
from tests.contract.misbehaving import BAD_ANSWERS, SHORT_S, Answerer, platform, says


async def ready(name: str, adapter: PlatformAdapter) -> PlatformAdapter:
    """With a token, where it needs one."""
    if CASES[name].logs_in:
        await adapter.refresh_auth()
    return adapter


@pytest.mark.parametrize("answer", BAD_ANSWERS.values(), ids=BAD_ANSWERS.keys())
@pytest.mark.parametrize("name", CASES)
async def test_a_bad_answer_raises_adapter_errors_only_and_soon(name: str, answer: Answerer) -> None:
    async with platform(answer) as url, new_session() as http:
        adapter = await ready(name, CASES[name].make(url, http, SHORT_S))
        messages: list[str] = []
        calls: list[Callable[[], Awaitable[object]]] = [
            adapter.open,
            lambda: adapter.baseline(NOW),
            lambda: adapter.poll(CASES[name].cursor, Budget(requests=3)),
            lambda: adapter.reply(CASES[name].target, "an answer", "key"),
            lambda: adapter.find_own_replies(CASES[name].target, NOW),
        ]
        async with asyncio.timeout(20):
            for call in calls:
                try:
                    await call()
                except AdapterError as exc:
                    messages.append(str(exc))
        await adapter.aclose()
    assert not [message for message in messages if SECRET in message]


@pytest.mark.parametrize(
    "answer", ["truncated", "drops", "never", "html", "broken json", "server error", "fifty megabytes"]
)
@pytest.mark.parametrize("name", CASES)
async def test_a_reply_whose_answer_is_lost_is_ambiguous_and_a_poll_is_not(name: str, answer: str) -> None:
    async with platform(BAD_ANSWERS[answer]) as url, new_session() as http:
        adapter = await ready(name, CASES[name].make(url, http, SHORT_S))
        with pytest.raises(Transient) as sent:
            await adapter.reply(CASES[name].target, "an answer", "key")
        with pytest.raises(Transient) as read:
            await adapter.poll(CASES[name].cursor, Budget(requests=20))
    assert (sent.value.ambiguous, read.value.ambiguous) == (True, False)


@pytest.mark.parametrize("name", CASES)
async def test_a_reply_that_never_left_is_not_ambiguous(name: str) -> None:
    async with new_session() as http:
        async with platform(says("{}")) as url:
            adapter = await ready(name, CASES[name].make(url, http))
        with pytest.raises(Transient) as refused:
            await adapter.reply(CASES[name].target, "an answer", "key")
    assert refused.value.ambiguous is False


@pytest.mark.parametrize("name", CASES)
async def test_too_many_calls_tells_the_seconds_to_wait(name: str) -> None:
    async with platform(says("slow down", 429, **{"Retry-After": "17"})) as url, new_session() as http:
        adapter = await ready(name, CASES[name].make(url, http))
        with pytest.raises(RateLimited) as limited:
            await adapter.reply(CASES[name].target, "an answer", "key")
    assert limited.value.retry_after == 17


@pytest.mark.parametrize("name", CASES)
async def test_a_redirect_is_not_followed(name: str) -> None:
    visited = []

    async def redirect(request: web.Request) -> web.StreamResponse:
        visited.append(request.path)
        raise web.HTTPTemporaryRedirect("/elsewhere")

    async with platform(redirect) as url, new_session() as http:
        adapter = await ready(name, CASES[name].make(url, http))
        with pytest.raises(Permanent, match="redirects"):
            await adapter.reply(CASES[name].target, "an answer", "key")
    assert len(visited) == 1


@pytest.mark.parametrize("name", CASES)
async def test_cancelling_a_call_cancels_it(name: str) -> None:
    arrived = asyncio.Event()

    async def hang(_: web.Request) -> web.StreamResponse:
        arrived.set()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async with platform(hang) as url, new_session() as http:
        adapter = await ready(name, CASES[name].make(url, http))
        task = asyncio.ensure_future(adapter.reply(CASES[name].target, "an answer", "key"))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
