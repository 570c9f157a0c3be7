"""The routes of the API, made from its operations."""

import json
from collections.abc import Sequence
from functools import partial
from itertools import groupby
from typing import Any, Final
from urllib.parse import urlencode

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import TypeAdapter

from bot.api.openapi import document
from bot.api.operations import BASE, Operation
from bot.api.reading import arguments_of
from bot.api.types import PageOf
from bot.models import Role
from bot.web.problems import Problem, problem_response
from bot.web.routes import Route

_EVERYTHING: Final = TypeAdapter(Any)


def routes(operations: Sequence[Operation], version: str) -> list[Route]:
    """A route for each operation and for the document, and refusals for every other address and method."""
    told = json.dumps(document(operations, version), ensure_ascii=False).encode()
    by_path = sorted(operations, key=lambda operation: operation.path)
    found: list[Route] = []
    for path, group in groupby(by_path, key=lambda operation: operation.path):
        together = list(group)
        found += [_route(operation) for operation in together]
        found.append(_other("*", BASE + path, partial(_no_such_method, [one.method for one in together])))
    return [
        *found,
        _other("GET", f"{BASE}/openapi.json", partial(_document, told)),
        _other("*", f"{BASE}/openapi.json", partial(_no_such_method, ["GET"])),
        _other("*", "/api", _nothing_here),
        _other("*", "/api/{rest:.*}", _nothing_here),
    ]


def _route(operation: Operation) -> Route:
    return Route(
        operation.method, BASE + operation.path, _answering(operation), needs=operation.needs, page=False
    )


def _other(method: str, path: str, handler: Handler) -> Route:
    # Only who may come in is told what is there and what is not.
    return Route(method, path, handler, needs=Role.VIEWER, page=False)


def _answering(operation: Operation) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        given = await arguments_of(operation, request)
        told = await operation.handler(**given)
        if operation.answer is None:
            return web.Response(status=operation.status)
        body = operation.answer.dump_json(told)
        response = web.Response(body=body, status=operation.status, content_type="application/json")
        if isinstance(told, PageOf) and told.next is not None:
            response.headers["Link"] = f'<{_next_page(request, told.next)}>; rel="next"'
        return response

    return answer


def _next_page(request: web.Request, cursor: str) -> str:
    kept = [(name, value) for name, value in request.query.items() if name != "cursor"]
    return f"{request.path}?{urlencode([*kept, ('cursor', cursor)])}"


async def _document(told: bytes, _: web.Request) -> web.StreamResponse:
    return web.Response(body=told, content_type="application/json")


async def _no_such_method(allowed: Sequence[str], request: web.Request) -> web.StreamResponse:
    methods = ", ".join(allowed)
    problem = Problem(405, "method", f"{request.method} does nothing at {request.path}; use {methods}")
    response = problem_response(problem)
    response.headers["Allow"] = methods
    return response


async def _nothing_here(request: web.Request) -> web.StreamResponse:
    raise Problem(404, "not_found", f"there is nothing at {request.path}; see {BASE}/openapi.json")
