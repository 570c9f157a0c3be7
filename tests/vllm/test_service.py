"""The program on a real vLLM server: what it asks, what it keeps, and what it makes of the answers."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from openai.types.chat import ChatCompletion

from adapters.sandbox_pictures import picture_path
from bot.answer import Question
from bot.bootstrap import make_answerer, open_library, utc_now
from bot.digest import digest
from bot.doctor.model import server_findings
from bot.models import State
from bot.prompt import Message
from bot.serving.fleet import Fleet
from bot.store.digest import span
from bot.summary import read, summary_messages, summary_schema
from bot.translate import translate
from bot.vllm import read_reply
from bot.writer import ModelWriter, TextRefused
from tests.vllm.house import SAMPLES, a_generator, house_settings, open_house
from tests.vllm.server import VLLMServer

QUESTIONS = ["Do you ship to Canada?", "when does first crack start", "课程有没有字幕", "咖啡豆可以放冰箱吗"]
DESCRIPTION = {"en": "Prices of what we sell", "zh": "商品价格"}


@asynccontextmanager
async def price_hook() -> AsyncIterator[dict[str, Any]]:
    """The settings of a tool as the fixture model has learned it: `price` with a `thing`."""

    async def tell(request: web.Request) -> web.Response:
        return web.json_response({"thing": (await request.json())["thing"], "price": "$12"})

    app = web.Application()
    app.router.add_post("/price", tell)
    async with TestServer(app) as served:
        thing = {"type": "string", "maxLength": 20}
        yield {
            "kind": "web_hook",
            "name": "price",
            "description": DESCRIPTION,
            "url": str(served.make_url("/price")),
            "reads_only": True,
            "parameters": {"type": "object", "properties": {"thing": thing}, "required": ["thing"]},
        }


async def test_candidates_are_kept_with_their_log_probabilities(vllm: VLLMServer, tmp_path: Path) -> None:
    async with open_house(vllm, tmp_path, generator={"candidates": 3, "temperature": 0.8}) as house:
        house.say(QUESTIONS)
        items = await house.ended(len(QUESTIONS))
    assert all(item.comment.state in (State.SENT, State.REVIEW) for item in items)
    for item in items:
        assert item.draft is not None
        assert len(item.draft.candidates) == len(item.draft.ranking) == 3
        assert sorted(entry["text"] for entry in item.draft.ranking) == [0, 1, 2]
        assert all(entry["logprob"] < 0 for entry in item.draft.ranking)


async def test_a_prompt_that_is_too_long_loses_passages_and_not_the_comment(
    vllm: VLLMServer, tmp_path: Path
) -> None:
    text = "Do you ship to Canada? " + "I have asked before and nobody told me. " * 8
    asked = {"max_tokens": 1200, "deadline_s": 80.0}
    async with open_house(vllm, tmp_path, generator=asked, knowledge={"top_k": 20}) as house:
        found = house.running.library.retriever().retrieve(text, 20)
        item = await house.answer(text)
        assert "generator" not in house.running.service.troubles
    assert item.comment.state in (State.SENT, State.REVIEW)
    assert item.comment.attempts == 0
    assert item.draft is not None
    assert 0 < len(item.draft.passages) < len(found)


async def test_the_page_hears_the_reply_as_it_is_written(vllm: VLLMServer, tmp_path: Path) -> None:
    settings = house_settings(vllm, tmp_path)
    heard: list[str] = []
    with open_library(settings) as library:
        await library.ingest([str(SAMPLES)])
        async with a_generator(settings) as generator:
            answerer = make_answerer(settings, library, generator)
            answer = await answerer.answer(Question(QUESTIONS[0], "en"), heard.append)
    assert len(heard) > 3
    said, _ = read_reply("".join(heard))
    assert " ".join(said.split()[:4]) in answer.text


async def test_a_tool_is_called_with_arguments_of_its_form_and_its_result_is_taken_back(
    vllm: VLLMServer, tmp_path: Path
) -> None:
    async with price_hook() as hook:
        settings = house_settings(vllm, tmp_path, tools=[hook])
        with open_library(settings) as library:
            await library.ingest([str(SAMPLES)])
            async with a_generator(settings) as generator:
                call_first(generator.fleet, "price")
                answerer = make_answerer(settings, library, generator)
                answer = await answerer.answer(Question("what does the bag cost?", "en"))
    assert answer.best is not None
    step = answer.best.steps[0]
    assert (step.tool, step.failed, list(json.loads(step.arguments))) == ("price", False, ["thing"])
    assert "$12" in step.result


def call_first(fleet: Fleet, tool: str) -> None:
    """A model of this size does not call by itself: its first request is told to, the others are left free."""
    chat = fleet.chat

    async def told(messages: list[Message], **options: Any) -> ChatCompletion:
        if options.get("tool_choice") == "auto" and not any(one["role"] == "tool" for one in messages):
            options["tool_choice"] = {"type": "function", "function": {"name": tool}}
        return await chat(messages, **options)

    fleet.chat = told  # type: ignore[method-assign, assignment]


async def test_a_picture_goes_to_a_person_where_the_model_cannot_see(
    vllm: VLLMServer, tmp_path: Path
) -> None:
    async with open_house(vllm, tmp_path) as house:
        item = await house.answer("Do you ship to Canada?", [picture_path("ff8800")])
    assert (item.comment.state, item.comment.reason) == (State.REVIEW, "pictures")
    assert item.draft is not None
    assert item.draft.text
    assert [(one["seen"], one["why"]) for one in item.draft.pictures] == [(False, "the model cannot see")]


async def test_a_summary_has_the_form_that_was_asked_for(vllm: VLLMServer, tmp_path: Path) -> None:
    async with open_house(vllm, tmp_path) as house:
        house.say(QUESTIONS)
        await house.ended(len(QUESTIONS))
        since, until = datetime(2020, 1, 1, tzinfo=UTC), utc_now()
        found = house.running.ledger.read(span, since=since, until=until)
        made = digest(found, since=since, until=until)
        async with a_generator(house.running.settings) as generator:
            said = await ModelWriter(generator.fleet).write(
                summary_messages(made.subjects, "en"),
                max_tokens=1500,
                schema=summary_schema(len(made.subjects)),
            )
    names, _ = read(said, len(made.subjects))
    assert len(names) == made.comments == len(QUESTIONS)


async def test_what_is_no_translation_is_refused_with_one_line(vllm: VLLMServer, tmp_path: Path) -> None:
    async with a_generator(house_settings(vllm, tmp_path)) as generator:
        with pytest.raises(TextRefused) as refused:
            await translate(ModelWriter(generator.fleet), QUESTIONS[0], "zh")
    assert "\n" not in str(refused.value)


async def test_the_doctor_explains_the_server_in_both_languages(vllm: VLLMServer, tmp_path: Path) -> None:
    found = [finding async for finding in server_findings(house_settings(vllm, tmp_path))]
    assert [finding.level for finding in found] == ["ok"]
    for told in ("vLLM 0.32.0", "base model base (", "context 2048 tokens", "voices: none", "it runs: on",
                 "pictures: no", "tool calls: yes", "system messages: yes"):  # fmt: skip
        assert told in found[0].english
    for told in ("vLLM 0.32.0", "基础模型 base", "上下文 2048", "声音：无", "已开启", "看图：不可以"):
        assert told in found[0].chinese
