"""The main job, end to end: comments on a real Isso server in, grounded replies under the right comments out."""

import json
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from bot.bootstrap import Running, assemble, utc_now
from bot.models import State
from bot.samples import comments as sample_comments
from bot.samples import copy_documents
from bot.store import channels, queue
from bot.store.queue import Filters
from tests.conftest import require
from tests.integration import isso_server
from tests.service import quick_settings, run_until_done

SHARED = Path(os.environ.get("REJOINDER_SHARED", Path(__file__).parents[3] / "shared"))
NOTES = Path(__file__).parents[1] / "payloads" / "notes"
VIDEO = "/video/1"


@pytest.fixture
def isso(tmp_path: Path) -> Iterator[str]:
    reason = isso_server.install()
    require(not reason, reason)
    with isso_server.running(tmp_path) as server:
        yield server.url


async def write(site: str, texts: list[str]) -> list[int]:
    """Every text as a viewer's comment of its own; returns their numbers."""
    numbers = []
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        for index, text in enumerate(texts):
            body = {
                "text": text,
                "author": f"viewer {index}",
                "email": f"v{index}@example.org",
                "title": "Video 1",
            }
            async with http.post(f"{site}/new", params={"uri": VIDEO}, json=body) as answer:
                assert answer.status == 201, await answer.text()
                numbers.append((await answer.json())["id"])
    return numbers


async def replies(site: str) -> dict[int, list[str]]:
    """What stands under each comment on the site."""
    async with aiohttp.ClientSession() as http:
        params = {"uri": VIDEO, "limit": "1000", "nested_limit": "1000", "plain": "1"}
        async with http.get(f"{site}/", params=params) as answer:
            page = await answer.json()
    return {row["id"]: [reply["text"] for reply in row["replies"]] for row in page["replies"]}


def add_channel(running: Running, site: str) -> None:
    running.ledger.write(
        channels.add,
        name="blog",
        platform="isso",
        options={
            "base_url": site, "author": "Creator", "email": "creator@example.org", "reply_gap_s": 0, "settle_s": 0.2,
            "min_poll_s": 0.1, "posts": [{"uri": VIDEO, "title": "Video 1"}],
        },
        rules={"send": ["question", "request"]},
        now=utc_now(),
        answer_since=utc_now() - timedelta(days=1),
    )  # fmt: skip


async def test_real_viewer_comments_are_answered_reviewed_or_skipped_with_a_reason(
    isso: str, tmp_path: Path
) -> None:
    file = SHARED / "eval" / "shawgpt" / "comments.jsonl"
    if not file.exists():
        pytest.skip(
            f"the viewer comments of ShawGPT are not here ({file}); they do not ship with the project"
        )
    texts = [json.loads(line)["comment"] for line in file.read_text(encoding="utf-8").splitlines()]
    numbers = await write(isso, texts)
    async with assemble(quick_settings(tmp_path / "data")) as running:
        await running.library.ingest([str(NOTES)])
        add_channel(running, isso)
        counts = await run_until_done(running, len(texts))
        items = running.ledger.read(queue.queue, Filters(states=tuple(State)), limit=1000).items
    assert counts.comments == len(texts)
    assert counts[State.SENT] + counts[State.REVIEW] + counts[State.SKIPPED] == len(texts)
    assert all(item.comment.reason for item in items)
    standing = await replies(isso)
    assert sum(map(len, standing.values())) == counts[State.SENT]
    support = next(index for index, text in enumerate(texts) if "How can we financially support you" in text)
    [answer] = standing[numbers[support]]
    assert "Patreon" in answer
    sent = {
        item.comment.platform_id.partition("-")[0]: item.reply.text
        for item in items
        if item.comment.state == "sent"
    }
    assert {str(number): texts_[0] for number, texts_ in standing.items() if texts_} == sent


async def test_the_bundled_comments_are_answered_under_the_right_comments(isso: str, tmp_path: Path) -> None:
    asked = [comment for comment in sample_comments() if not comment.is_own and not comment.reply_to]
    asked = [comment for comment in asked if len(comment.text) >= 3]
    numbers = await write(isso, [comment.text for comment in asked])
    copy_documents(tmp_path / "docs")
    async with assemble(quick_settings(tmp_path / "data")) as running:
        await running.library.ingest([str(tmp_path / "docs")])
        add_channel(running, isso)
        counts = await run_until_done(running, len(asked))
    standing = await replies(isso)
    answered = {number for number, texts in standing.items() if texts}
    assert answered, "nothing was answered"
    assert len(answered) == counts[State.SENT]
    assert all(len(texts) <= 1 for texts in standing.values())
    assert set(numbers) == set(standing)
