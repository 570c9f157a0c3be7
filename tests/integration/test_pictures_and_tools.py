"""Pictures and tools through the whole service, with a fake model server and the embedded platform."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from adapters.sandbox_pictures import picture_path
from adapters.sandbox_site import create_site, new_token, seed_comments, seed_posts, serve
from bot.bootstrap import assemble, utc_now
from bot.models import State
from bot.store import channels, queue
from bot.store.cases import Item
from bot.store.queue import Filters
from tests.fakes import FakeOpenAI
from tests.service import quick_settings, run_until_done

QUESTION = "How long do I roast the beans?"
ANSWER = "Roast the beans for ten minutes [1]."
ORANGE = picture_path("ff8800")
DESCRIPTION = {"en": "Prices of what we sell", "zh": "商品价格"}


async def answered(
    folder: Path,
    server: FakeOpenAI,
    text: str,
    *,
    pictures: Sequence[str] = (),
    post_pictures: Sequence[str] = (),
    host: bool = True,
    policy: Mapping[str, Any] | None = None,
    tools: Sequence[Mapping[str, Any]] = (),
    rules: Mapping[str, Any] | None = None,
) -> Item:
    """What became of a comment with `text` and `pictures`."""
    token = new_token()
    app = create_site(":memory:", refresh_token=token)
    [post] = seed_posts(app, [("Roasting", "")], post_pictures)
    seed_comments(app, post, [("fan", text)], pictures)
    site = await serve(app)
    (folder / "token").write_text(token)
    (folder / "notes.md").write_text("# Roasting\n\nRoast the beans for ten minutes.\n")
    settings = quick_settings(
        folder / "data",
        policy={
            "min_support": 0.3,
            "picture_hosts": [site.url.removeprefix("http://")] if host else [],
            **(policy or {}),
        },
        generator={"kind": "vllm", "base_url": server.url, "model": "base", "deadline_s": 5.0},
        tools=list(tools),  # type: ignore[arg-type]
    )
    options = {
        "base_url": site.url, "refresh_token": f"file:{folder / 'token'}", "settle_s": 0.1, "min_poll_s": 0,
    }  # fmt: skip
    try:
        async with assemble(settings) as running:
            await running.library.ingest([str(folder / "notes.md")])
            running.ledger.write(
                channels.add,
                name="demo",
                platform="sandbox",
                options=options,
                rules={"send": ["question", "request", "other"], **(rules or {})},
                now=utc_now(),
                answer_since=utc_now() - timedelta(days=1),
            )
            await run_until_done(running, 1)
            items = running.ledger.read(queue.queue, Filters(states=tuple(State))).items
    finally:
        await site.aclose()
    [item] = [item for item in items if not item.comment.is_own]
    return item


async def test_a_model_that_sees_is_shown_the_picture_and_the_reply_goes_out(tmp_path: Path) -> None:
    async with FakeOpenAI(replies=[ANSWER], sees=True, max_model_len=8192) as server:
        item = await answered(tmp_path, server, QUESTION, pictures=[ORANGE])
    assert item.comment.state == State.SENT
    assert item.draft is not None
    [shown] = item.draft.pictures
    assert (shown["seen"], shown["of"], shown["why"]) == (True, "comment", "")
    assert shown["address"].endswith(ORANGE)
    parts = server.requests[-1]["messages"][-1]["content"]
    assert parts[0]["image_url"]["url"].startswith("data:image/png;base64,")
    assert ORANGE not in str(server.requests)


async def test_a_picture_that_the_model_cannot_see_goes_to_a_person(tmp_path: Path) -> None:
    async with FakeOpenAI(replies=[ANSWER]) as server:
        item = await answered(tmp_path, server, QUESTION, pictures=[ORANGE])
    assert (item.comment.state, item.comment.reason) == (State.REVIEW, "pictures")
    assert item.draft is not None
    assert item.draft.text
    [named] = item.draft.pictures
    assert (named["seen"], named["why"]) == (False, "the model cannot see")


async def test_a_picture_that_cannot_be_fetched_goes_to_a_person(tmp_path: Path) -> None:
    async with FakeOpenAI(replies=[ANSWER], sees=True, max_model_len=8192) as server:
        item = await answered(tmp_path, server, QUESTION, pictures=[ORANGE], host=False)
    assert (item.comment.state, item.comment.reason) == (State.REVIEW, "pictures")
    assert item.draft is not None
    assert "private network" in item.draft.pictures[0]["why"]


async def test_a_picture_that_the_server_refuses_holds_up_no_comment(tmp_path: Path) -> None:
    async with FakeOpenAI(replies=[ANSWER], sees=True, max_model_len=8192) as server:
        refuse_picture = server._refusal

        def refusal(body: dict[str, Any]) -> web.Response | None:
            server.sees = "What is this?" in str(body)  # the probe passes, the comment's picture does not
            return refuse_picture(body)

        server._refusal = refusal  # type: ignore[method-assign]
        item = await answered(tmp_path, server, QUESTION, pictures=[ORANGE])
    assert (item.comment.state, item.comment.reason) == (State.REVIEW, "pictures")
    assert item.comment.attempts == 0
    assert item.draft is not None
    assert item.draft.text


async def test_a_comment_that_is_a_picture_alone_goes_to_a_person(tmp_path: Path) -> None:
    async with FakeOpenAI(sees=True) as server:
        item = await answered(tmp_path, server, "😂😂", pictures=[ORANGE])
    assert (item.comment.state, item.comment.reason) == (State.REVIEW, "pictures")


@pytest.mark.parametrize(("setting", "state"), [("review", State.REVIEW), ("ignore", State.SENT)])
async def test_the_owner_says_what_the_posts_pictures_mean(
    tmp_path: Path, setting: str, state: State
) -> None:
    async with FakeOpenAI(replies=[ANSWER]) as server:
        item = await answered(
            tmp_path, server, QUESTION, post_pictures=[ORANGE], policy={"post_pictures": setting}
        )
    assert item.comment.state == state
    assert item.draft is not None
    assert [(one["of"], one["seen"]) for one in item.draft.pictures] == [("post", False)]


def prices(folder: Path) -> dict[str, Any]:
    (folder / "prices.csv").write_text("name,price\nLatte,$12\n", encoding="utf-8")
    return {
        "kind": "table", "name": "prices", "description": DESCRIPTION, "file": str(folder / "prices.csv"),
    }  # fmt: skip


PRICE_CALL = [[("prices", '{"value": "latte"}')]]
PRICE_QUESTION = "What does a latte cost in your shop?"


@pytest.mark.parametrize(
    ("rules", "state", "reason"),
    [({"send_tools": True}, State.SENT, "sent"), ({}, State.REVIEW, "tools_not_opened")],
)
async def test_a_price_comes_from_the_owners_table(
    tmp_path: Path, rules: dict[str, Any], state: State, reason: str
) -> None:
    async with FakeOpenAI(
        replies=["A latte costs $12."], tool_calls=PRICE_CALL, max_model_len=8192
    ) as server:
        item = await answered(tmp_path, server, PRICE_QUESTION, tools=[prices(tmp_path)], rules=rules)
    assert (item.comment.state, item.comment.reason) == (state, reason)
    assert item.draft is not None
    assert "A latte costs $12." in item.draft.text
    assert item.draft.steps == [
        {
            "tool": "prices", "arguments": '{"value": "latte"}', "result": "name: Latte; price: $12",
            "failed": False, "grounds": True,
        }
    ]  # fmt: skip


async def test_a_price_that_is_not_in_the_table_goes_to_a_person(tmp_path: Path) -> None:
    async with FakeOpenAI(
        replies=["A latte costs $99."], tool_calls=PRICE_CALL, max_model_len=8192
    ) as server:
        item = await answered(
            tmp_path, server, PRICE_QUESTION, tools=[prices(tmp_path)], rules={"send_tools": True}
        )
    assert (item.comment.state, item.comment.reason) == (State.REVIEW, "checks")


async def test_a_tool_that_found_nothing_supports_no_reply(tmp_path: Path) -> None:
    calls = [[("prices", '{"value": "bicycle"}')]]
    async with FakeOpenAI(replies=["We have that."], tool_calls=calls, max_model_len=8192) as server:
        item = await answered(
            tmp_path, server, PRICE_QUESTION, tools=[prices(tmp_path)], rules={"send_tools": True}
        )
    assert (item.comment.state, item.comment.reason) == (State.REVIEW, "not_in_documents")


@asynccontextmanager
async def broken_hook() -> AsyncIterator[str]:
    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=500)

    app = web.Application()
    app.router.add_post("/stock", refuse)
    async with TestServer(app) as served:
        yield str(served.make_url("/stock"))


@pytest.mark.parametrize("reply", ["A latte costs $12.", ANSWER])
async def test_a_hook_that_fails_leads_to_a_person(tmp_path: Path, reply: str) -> None:
    async with (
        broken_hook() as url,
        FakeOpenAI(replies=[reply], tool_calls=[[("stock", "{}")]], max_model_len=8192) as server,
    ):
        hook = {
            "kind": "web_hook",
            "name": "stock",
            "description": DESCRIPTION,
            "url": url,
            "reads_only": True,
        }
        item = await answered(tmp_path, server, QUESTION, tools=[hook], rules={"send_tools": True})
    assert (item.comment.state, item.comment.reason) == (State.REVIEW, "tool_failed")
    assert "status 500" in item.comment.detail
    assert item.draft is not None
    assert item.draft.steps[0]["failed"]
