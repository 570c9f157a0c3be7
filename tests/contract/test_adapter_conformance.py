"""The one suite that every adapter passes, on the sandbox and on a real Isso server."""

from collections.abc import AsyncIterator, Iterator

import pytest

from adapters.conformance import CHECKS, Check, Harness
from tests.conftest import require
from tests.contract.harnesses import IssoHarness, new_session, sandbox
from tests.integration import isso_server


@pytest.fixture(scope="module")
def isso_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    problem = isso_server.install()
    require(not problem, problem)
    with isso_server.running(tmp_path_factory.mktemp("isso")) as server:
        yield server.url


@pytest.fixture(params=["sandbox", "isso"])
async def harness(request: pytest.FixtureRequest) -> AsyncIterator[Harness]:
    if request.param == "sandbox":
        async with sandbox() as made:
            yield made
        return
    url = request.getfixturevalue("isso_url")
    async with new_session() as http:
        yield IssoHarness(url, http)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_an_adapter(check: Check, harness: Harness) -> None:
    await check(harness)
