"""Compares calls of the YouTube Data API with the discovery document that Google's client ships."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.platforms.youtube import Exchange

JSON_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
}
UNSIGNED = {"uint32", "uint64"}


def shipped() -> dict[str, Any]:
    """The document of youtube/v3; google-api-python-client must be installed."""
    import googleapiclient

    folder = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
    document: dict[str, Any] = json.loads((folder / "youtube.v3.json").read_text())
    return document


def problems(exchange: Exchange, document: dict[str, Any]) -> list[str]:
    """What the document does not allow in a call and in its answer; empty for an answer of 4xx."""
    method = _method(exchange, document)
    if method is None:
        return [f"no method {exchange.method} {exchange.path}"]
    found = [*_query(exchange.query, method, document), *_bodies(exchange, method, document)]
    return [f"{exchange.method} {exchange.path}: {problem}" for problem in found]


def _method(exchange: Exchange, document: dict[str, Any]) -> dict[str, Any] | None:
    methods = [method for one in document["resources"].values() for method in one.get("methods", {}).values()]
    wanted = (exchange.method, exchange.path.removeprefix("/"))
    return next((method for method in methods if (method["httpMethod"], method["path"]) == wanted), None)


def _query(query: list[tuple[str, str]], method: dict[str, Any], document: dict[str, Any]) -> Iterator[str]:
    allowed = {**document["parameters"], **method.get("parameters", {})}
    for name, value in query:
        if name not in allowed:
            yield f"unknown parameter {name}"
            continue
        rule = allowed[name]
        values = value.split(",") if rule.get("repeated") else [value]
        yield from (problem for one in values for problem in _parameter(name, one, rule))
    names = [name for name, _ in query]
    yield from (
        f"{name} given twice"
        for name in set(names)
        if names.count(name) > 1 and not allowed[name].get("repeated")
    )
    required = [name for name, rule in method.get("parameters", {}).items() if rule.get("required")]
    yield from (f"{name} is missing" for name in required if name not in names)


def _parameter(name: str, value: str, rule: dict[str, Any]) -> Iterator[str]:
    if "enum" in rule and value not in rule["enum"]:
        yield f"{name}={value} is not one of {rule['enum']}"
    if rule["type"] == "boolean" and value not in {"true", "false"}:
        yield f"{name}={value} is no boolean"
    if rule["type"] != "integer":
        return
    if not value.lstrip("-").isdigit():
        yield f"{name}={value} is no integer"
    elif not int(rule.get("minimum", value)) <= int(value) <= int(rule.get("maximum", value)):
        yield f"{name}={value} is out of range"


def _bodies(exchange: Exchange, method: dict[str, Any], document: dict[str, Any]) -> Iterator[str]:
    if exchange.body is not None:
        yield from _value("request", exchange.body, method.get("request"), document)
    elif "request" in method:
        yield "the request has no body"
    if exchange.status >= 400:
        return
    if exchange.answer is not None:
        yield from _value("answer", exchange.answer, method.get("response"), document)
    elif "response" in method:
        yield "the answer has no body"


def _value(where: str, value: Any, rule: dict[str, Any] | None, document: dict[str, Any]) -> Iterator[str]:
    if rule is None:
        yield f"{where}: there must be none"
        return
    rule = document["schemas"][rule["$ref"]] if "$ref" in rule else rule
    wanted = JSON_TYPES[rule["type"]]
    if not isinstance(value, wanted) or (isinstance(value, bool) and rule["type"] != "boolean"):
        yield f"{where}: {value!r:.60} is no {rule['type']}"
    elif isinstance(value, dict):
        yield from _object(where, value, rule, document)
    elif isinstance(value, list):
        for item in value:
            yield from _value(f"{where}[]", item, rule["items"], document)
    else:
        yield from _scalar(where, value, rule)


def _object(
    where: str, value: dict[str, Any], rule: dict[str, Any], document: dict[str, Any]
) -> Iterator[str]:
    for name, inner in value.items():
        if name in rule.get("properties", {}):
            yield from _value(f"{where}.{name}", inner, rule["properties"][name], document)
        elif "additionalProperties" in rule:
            yield from _value(f"{where}.{name}", inner, rule["additionalProperties"], document)
        else:
            yield f"{where}: unknown field {name}"
    kind = rule.get("properties", {}).get("kind", {}).get("default")
    if kind and value.get("kind", kind) != kind:
        yield f"{where}: kind is {value['kind']}, not {kind}"


def _scalar(where: str, value: Any, rule: dict[str, Any]) -> Iterator[str]:
    if "enum" in rule and value not in rule["enum"]:
        yield f"{where}: {value} is not one of {rule['enum']}"
    if rule.get("format") in UNSIGNED and value < 0:
        yield f"{where}: {value} is negative"
    if rule.get("format") == "date-time":
        try:
            aware = datetime.fromisoformat(value).tzinfo is not None
        except ValueError:
            aware = False
        if not aware:
            yield f"{where}: {value} is no time with a zone"
