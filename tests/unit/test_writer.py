"""Text by a served model, against a fake server on loopback."""

from collections.abc import AsyncIterator

import pytest

from bot.building.model import make_writer
from bot.generator import GeneratorUnavailable
from bot.settings import Settings
from bot.writer import TextRefused, Writer
from tests.fakes import FakeOpenAI

ASKED = [{"role": "user", "content": "Say it."}]


@pytest.fixture
async def server() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI() as running:
        yield running


def with_model(server: FakeOpenAI) -> Settings:
    return Settings(generator={"kind": "vllm", "base_url": server.url, "model": "base", "deadline_s": 5})


@pytest.fixture
async def writer(server: FakeOpenAI) -> AsyncIterator[Writer]:
    built = make_writer(with_model(server))
    assert built is not None
    yield built
    await built.aclose()


async def test_the_form_is_asked_for_where_there_is_one(server: FakeOpenAI, writer: Writer) -> None:
    server.replies = [' {"a": "b"}\n']
    schema = {"type": "object", "properties": {"a": {"type": "string", "maxLength": 5}}}
    assert await writer.write(ASKED, max_tokens=9, schema=schema) == '{"a": "b"}'
    assert await writer.write(ASKED, max_tokens=9) == '{"a": "b"}'
    first, second = server.requests
    assert first["response_format"]["json_schema"]["schema"] == schema
    assert (first["max_tokens"], first["temperature"]) == (9, 0.0)
    assert "response_format" not in second


async def test_half_a_text_is_refused(server: FakeOpenAI, writer: Writer) -> None:
    server.fault = "truncated"
    with pytest.raises(TextRefused, match="9 tokens"):
        await writer.write(ASKED, max_tokens=9)


@pytest.mark.parametrize("fault", ["no_content", "no_message"])
async def test_no_text_is_an_empty_one(server: FakeOpenAI, writer: Writer, fault: str) -> None:
    server.fault = fault  # type: ignore[assignment]
    assert await writer.write(ASKED, max_tokens=9) == ""


async def test_a_server_in_trouble_is_told_as_such(server: FakeOpenAI, writer: Writer) -> None:
    server.fault = "500"
    with pytest.raises(GeneratorUnavailable):
        await writer.write(ASKED, max_tokens=9)


def test_without_a_model_there_is_no_writer() -> None:
    assert make_writer(Settings()) is None
