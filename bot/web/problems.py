"""What goes wrong with a request, told as a page or, to programs, as problem+json (RFC 9457)."""

import json
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

PROBLEM_JSON: Final = "application/problem+json"


class Problem(Exception):
    """A request that is refused; the message is one line that says what happened, to what, and what to do now."""

    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        """One word for programs."""
        self.more = more
        """Members of the answer beside those of the standard."""


def problem_response(problem: Problem) -> web.Response:
    """`problem` for a program."""
    told = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "code": problem.code,
        "detail": str(problem),
        **problem.more,
    }
    body = json.dumps(told, ensure_ascii=False, default=str).encode("utf-8", "replace")
    # RFC 9110: whoever is not known is told how to become so.
    headers = {"WWW-Authenticate": "Bearer"} if problem.status == HTTPStatus.UNAUTHORIZED else None
    return web.Response(body=body, status=problem.status, headers=headers, content_type=PROBLEM_JSON)
