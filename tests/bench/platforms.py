"""`make bench-platforms`: what the adapters keep to, what YouTube costs to read, and a minute of damaged answers.

Every adapter is put through the whole of `adapters.conformance`; Isso and WordPress are real servers, the others fakes
in memory. Then each adapter is told damaged answers and each parser damaged input, in turn, from a seed: a failure is
printed with the seed and the number of its case. The last line is one JSON object; `--quick` runs a tenth of it.
"""

import argparse
import asyncio
import json
import logging
import os
import platform
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import structlog

from adapters.conformance import CHECKS
from tests.bench import platforms_youtube
from tests.contract import scenes
from tests.contract.fuzzing import Fuzzed, fuzz
from tests.contract.parsers import PARSERS, fuzz_parser
from tests.contract.scenes import Begin
from tests.contract.stages import STAGES, NotHere

TARGETS = {
    "adapters_conforming": f"{len(STAGES)} of {len(STAGES)}",
    "youtube_units_per_comment": f"<= {platforms_youtube.TARGET}",
    "poll_rss_mb": "flat",
    "poll_rss_mb_first_half": "the same",
    "fuzz_escapes": "0",
}
CHUNK, PARSED = 25, 200
"""Cases in a row on one adapter, and of one parser."""

Figures = dict[str, Any]


async def conforming() -> Figures:
    """How many adapters pass every check, and which do not."""
    failed: dict[str, str] = {}
    for name in STAGES:
        if fault := await _fault(name):
            failed[name] = fault
        _say(f"{name}: {fault or f'{len(CHECKS)} of {len(CHECKS)} checks'}")
    return {"adapters_conforming": len(STAGES) - len(failed), "not_conforming": failed}


async def _fault(name: str) -> str:
    """The first check that fails; empty when all pass."""
    try:
        async with STAGES[name]() as fresh:
            for check in CHECKS:
                async with fresh() as harness:
                    try:
                        await check(harness)
                    except Exception as error:  # noqa: BLE001 - whatever it is, the adapter does not conform
                        return f"{check.__name__}: {error!r}"[:300]
    except RuntimeError as missing:  # not installed, or it does not start
        return f"not tried: {missing}"
    return ""


async def fuzzed(seconds: float, seed: int) -> Figures:
    """Half of the time for the adapters, half for the parsers, by turns."""
    found = Fuzzed()
    by_name: dict[str, int] = {}
    async with AsyncExitStack() as stack:
        adapters = await _adapters(stack)
        await _take_turns(
            {name: _on(begin) for name, begin in adapters.items()}, seconds / 2, seed, found, by_name
        )
    await _take_turns({name: _of(name) for name in PARSERS}, seconds / 2, seed, found, by_name)
    for escape in found.escapes:
        _say(f"escaped: {escape}")
    return {
        "fuzz_cases": found.cases,
        "fuzz_escapes": len(found.escapes),
        "fuzz_damaged": found.damaged,
        "fuzz_least": min(by_name.values(), default=0),
        "fuzz_adapters": len(adapters),
        "fuzz_parsers": len(PARSERS),
        "fuzz_outcomes": dict(found.outcomes.most_common()),
    }


async def _adapters(stack: AsyncExitStack) -> dict[str, Begin]:
    """Those that can be tried here. A real WordPress takes 30 ms a call: it is played."""
    found: dict[str, Begin] = {"wordpress": scenes.wordpress, "inbox": scenes.inbox}
    for name in STAGES.keys() - found.keys():
        try:
            found[name] = scenes.on(await stack.enter_async_context(STAGES[name]()))
        except NotHere as missing:
            _say(f"{name} is not fuzzed: {missing}")
    return dict(sorted(found.items()))


Turn = Callable[[str], Awaitable[Fuzzed]]


def _on(begin: Begin) -> Turn:
    return lambda seed: fuzz(begin, cases=CHUNK, seed=seed)


def _of(name: str) -> Turn:
    async def turn(seed: str) -> Fuzzed:
        return fuzz_parser(name, cases=PARSED, seed=seed)

    return turn


async def _take_turns(
    turns: dict[str, Turn], seconds: float, seed: int, found: Fuzzed, by_name: dict[str, int]
) -> None:
    ends, number = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        for name, turn in turns.items():
            if number and time.monotonic() >= ends:
                break
            one = await turn(f"{seed}-{number}")
            one.escapes = [f"{name}: {escape}" for escape in one.escapes]
            found.add(one)
            by_name[name] = by_name.get(name, 0) + one.cases
        number += 1


async def measure(seconds: float, seed: int, hours: int) -> Figures:
    figures = await conforming()
    _say(f"YouTube: {platforms_youtube.COMMENTS} comments, then {2 * hours} hours of polls ...")
    youtube = await platforms_youtube.measure(rates=(), hours=hours)
    names = ("youtube_units_per_comment", "youtube_polls", "poll_rss_mb", "poll_rss_mb_first_half")
    figures |= {name: youtube[name] for name in names}
    _say(f"damaged answers and input for {seconds:g} s ...")
    return figures | await fuzzed(seconds, seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="of damaged answers and input")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="a tenth of the work")
    given = parser.parse_args()
    # Rows that cannot be read are warnings, and fakes that are asked nonsense tell so: here both are wanted.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.CRITICAL)
    share = 0.1 if given.quick else 1.0
    figures = asyncio.run(measure(given.seconds * share, given.seed, round(72 * share)))
    cores, (one, _, _) = os.cpu_count(), os.getloadavg()
    print(f"\n{platform.machine()}, {cores} cores, Python {platform.python_version()}, load {one:.1f}\n")
    for name, value in figures.items():
        if not isinstance(value, dict):
            print(f"  {name:<26} {value!s:>10}   {TARGETS.get(name, '')}")
    for name, fault in figures["not_conforming"].items():
        print(f"  {name} does not conform: {fault}")
    print(f"\n{json.dumps(figures, ensure_ascii=False)}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
