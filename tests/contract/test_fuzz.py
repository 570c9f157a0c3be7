"""Nothing that a platform or a stranger sends brings out an exception but the reader's own, or an unusable record."""

import pytest

from adapters.base import Comment, CommentRef
from tests.conftest import require
from tests.contract import scenes
from tests.contract.cases import CASES, NOW
from tests.contract.fuzzing import fuzz
from tests.contract.parsers import PARSERS, fuzz_parser
from tests.contract.records import faults
from tests.contract.stages import STAGES, NotHere

SEED = 1
MANY, FEW = 2_000, 150
"""Cases on a platform in memory, and on a real Isso."""
PLAYED = {"wordpress": scenes.wordpress, "inbox": scenes.inbox}


def test_every_adapter_is_tried() -> None:
    assert STAGES.keys() == CASES.keys()


@pytest.mark.parametrize("name", sorted(STAGES.keys() - PLAYED.keys()))
async def test_damaged_answers_raise_adapter_errors_only(name: str) -> None:
    cases = FEW if name == "isso" else MANY
    try:
        async with STAGES[name]() as fresh:
            found = await fuzz(scenes.on(fresh), cases=cases, seed=SEED)
    except NotHere as missing:
        require(False, str(missing))
    assert found.escapes == []
    assert found.cases == cases
    assert found.outcomes["returned"] > cases / 10
    assert found.damaged > cases / 3


@pytest.mark.parametrize("name", PLAYED)
async def test_damaged_answers_that_are_played_raise_adapter_errors_only(name: str) -> None:
    found = await fuzz(PLAYED[name], cases=MANY, seed=SEED)
    assert (found.cases, found.escapes) == (MANY, [])
    assert found.outcomes["returned"] > MANY / 10


@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_raises_what_it_says_and_nothing_else(name: str) -> None:
    found = fuzz_parser(name, cases=MANY, seed=SEED)
    assert (found.cases, found.escapes) == (MANY, [])
    assert found.outcomes["returned"] > MANY / 20


async def test_the_same_seed_makes_the_same_cases() -> None:
    first, again, other = [await fuzz(scenes.wordpress, cases=60, seed=seed) for seed in (7, 7, 8)]
    assert (first.outcomes, first.damaged) == (again.outcomes, again.damaged)
    assert (first.outcomes, first.damaged) != (other.outcomes, other.damaged)


def test_a_record_that_no_store_takes_is_a_fault() -> None:
    ref = CommentRef("", "7", "7", NOW.replace(year=1970))
    told = list(faults(Comment(ref, None, "fan", "a\0b", "\ud800", False, url="javascript:x", likes=-1)))
    assert len(told) == 6
