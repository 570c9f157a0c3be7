"""Two voices answer the same comments; nothing is sent, nothing is kept."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sqlmodel import Session

from bot.answer import Answerer
from bot.generator import GeneratorError, VoiceRef
from bot.question import Answer, Question
from bot.responder import question
from bot.store import voices as registry
from bot.store.drafting import Work
from bot.store.voices import ChangeRefused
from bot.voices.keeper import voice_ref

BASE = "base"
"""Names the base model where a voice is asked for."""


@dataclass(frozen=True, slots=True)
class Side:
    """What one voice made of one comment."""

    text: str
    decision: str
    """send, review, skip or, where no reply could be had, error."""
    reason: str
    """A `bot.reasons.Reason`; of an error, its message."""
    findings: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Compared:
    """`sides`: one for each voice, in the order in which they were named."""

    work: Work
    sides: tuple[Side, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """One voice over all comments: how many were decided how, with findings, and its mean length and time."""

    voice: str
    send: int
    review: int
    skip: int
    errors: int
    with_findings: int
    mean_chars: float
    mean_seconds: float


def voice_to_try(session: Session, name: str, data_dir: Path) -> VoiceRef | None:
    """None for the base model. Raises ChangeRefused for one that is not there."""
    if name == BASE:
        return None
    voice = registry.named(session, name)
    if not voice.path:
        raise ChangeRefused(f"the files of {name} were removed; it can answer no more")
    return voice_ref(voice, data_dir)


async def compare(
    works: Sequence[Work],
    voices: Sequence[VoiceRef | None],
    answerer: Answerer,
    *,
    at_once: int,
    on_done: Callable[[Compared], None],
) -> None:
    """Answer each comment with each of `voices` (None: the base model), `at_once` comments at the same time.

    `on_done` gets each comment as soon as it is answered, in any order.
    """
    free = asyncio.Semaphore(at_once)

    async def one(work: Work) -> None:
        async with free:
            sides = [await _side(work, voice, answerer) for voice in voices]
        on_done(Compared(work, tuple(sides)))

    async with asyncio.TaskGroup() as group:
        for work in works:
            group.create_task(one(work))


def summary(voice: str, sides: Sequence[Side]) -> Summary:
    written = [side for side in sides if side.text]

    def number(decision: str) -> int:
        return sum(side.decision == decision for side in sides)

    return Summary(
        voice,
        number("send"),
        number("review"),
        number("skip"),
        number("error"),
        sum(bool(side.findings) for side in sides),
        round(sum(len(side.text) for side in written) / max(1, len(written)), 1),
        round(sum(side.seconds for side in written) / max(1, len(written)), 3),
    )


async def _side(work: Work, voice: VoiceRef | None, answerer: Answerer) -> Side:
    # That somebody has answered it by now is no reason to skip it here.
    return await side_of(replace(question(work), voice=voice, answered_by_human=False), answerer)


async def side_of(asked: Question, answerer: Answerer) -> Side:
    """What the question's voice makes of it; where no reply can be had, why."""
    try:
        return _as_side(await answerer.answer(asked))
    except GeneratorError as error:
        return Side("", "error", str(error), (), 0.0)


def _as_side(answer: Answer) -> Side:
    findings = tuple(finding.code.value for finding in answer.findings)
    return Side(
        answer.text, answer.decision.action, answer.decision.reason.value, findings, round(answer.seconds, 3)
    )
