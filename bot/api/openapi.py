"""The OpenAPI 3.1 document of the operations. Pure."""

from collections.abc import Sequence
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from bot.api.operations import BASE, Operation
from bot.api.types import ProblemTold
from bot.models import Role
from bot.web.problems import PROBLEM_JSON

_REF: Final = "#/components/schemas/{model}"
_SECURITY: Final = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "From 'rejoinder people token', or the page.",
    },
    "page": {"type": "apiKey", "in": "cookie", "name": "rejoinder", "description": "With X-CSRF-Token."},
}
_WRONG: Final = {
    400: "A parameter or the body is wrong; `field` names which.",
    401: "No token, or one that has ended.",
    403: "The token's role does not suffice.",
    404: "There is no such thing.",
    405: "Not with this method.",
    409: "It cannot be done now; `code` says why.",
    413: "The body is too large.",
    415: "The body is no JSON in UTF-8.",
    422: "It cannot be done with what was given; `code` says why.",
    429: "Too many wrong tokens; Retry-After says how long to wait.",
    503: "The ledger or the library cannot be reached; nothing was changed.",
}


def document(operations: Sequence[Operation], version: str) -> dict[str, Any]:
    """Of all `operations`; `version` is Rejoinder's."""
    adapters: list[tuple[Any, JsonSchemaMode, TypeAdapter[Any]]] = [
        ("problem", "serialization", TypeAdapter(ProblemTold))
    ]
    for operation in operations:
        if operation.body is not None:
            adapters.append(((operation.name, "body"), "validation", operation.body))
        if operation.answer is not None:
            adapters.append(((operation.name, "answer"), "serialization", operation.answer))
    schemas, told = TypeAdapter.json_schemas(adapters, ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        found = {part: schemas.get(((operation.name, part), mode)) for part, mode in _MODES.items()}
        path = paths.setdefault(BASE + operation.path, {})
        path[operation.method.lower()] = _operation(operation, found["body"], found["answer"])
    return {
        "openapi": "3.1.0",
        "info": {"title": "Rejoinder", "version": version, "license": {"name": "Apache-2.0"}},
        "servers": [{"url": "/"}],
        "security": [{name: []} for name in _SECURITY],
        "paths": paths,
        "components": {"schemas": told["$defs"], "securitySchemes": _SECURITY},
    }


_MODES: Final[dict[str, JsonSchemaMode]] = {"body": "validation", "answer": "serialization"}


def _operation(operation: Operation, body: Any, answer: Any) -> dict[str, Any]:
    good: dict[str, Any] = {"description": "Done."}
    if answer is not None:
        good["content"] = {"application/json": {"schema": answer}}
        if operation.model("query") and "cursor" in (operation.model("query") or BaseModel).model_fields:
            good["headers"] = {"Link": {"schema": {"type": "string"}, "description": "The next page."}}
    told: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary.partition("\n")[0],
        "description": f"{operation.summary}\n\nNeeds the role {operation.needs}.",
        "parameters": [one for part in _PLACES for one in _parameters(operation, part)],
        "responses": {str(operation.status): good, **_problems(operation)},
    }
    if body is not None:
        told["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return told


_PLACES: Final = {"path": "path", "query": "query", "headers": "header"}


def _parameters(operation: Operation, part: str) -> list[dict[str, Any]]:
    model = operation.model(part)
    if model is None:
        return []
    _, whole = models_json_schema([(model, "validation")], ref_template=_REF)
    schema = whole["$defs"][model.__name__]
    needed = schema.get("required", [])
    return [
        _parameter(name, _PLACES[part], given, name in needed, whole["$defs"])
        for name, given in schema["properties"].items()
    ]


def _parameter(
    name: str, place: str, given: dict[str, Any], needed: bool, known: dict[str, Any]
) -> dict[str, Any]:
    schema = _inlined(given, known)
    # A parameter is left out where it is null: no text is the null of JSON.
    if "anyOf" in schema:
        [said] = [one for one in schema.pop("anyOf") if one != {"type": "null"}]
        schema = {**schema, **said}
        schema.pop("default", None)
    description = schema.pop("description", "")
    schema.pop("title", None)
    return {
        "name": name,
        "in": place,
        "required": needed or place == "path",
        "description": description,
        "schema": schema,
    }


def _inlined(schema: Any, known: dict[str, Any]) -> Any:
    """`schema` with what it refers to in its place."""
    if isinstance(schema, list):
        return [_inlined(one, known) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        found = known[schema["$ref"].rpartition("/")[2]]
        return _inlined({**found, **{key: value for key, value in schema.items() if key != "$ref"}}, known)
    return {key: _inlined(value, known) for key, value in schema.items()}


def _problems(operation: Operation) -> dict[str, Any]:
    codes = {400, 401, 429, 503} | (
        {403} if operation.needs != Role.VIEWER or operation.method != "GET" else set()
    )
    codes |= {404} if "{" in operation.path else set()
    codes |= {404, 409, 422} if operation.method != "GET" else set()
    codes |= {413, 415} if operation.body is not None else set()
    schema = {"$ref": _REF.format(model=ProblemTold.__name__)}
    return {
        str(code): {"description": _WRONG[code], "content": {PROBLEM_JSON: {"schema": schema}}}
        for code in sorted(codes)
    }
