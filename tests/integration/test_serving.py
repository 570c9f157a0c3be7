"""The whole service on model servers that die, forget and break off: comments wait, and nothing is lost."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bot.doctor import Finding
from bot.doctor.model import server_findings
from bot.models import State
from bot.settings import Settings
from bot.store import queue, stats
from bot.store.queue import Filters
from tests.fakes import FakeOpenAI, Fault
from tests.integration.test_hostile import QUESTION, service
from tests.service import quick_settings, run_until_done, until

REPLY = "Roast the beans for ten minutes [1]."
PATIENT = {"retry_max_s": 0.2, "max_attempts": 50}


def servers(*fakes: FakeOpenAI, **more: object) -> dict[str, object]:
    first, *others = fakes
    return {
        "kind": "vllm", "base_url": first.url, "more_servers": [fake.url for fake in others], "model": "base",
        "deadline_s": 10.0, "concurrency": 4, **more,
    }  # fmt: skip


def questions(count: int) -> list[str]:
    return [f"{QUESTION} {'!' * number}" for number in range(count)]


async def test_when_one_of_two_servers_dies_in_the_middle_every_comment_is_answered(tmp_path: Path) -> None:
    slow: dict[str, Any] = {"replies": [REPLY], "fault": "slow"}
    async with FakeOpenAI(**slow) as one, FakeOpenAI(**slow) as two:
        settings = {"generator": servers(one, two), "service": PATIENT}
        async with service(tmp_path, questions(12), **settings) as running:
            done = asyncio.create_task(run_until_done(running, 12))
            await until(lambda: (one.running, two.running) == (4, 4))
            await two.stop()
            one.go.set()
            counts = await done
    assert counts[State.SENT] == 12
    assert len(one.requests) == 12, "also the four that the other one had begun"


@pytest.mark.parametrize("fault", ["500", "503", "disconnect", "cut_stream", "html", "no_choices"])
async def test_a_server_in_trouble_keeps_comments_waiting_and_they_drain_on_its_return(
    tmp_path: Path, fault: Fault
) -> None:
    async with FakeOpenAI(replies=[REPLY], fault=fault) as server:
        settings = {"generator": servers(server), "service": PATIENT}
        async with service(tmp_path, questions(6), **settings) as running:
            done = asyncio.create_task(run_until_done(running, 6))
            await until(lambda: "generator" in running.service.troubles)
            waiting = running.ledger.read(stats.counts)
            server.fault = ""
            counts = await done
    assert waiting[State.SENT] == 0
    assert counts[State.SENT] == counts.comments == 6


async def test_a_server_that_restarts_with_comments_in_flight_answers_them_all(tmp_path: Path) -> None:
    async with FakeOpenAI(replies=[REPLY], fault="slow") as server:
        settings = {"generator": servers(server), "service": PATIENT}
        async with service(tmp_path, questions(8), **settings) as running:
            done = asyncio.create_task(run_until_done(running, 8))
            await until(lambda: server.running == 4)
            server.fault = ""
            await server.restart()
            counts = await done
    assert counts[State.SENT] == counts.comments == 8


async def test_no_more_requests_are_under_way_than_the_server_takes(tmp_path: Path) -> None:
    async with FakeOpenAI(replies=[REPLY], fault="slow") as server:
        settings = {"generator": servers(server, concurrency=3), "service": PATIENT}
        async with service(tmp_path, questions(8), **settings) as running:
            done = asyncio.create_task(run_until_done(running, 8))
            await until(lambda: server.running == 3)
            server.fault = ""
            server.go.set()
            await done
    assert server.most_running == 3


async def test_what_each_server_was_asked_is_among_the_metrics(tmp_path: Path) -> None:
    async with (
        FakeOpenAI(replies=[REPLY]) as server,
        service(tmp_path, questions(3), generator=servers(server)) as running,
    ):
        counts = await run_until_done(running, 3)
        text = running.metrics.render(counts).decode()
    assert f'rejoinder_server_well{{server="{server.url}"}} 1.0' in text
    cached = running.metrics.registry.get_sample_value(
        "rejoinder_prompt_tokens_cached_total", {"server": server.url}
    )
    assert cached
    assert cached > 0


async def test_a_long_thread_and_comment_are_fitted_and_the_evidence_shows_what_was_asked(
    tmp_path: Path,
) -> None:
    long = QUESTION + " I have tried it again and again, and every time it comes out too dark." * 40
    async with (
        FakeOpenAI(replies=[REPLY], max_model_len=1100) as server,
        service(tmp_path, [long], generator=servers(server)) as running,
    ):
        await run_until_done(running, 1)
        [item] = running.ledger.read(queue.queue, Filters(states=tuple(State))).items
    [body] = server.requests
    assert "…" in body["messages"][1]["content"]
    assert item.draft is not None
    for passage in item.draft.passages:
        assert passage["text"] in body["messages"][1]["content"]


async def findings(tmp_path: Path, *fakes: FakeOpenAI, **more: object) -> list[Finding]:
    settings: Settings = quick_settings(tmp_path, generator=servers(*fakes, **more))
    return [finding async for finding in server_findings(settings)]


async def test_the_doctor_explains_a_server_in_both_languages(tmp_path: Path) -> None:
    async with FakeOpenAI(models=("base", "ada-1")) as server:
        [found] = await findings(tmp_path, server)
        assert server.voices == {}
    assert found.level == "ok"
    for told in ("vLLM 0.32.0", "base model base (/models/base)", "context 2048", "voices: ada-1", "it runs: on",
                 "pictures: no", "tool calls: yes", "system messages: yes"):  # fmt: skip
        assert told in found.english
    for told in ("vLLM 0.32.0", "基础模型 base", "上下文 2048", "声音：ada-1", "已开启", "看图：不可以"):
        assert told in found.chinese


async def test_the_doctor_names_what_servers_do_not_have_in_common(tmp_path: Path) -> None:
    other: dict[str, Any] = {"max_model_len": 4096, "sees": True, "calls_tools": False, "runtime_lora": False}
    async with FakeOpenAI() as one, FakeOpenAI(**other) as two:
        found = await findings(tmp_path, one, two)
    warnings = " ".join(finding.english for finding in found if finding.level == "warning")
    for told in ("2048, 4096 tokens", "see pictures", "call tools", "VLLM_ALLOW_RUNTIME_LORA_UPDATING"):
        assert told in warnings
    assert all(finding.chinese for finding in found)


@pytest.mark.parametrize("fault", ["500", "html", "hang", "other_json", "redirect", "401"])
async def test_the_doctor_reports_a_server_in_trouble_and_goes_on(tmp_path: Path, fault: Fault) -> None:
    async with FakeOpenAI(fault=fault) as one, FakeOpenAI() as two:
        found = await findings(tmp_path, one, two, deadline_s=0.5)
    assert [finding.level for finding in found] == ["error", "ok"]
    assert one.url in found[0].english


async def test_the_doctor_tells_which_models_there_are(tmp_path: Path) -> None:
    async with FakeOpenAI(models=("qwen", "llama")) as server:
        [found] = await findings(tmp_path, server)
    assert found.level == "error"
    assert "qwen, llama" in found.english
