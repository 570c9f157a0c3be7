"""The part of JSON Schema that arguments of tools are described in. Pure.

Known: type (object, string, number, integer, boolean), description, properties, required, enum, minimum, maximum,
minLength, maxLength. Everything else is refused, so that nobody relies on a rule that is not kept. Properties that
are not listed are never accepted.
"""

from collections.abc import Callable, Iterator, Mapping
from math import isfinite
from typing import Any

Schema = Mapping[str, Any]

MAX_DEPTH = 4
MAX_CHARS = 500
"""Longest text where the schema names no maxLength."""

_KINDS: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: (
        (isinstance(value, int) and not isinstance(value, bool))
        or (isinstance(value, float) and isfinite(value))
    ),
}
_NUMBERS = frozenset({"minimum", "maximum", "minLength", "maxLength"})
_KNOWN = _NUMBERS | {"type", "description", "properties", "required", "enum"}


def problem(value: Any, schema: Schema, name: str = "arguments") -> str:
    """What is wrong with `value`, in one line; empty when it keeps to `schema`."""
    return next(_problems(value, schema, name), "")


def schema_problem(schema: Any, name: str = "parameters", depth: int = 0) -> str:
    """What keeps `schema` from being used, in one line; empty when it can be."""
    return next(_schema_problems(schema, name, depth), "")


def _problems(value: Any, schema: Schema, name: str) -> Iterator[str]:
    kind = schema["type"]
    if not _KINDS[kind](value):
        yield f"{name} must be of type {kind}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{name} must be one of: {', '.join(str(choice) for choice in schema['enum'])}"
    if kind == "object":
        yield from _object_problems(value, schema, name)
    elif kind == "string":
        yield from _size_problems(len(value), schema, name, "Length")
    elif kind != "boolean":
        yield from _size_problems(value, schema, name, "imum")


def _object_problems(value: Mapping[str, Any], schema: Schema, name: str) -> Iterator[str]:
    properties = schema.get("properties", {})
    for key in schema.get("required", ()):
        if key not in value:
            yield f"{name} needs {key}"
    for key, item in value.items():
        if key in properties:
            yield from _problems(item, properties[key], key)
        else:
            yield f"{name} has no {key[:40]!r}; known: {', '.join(properties) or 'none'}"


def _size_problems(size: float, schema: Schema, name: str, of: str) -> Iterator[str]:
    what = " characters" if of == "Length" else ""
    most = schema.get(f"max{of}", MAX_CHARS if of == "Length" else None)
    least = schema.get(f"min{of}")
    if most is not None and not size <= most:
        yield f"{name} must have at most {most}{what}" if what else f"{name} must be at most {most}"
    if least is not None and not size >= least:
        yield f"{name} must have at least {least}{what}" if what else f"{name} must be at least {least}"


def _schema_problems(schema: Any, name: str, depth: int) -> Iterator[str]:
    if not isinstance(schema, Mapping) or schema.get("type") not in _KINDS:
        yield f"{name} needs a type: one of {', '.join(_KINDS)}"
        return
    if depth > MAX_DEPTH:
        yield f"{name} lies deeper than {MAX_DEPTH} objects"
        return
    if depth == 0 and schema["type"] != "object":
        yield f"{name} must be of type object"
    for key in sorted(set(schema) - _KNOWN):
        yield f"{name}: {key} is not supported; known: {', '.join(sorted(_KNOWN))}"
    for key in sorted(_NUMBERS & set(schema)):
        if not _KINDS["number"](schema[key]):
            yield f"{name}: {key} must be a number"
    if not (isinstance(schema.get("enum", []), list) and schema.get("enum", [0])):
        yield f"{name}: enum must be a list with at least one value"
    yield from _property_problems(schema, name, depth)


def _property_problems(schema: Schema, name: str, depth: int) -> Iterator[str]:
    properties, required = schema.get("properties", {}), schema.get("required", [])
    if not isinstance(properties, Mapping) or not isinstance(required, list):
        yield f"{name}: properties must be an object and required a list"
        return
    for key in required:
        if key not in properties:
            yield f"{name}: {key!r} is required but not among the properties"
    for key, inner in properties.items():
        yield from _schema_problems(inner, f"{name}.{key}", depth + 1)
