"""The prompt that a draft was written from, rendered anew from what the ledger keeps. Pure.

Training and serving share one prompt: both come from `bot.prompt.build_messages`. A prompt is exact where its hash is
the draft's: settings, post and thread are as they were. What the ledger does not keep is left out: the bytes of
pictures, and the ids by which a model called tools.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from bot import extractive, verbatim
from bot.generator import GenerationRequest, ThreadTurn
from bot.models import Comment, Draft, Post
from bot.persona import Persona
from bot.prompt import UNKNOWN, Message, build_messages, prompt_hash, tool_turn
from bot.serving.fitting import smaller
from knowledge.base import Passage, ScoredPassage

MOST_TRIES = 40
"""How often a prompt is shortened in search of the one that was sent."""


class Turn(Protocol):
    """An earlier comment of the thread."""

    @property
    def is_own(self) -> bool: ...
    @property
    def text(self) -> str: ...
    @property
    def ingested_at(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class Replay:
    """What a draft was asked with."""

    request: GenerationRequest
    tools: bool
    """The model was told that it may call some."""
    steps: Sequence[Mapping[str, Any]]
    exact: bool
    """The messages are, to the byte, what the model was sent."""

    def messages(self) -> list[Message]:
        """As `bot.prompt.build_messages` gives them, and what the tools said."""
        messages = build_messages(self.request, tools=self.tools)
        for number, step in enumerate(self.steps, start=1):
            said = "error: " * bool(step["failed"]) + (step["result"] or "nothing was found")
            messages += tool_turn([(f"call_{number}", step["tool"], step["arguments"])], [said])
        return messages


def replay(
    draft: Draft, comment: Comment, post: Post, thread: Sequence[Turn], *, persona: Persona, max_chars: int
) -> Replay:
    """`thread`: what stood before the comment, oldest first. `max_chars`: longest reply the platform takes."""
    seen = [turn for turn in thread if turn.ingested_at <= draft.created_at]
    whole = _request(draft, comment, post, seen, persona=persona, max_chars=max_chars)
    asked = draft.model not in (extractive.MODEL, verbatim.MODEL)
    for request, tools in _tries(whole) if asked else ():
        if prompt_hash(build_messages(request, tools=tools)) == draft.prompt_hash:
            return Replay(request, tools, draft.steps, exact=True)
    return Replay(whole, bool(draft.steps), draft.steps, exact=False)


def as_written(text: str, draft: Draft, persona: Persona) -> str:
    """A reply as the model has to write it: without the greeting and signature that are put around it, with the
    marks of the passages that it rests on.

    Marks are the draft's, at the end: where they stood is not kept, and a voice that has learned to write none would
    never be trusted to send. A draft that said it does not know begins as the rules ask.
    """
    body = _unwrapped(text, draft.language, persona)
    if not _answered(text, draft):
        return f"{UNKNOWN} {body}"
    return body + " " * bool(draft.citations) + "".join(f"[{index + 1}]" for index in draft.citations)


def _request(
    draft: Draft, comment: Comment, post: Post, seen: Sequence[Turn], *, persona: Persona, max_chars: int
) -> GenerationRequest:
    return GenerationRequest(
        comment=comment.text,
        language=draft.language,
        post_title=post.title,
        post_text=post.text,
        thread=tuple(ThreadTurn("us" if turn.is_own else "fan", turn.text) for turn in seen),
        passages=tuple(_passage(kept) for kept in draft.passages),
        persona=persona,
        max_chars=max_chars,
        hint=draft.hint,
    )


def _tries(request: GenerationRequest) -> Iterator[tuple[GenerationRequest, bool]]:
    """The request, and the shorter ones that a small context may have made of it: passages would have gone first."""
    shorter: GenerationRequest | None = request
    for _ in range(1 if request.passages else MOST_TRIES):
        if shorter is None:
            return
        yield shorter, False
        yield shorter, True
        shorter = smaller(shorter)


def _passage(kept: Mapping[str, Any]) -> ScoredPassage:
    """From `bot.question.evidence`; rows of older versions hold less."""
    passage = Passage(
        id=kept.get("id", 0),
        document_id=kept.get("document_id", 0),
        source=kept.get("source", ""),
        title=kept.get("title", ""),
        heading=kept.get("heading", ""),
        page=kept.get("page"),
        position=kept.get("position", 0),
        text=kept.get("text", ""),
        language=kept.get("language", "und"),
    )
    return ScoredPassage(passage, kept.get("score", 0.0), kept.get("support", 0.0), kept.get("quote", ""))


def _answered(text: str, draft: Draft) -> bool:
    """A text that a person wrote answers; a candidate's own entry tells whether it does."""
    known = zip(draft.candidates, draft.ranking, strict=False)
    return all(entry.get("answered", True) for candidate, entry in known if candidate == text)


def _unwrapped(text: str, language: str, persona: Persona) -> str:
    """What stands between greeting and signature. A person's text may have one of them, or none."""
    body = text.strip()
    greeting, ending = persona.greeting_in(language), persona.ending_in(language)
    for opening, closing in ((greeting, ending), ("", ending), (greeting, "")):
        inner = body.removeprefix(opening).removesuffix(closing).strip()
        fits = body.startswith(opening) and body.endswith(closing) and (opening or closing)
        if fits and inner:
            return inner
    return body
