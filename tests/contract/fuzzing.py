"""Adapters under answers that no contract foresees: the platform's own answers, damaged by a seeded hand.

Every call of an adapter goes over `adapters.http.Http`: `damaged` stands between a platform and what reads its answer.
"""

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from adapters.base import Budget, CommentRef, Cursor, PlatformAdapter
from adapters.errors import AdapterError
from adapters.http import Http

ODD: Final[Sequence[Any]] = (
    None, True, False, 0, -1, 1.5, 2**53 + 1, 2**64, -(2**63), 10**40, 1e308, float("nan"), float("inf"),
    "", " ", "0", "-1", "null", "1e999", "\ud800", "\x00", "\u202e", "x" * 50_000, "你" * 5_000, "<b>&amp;<script>",
    "%s{0}", "../../etc", "2026-13-45T99:99:99Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999+00:00",
    "2026-11-20", "2026-11-20T12:00:00",
    [], {}, [[]], [None], {"": None}, {"id": {}}, ["a"] * 300,
)  # fmt: skip
"""What stands in the place of a value."""
STATUSES: Final = (200, 200, 200, 200, 201, 202, 204, 400, 403, 404, 409, 410, 413, 418, 422, 499)
"""Those that have a meaning in `adapters.http` by themselves are tested elsewhere."""


@dataclass
class Fuzzed:
    """What came of it."""

    cases: int = 0
    escapes: list[str] = field(default_factory=list)
    """Exceptions that are no AdapterError, with the seed of their case."""


def mutated(value: Any, random: Random) -> Any:
    """`value`, parsed JSON, with one to three changes somewhere in it."""
    for _ in range(random.randint(1, 3)):
        value = _changed(value, random)
    return value


def _changed(value: Any, random: Random) -> Any:
    if isinstance(value, dict) and value and random.random() < 0.85:
        key = random.choice(list(value))
        return _changed_at(value, key, random)
    if isinstance(value, list) and value and random.random() < 0.85:
        return _changed_in(value, random)
    if isinstance(value, str) and random.random() < 0.3:
        place = random.randint(0, len(value))
        return value[:place] + random.choice(("", "\ud800", "\x00", "<", "&", "é", "0")) + value[place + 1 :]
    return random.choice(ODD)


def _changed_at(value: dict[str, Any], key: str, random: Random) -> dict[str, Any]:
    match random.randrange(8):
        case 0:
            return {name: one for name, one in value.items() if name != key}
        case 1:
            return {**value, key: random.choice(ODD)}
        case 2:
            return {**value, "unknown_" + key: random.choice(ODD)}
        case _:
            return {**value, key: _changed(value[key], random)}


def _changed_in(value: list[Any], random: Random) -> list[Any]:
    place = random.randrange(len(value))
    match random.randrange(6):
        case 0:
            return value[:place] + value[place + 1 :]
        case 1:
            return [*value, value[place]]
        case 2:
            return [*value[:place], random.choice(ODD), *value[place + 1 :]]
        case _:
            return [*value[:place], _changed(value[place], random), *value[place + 1 :]]


def damage(raw: bytes, random: Random) -> bytes:
    """An answer's body, damaged as JSON for the most part, else as bytes."""
    try:
        parsed = json.loads(raw)
    except ValueError:
        parsed = None
    if parsed is not None and random.random() < 0.9:
        return json.dumps(mutated(parsed, random)).encode("utf-8", "surrogatepass")
    place = random.randint(0, len(raw))
    return random.choice(
        (
            raw[:place],
            raw[:place] + bytes([random.randrange(256)]) + raw[place + 1 :],
            raw + raw,
            b"<html>" + raw,
            b"\xff" + raw,
            b"",
        )
    )


@contextmanager
def damaged(random: Random, rate: float = 0.7) -> Iterator[None]:
    """While it lasts, what `Http` reads is damaged; now and then the status too."""
    whole = Http._exchange

    async def exchange(self: Http, call: Any) -> tuple[int, Mapping[str, str], bytes]:
        status, headers, raw = await whole(self, call)
        if random.random() > rate:
            return status, headers, raw
        if random.random() < 0.1:
            status = random.choice(STATUSES)
        return status, headers, damage(raw, random)

    Http._exchange = exchange  # type: ignore[method-assign]
    try:
        yield
    finally:
        Http._exchange = whole  # type: ignore[method-assign]


async def fuzz(
    adapter: PlatformAdapter, cursor: Cursor, target: CommentRef, *, cases: int, seed: int
) -> Fuzzed:
    """Call `adapter`, which is open, `cases` times with damaged answers."""
    found = Fuzzed()
    for number in range(cases):
        random = Random(f"{seed} {number}")
        call = random.choices(_calls(adapter, cursor, target, number), (40, 30, 10, 10, 10))[0]
        found.cases += 1
        with damaged(random):
            try:
                await call()
            except Exception as error:  # noqa: BLE001 - what escapes is what is looked for
                if not isinstance(error, AdapterError):
                    found.escapes.append(f"case {number}: {error!r}")
    return found


def _calls(
    adapter: PlatformAdapter, cursor: Cursor, target: CommentRef, number: int
) -> list[Callable[[], Awaitable[object]]]:
    return [
        lambda: adapter.poll(cursor, Budget(requests=4, comments=50)),
        lambda: adapter.find_own_replies(target, target.created_at),
        lambda: adapter.reply(target, "an answer 回答", f"key-{number}"),
        lambda: adapter.baseline(target.created_at),
        adapter.open,
    ]
