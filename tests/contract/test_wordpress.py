"""The one suite that every adapter passes, on a real WordPress; and what only a broken site would do, on a fake."""

import json
from typing import Any

import pytest
from aiohttp import web

from adapters.base import Budget, CommentPage
from adapters.conformance import CHECKS, Check
from adapters.errors import Permanent, Transient
from tests.contract.cases import CASES, NOW
from tests.contract.harnesses import new_session
from tests.contract.harnesses_wordpress import on_a_post_of_its_own
from tests.contract.misbehaving import Answerer, platform
from tests.integration.wordpress_server import WordPressServer


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_wordpress(check: Check, wordpress: WordPressServer) -> None:
    async with new_session() as http:
        await check(await on_a_post_of_its_own(wordpress, http))


ROW = {
    "id": 7, "post": 1, "parent": 0, "author": 0, "author_name": "Fan", "date": "2026-11-20T12:00:01",
    "date_gmt": "2026-11-20T12:00:01", "content": {"raw": "a question"}, "link": "https://example.org/a/#comment-7",
    "_links": {"up": [{"href": "https://example.org/wp-json/wp/v2/posts/1"}]},
}  # fmt: skip


def site(comments: list[Any], total: str | None, posts: web.Response | None = None) -> Answerer:
    """A WordPress that gives these rows whatever is asked for, and cannot describe its posts."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/posts"):
            return posts or web.json_response({"code": "rest_forbidden"}, status=403)
        # What is held is nothing, and what is above the rows is gone.
        rows = comments if "after" in request.query and request.query.get("status") != "hold" else []
        headers = {} if total is None else {"X-WP-Total": total}
        return web.Response(text=json.dumps(rows), content_type="application/json", headers=headers)

    return answer


async def polled(answer: Answerer, budget: Budget | None = None) -> CommentPage:
    async with platform(answer) as url, new_session() as http:
        return await CASES["wordpress"].make(url, http).poll(CASES["wordpress"].cursor, budget or Budget())


@pytest.mark.parametrize("total", ["450", "1", None])
async def test_a_cache_that_answers_the_same_page_for_ever_ends_the_poll(total: str | None) -> None:
    page = await polled(site([ROW], total))
    assert ([comment.text for comment in page.comments], page.complete) == (["a question"], True)


async def test_a_total_that_is_never_reached_ends_with_the_budget_and_moves_no_time() -> None:
    page = await polled(site([ROW], "9" * 19), Budget(requests=4))
    assert (page.complete, page.cursor["newest"], page.cursor["walk"]["offset"] > 0) == (False, None, True)


async def test_rows_that_cannot_be_read_are_counted_and_the_others_come() -> None:
    page = await polled(site([None, {"id": 8}, {**ROW, "id": 9, "content": None}, ROW], "4"))
    assert (len(page.comments), page.malformed) == (1, 3)


async def test_a_reply_that_cannot_be_read_makes_the_search_unsure() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        one = {"id": 7, "status": "approved"}
        return web.json_response(one if request.path.endswith("/7") else [{**ROW, "date_gmt": "yesterday"}])

    async with platform(answer) as url, new_session() as http:
        with pytest.raises(Transient, match="cannot be read"):
            await CASES["wordpress"].make(url, http).find_own_replies(CASES["wordpress"].target, NOW)


async def test_a_comment_with_more_answers_than_can_be_read_goes_to_a_person() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        one = {"id": 7, "status": "approved"}
        return web.json_response(one if request.path.endswith("/7") else [], headers={"X-WP-Total": "9" * 9})

    async with platform(answer) as url, new_session() as http:
        with pytest.raises(Permanent, match="by hand"):
            await CASES["wordpress"].make(url, http).find_own_replies(CASES["wordpress"].target, NOW)


async def test_a_post_that_is_not_shown_has_its_number_for_a_title_and_a_title_that_fails_fails_the_poll() -> (
    None
):
    page = await polled(site([ROW], "1"))
    assert [(post.id, post.title, post.url) for post in page.posts] == [("1", "1", "https://example.org/a/")]
    with pytest.raises(Transient):
        await polled(site([ROW], "1", web.Response(status=503)))


async def test_a_reply_whose_status_cannot_be_read_is_a_reply() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            return web.json_response({**ROW, "id": 8, "parent": 7, "status": [[]]}, status=201)
        return web.json_response({"id": 7, "status": "approved"})

    async with platform(answer) as url, new_session() as http:
        sent = await CASES["wordpress"].make(url, http).reply(CASES["wordpress"].target, "an answer", "key")
    assert (sent.id, sent.parent_id) == ("8", "7")
