"""Reads a request into its operation's models, or says what is wrong with it and where."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, get_origin

from aiohttp import web
from pydantic import BaseModel, ValidationError

from bot.api.operations import Call, Operation
from bot.web.problems import Problem

_JSON: Final = "application/json"
_SHOWN: Final = 60


async def arguments_of(operation: Operation, request: web.Request) -> dict[str, Any]:
    """What `operation.handler` is called with. Raises Problem."""
    given: dict[str, Any] = {"call": Call(request)}
    if model := operation.model("path"):
        given["path"] = _checked(model, dict(request.match_info))
    if query := operation.model("query"):
        given["query"] = _checked(query, _query(query, request))
    elif request.query:
        raise _unknown(request.query, ())
    if headers := operation.model("headers"):
        given["headers"] = _checked(headers, _headers(headers, request))
    if operation.body is not None:
        raw = await _body(operation, request)
        try:
            # Strictly: a number is not its digits in quotes.
            given["body"] = operation.body.validate_json(raw, strict=True)
        except ValidationError as error:
            raise _invalid(error, tagged=operation.tagged) from error
    elif request.can_read_body:
        raise Problem(400, "no_body", f"{request.method} {request.path} takes no body; send none")
    return given


def _checked(model: type[BaseModel], values: Mapping[str, Any]) -> BaseModel:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _invalid(error) from error


def _query(model: type[BaseModel], request: web.Request) -> dict[str, Any]:
    unknown = [name for name in request.query if name not in model.model_fields]
    if unknown:
        raise _unknown(unknown, model.model_fields)
    found: dict[str, Any] = {}
    for name in request.query:
        values = request.query.getall(name)
        if get_origin(model.model_fields[name].annotation) is list:
            found[name] = values
        elif len(values) > 1:
            raise Problem(400, "twice", f"{name} is given {len(values)} times; give it once", field=name)
        else:
            found[name] = values[0]
    return found


def _headers(model: type[BaseModel], request: web.Request) -> dict[str, str]:
    names = [field.alias or name for name, field in model.model_fields.items()]
    return {name: request.headers[name] for name in names if name in request.headers}


async def _body(operation: Operation, request: web.Request) -> bytes:
    if request.content_type != _JSON:
        raise Problem(415, "media_type", f"the body is {request.content_type[:_SHOWN]}; send {_JSON}")
    if request.charset not in (None, "utf-8", "UTF-8"):
        raise Problem(415, "charset", f"the body is in {request.charset[:_SHOWN]}; send UTF-8")
    if (request.content_length or 0) > operation.most_bytes:
        raise _too_large(operation)
    read = bytearray()
    async for chunk in request.content.iter_any():
        read += chunk
        if len(read) > operation.most_bytes:
            raise _too_large(operation)
    return bytes(read)


def _too_large(operation: Operation) -> Problem:
    return Problem(413, "too_large", f"the body is too large; {operation.most_bytes} bytes are the most")


def _unknown(given: Iterable[str], known: Iterable[str]) -> Problem:
    name = next(iter(given))[:_SHOWN]
    told = ", ".join(known) or "none"
    return Problem(400, "unknown_parameter", f"there is no parameter {name!r}; known: {told}", field=name)


def _invalid(error: ValidationError, *, tagged: bool = False) -> Problem:
    """The first thing that is wrong; nothing of what was given is repeated but the names of members.

    `tagged`: pydantic puts the kind of the body in front of the member's name.
    """
    first = error.errors(include_url=False, include_input=False)[0]
    kind = str(first["type"])
    if kind == "json_invalid":
        return Problem(400, "malformed", f"the body is no JSON: {first['msg']}")
    place = first["loc"][1:] if tagged and first["loc"] else first["loc"]
    field = ".".join(str(part) for part in place)[:_SHOWN]
    message = {
        "extra_forbidden": "there is no such member; leave it out",
        "missing": "is missing; give it",
    }.get(kind, first["msg"].removeprefix("Value error, "))
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return Problem(400, "invalid", f"{field or 'the body'}: {message}{more}", field=field or None)
