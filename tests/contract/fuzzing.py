"""Adapters under answers that no contract foresees: the platform's own answers, damaged.

Every call of an adapter goes over `adapters.http.Http`: `damaged` stands between a platform and what reads its answer.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from adapters.base import Budget, Moderates
from adapters.errors import AccountRestricted, AdapterError, AuthExpired, ReauthRequired
from adapters.http import Http
from tests.contract.damage import damage, damage_headers
from tests.contract.records import faults
from tests.contract.scenes import Begin, Scene

STATUSES: Final = (
    200,
    200,
    200,
    201,
    202,
    204,
    302,
    400,
    401,
    403,
    404,
    409,
    410,
    413,
    418,
    422,
    429,
    499,
    503,
)
ROUND: Final = 25
"""Cases until a scene is made anew, so that one adapter's bad tokens do not keep the others from being tried."""
LONGEST_S: Final = 60.0
"""Of a call, on a machine that has much else to do."""


@dataclass
class Fuzzed:
    """What came of it."""

    cases: int = 0
    damaged: int = 0
    """Answers that were."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """How the calls ended, by the error's name."""
    escapes: list[str] = field(default_factory=list)
    """Exceptions that are not the adapter's own, and records that no store takes, with their case."""

    def add(self, other: "Fuzzed") -> None:
        self.cases += other.cases
        self.damaged += other.damaged
        self.outcomes += other.outcomes
        self.escapes += other.escapes


@contextmanager
def damaged(random: Random, found: Fuzzed, rate: float = 0.7) -> Iterator[None]:
    """While it lasts, most of what `Http` reads is damaged; now and then the status or a header."""
    whole = Http._exchange

    async def exchange(self: Http, call: Any) -> tuple[int, Mapping[str, str], bytes]:
        status, headers, raw = await whole(self, call)
        if random.random() > rate:
            return status, headers, raw
        found.damaged += 1
        if random.random() < 0.1:
            status = random.choice(STATUSES)
        if random.random() < 0.1:
            headers = damage_headers(headers, random)
        return status, headers, damage(raw, random)

    Http._exchange = exchange  # type: ignore[method-assign]
    try:
        yield
    finally:
        Http._exchange = whole  # type: ignore[method-assign]


async def fuzz(begin: Begin, *, cases: int, seed: object) -> Fuzzed:
    """Call an adapter `cases` times; the same seed makes the same calls and the same damage."""
    found = Fuzzed()
    while found.cases < cases:
        async with begin() as scene:
            last = min(found.cases + ROUND, cases)
            while found.cases < last and await _one(scene, seed, found):
                continue
    return found


async def _one(scene: Scene, seed: object, found: Fuzzed) -> bool:
    """One call. False when the adapter is of no more use."""
    number = found.cases
    random = Random(f"{seed} {number}")
    calls = _calls(scene, number)
    name = random.choices(list(calls), [weight for weight, _ in calls.values()])[0]
    found.cases += 1
    try:
        with damaged(random, found):
            async with asyncio.timeout(LONGEST_S):
                result = await calls[name][1]()
    except AdapterError as error:
        found.outcomes[type(error).__name__] += 1
        return await _goes_on(scene, error)
    except Exception as error:  # noqa: BLE001 - what escapes is what is looked for
        found.escapes.append(f"seed {seed}, case {number}, {name}: {error!r}"[:500])
        return False
    found.outcomes["returned"] += 1
    found.escapes += [f"seed {seed}, case {number}, {name}: {fault}" for fault in faults(result)]
    return True


async def _goes_on(scene: Scene, error: AdapterError) -> bool:
    if isinstance(error, ReauthRequired | AccountRestricted):
        return False
    if isinstance(error, AuthExpired):
        try:
            await scene.adapter.refresh_auth()
        except AdapterError:
            return False
    return True


def _calls(scene: Scene, number: int) -> dict[str, tuple[int, Callable[[], Awaitable[object]]]]:
    """Each with how often it is made."""
    adapter, target = scene.adapter, scene.target
    calls: dict[str, tuple[int, Callable[[], Awaitable[object]]]] = {
        "poll": (40, lambda: adapter.poll(scene.cursor, Budget(requests=4, comments=50))),
        "find_own_replies": (25, lambda: adapter.find_own_replies(target, target.created_at)),
        "reply": (10, lambda: adapter.reply(target, "an answer 回答", f"key-{number}")),
        "baseline": (10, lambda: adapter.baseline(target.created_at)),
        "open": (10, adapter.open),
        "refresh_auth": (5, adapter.refresh_auth),
    }
    if isinstance(adapter, Moderates):
        calls["hide"] = (5, lambda: adapter.hide(target))
    return calls
