"""The benchmark of the platforms counts no adapter that fails, and tries every one that can be tried."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from adapters.conformance import Harness
from tests.bench import platforms
from tests.contract.fuzzing import Fuzzed
from tests.contract.harnesses import sandbox
from tests.contract.stages import Fresh, NotHere, in_memory


@asynccontextmanager
async def missing() -> AsyncIterator[Fresh]:
    raise NotHere("the server is not installed")
    yield sandbox


@asynccontextmanager
async def deaf() -> AsyncIterator[Harness]:
    """Nobody can write there."""
    async with sandbox() as harness:
        harness.post_id = "no such post"
        yield harness


async def test_an_adapter_that_fails_or_cannot_be_tried_does_not_conform(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stages = {"sandbox": in_memory(sandbox), "deaf": in_memory(deaf), "missing": missing}
    monkeypatch.setattr(platforms, "STAGES", stages)
    figures = await platforms.conforming()
    assert figures["adapters_conforming"] == 1
    assert figures["not_conforming"]["missing"] == "not tried: the server is not installed"
    assert figures["not_conforming"]["deaf"].startswith("new_comments_are_seen_once_and_in_order: ")


async def test_an_escape_is_told_with_its_name_and_seed() -> None:
    async def turn(seed: str) -> Fuzzed:
        return Fuzzed(cases=5, escapes=[f"seed {seed}, case 3: KeyError('id')"])

    found, by_name = Fuzzed(), dict[str, int]()
    await platforms._take_turns({"one": turn}, 0.05, 7, found, by_name)
    assert found.escapes[0] == "one: seed 7-0, case 3: KeyError('id')"
    assert by_name["one"] == found.cases
