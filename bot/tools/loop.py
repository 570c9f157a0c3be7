"""Lets the model call the owner's tools before it writes: at most three calls, each checked, bounded and recorded."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from openai.types.chat import ChatCompletion
from openai.types.chat.chat_completion import Choice

from adapters.text import clean
from bot.generator import GenerationRequest, GeneratorMisconfigured, RequestRefused, ToolStep
from bot.numerals import amounts
from bot.prompt import TOOL_RULES, Message, tool_turn
from bot.schema import problem
from bot.tools.base import BadArguments, Tool, ToolError, shortened

MAX_STEPS = 3
MAX_FAILURES = 2
"""The model is told what was wrong with a call, and may mend it once."""
MAX_RESULT_CHARS, MAX_ERROR_CHARS, MAX_ARGUMENT_CHARS, MAX_NAME_CHARS = 1200, 300, 2000, 40
RESULT_TOKENS = 800
"""Room of the prompt that is kept free for the calls and what tools say, all of them together."""
BYTES_A_TOKEN = 3
"""About: a Chinese character, or most of an English word; numbers and names take fewer."""
FORM_TOKENS = 200
"""What a chat template says about how tools are called."""
LEAST_RESULT = 60
"""Bytes of room under which no call is worth making."""
FREE_NUMBERS = frozenset({"0", "1", "100"})
"""May be reckoned with although they stand nowhere."""

Ask = Callable[[Sequence[Message], dict[str, Any]], Awaitable[ChatCompletion]]
"""Asks the model: messages, and options of the request as the API names them."""


@dataclass(frozen=True, slots=True)
class Call:
    """What the model asks for."""

    key: str
    tool: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Consulted:
    """How far the model came."""

    messages: list[Message]
    """What it is to be asked with for its reply."""
    steps: tuple[ToolStep, ...] = ()
    choice: Choice | None = None
    """What it wrote when it called no further tool; None where it was not let go on."""


class Toolbox:
    """The owner's tools, as the model meets them. `timeout_s` is the longest that one call may take."""

    def __init__(self, tools: Sequence[Tool], *, timeout_s: float) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._timeout_s = timeout_s
        self._tried = False

    def __bool__(self) -> bool:
        return bool(self._tools)

    @property
    def tokens(self) -> int:
        """What the tools take of a prompt, about."""
        if not self:
            return 0
        said = json.dumps(self.options(may_call=True), ensure_ascii=False) + TOOL_RULES
        return RESULT_TOKENS + FORM_TOKENS + _bytes(said) // BYTES_A_TOKEN

    def options(self, *, may_call: bool) -> dict[str, Any]:
        """For a request; the tools stand in it also when none may be called, so that the prompt begins the same."""
        return (
            {}
            if not self
            else {
                "tools": [_declared(tool) for tool in self._tools.values()],
                "tool_choice": _CHOICE[may_call],
            }
        )

    async def consult(self, messages: Sequence[Message], request: GenerationRequest, ask: Ask) -> Consulted:
        """Asks nothing where there are no tools. Raises what `ask` raises; a tool that fails is a failed step."""
        if not self:
            return Consulted(list(messages))
        talk, steps, known = list(messages), list[ToolStep](), _known_numbers(request)
        left = RESULT_TOKENS * BYTES_A_TOKEN
        while (
            len(steps) < MAX_STEPS
            and sum(step.failed for step in steps) < MAX_FAILURES
            and left > LEAST_RESULT
        ):
            choice = (await _asked(ask, talk, {"n": 1, **self.options(may_call=True)})).choices[0]
            if broken := broken_off(choice):
                return Consulted(talk, (*steps, broken))
            calls = calls_of(choice)[: MAX_STEPS - len(steps)]
            if not calls:
                return Consulted(talk, tuple(steps), choice)
            done = []
            for call in calls:
                left -= _bytes("".join(_written(call)))
                step, said = await self._step(call, known, left)
                done.append((step, said))
                known |= set(amounts(step.result))
                left -= _bytes(said)
            talk += tool_turn([_written(call) for call in calls], [said for _, said in done])
            steps += [step for step, _ in done]
        return Consulted(talk, tuple(steps))

    async def try_out(self, chat: Callable[..., Awaitable[ChatCompletion]]) -> None:
        """Once, whether the server takes tools. Raises GeneratorError, GeneratorMisconfigured with the flags to set."""
        if not self or self._tried:
            return
        probe = [{"role": "user", "content": "Hello."}]
        await _asked(
            lambda messages, options: chat(messages, **options),
            probe,
            {"max_tokens": 1, **self.options(may_call=True)},
        )
        self._tried = True

    async def _step(self, call: Call, known: set[str], room: int) -> tuple[ToolStep, str]:
        """What is recorded, and what the model is told: a result has at most `room` bytes."""
        name, written = clean(call.tool)[:MAX_NAME_CHARS], clean(call.arguments)[:MAX_ARGUMENT_CHARS]
        try:
            result = await self._result(call, known, room)
        except BadArguments as error:
            said = clean(str(error))[:MAX_ERROR_CHARS]
            return ToolStep(name, written, said, failed=True), f"error: {said}"
        except ToolError as error:
            # The model is not told more: the line may hold an address of the owner's.
            return ToolStep(
                name, written, clean(str(error))[:MAX_RESULT_CHARS], failed=True
            ), "error: out of order"
        grounds = bool(result) and self._tools[call.tool].grounds
        return ToolStep(name, written, result, grounds=grounds), result or "nothing was found"

    async def _result(self, call: Call, known: set[str], room: int) -> str:
        tool = self._tools.get(call.tool)
        if tool is None:
            raise BadArguments(f"there is no tool {call.tool[:40]!r}; there are: {', '.join(self._tools)}")
        arguments = read_arguments(call.arguments)
        if found := problem(arguments, tool.schema):
            raise BadArguments(found)
        if room < LEAST_RESULT:
            raise BadArguments("there is no room left for another result")
        if not tool.grounds:
            _refuse_invented(call.arguments, known)
        try:
            async with asyncio.timeout(self._timeout_s):
                return _within(room, clean(await tool.call(arguments)).strip())
        except TimeoutError as error:
            raise ToolError(f"{call.tool} did not answer within {self._timeout_s:g} s") from error


def _within(room: int, text: str) -> str:
    """`text` in at most `room` bytes."""
    fits = len(text.encode()[:room].decode(errors="ignore"))
    return shortened(text, min(MAX_RESULT_CHARS, fits))


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


async def _asked(ask: Ask, messages: Sequence[Message], options: dict[str, Any]) -> ChatCompletion:
    try:
        return await ask(messages, options)
    except RequestRefused as error:
        if "tool" not in str(error):
            raise
        raise GeneratorMisconfigured(
            f"{error}; the settings declare tools, so start the server with "
            "--enable-auto-tool-choice --tool-call-parser NAME (such as hermes for Qwen), or take the tools out"
        ) from error


_CHOICE = {True: "auto", False: "none"}


def read_arguments(written: str) -> dict[str, Any]:
    """The JSON object that the model wrote. Raises BadArguments."""
    if len(written) > MAX_ARGUMENT_CHARS:
        raise BadArguments(f"the arguments are longer than {MAX_ARGUMENT_CHARS} characters")
    try:
        found = json.loads(written or "{}", parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise BadArguments("the arguments are no JSON; write one JSON object") from error
    if not isinstance(found, dict):
        raise BadArguments("the arguments must be one JSON object")
    return found


def calls_of(choice: Choice) -> list[Call]:
    """The tools that the model calls, in its order."""
    given = choice.message.tool_calls if choice.message is not None else None
    return [
        Call(f"call-{number}", call.function.name or "", call.function.arguments or "")
        for number, call in enumerate(given or ())
        if call.type == "function"
    ]


def broken_off(choice: Choice) -> ToolStep | None:
    """The step that a call comes to which the limit of tokens cut off: vLLM hands it over as the text of a reply."""
    written = (choice.message.content if choice.message is not None else None) or ""
    if choice.finish_reason != "length" or "<tool_call>" not in written:
        return None
    return ToolStep(
        "", clean(written)[:MAX_ARGUMENT_CHARS], "the call broke off; raise generator.max_tokens", True
    )


def _declared(tool: Tool) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.schema, "strict": True}
    return {"type": "function", "function": function}


def _written(call: Call) -> tuple[str, str, str]:
    """As it stands in the next request: servers refuse a turn whose arguments are no JSON object."""
    try:
        arguments = json.dumps(read_arguments(call.arguments), ensure_ascii=False)
    except BadArguments:
        arguments = "{}"
    return call.key, clean(call.tool)[:MAX_NAME_CHARS], arguments


def _known_numbers(request: GenerationRequest) -> set[str]:
    passages = (scored.passage.text for scored in request.passages)
    thread = (turn.text for turn in request.thread)
    texts = (request.comment, request.post_title, request.post_text, *passages, *thread)
    return {amount for text in texts for amount in amounts(text)} | FREE_NUMBERS


def _refuse_invented(arguments: str, known: set[str]) -> None:
    """A result that is made from invented numbers would pass for a fact."""
    invented = [amount for amount in amounts(arguments) if amount not in known]
    if invented:
        raise BadArguments(
            f"{invented[0]} stands in no passage, no result and not in the comment; use only numbers from there"
        )


def _finite(digits: str) -> float:
    """JSON knows no infinity, but Python makes one of 1e999 and would write it so for the server."""
    number = float(digits)
    return number if isfinite(number) else _refuse_constant(digits)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")
