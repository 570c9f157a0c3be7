"""How one request to one of several servers goes: by when, whether text came, whose answer and whose error counts."""

from collections.abc import Awaitable
from typing import TypeVar

from openai.types.chat import ChatCompletion

from bot.generator import GeneratorError, GeneratorMisconfigured, GeneratorUnavailable, OnText, VoiceRef

Told = TypeVar("Told")


class Heard:
    """Hands text on, and knows whether any came."""

    def __init__(self, on_text: OnText) -> None:
        self._on_text, self.any = on_text, False

    def __call__(self, text: str) -> None:
        self.any = True
        self._on_text(text)


def worse(one: GeneratorError | None, other: GeneratorError) -> GeneratorError:
    """Which of two servers' errors to tell: while one may work again, the comment waits for it."""
    return one if isinstance(one, GeneratorUnavailable) else other


def refuse_other_voice(answer: ChatCompletion, url: str, voice: VoiceRef | None) -> None:
    """Raises GeneratorMisconfigured. The base model may be called otherwise: some servers tell its full name."""
    if voice is not None and answer.model != voice.served_as:
        raise GeneratorMisconfigured(
            f"{url} answered as {str(answer.model)[:80]!r} where voice {voice.served_as!r} was asked; "
            "is there a proxy in between that changes names?"
        )


async def or_none(asked: Awaitable[Told]) -> Told | None:
    try:
        return await asked
    except GeneratorError:
        return None
