"""Exact arithmetic on numbers, signs and brackets: no names, no powers, nothing that can be made to run. Pure."""

import re
import unicodedata
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from bot.schema import Schema
from bot.tools.base import BadArguments

MAX_CHARS = 200
MAX_BRACKETS = 20
PLACES = 6
_TOKEN = re.compile(r"\s*(?:(\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)|([-+*/()%]))")
_SIGNS = str.maketrans("×✕·÷−–—", "***/---")
_SCHEMA: Schema = {
    "type": "object",
    "properties": {
        "expression": {
            "type": "string",
            "description": "Numbers, + - * / % and brackets, as in: 3 * 12.50 - 15% * 12.50",
            "maxLength": MAX_CHARS,
        }
    },
    "required": ["expression"],
}


class Calculator:
    """The tool; see `bot.tools.base.Tool`."""

    grounds = False

    def __init__(self, name: str, description: str) -> None:
        self.name, self.description = name, description

    @property
    def schema(self) -> Schema:
        return _SCHEMA

    async def call(self, arguments: Mapping[str, Any]) -> str:
        return shown(calculate(str(arguments["expression"])))


def calculate(expression: str) -> Fraction:
    """The exact value. Raises BadArguments for what is no arithmetic, and for a division by zero."""
    if len(expression) > MAX_CHARS:
        raise BadArguments(f"the expression is longer than {MAX_CHARS} characters; make it shorter")
    tokens = _tokens(unicodedata.normalize("NFKC", expression).translate(_SIGNS))
    if tokens.count("(") > MAX_BRACKETS:
        raise BadArguments(f"there are more than {MAX_BRACKETS} brackets; make it simpler")
    value, rest = _sum(tokens)
    if rest:
        raise BadArguments(f"{rest[0]!r} is not expected there; write numbers, + - * / and brackets")
    return value


def shown(value: Fraction) -> str:
    """Decimal digits; where they don't end, rounded to six places and to two."""
    if value.denominator == 1:
        return str(value.numerator)
    exact = 10**PLACES * value
    if exact.denominator == 1:
        return _decimal(value, PLACES)
    return f"{_decimal(value, PLACES)}, about {_decimal(value, 2)}"


def _decimal(value: Fraction, places: int) -> str:
    scaled = round(value * 10**places)
    whole, part = divmod(abs(scaled), 10**places)
    sign = "-" if scaled < 0 else ""
    return f"{sign}{whole}.{part:0{places}d}".rstrip("0").rstrip(".")


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise BadArguments(
                f"{text[at:].strip()[:20]!r} is no arithmetic; write numbers, + - * / and brackets"
            )
        tokens.append(match[1] or match[2])
        at = match.end()
    return tokens


def _number(token: str) -> Fraction:
    return Fraction(token.replace(",", ""))


def _sum(tokens: list[str]) -> tuple[Fraction, list[str]]:
    value, rest = _product(tokens)
    while rest and rest[0] in "+-":
        right, after = _product(rest[1:])
        value = value + right if rest[0] == "+" else value - right
        rest = after
    return value, rest


def _product(tokens: list[str]) -> tuple[Fraction, list[str]]:
    value, rest = _signed(tokens)
    while rest and rest[0] in "*/":
        right, after = _signed(rest[1:])
        if rest[0] == "/" and not right:
            raise BadArguments("a division by zero has no value")
        value = value * right if rest[0] == "*" else value / right
        rest = after
    return value, rest


def _signed(tokens: list[str]) -> tuple[Fraction, list[str]]:
    sign = 1
    while tokens and tokens[0] in "+-":
        sign = -sign if tokens[0] == "-" else sign
        tokens = tokens[1:]
    value, rest = _bracketed(tokens)
    while rest and rest[0] == "%":
        value, rest = value / 100, rest[1:]
    return sign * value, rest


def _bracketed(tokens: list[str]) -> tuple[Fraction, list[str]]:
    if not tokens:
        raise BadArguments("the expression breaks off; write numbers, + - * / and brackets")
    if tokens[0] != "(":
        if not tokens[0][-1].isdigit():
            raise BadArguments(f"{tokens[0]!r} is not expected there; write numbers, + - * / and brackets")
        return _number(tokens[0]), tokens[1:]
    value, rest = _sum(tokens[1:])
    if not rest or rest[0] != ")":
        raise BadArguments("a bracket is not closed")
    return value, rest[1:]
