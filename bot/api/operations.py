"""What can be asked: each operation is described by its handler's types, from which it is read and documented."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Final, get_origin, get_type_hints

from aiohttp import web
from pydantic import BaseModel, TypeAdapter

from bot.access.visitor import Visitor
from bot.models import Role
from bot.web.routes import known_visitor

BASE: Final = "/api/v1"

Handler = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Call:
    """One request, as far as handlers need it."""

    request: web.Request

    @property
    def visitor(self) -> Visitor:
        return known_visitor(self.request)


@dataclass(frozen=True)
class Operation:
    """One method at one path. `handler(call, path=…, query=…, headers=…, body=…)` takes what it names."""

    method: str
    path: str
    """Below `BASE`, with `{name}` for members of the path's model."""
    handler: Handler
    needs: Role = Role.VIEWER
    status: int = 200
    """Of an answer where all went well."""
    most_bytes: int = 64 * 1024
    """Of the body."""

    @cached_property
    def _types(self) -> dict[str, Any]:
        return get_type_hints(self.handler, include_extras=True)

    def model(self, part: str) -> type[BaseModel] | None:
        """Of path, query or headers; None where the handler takes none."""
        found = self._types.get(part)
        return found if isinstance(found, type) and issubclass(found, BaseModel) else None

    @cached_property
    def body(self) -> TypeAdapter[Any] | None:
        """None where the handler takes no body."""
        return TypeAdapter(self._types["body"]) if "body" in self._types else None

    @property
    def tagged(self) -> bool:
        """Whether the body is of one of several kinds, which one of its members names."""
        return get_origin(self._types.get("body")) is Annotated

    @cached_property
    def answer(self) -> TypeAdapter[Any] | None:
        """None where nothing is answered but the status."""
        told = self._types["return"]
        return None if told is type(None) else TypeAdapter(told)

    @property
    def name(self) -> str:
        return str(self.handler.__name__)

    @property
    def summary(self) -> str:
        return inspect.getdoc(self.handler) or ""

    @property
    def tag(self) -> str:
        """What the operation is about: `comments`, `voices` …"""
        return self.path.split("/")[1]
