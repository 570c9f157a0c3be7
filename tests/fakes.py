"""Servers that stand in for the real ones, with switches for what can go wrong.

Statuses and words are those of vLLM 0.32.0, written down in tests/vllm/README.md.
"""

import asyncio
import hashlib
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.fake_weights import HIDDEN, MAX_RANK, refusal

Fault = Literal[
    "", "500", "503", "429", "400", "401", "403", "hang", "html", "broken_json", "other_json", "disconnect", "redirect",
    "no_choices", "no_content", "no_message", "truncated", "empty", "cut_stream", "endless", "slow",
]  # fmt: skip
"""`slow`: chat waits until `go` is set. `endless`: the answer never ends. `cut_stream`: it breaks off half-way."""

BLOCK = 16
"""Tokens of one block of the prefix cache."""

ToolCall = tuple[str, str]
"""A tool's name and its arguments, as the model wrote them."""


@dataclass
class FakeOpenAI:
    """An OpenAI-compatible server on loopback that says what it is told to say, with what vLLM has beyond that.

    Use it as an async context manager; `url` is the base address for clients.
    """

    models: tuple[str, ...] = ("base",)
    """Names that it serves from the start: the base model first, then voices."""
    replies: list[str] = field(default_factory=lambda: ["It costs $12 [1]."])
    """Text of the candidates, used in turn."""
    reply: Callable[[dict[str, Any]], str] | None = None
    """Writes every candidate from the request's body, in place of `replies`."""
    tool_calls: list[list[ToolCall]] = field(default_factory=list)
    """What it calls, step by step, before it writes text; only in requests that declare tools."""
    alternatives: dict[str, dict[str, float]] = field(default_factory=dict)
    """For a word of a reply, the log-probabilities of what might have stood there; told where logprobs are asked."""
    key: str | None = None
    """When set, requests need it as their bearer token."""
    fault: Fault = ""
    sees: bool = False
    system_role: bool = True
    """Whether its chat template has one."""
    calls_tools: bool = True
    """Whether it was started with --enable-auto-tool-choice."""
    runtime_lora: bool = True
    tells_cached: bool = True
    """Whether it was started with --enable-prompt-tokens-details."""
    version: str = "0.32.0"
    max_model_len: int = 2048
    max_num_seqs: int = 16
    """Chats that it works on at once; others wait in its queue."""
    hidden: int = HIDDEN
    max_rank: int = MAX_RANK
    is_old: bool = False
    """A vLLM that does not tell token ids."""
    is_vllm: bool = True
    """False: only what every OpenAI-compatible server has."""
    can_sleep: bool = False
    """Whether it was started with --enable-sleep-mode and VLLM_SERVER_DEV_MODE=1."""
    sleeping: bool = False
    requests: list[dict[str, Any]] = field(default_factory=list)
    """Bodies of the chat requests that came in."""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    """Path and body of every other request."""
    voices: dict[str, str] = field(default_factory=dict)
    """Name and folder of each voice that was loaded at run time."""
    running: int = 0
    waiting: int = 0
    most_running: int = 0
    cache_hits: int = 0
    cache_queries: int = 0
    """Tokens, as the prefix cache of vLLM counts."""
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a chat request has come in."""
    go: asyncio.Event = field(default_factory=asyncio.Event)
    """Lets the chats go on that `slow` holds."""
    port: int = 0
    """0: any free one."""
    url: str = ""

    async def __aenter__(self) -> "FakeOpenAI":
        app = web.Application(client_max_size=64 * 1024**2)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/v1/models", self._models)
        if self.is_vllm:
            self._add_vllm(app)
        self._released = asyncio.Event()
        self._awake = asyncio.Event()
        self._awake.set()
        self._slots = asyncio.Semaphore(self.max_num_seqs)
        self._blocks: set[str] = set()
        self._server = TestServer(app, port=self.port)
        await self._server.start_server(shutdown_timeout=0.1)
        self.port = self._server.port or 0
        self.url = f"http://127.0.0.1:{self.port}/v1"
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Nobody listens any more, and every connection is cut."""
        runner = self._server.runner
        assert runner is not None
        listening = runner.server
        for site in list(runner.sites):
            await site.stop()
        for _ in range(5):  # a connection that was just accepted takes some turns of the loop to be there
            for connection in listening.connections if listening is not None else ():
                if connection.transport is not None:
                    connection.transport.abort()
            await asyncio.sleep(0)
        self._released.set()
        self._awake.set()
        self.go.set()
        await self._server.close()

    async def restart(self) -> None:
        """On the same port. Loaded voices and the prefix cache are forgotten."""
        await self.stop()
        self.voices.clear()
        await self.__aenter__()

    def _add_vllm(self, app: web.Application) -> None:
        app.router.add_get("/health", self._told(web.Response))
        app.router.add_get("/version", self._told(lambda: web.json_response({"version": self.version})))
        app.router.add_get("/metrics", self._told(lambda: web.Response(text=self._metrics())))
        app.router.add_post("/tokenize", self._tokenize)
        app.router.add_post("/v1/completions", self._complete)
        if self.runtime_lora:
            app.router.add_post("/v1/load_lora_adapter", self._load)
            app.router.add_post("/v1/unload_lora_adapter", self._unload)
        app.router.add_post("/sleep", self._sleep)
        app.router.add_post("/wake_up", self._wake_up)
        app.router.add_get("/is_sleeping", self._is_sleeping)

    async def _sleep(self, request: web.Request) -> web.StreamResponse:
        self.calls.append((request.path, dict(request.query)))
        if not self.can_sleep:
            return _error(404, "Not Found")
        self.sleeping = True
        self._awake.clear()
        return web.json_response({"status": "sleeping", "level": int(request.query.get("level", "1"))})

    async def _wake_up(self, request: web.Request) -> web.StreamResponse:
        self.calls.append((request.path, dict(request.query)))
        self.sleeping = False
        self._awake.set()
        return web.json_response({"status": "awake", "tags": None})

    async def _is_sleeping(self, request: web.Request) -> web.StreamResponse:
        if not self.can_sleep:
            return _error(404, "Not Found")
        return web.json_response({"is_sleeping": self.sleeping})

    def _told(
        self, tell: Callable[[], web.Response]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handler(request: web.Request) -> web.StreamResponse:
            self.calls.append((request.path, None))
            failed = await self._fail(request)
            return failed if failed is not None else tell()

        return handler

    async def _models(self, request: web.Request) -> web.StreamResponse:
        self.calls.append((request.path, None))
        failed = await self._fail(request)
        if failed is not None:
            return failed
        base, *voices = self.models
        entries = [_model(base, f"/models/{base}", None, self.max_model_len)]
        entries += [_model(name, f"/voices/{name}", base, None) for name in voices]
        entries += [_model(name, path, base, None) for name, path in self.voices.items()]
        return web.json_response({"object": "list", "data": entries})

    async def _tokenize(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.calls.append((request.path, body))
        failed = await self._fail(request)
        refused = failed if failed is not None else self._refusal(body)
        if refused is not None:
            return refused
        count = self._count(body)
        tokens = list(range(count))
        return web.json_response(
            {"count": count, "max_model_len": self.max_model_len, "tokens": tokens, "token_strs": None}
        )

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        """Token ids for token ids: 7, 8, 9 and a stop token, or up to the first of them that is one."""
        body = await request.json()
        self.calls.append((request.path, body))
        failed = await self._fail(request)
        refused = failed if failed is not None else self._refusal(body)
        if refused is not None:
            return refused
        stops = body.get("stop_token_ids", [])
        ids = [7, 8, 9, *stops[:1]][: body["max_tokens"]]
        ids = ids[: next((at + 1 for at, one in enumerate(ids) if one in stops), len(ids))]
        choice = {
            "index": 0,
            "text": "",
            "token_ids": ids if body.get("return_token_ids") and not self.is_old else None,
        }
        return web.json_response({"object": "text_completion", "model": body["model"], "choices": [choice]})

    async def _load(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.calls.append((request.path, body))
        failed = await self._fail(request)
        if failed is not None:
            return failed
        missing = [key for key in ("lora_name", "lora_path") if key not in body]
        if missing:
            return _error(400, _missing(missing), "Bad Request")
        name, path = body["lora_name"], body["lora_path"]
        if not name or not path:
            return _error(400, "Both 'lora_name' and 'lora_path' must be provided.", "InvalidUserInput")
        if name == self.models[0]:
            return _error(
                400, f"The lora adapter '{name}' conflicts with a served base model.", "InvalidUserInput"
            )
        if name in self.voices or name in self.models:
            return _error(
                400,
                f"The lora adapter '{name}' has already been loaded. If you want to load the adapter in place, "
                "set 'load_inplace' to True.",
                "InvalidUserInput",
            )
        refused = refusal(path, hidden=self.hidden, max_rank=self.max_rank)
        if refused is not None:
            status, why = refused
            return _error(status, f"Loading lora {name} failed: {why}" if status == 404 else why)
        self.voices[name] = path
        return web.Response(text=f"Success: LoRA adapter '{name}' added successfully.")

    async def _unload(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.calls.append((request.path, body))
        failed = await self._fail(request)
        if failed is not None:
            return failed
        if "lora_name" not in body:
            return _error(400, _missing(["lora_name"]), "Bad Request")
        if self.voices.pop(body["lora_name"], None) is None:
            return _error(404, f"The lora adapter '{body['lora_name']}' cannot be found.")
        return web.Response(text=f"Success: LoRA adapter '{body['lora_name']}' removed successfully.")

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(body)
        self.arrived.set()
        failed = await self._fail(request)
        refused = failed if failed is not None else self._refusal(body) or self._refused_options(body)
        if refused is not None:
            return refused
        await self._awake.wait()  # requests are taken, and wait
        self.waiting += 1
        await self._slots.acquire()
        self.waiting -= 1
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            if self.fault == "slow":
                await self.go.wait()
            return await self._answer(request, body)
        finally:
            self.running -= 1
            self._slots.release()

    async def _fail(self, request: web.Request) -> web.StreamResponse | None:
        if self.key is not None and request.headers.get("Authorization") != f"Bearer {self.key}":
            return _error(401, "Incorrect API key provided.")
        if self.fault.isdecimal():
            return _error(int(self.fault), "told to fail")
        if self.fault == "redirect":
            return web.Response(
                status=307, headers={"Location": f"http://localhost:{self.port}{request.path}"}
            )
        if self.fault == "hang":
            await self._released.wait()
        if self.fault == "disconnect" and request.transport is not None:
            request.transport.close()
        bodies = {
            "html": ("text/html", "<html>It works!</html>"),
            "broken_json": ("application/json", '{"choices": ['),
            "other_json": ("application/json", '{"hello": "world"}'),
            "empty": ("application/json", ""),
        }
        if self.fault in bodies:
            content_type, text = bodies[self.fault]
            return web.Response(text=text, content_type=content_type)
        return None

    def _refusal(self, body: dict[str, Any]) -> web.Response | None:
        """What stands between the messages and the model, for chat and for tokenize."""
        messages = body.get("messages", [])
        if body.get("model") not in (*self.models, *self.voices):
            aliases = ", ".join(self.models)
            said = f"The model `{body.get('model')}` does not exist. Valid aliases: {aliases}."
            return _error(404, said, param="model")
        if not self.sees and any(part["type"] == "image_url" for part in _parts(messages)):
            return _error(400, f"{self.models[0]} is not a multimodal model")
        if not self.system_role and any(message["role"] == "system" for message in messages):
            return _error(400, "System role not supported")
        return None

    def _refused_options(self, body: dict[str, Any]) -> web.Response | None:
        if not body.get("messages"):
            return _error(
                400, "Cannot apply chat template to an empty conversation. Provide at least one message."
            )
        if body.get("temperature") == 0 and (body.get("n") or 1) > 1:
            return _error(400, f"n must be 1 when using greedy sampling, got {body['n']}.")
        if body.get("tools") and not self.calls_tools and body.get("tool_choice", "auto") == "auto":
            return _error(
                400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
            )
        if self._count(body) > self.max_model_len:
            least = self.max_model_len + 1
            said = (
                f"This model's maximum context length is {self.max_model_len} tokens. However, your prompt contains at "
                f"least {least} input tokens, which exceeds this limit even without any output tokens. Please reduce "
                f"the length of the input prompt. (parameter=input_tokens, value={least})"
            )
            return _error(400, said, param="input_tokens")
        return None

    def _count(self, body: dict[str, Any]) -> int:
        """Tokens of the prompt, one for four bytes."""
        return len(rendered(body)) // 4

    async def _answer(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        usage = {"prompt_tokens": self._count(body), "prompt_tokens_details": None}
        cached = self._cached(body)
        if self.tells_cached:
            usage["prompt_tokens_details"] = {"cached_tokens": cached}
        choices = self._choices(body)
        usage["completion_tokens"] = sum(len(choice["pieces"]) for choice in choices)
        usage["total_tokens"] = usage["prompt_tokens"] + usage["completion_tokens"]
        head = {"id": "chatcmpl-1", "created": 1_760_000_000, "model": body["model"]}
        if body.get("stream"):
            return await self._stream(request, body, head, choices, usage)
        whole = head | {
            "object": "chat.completion",
            "choices": [self._whole(index, choice, body) for index, choice in enumerate(choices)],
            "usage": usage,
        }
        if self.fault in ("endless", "cut_stream"):
            return await self._broken(request, json.dumps(whole))
        return web.json_response(whole)

    async def _broken(self, request: web.Request, text: str) -> web.StreamResponse:
        """The beginning of the answer, and then the connection is cut, or the rest never ends."""
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        await response.write(text[: len(text) // 2].encode())
        while self.fault == "endless":
            await response.write(b"and so on " * 1000)
        if request.transport is not None:
            request.transport.close()
        return response

    def _cached(self, body: dict[str, Any]) -> int:
        """Tokens of the prompt's beginning that were there before, in whole blocks, for each voice by itself."""
        prompt, hits = rendered(body), 0
        blocks = [
            hashlib.sha256(body["model"].encode() + prompt[: 4 * end]).hexdigest()
            for end in range(BLOCK, len(prompt) // 4 + 1, BLOCK)
        ]
        while hits < len(blocks) and blocks[hits] in self._blocks:
            hits += 1
        self._blocks.update(blocks)
        self.cache_hits += hits * BLOCK
        self.cache_queries += len(prompt) // 4
        return hits * BLOCK

    def _choices(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        """The candidates: their pieces, the tools that they call, and why they end."""
        count = 0 if self.fault == "no_choices" else body.get("n") or 1
        done = sum(bool(message.get("tool_calls")) for message in body["messages"])
        if body.get("tools") and body.get("tool_choice") != "none" and done < len(self.tool_calls):
            calls = [
                {
                    "id": f"call-{done}-{i}",
                    "type": "function",
                    "function": {"name": name, "arguments": written},
                }
                for i, (name, written) in enumerate(self.tool_calls[done])
            ]
            return [{"pieces": [], "calls": calls, "ended": "tool_calls"} for _ in range(count)]
        return [self._text_choice(body, index) for index in range(count)]

    def _text_choice(self, body: dict[str, Any], index: int) -> dict[str, Any]:
        text = self.reply(body) if self.reply is not None else self.replies[index % len(self.replies)]
        for stop in body.get("stop") or ():
            text = text.partition(stop)[0]
        pieces = re.findall(r"\s*\S+|\s+$", text)
        room = min(body.get("max_tokens") or 10**6, self.max_model_len - self._count(body))
        cut = len(pieces) > room or self.fault == "truncated"
        return {"pieces": pieces[:room], "calls": [], "ended": "length" if cut else "stop"}

    def _whole(self, index: int, choice: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        text = "".join(choice["pieces"])
        empty = self.fault == "no_content" or choice["calls"]
        message = {"role": "assistant", "content": None if empty else text, "refusal": None}
        if choice["calls"]:
            message["tool_calls"] = choice["calls"]
        return {
            "index": index,
            "message": None if self.fault == "no_message" else message,
            "finish_reason": choice["ended"],
            "logprobs": self._logprobs(choice["pieces"]) if body.get("logprobs") else None,
        }

    def _logprobs(self, pieces: list[str]) -> dict[str, Any]:
        tokens = [
            _token(word, -0.5)
            | {"top_logprobs": [_token(*one) for one in self.alternatives.get(word, {}).items()]}
            for word in (piece.strip() for piece in pieces)
        ]
        return {"content": tokens, "refusal": None}

    async def _stream(
        self,
        request: web.Request,
        body: dict[str, Any],
        head: dict[str, Any],
        choices: list[dict[str, Any]],
        usage: dict[str, Any],
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)

        async def send(**more: Any) -> None:
            event = head | {"object": "chat.completion.chunk"} | more
            await response.write(f"data: {json.dumps(event)}\n\n".encode())

        for index, choice in enumerate(choices):
            await send(choices=[_delta(index, {"role": "assistant", "content": ""})])
            for delta in _call_deltas(choice["calls"]):
                await send(choices=[_delta(index, delta)])
            pieces = choice["pieces"]
            while self.fault == "endless":
                await send(choices=[_delta(index, {"content": "and so on "})])
            for at, piece in enumerate(pieces):
                if self.fault == "cut_stream" and at >= len(pieces) // 2 and request.transport is not None:
                    request.transport.close()
                    return response
                told = self._logprobs([piece]) if body.get("logprobs") else None
                await send(choices=[_delta(index, {"content": piece}) | {"logprobs": told}])
            await send(choices=[_delta(index, {}) | {"finish_reason": choice["ended"]}])
        if (body.get("stream_options") or {}).get("include_usage"):
            await send(choices=[], usage=usage)
        await response.write(b"data: [DONE]\n\n")
        return response

    def _metrics(self) -> str:
        label = f'{{engine="0",model_name="{self.models[0]}"}}'
        figures = {
            "num_requests_running": ("gauge", self.running),
            "num_requests_waiting": ("gauge", self.waiting),
            "prefix_cache_queries_total": ("counter", self.cache_queries),
            "prefix_cache_hits_total": ("counter", self.cache_hits),
        }
        return "".join(
            f"# HELP vllm:{name} as vLLM tells it\n# TYPE vllm:{name} {kind}\nvllm:{name}{label} {float(value)}\n"
            for name, (kind, value) in figures.items()
        )


def rendered(body: dict[str, Any]) -> bytes:
    """The prompt of a request as a ChatML template writes it, with the beginning of the reply."""
    if "prompt" in body:
        return str(body["prompt"]).encode()
    turns = [
        f"<|im_start|>{message['role']}\n{_text(message)}<|im_end|>\n" for message in body.get("messages", [])
    ]
    return "".join([*turns, "<|im_start|>assistant\n"]).encode("utf-8", "replace")


def _text(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "<image>") for part in content)


def _parts(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        part
        for message in messages
        if isinstance(message.get("content"), list)
        for part in message["content"]
    ]


def _delta(index: int, delta: dict[str, Any]) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}


def _call_deltas(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A call's name, then its arguments in two pieces."""
    deltas = []
    for number, call in enumerate(calls):
        written = call["function"]["arguments"]
        half = len(written) // 2
        first = {"index": number} | call | {"function": {"name": call["function"]["name"], "arguments": ""}}
        pieces = [
            {"index": number, "function": {"arguments": part}} for part in (written[:half], written[half:])
        ]
        deltas += [{"tool_calls": [piece]} for piece in (first, *pieces)]
    return deltas


def _token(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "bytes": list(text.encode())}


def _model(name: str, root: str, parent: str | None, max_model_len: int | None) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "created": 1_760_000_000,
        "owned_by": "vllm",
        "root": root,
        "parent": parent,
        "max_model_len": max_model_len,
    }


_KINDS = {
    400: "BadRequestError",
    401: "AuthenticationError",
    404: "NotFoundError",
    500: "InternalServerError",
}


def _missing(keys: list[str]) -> str:
    lines = [f"  {{'type': 'missing', 'loc': 'body.{key}', 'msg': 'Field required'}}" for key in keys]
    return "\n".join([f"{len(keys)} validation error{'s' if len(keys) > 1 else ''}:", *lines])


def _error(status: int, message: str, kind: str = "", param: str | None = None) -> web.Response:
    told = {"message": message, "type": kind or _KINDS.get(status, "error"), "param": param, "code": status}
    return web.json_response({"error": told}, status=status)
