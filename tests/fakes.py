"""Servers that stand in for the real ones, with switches for what can go wrong."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web
from aiohttp.test_utils import TestServer

Fault = Literal[
    "", "500", "429", "400", "401", "403", "hang", "html", "broken_json", "other_json", "disconnect",
    "no_choices", "no_content", "no_message", "truncated",
]  # fmt: skip


@dataclass
class FakeOpenAI:
    """An OpenAI-compatible server on loopback that says what it is told to say.

    Use it as an async context manager; `url` is the base address for clients.
    """

    models: tuple[str, ...] = ("base",)
    replies: list[str] = field(default_factory=lambda: ["It costs $12 [1]."])
    """Text of the candidates, used in turn."""
    alternatives: dict[str, dict[str, float]] = field(default_factory=dict)
    """For a word of a reply, the log-probabilities of what might have stood there; told where logprobs are asked."""
    key: str | None = None
    """When set, requests need it as their bearer token."""
    fault: Fault = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    """Bodies of the chat requests that came in."""
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a chat request has come in."""
    url: str = ""

    async def __aenter__(self) -> "FakeOpenAI":
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/v1/models", self._models)
        self._released = asyncio.Event()
        self._server = TestServer(app)
        await self._server.start_server()
        self.url = f"http://127.0.0.1:{self._server.port}/v1"
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._released.set()
        await self._server.close()

    async def _models(self, request: web.Request) -> web.StreamResponse:
        failed = await self._fail(request)
        if failed is not None:
            return failed
        return web.json_response({"object": "list", "data": [_model(name) for name in self.models]})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(body)
        self.arrived.set()
        failed = await self._fail(request)
        if failed is not None:
            return failed
        if body["model"] not in self.models:
            return _error(404, f"The model `{body['model']}` does not exist.")
        return web.json_response(self._completion(body))

    async def _fail(self, request: web.Request) -> web.StreamResponse | None:
        if self.key is not None and request.headers.get("Authorization") != f"Bearer {self.key}":
            return _error(401, "Incorrect API key provided.")
        if self.fault.isdecimal():
            return _error(int(self.fault), "told to fail")
        if self.fault == "hang":
            await self._released.wait()
        if self.fault == "disconnect" and request.transport is not None:
            request.transport.close()
        bodies = {
            "html": ("text/html", "<html>It works!</html>"),
            "broken_json": ("application/json", '{"choices": ['),
            "other_json": ("application/json", '{"hello": "world"}'),
        }
        if self.fault in bodies:
            content_type, text = bodies[self.fault]
            return web.Response(text=text, content_type=content_type)
        return None

    def _completion(self, body: dict[str, Any]) -> dict[str, Any]:
        count = 0 if self.fault == "no_choices" else body.get("n") or 1
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_760_000_000,
            "model": body["model"],
            "choices": [self._choice(i, bool(body.get("logprobs"))) for i in range(count)],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }

    def _choice(self, index: int, logprobs: bool) -> dict[str, Any]:
        text = self.replies[index % len(self.replies)]
        message = {"role": "assistant", "content": None if self.fault == "no_content" else text}
        tokens: list[dict[str, Any]] = [
            _token(word, -0.5)
            | {"top_logprobs": [_token(*one) for one in self.alternatives.get(word, {}).items()]}
            for word in text.split()
        ]
        return {
            "index": index,
            "message": None if self.fault == "no_message" else message,
            "finish_reason": "length" if self.fault == "truncated" else "stop",
            "logprobs": {"content": tokens, "refusal": None} if logprobs else None,
        }


def _token(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "bytes": None}


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1_760_000_000, "owned_by": "vllm"}


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"error": {"message": message, "type": "error", "code": status}}, status=status)
