"""Servers that speak another API, or the right one with other things in it: every answer is taken whole or refused."""

import gzip
import json
from collections.abc import AsyncIterator, Callable, Iterator
from time import process_time
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.generator import GenerationRequest, GeneratorError, GeneratorUnavailable
from bot.serving.fleet import Fleet
from bot.serving.server import ModelServer, read_figures
from bot.vllm import VLLMGenerator, take_citations, whole_sentences
from tests.fakes import FakeOpenAI

REQUEST = GenerationRequest(comment="How long?", language="en")
LONG = GenerationRequest(comment="How long? " * 200, language="en")
TOKENS = {"content": [{"token": "Ten", "logprob": -1.0, "bytes": [84], "top_logprobs": []}]}
USAGE = {
    "prompt_tokens": 3,
    "completion_tokens": 2,
    "total_tokens": 5,
    "prompt_tokens_details": {"cached_tokens": 1},
}
HEAD = {"id": "x", "created": 1, "model": "base", "usage": USAGE}
CALLS = [{"index": 0, "id": "c", "function": {"name": "price", "arguments": "{}"}}]
WHOLE = HEAD | {
    "object": "chat.completion",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Ten minutes."},
            "finish_reason": "stop",
            "logprobs": TOKENS,
        }
    ],
}
PIECE = HEAD | {
    "object": "chat.completion.chunk",
    "choices": [
        {
            "index": 0,
            "delta": {"content": "Ten.", "tool_calls": CALLS},
            "finish_reason": "stop",
            "logprobs": TOKENS,
        }
    ],
}
ODD: list[Any] = [
    None,
    0,
    -5,
    1.5,
    True,
    "text",
    "\ud800\0",
    [],
    {},
    [None],
    [1],
    ["s"],
    [[]],
    {"a": 1},
    10**30,
]


def places(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield here
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inside:
        yield from places(part, (*here, key))


def with_odd(value: Any, place: tuple[Any, ...], odd: Any) -> Any:
    if not place:
        return odd
    copy = json.loads(json.dumps(value))
    inside = copy
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = odd
    return copy


class OddServer:
    """Answers chat with whatever `answer` is."""

    def __init__(self) -> None:
        self.answer: Any = None
        self.models: Any = {"data": [{"id": "base", "max_model_len": 2048}]}
        self.count: Any = 20
        self.instead: Callable[[], web.Response] | None = None
        """Answers everything."""
        self.encodings: set[str] = set()

    async def handle(self, request: web.Request) -> web.Response:
        self.encodings.add(request.headers.get("Accept-Encoding", ""))
        if self.instead is not None:
            return self.instead()
        if request.path.endswith("/models"):
            return web.json_response(self.models)
        if request.path.endswith("/tokenize"):
            return web.json_response({"count": self.count})
        if (await request.json()).get("stream"):
            text = f"data: {json.dumps(self.answer)}\n\ndata: [DONE]\n\n"
            return web.Response(text=text, content_type="text/event-stream")
        return web.json_response(self.answer)


@pytest.fixture
async def odd() -> AsyncIterator[tuple[OddServer, VLLMGenerator]]:
    server, app = OddServer(), web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    async with TestServer(app) as running:
        address = f"http://127.0.0.1:{running.port}/v1"
        generator = VLLMGenerator(Fleet([ModelServer(base_url=address)], model="base"))
        yield server, generator
        await generator.aclose()


async def taken_or_refused(generator: VLLMGenerator, streaming: bool) -> None:
    heard: list[str] = []
    try:
        [completion] = await generator.generate(REQUEST, heard.append if streaming else None)
    except GeneratorError:
        return
    assert isinstance(completion.text, str)
    assert all(isinstance(one, float) for one in completion.logprobs or ())


@pytest.mark.parametrize(("answer", "streaming"), [(WHOLE, False), (PIECE, True)])
async def test_whatever_stands_in_an_answer_it_is_taken_or_refused_in_our_words(
    odd: tuple[OddServer, VLLMGenerator], answer: Any, streaming: bool
) -> None:
    server, generator = odd
    for place in places(answer):
        for value in ODD:
            server.answer = with_odd(answer, place, value)
            await taken_or_refused(generator, streaming)
    assert [use.outstanding for use in generator.fleet.uses()] == [0]


async def test_a_count_that_no_prompt_has_is_not_believed(
    odd: tuple[OddServer, VLLMGenerator],
) -> None:
    server, generator = odd
    server.models["data"][0]["max_model_len"] = 300
    for server.count in (0, -5, None, "text", 1.5, []):
        assert await generator.fit(LONG) is LONG


def json_of(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, content_type="application/json")


def packed() -> web.Response:
    body = gzip.compress(json.dumps(WHOLE).encode())
    return web.Response(body=body, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})


@pytest.mark.parametrize(
    ("instead", "told"),
    [
        (lambda: json_of("[" * 100_000), "cannot be read"),
        (
            lambda: json_of(json.dumps({"error": {"message": "no \ud800\0\x1b memory"}}), 500),
            "no \ufffd memory",
        ),
        (packed, "packed"),
    ],
    ids=["deep", "unprintable", "packed"],
)
async def test_what_no_store_takes_and_what_fills_the_memory_is_kept_out(
    odd: tuple[OddServer, VLLMGenerator], instead: Callable[[], web.Response], told: str
) -> None:
    server, generator = odd
    server.instead = instead
    with pytest.raises(GeneratorUnavailable, match=told):
        await generator.generate(REQUEST)
    assert server.encodings == {"identity"}


async def test_an_answer_far_beyond_max_tokens_is_refused(odd: tuple[OddServer, VLLMGenerator]) -> None:
    server, generator = odd
    server.answer = with_odd(WHOLE, ("choices", 0, "message", "content"), "on and on " * 10_000)
    with pytest.raises(GeneratorUnavailable, match="beyond max_tokens"):
        await generator.generate(REQUEST)


async def test_one_server_that_refuses_every_question_does_not_keep_the_other_from_answering(
    odd: tuple[OddServer, VLLMGenerator],
) -> None:
    server, wrong = odd
    server.instead = lambda: web.Response(
        status=400, text="<html>plain HTTP was sent to an HTTPS port</html>"
    )
    async with FakeOpenAI() as fake:
        right = ModelServer(base_url=fake.url)
        generator = VLLMGenerator(
            Fleet([ModelServer(base_url=wrong.fleet.uses()[0].url), right], model="base")
        )
        await generator.fit(REQUEST)
        [completion] = await generator.generate(REQUEST)
        assert "$12" in completion.text
        await generator.aclose()


def test_figures_that_are_no_numbers_are_none() -> None:
    with pytest.raises(ValueError, match="inf"):
        read_figures("vllm:num_requests_waiting +Inf\n")


def test_a_long_run_of_spaces_in_a_reply_is_read_once() -> None:
    text, before = f"Ten{' ' * 100_000}minutes [1]. And", process_time()
    assert take_citations(text, 1)[1] == (0,)
    assert whole_sentences(text).endswith("minutes [1].")
    assert process_time() - before < 5
