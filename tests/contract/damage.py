"""Good JSON, text and headers, damaged by a seeded hand."""

import json
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Final

ODD: Final[Sequence[Any]] = (
    None, True, False, 0, -1, 1.5, 2**53 + 1, 2**64, -(2**63), 10**40, 1e308, float("nan"), float("inf"),
    "", " ", "0", "-1", "null", "1e999", "\ud800", "\x00", "\u202e", "x" * 50_000, "你" * 5_000, "<b>&amp;<script>",
    "%s{0}", "../../etc", "2026-13-45T99:99:99Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999+00:00",
    "2026-11-20", "2026-11-20T12:00:00",
    [], {}, [[]], [None], {"": None}, {"id": {}}, ["a"] * 300,
)  # fmt: skip
"""What stands in the place of a value."""
HEADERS: Final = (
    "Retry-After", "Date", "Link", "RateLimit-Reset", "X-RateLimit-Reset", "X-WP-Total",
    "X-WP-TotalPages", "Content-Type",
)  # fmt: skip
ODD_HEADERS: Final = (
    "", "0", "-1", "nan", "inf", "1e999", "9" * 40, "Wed, 21 Oct 2015 07:28:00 GMT", "Mon, 99 Foo 99999 99:99:99 +9999",
    "2026-13-45T99:99:99Z", "<", "<>; rel=next", '<http://[>; rel="next"', '<?max_id=\ud800>; rel="prev"', "\udcff",
    "你好", ", ;" * 2_000, "text/html; charset=no-such",
)  # fmt: skip


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
            b"[" * 100_000,
            b"",
        )
    )


def damage_text(text: str, random: Random) -> str:
    """With one to four pieces of it gone, doubled, or exchanged for what means something to a parser."""
    for _ in range(random.randint(1, 4)):
        start = random.randint(0, len(text))
        end = min(len(text), start + random.choice((0, 1, 1, 3, 20)))
        piece = random.choice(("", text[start:end] * 2, *PIECES))
        text = text[:start] + piece + text[end:]
    return text


PIECES: Final = (
    '"', "'", ",", "\t", ";", "|", "\n", "\r", "\0", "\ufeff", "\u202e", "\ud800", "<", "&#x110000;", "<!--",
    "昨天 25:61", "9" * 30, "=1+1", "{", "]", "1e999", "http://[", "\x85", "\u2028",
)  # fmt: skip
"""What parsers of tables, times, addresses and HTML stumble over."""


def damage_headers(headers: Mapping[str, str], random: Random) -> dict[str, str]:
    return {**headers, random.choice(HEADERS): random.choice(ODD_HEADERS)}
