"""What an answer is made of. The client hands through whatever came, unchecked; here it is looked at once."""

from typing import Any

from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel, ConfigDict, Field


class _Shape(BaseModel):
    """Only what is read of an answer: servers differ in the rest."""

    model_config = ConfigDict(from_attributes=True)


class _Alternative(_Shape):
    token: str
    logprob: float


class _Token(_Alternative):
    top_logprobs: list[_Alternative] | None = None


class _Logprobs(_Shape):
    content: list[_Token] | None


class _Usage(_Shape):
    prompt_tokens: int = Field(ge=0, lt=1 << 31)
    prompt_tokens_details: "_Details | None" = None


class _Details(_Shape):
    cached_tokens: int | None = Field(default=None, ge=0, lt=1 << 31)


class _Function(_Shape):
    name: str
    arguments: str


class _Call(_Shape):
    id: str
    function: _Function


class _Message(_Shape):
    content: str | None
    tool_calls: list[_Call] | None = None


class _Choice(_Shape):
    message: _Message | None
    finish_reason: str | None
    logprobs: _Logprobs | None = None


class _Completion(_Shape):
    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


class _FunctionPiece(_Shape):
    name: str | None
    arguments: str | None


class _CallPiece(_Shape):
    index: int
    id: str | None
    function: _FunctionPiece | None


class _Delta(_Shape):
    content: str | None
    tool_calls: list[_CallPiece] | None = None


class _ChoicePiece(_Shape):
    index: int
    delta: _Delta | None
    finish_reason: str | None
    logprobs: _Logprobs | None = None


class _Chunk(_Shape):
    choices: list[_ChoicePiece] | None
    usage: _Usage | None = None


def as_completion(answer: Any) -> ChatCompletion | None:
    """`answer` where it is a completion with at least one choice; None: it is something else."""
    return answer if isinstance(answer, ChatCompletion) and _fits(_Completion, answer) else None


def as_chunk(piece: Any) -> ChatCompletionChunk | None:
    """`piece` where it is one of a completion; None: it is something else, an error for example."""
    return piece if isinstance(piece, ChatCompletionChunk) and _fits(_Chunk, piece) else None


def _fits(shape: type[_Shape], value: object) -> bool:
    try:
        shape.model_validate(value)
    except ValueError:
        return False
    return True
