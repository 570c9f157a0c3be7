"""Embeddings and scores over HTTP, asked of a server in this process."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from knowledge.embedder import ModelError, known_languages
from tests.conftest import require_module

np = require_module("numpy")

from knowledge.http_embedder import HttpEmbedder  # noqa: E402
from knowledge.reranker import HttpReranker  # noqa: E402

Answer = Callable[[dict[str, Any]], web.StreamResponse]


class Model:
    """A server of embeddings and scores: as vLLM's pooling runner shapes them, but from counting letters."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.failures: list[Answer] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(body)
        self.keys.append(request.headers.get("Authorization", ""))
        if self.failures:
            return self.failures.pop(0)(body)
        return web.json_response(scores(body) if request.path.endswith("score") else embeddings(body))


def embeddings(body: dict[str, Any]) -> dict[str, Any]:
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": [float(1 + text.count(letter)) for letter in "abcd"],
        }
        for index, text in enumerate(body["input"])
    ]
    return {"object": "list", "model": body["model"], "data": data[::-1], "usage": {"prompt_tokens": 1}}


def scores(body: dict[str, Any]) -> dict[str, Any]:
    data = [
        {"object": "score", "index": index, "score": 0.9 if body["text_1"] in text else 0.1}
        for index, text in enumerate(body["text_2"])
    ]
    return {"object": "list", "model": body["model"], "data": data[::-1]}


def status(code: int, message: str = "no", **headers: str) -> Answer:
    return lambda _: web.json_response({"error": {"message": message}}, status=code, headers=headers)


def says(**answer: Any) -> Answer:
    return lambda _: web.json_response(answer)


@pytest.fixture
async def model() -> AsyncIterator[Model]:
    served = Model()
    app = web.Application()
    app.router.add_post("/v1/embeddings", served.handle)
    app.router.add_post("/v1/score", served.handle)
    async with TestServer(app) as server:
        served.url = str(server.make_url("/v1"))
        yield served


async def embed(model: Model, texts: list[str], **options: Any) -> Any:
    embedder = HttpEmbedder(model.url, "minilm", sleep=options.pop("sleep", lambda _: None), **options)
    try:
        return await asyncio.to_thread(embedder.embed, texts)
    finally:
        embedder.close()


async def rerank(model: Model, query: str, texts: list[str]) -> list[float]:
    reranker = HttpReranker(model.url, "judge", sleep=lambda _: None)
    try:
        return await asyncio.to_thread(reranker.rerank, query, texts)
    finally:
        reranker.close()


async def test_rows_come_in_the_order_of_the_texts_and_of_unit_length(model: Model) -> None:
    rows = await embed(model, ["aaa", "d", ""])
    assert rows.shape == (3, 4)
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx([1, 1, 1], abs=1e-6)
    assert rows.argmax(axis=1)[:2].tolist() == [0, 3]


async def test_many_texts_go_in_batches_with_progress(model: Model) -> None:
    seen: list[tuple[int, int]] = []
    embedder = HttpEmbedder(model.url, "minilm", batch=2)
    rows = await asyncio.to_thread(
        lambda: embedder.embed(list("abcda"), progress=lambda *step: seen.append(step))
    )
    assert [len(request["input"]) for request in model.requests] == [2, 2, 1]
    assert seen == [(2, 5), (4, 5), (5, 5)]
    assert rows.argmax(axis=1).tolist() == [0, 1, 2, 3, 0]
    embedder.close()


async def test_no_texts_give_no_rows_of_the_right_width(model: Model) -> None:
    assert (await embed(model, [])).shape == (0, 4)


async def test_queries_and_passages_get_their_own_prefix(model: Model) -> None:
    embedder = HttpEmbedder(model.url, "e5", query_prefix="query: ", passage_prefix="passage: ")
    await asyncio.to_thread(embedder.embed, ["a"])
    await asyncio.to_thread(lambda: embedder.embed(["a"], query=True))
    assert [request["input"] for request in model.requests] == [["passage: a"], ["query: a"]]
    embedder.close()


async def test_the_key_is_sent_and_never_told(model: Model) -> None:
    model.failures = [status(401, "bad key sk-secret")] * 2
    with pytest.raises(ModelError, match=r"401.*check embedder_key") as caught:
        await embed(model, ["a"], api_key="sk-secret")
    assert model.keys[0] == "Bearer sk-secret"
    assert "sk-secret" not in str(caught.value)


async def test_a_busy_server_is_asked_again_after_the_pause_that_it_wants(model: Model) -> None:
    pauses: list[float] = []
    model.failures = [status(503), status(429, **{"Retry-After": "7"}), status(500)]
    assert (await embed(model, ["a"], sleep=pauses.append)).shape == (1, 4)
    assert pauses == [0.5, 7.0, 2.0]


async def test_a_server_that_stays_busy_is_given_up_at_the_deadline(model: Model) -> None:
    model.failures = [status(503, "loading")] * 3
    with pytest.raises(ModelError, match=r"answered 503.*loading.*try again later"):
        await embed(model, ["a"], deadline_s=0.4)
    assert len(model.requests) == 1


async def test_a_query_is_given_up_sooner_than_documents(model: Model) -> None:
    pauses: list[float] = []
    model.failures = [status(503, **{"Retry-After": "15"})] * 2
    embedder = HttpEmbedder(model.url, "minilm", sleep=pauses.append)
    with pytest.raises(ModelError, match="answered 503"):
        await asyncio.to_thread(lambda: embedder.embed(["a"], query=True))
    assert (await asyncio.to_thread(embedder.embed, ["a"])).shape == (1, 4)
    assert pauses == [15.0]
    embedder.close()


async def test_a_refusal_is_not_repeated_but_for_the_field_that_only_vllm_knows(model: Model) -> None:
    model.failures = [status(400, "unknown field")]
    assert (await embed(model, ["a"])).shape == (1, 4)
    assert ["truncate_prompt_tokens" in request for request in model.requests] == [True, False]
    model.failures = [status(404, "no such model")] * 2
    with pytest.raises(ModelError, match=r"404.*check embedder_url"):
        await embed(model, ["a"])


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (says(data=[]), "0 embeddings for 1 texts"),
        (says(data="no"), "no list of embeddings"),
        (says(error="?"), "no list of embeddings"),
        (says(data=[{"index": 0, "embedding": []}]), "no direction"),
        (says(data=[{"index": 0, "embedding": [0.0, 0.0]}]), "no direction"),
        (says(data=[{"index": 0, "embedding": [float("nan"), 1.0]}]), "no direction"),
        (says(data=[{"index": 0, "embedding": ["a", 1.0]}]), "no list of embeddings"),
        (says(data=[{"index": 3, "embedding": [1.0]}]), "1 embeddings for 1 texts"),
        (lambda _: web.Response(text="<html>"), "no JSON object"),
        (lambda _: web.Response(text="{", content_type="application/json"), "cannot be used"),
        (lambda _: web.json_response([1]), "no JSON object"),
    ],
)
async def test_an_answer_that_is_nonsense_is_refused_in_one_line(
    model: Model, answer: Answer, told: str
) -> None:
    model.failures = [answer]
    with pytest.raises(ModelError, match=told) as caught:
        await embed(model, ["a"])
    assert "\n" not in str(caught.value)
    assert model.url in str(caught.value)


async def test_a_model_that_changes_its_dimension_is_refused(model: Model) -> None:
    embedder = HttpEmbedder(model.url, "minilm")
    await asyncio.to_thread(embedder.embed, ["a"])
    assert embedder.dimension == 4
    model.failures = [says(data=[{"index": 0, "embedding": [1.0, 1.0]}])]
    with pytest.raises(ModelError, match="2 dimensions, 4 before"):
        await asyncio.to_thread(embedder.embed, ["a"])
    embedder.close()


async def test_a_server_that_is_not_there_is_told_of(unused_tcp_port_factory: Callable[[], int]) -> None:
    embedder = HttpEmbedder(f"http://127.0.0.1:{unused_tcp_port_factory()}/v1", "minilm", deadline_s=0.2)
    with pytest.raises(ModelError, match=r"cannot be reached.*is the server running"):
        await asyncio.to_thread(embedder.embed, ["a"])
    embedder.close()


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ModelError, match="set embedder_url"):
        HttpEmbedder("localhost:8000", "minilm")


async def test_scores_come_in_the_order_of_the_texts(model: Model) -> None:
    assert await rerank(model, "roast", ["how to roast", "milk", "roast it"]) == [0.9, 0.1, 0.9]
    assert model.requests[0]["text_1"] == "roast"
    assert await rerank(model, "roast", []) == []
    assert len(model.requests) == 1


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (says(data=[{"index": 0, "score": -3.2}]), "no probabilities; serve a cross-encoder"),
        (says(data=[{"index": 0, "score": None}]), "no list of scores"),
        (says(data=[]), "0 scores for 1 texts"),
        (says(object="error"), "no list of scores"),
    ],
)
async def test_scores_that_are_no_probabilities_are_refused(model: Model, answer: Answer, told: str) -> None:
    model.failures = [answer]
    with pytest.raises(ModelError, match=told):
        await rerank(model, "roast", ["milk"])


@pytest.mark.parametrize(
    ("name", "languages"),
    [
        ("sentence-transformers/all-MiniLM-L6-v2", {"en"}),
        ("/models/all-mpnet-base-v2", {"en"}),
        ("BAAI/bge-small-en-v1.5", {"en"}),
        ("intfloat/e5-base-v2", {"en"}),
        ("thenlper/gte-small", {"en"}),
        ("BAAI/bge-base-zh-v1.5", {"zh"}),
        ("shibing624/text2vec-base-chinese", {"zh"}),
        ("BAAI/bge-m3", None),
        ("intfloat/multilingual-e5-base", None),
        ("sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2", None),
        ("Qwen/Qwen3-Embedding-0.6B", None),
    ],
)
def test_the_languages_of_well_known_models_are_known(name: str, languages: set[str] | None) -> None:
    assert known_languages(name) == (None if languages is None else frozenset(languages))
