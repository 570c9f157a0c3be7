"""No answer of a platform brings an exception out of an adapter that is not its own."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime

import pytest

from adapters.base import Budget, CommentRef, Cursor
from adapters.conformance import Harness
from tests.conftest import require
from tests.contract.fuzzing import fuzz
from tests.contract.harnesses import IssoHarness, new_session, sandbox
from tests.contract.harnesses_douyin import douyin
from tests.contract.harnesses_fediverse import bluesky, mastodon
from tests.integration import isso_server

CASES = 300
SEED = 1


@asynccontextmanager
async def isso(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Harness]:
    problem = isso_server.install()
    require(not problem, problem)
    with isso_server.running(tmp_path_factory.mktemp("isso")) as server:
        async with new_session() as http:
            yield IssoHarness(server.url, http)


PLATFORMS: dict[str, Callable[[pytest.TempPathFactory], AbstractAsyncContextManager[Harness]]] = {
    "sandbox": lambda _: sandbox(),
    "isso": isso,
    "bluesky": lambda _: bluesky(),
    "mastodon": lambda _: mastodon(),
    "douyin": lambda _: douyin(),
}


@pytest.mark.parametrize("name", PLATFORMS)
async def test_damaged_answers_raise_adapter_errors_only(
    name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with PLATFORMS[name](tmp_path_factory) as harness:
        cursor, target = await begun(harness)
        found = await fuzz(harness.adapter, cursor, target, cases=CASES, seed=SEED)
    assert found.cases == CASES
    assert found.escapes == []


async def begun(harness: Harness) -> tuple[Cursor, CommentRef]:
    """Comments to read, and one to answer."""
    await harness.adapter.open()
    cursor = await harness.adapter.baseline(datetime.now(UTC))
    for number in range(3):
        await harness.write(f"comment {number} 评论 <b>&amp;")
    page = await harness.adapter.poll(cursor, Budget())
    top = page.comments[0].ref
    await harness.write("a reply 回复", top)
    return cursor, top
