"""Whatever a commenter writes or a platform answers: one clear line, and nothing is lost."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.sandbox_faults import Faults
from adapters.sandbox_site import create_site, new_token, seed_comments, seed_posts, serve
from bot.bootstrap import Running, assemble, utc_now
from bot.generator import Completion, GenerationRequest, OnText
from bot.models import State
from bot.store import channels, queue, stats
from bot.store.queue import Filters
from tests.fakes import FakeOpenAI
from tests.generators import PlainGenerator
from tests.service import quick_settings, run_until_done, until

QUESTION = "How long do I roast the beans?"

HOSTILE = {
    "a megabyte": "How long " * 120_000,
    "only zero-width characters": "\u200b\u200d\u2060\ufeff" * 50,
    "lone surrogates": "How long \ud83d do I \udc00 roast the beans?",
    "markup": "<script>alert(1)</script><img src=x onerror=alert(1)> How long do I roast?",
    "right-to-left marks": "\u202eHow long do I roast the beans?\u202c",
    "null characters": "How long\x00 do I roast?\x1b[31m",
    "SQL": "'; DROP TABLE comment; -- how long do I roast?",
    "template": "{{ 7*7 }} ${7*7} %(x)s {0} how long do I roast?",
    "combining marks": "How long do I roast?" + "\u0301" * 5000,
    "a wall of at signs": "@" * 4000,
    "nothing but spaces": "   \n\t  ",
}


@asynccontextmanager
async def service(
    folder: Path, texts: list[str], faults: Faults | None = None, **options: object
) -> AsyncIterator[Running]:
    """A service on a sandbox that holds `texts`."""
    token = new_token()
    app = create_site(":memory:", refresh_token=token, faults=faults)
    [post] = seed_posts(app, [("Roasting", "")])
    seed_comments(app, post, (("fan", text) for text in texts))
    site = await serve(app)
    (folder / "token").write_text(token)
    (folder / "notes.md").write_text("# Roasting\n\nRoast the beans for ten minutes.\n")
    settings = quick_settings(folder / "data", policy={"min_support": 0.3}, **options)  # type: ignore[arg-type]
    try:
        async with assemble(settings) as running:
            await running.library.ingest([str(folder / "notes.md")])
            running.ledger.write(
                channels.add,
                name="demo",
                platform="sandbox",
                options={
                    "base_url": site.url, "refresh_token": f"file:{folder / 'token'}", "settle_s": 0.1, "min_poll_s": 0,
                },
                rules={"send": ["question", "request", "other"]},
                now=utc_now(),
                answer_since=utc_now() - timedelta(days=1),
            )  # fmt: skip
            yield running
    finally:
        await site.aclose()


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
async def test_any_text_comes_to_an_end_and_holds_up_nobody(tmp_path: Path, text: str) -> None:
    async with service(tmp_path, [text, QUESTION]) as running:
        counts = await run_until_done(running, 2)
        items = running.ledger.read(queue.queue, Filters(states=tuple(State))).items
    assert counts[State.FAILED] == 0
    assert counts.comments == 2
    by_text = {item.comment.text: item for item in items}
    assert by_text[QUESTION].comment.state == State.SENT
    [other] = [item for item in items if item.comment.text != QUESTION]
    assert other.comment.state in (State.SENT, State.REVIEW, State.SKIPPED)
    assert other.comment.reason
    if other.reply is not None:
        assert "<" not in other.reply.text
        assert "DROP" not in other.reply.text


@pytest.mark.parametrize(
    "faults",
    [
        Faults(numeric_ids=1.0),
        Faults(malformed_json=3),
        Faults(html_page=3),
        Faults(truncated_json=3),
        Faults(rate_limited=2, retry_after_s=0.1),
        Faults(expire_token=1),
        Faults(error_after_store=4, calls=frozenset({"reply"})),
        Faults(drop_after_store=4, calls=frozenset({"reply"})),
        Faults(error_before_store=2, calls=frozenset({"reply"})),
    ],
    ids=[
        "ids as numbers",
        "malformed",
        "html",
        "truncated",
        "429",
        "expired",
        "500 after",
        "drop after",
        "500 before",
    ],
)
async def test_a_platform_in_trouble_costs_time_but_no_comment(tmp_path: Path, faults: Faults) -> None:
    texts = [f"{QUESTION} {'!' * number}" for number in range(6)]
    async with service(tmp_path, texts, faults, service={"retry_max_s": 0.5, "max_attempts": 20}) as running:
        counts = await run_until_done(running, len(texts))
    assert counts[State.SENT] == len(texts)


async def test_a_platform_that_gives_the_same_page_for_ever_does_not_hang_the_poller(tmp_path: Path) -> None:
    async with service(tmp_path, [QUESTION], Faults(same_page=1.0)) as running:
        counts = await run_until_done(running, 1)
    assert counts.comments == 1


async def test_rows_without_an_id_are_counted_and_the_others_answered(tmp_path: Path) -> None:
    async with service(tmp_path, [QUESTION + "?", QUESTION], Faults(missing_fields=1.0)) as running:
        await run_until_done(running, 1)
        malformed = running.metrics.registry.get_sample_value(
            "rejoinder_comments_malformed_total", {"channel": "demo"}
        )
    assert malformed
    assert malformed >= 1


async def test_a_locked_database_is_waited_for(tmp_path: Path) -> None:
    async with service(tmp_path, [QUESTION]) as running:
        lock = sqlite3.connect(tmp_path / "data" / "ledger.db", isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        done = asyncio.create_task(run_until_done(running, 1))
        await until(running.ledger._turn.locked)  # type: ignore[union-attr]
        lock.execute("ROLLBACK")
        lock.close()
        counts = await done
    assert counts[State.SENT] == 1


async def test_a_model_server_that_is_away_costs_time_but_no_comment(tmp_path: Path) -> None:
    texts = [f"{QUESTION} {'!' * number}" for number in range(6)]
    async with FakeOpenAI(replies=["Roast the beans for ten minutes [1]."]) as server:
        server.fault = "500"
        generator = {"kind": "vllm", "base_url": server.url, "model": "base", "deadline_s": 5.0}
        async with service(tmp_path, texts, generator=generator, service={"retry_max_s": 0.2}) as running:
            done = asyncio.create_task(run_until_done(running, len(texts)))
            await until(lambda: "generator" in running.service.troubles)
            assert running.ledger.read(stats.counts)[State.NEW] > 0
            server.fault = ""
            counts = await done
            [item, *_] = running.ledger.read(queue.queue, Filters(states=(State.SENT,))).items
            troubles = running.service.troubles
    assert counts[State.SENT] == len(texts)
    assert troubles == {}
    assert item.reply is not None
    assert "Roast the beans for ten minutes" in item.reply.text
    assert item.draft is not None
    assert (item.draft.model, item.draft.citations) == ("base", [0])


class HangingGenerator(PlainGenerator):
    def __init__(self) -> None:
        self.started = asyncio.Event()

    async def generate(self, request: GenerationRequest, on_text: OnText | None = None) -> list[Completion]:
        self.started.set()
        await asyncio.Event().wait()
        raise AssertionError


async def test_stopping_gives_back_what_cannot_be_finished_in_time(tmp_path: Path) -> None:
    generator = HangingGenerator()
    async with service(tmp_path, [QUESTION]) as first:
        settings = first.settings.model_copy(
            update={"service": first.settings.service.model_copy(update={"shutdown_s": 0.2})}
        )
        async with assemble(settings, generator=generator) as running:
            stop = asyncio.Event()
            task = asyncio.create_task(running.service.run(stop))
            async with asyncio.timeout(10):
                await generator.started.wait()
                stop.set()
                await task
        counts = await run_until_done(first, 1)
    assert counts[State.SENT] == 1, "the lease was given back, so another process answered at once"
    assert counts.comments == 1
