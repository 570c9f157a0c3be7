"""No answer of a platform brings an exception out of an adapter that is not its own, or a record that no store takes."""

import pytest

from tests.conftest import require
from tests.contract import scenes
from tests.contract.fuzzing import fuzz
from tests.contract.stages import STAGES, NotHere

SEED = 1
CASES = dict.fromkeys(STAGES, 600) | {"isso": 150}
"""Of those whose platform is in memory, many; Isso is a real server."""


@pytest.mark.parametrize("name", [name for name in STAGES if name != "wordpress"])
async def test_damaged_answers_raise_adapter_errors_only(name: str) -> None:
    try:
        async with STAGES[name]() as fresh:
            found = await fuzz(scenes.on(fresh), cases=CASES[name], seed=SEED)
    except NotHere as missing:
        require(False, str(missing))
    print(found.outcomes, found.damaged)
    assert found.escapes == []
    assert (found.cases, found.damaged > CASES[name] / 2) == (CASES[name], True)


@pytest.mark.parametrize("begin", [scenes.wordpress, scenes.inbox], ids=["wordpress", "inbox"])
async def test_damaged_answers_of_what_is_played_raise_adapter_errors_only(begin: scenes.Begin) -> None:
    found = await fuzz(begin, cases=600, seed=SEED)
    print(found.outcomes, found.damaged)
    assert (found.cases, found.escapes) == (600, [])
