"""The fake YouTube is one that Google's own client takes for real, and all that is said keeps to Google's document."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.base import Budget
from adapters.conformance import CHECKS, Check
from adapters.errors import TargetGone
from tests.conftest import require_module
from tests.contract.harnesses_youtube import YouTubeHarness, youtube
from tests.platforms.youtube import OUR_CHANNEL, Exchange

require_module("googleapiclient")
discovery = require_module("googleapiclient.discovery")
credentials = require_module("google.oauth2.credentials")
googleapiclient_errors = require_module("googleapiclient.errors")

from tests.platforms.youtube_discovery import problems, shipped  # noqa: E402 behind what it needs


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return shipped()


@pytest.fixture
async def harness(document: dict[str, Any]) -> AsyncIterator[YouTubeHarness]:
    """Whatever is said meanwhile is compared with the document."""
    async with youtube() as made:
        made.fake.exchanges = []
        yield made
        found = [problem for exchange in made.fake.exchanges for problem in problems(exchange, document)]
        assert not found


@contextmanager
def service(harness: YouTubeHarness, **given: Any) -> Iterator[Any]:
    """Google's client, with an access token that has expired."""
    known = {
        "token": "old",
        "refresh_token": harness.fake.refresh_token,
        "token_uri": f"{harness.url}/token",
        **given,
    }
    who = credentials.Credentials(
        client_id=harness.fake.client[0], client_secret=harness.fake.client[1], **known
    )
    options = {"api_endpoint": harness.url}
    with discovery.build(
        "youtube", "v3", credentials=who, client_options=options, static_discovery=True
    ) as built:
        yield built


async def talk(harness: YouTubeHarness, act: Callable[[Any], Any], **given: Any) -> Any:
    def whole() -> Any:
        with service(harness, **given) as built:
            return act(built)

    return await asyncio.to_thread(whole)


def list_all(client: Any, size: int) -> list[dict[str, Any]]:
    asked = client.commentThreads().list(
        part="snippet,replies",
        allThreadsRelatedToChannelId=OUR_CHANNEL,
        maxResults=size,
        textFormat="plainText",
    )
    rows: list[dict[str, Any]] = []
    while asked is not None:
        answer = asked.execute()
        rows += answer["items"]
        asked = client.commentThreads().list_next(asked, answer)
    return rows


async def test_googles_client_pages_through_all_threads(harness: YouTubeHarness) -> None:
    for number in range(7):
        await harness.write(f"第 {number} 条 🎉")
    rows = await talk(harness, lambda client: list_all(client, 3))
    texts = [row["snippet"]["topLevelComment"]["snippet"]["textDisplay"] for row in rows]
    assert texts == [f"第 {number} 条 🎉" for number in range(6, -1, -1)]
    assert harness.fake.calls["GET commentThreads"] == 1 + 3


async def test_googles_client_refreshes_on_401_and_goes_on(harness: YouTubeHarness) -> None:
    def twice(client: Any) -> list[str]:
        asked = client.channels().list(part="id,snippet", mine=True)
        first = asked.execute()["items"][0]["id"]
        harness.fake.expire_tokens()
        return [first, asked.execute()["items"][0]["snippet"]["title"]]

    assert await talk(harness, twice) == [OUR_CHANNEL, "Creator"]
    assert harness.fake.refreshes == 2


async def test_googles_client_answers_moderates_and_deletes(harness: YouTubeHarness) -> None:
    top = harness.fake.store.add("请问？", video=harness.video)

    def act(client: Any) -> dict[str, Any]:
        body = {"snippet": {"parentId": top.id, "textOriginal": "答案 <b>here</b>"}}
        stored: dict[str, Any] = client.comments().insert(part="snippet", body=body).execute()
        client.comments().setModerationStatus(id=top.id, moderationStatus="heldForReview").execute()
        held = client.commentThreads().list(
            part="id", allThreadsRelatedToChannelId=OUR_CHANNEL, moderationStatus="heldForReview"
        )
        assert [row["id"] for row in held.execute()["items"]] == [top.id]
        titles = client.videos().list(part="snippet", id=harness.video).execute()
        assert titles["items"][0]["snippet"]["title"] == "怎么泡茶 How to brew tea"
        replies = client.comments().list(part="snippet", parentId=top.id).execute()
        assert [row["id"] for row in replies["items"]] == [stored["id"]]
        client.comments().delete(id=stored["id"]).execute()
        return stored

    stored = await talk(harness, act)
    assert stored["snippet"]["textOriginal"] == "答案 <b>here</b>"
    assert stored["snippet"]["textDisplay"] == "答案 &lt;b&gt;here&lt;/b&gt;"
    assert [entry.id for entry in harness.fake.store.threads("published")] == []


@pytest.mark.parametrize("new_envelope", [False, True])
async def test_googles_client_reads_the_error_and_its_reason(
    harness: YouTubeHarness, new_envelope: bool
) -> None:
    harness.fake.switches.new_envelope = new_envelope

    def fail(client: Any) -> Any:
        body = {"snippet": {"parentId": "Ugx-gone", "textOriginal": "hello"}}
        with pytest.raises(googleapiclient_errors.HttpError) as refused:
            client.comments().insert(part="snippet", body=body).execute()
        return refused.value

    refused = await talk(harness, fail)
    assert refused.resp.status == 404
    assert refused.error_details[0]["reason"] == "parentCommentNotFound"


async def test_a_dead_refresh_token_stops_googles_client(harness: YouTubeHarness) -> None:
    failure = require_module("google.auth.exceptions").RefreshError

    def fail(client: Any) -> None:
        with pytest.raises(failure, match="invalid_grant"):
            client.channels().list(part="id", mine=True).execute()

    await talk(harness, fail, refresh_token="another")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_every_call_of_the_adapter_keeps_to_googles_document(
    check: Check, harness: YouTubeHarness
) -> None:
    await check(harness)


async def test_long_threads_titles_hiding_and_refusals_keep_to_googles_document(
    harness: YouTubeHarness,
) -> None:
    await harness.adapter.open()
    cursor = await harness.adapter.baseline(datetime.now(UTC))
    top = harness.fake.store.add("a long thread", video=harness.video)
    for number in range(120):
        harness.fake.store.add(f"answer {number}", parent=top.id, author=None)
    page = await harness.adapter.poll(cursor, Budget())
    assert len(page.comments) == 121
    await harness.adapter.hide(page.comments[5].ref)
    harness.fake.store.remove(page.comments[6].ref.comment_id)
    with pytest.raises(TargetGone):
        await harness.adapter.hide(page.comments[6].ref)
    assert set(harness.fake.calls) >= {"GET videos", "GET comments", "GET commentThreads"}


@pytest.mark.parametrize(
    ("query", "answer", "problem"),
    [
        ([("part", "snippet"), ("maxResults", "101")], {}, "maxResults=101 is out of range"),
        ([("part", "snippet"), ("order", "newest")], {}, "order=newest is not one of"),
        ([("part", "snippet"), ("since", "1")], {}, "unknown parameter since"),
        ([], {}, "part is missing"),
        ([("part", "id")], {"items": [{"snippet": {"totalReplyCount": "3"}}]}, "'3' is no integer"),
        ([("part", "id")], {"total": 3}, "unknown field total"),
    ],
)
def test_the_comparison_finds(
    query: list[tuple[str, str]], answer: Any, problem: str, document: dict[str, Any]
) -> None:
    said = Exchange("GET", "/youtube/v3/commentThreads", query, None, 200, answer)
    assert problem in "\n".join(problems(said, document))
