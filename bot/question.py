"""A comment to answer, what was made of it, and what of that is kept."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bot.checks import Finding
from bot.generator import Completion, ThreadTurn, VoiceRef
from bot.intents import Intent
from bot.pictures import Look
from bot.policy import ChannelRules, Decision
from bot.prompt import MAX_POST_CHARS
from knowledge.base import ScoredPassage


@dataclass(frozen=True, slots=True)
class Question:
    """A comment, with what the answer may depend on."""

    text: str
    language: str
    post_title: str = ""
    post_text: str = ""
    thread: tuple[ThreadTurn, ...] = ()
    is_own: bool = False
    answered_by_human: bool = False
    max_chars: int = 1000
    """Longest reply the platform takes."""
    rules: ChannelRules = field(default_factory=ChannelRules)
    persona: str = ""
    """Name of the persona that answers; empty, or a name that nobody has: the default one."""
    voice: VoiceRef | None = None
    """Who writes; None: the base model."""
    pictures: tuple[str, ...] = ()
    """Addresses of the comment's images."""
    post_pictures: tuple[str, ...] = ()
    """Addresses of the post's images."""
    asked: bool = False
    """A person asks for this draft: it is written whatever the comment is, and nothing goes out by itself."""
    hint: str = ""
    """What that person said about it."""
    scope: frozenset[str] | None = None
    """Tags that the documents must carry one of; None: every document may answer."""

    @property
    def wording(self) -> str:
        """What the documents are searched for."""
        return f"{self.text}\n{self.hint}" if self.hint else self.text

    @property
    def context(self) -> str:
        """What a short comment may refer to."""
        return "\n".join(part for part in (self.post_title, self.post_text[:MAX_POST_CHARS]) if part)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was decided, and everything it was decided from."""

    decision: Decision
    language: str
    intent: Intent | None = None
    """None when triage decided before anything was written."""
    candidates: tuple[Completion, ...] = ()
    """Best first."""
    ranking: tuple[dict[str, Any], ...] = ()
    """Why they stand in that order, one entry for each; see `bot.choosing`."""
    passages: tuple[ScoredPassage, ...] = ()
    findings: tuple[Finding, ...] = ()
    """Of the best candidate."""
    support: float = 0.0
    seconds: float = 0.0
    pictures: tuple[Look, ...] = ()
    """What became of the images of comment and post."""

    @property
    def best(self) -> Completion | None:
        return self.candidates[0] if self.candidates else None

    @property
    def text(self) -> str:
        return self.candidates[0].text if self.candidates else ""


@dataclass(frozen=True, slots=True)
class Bare:
    """What the model writes from nothing but what it knows; for comparison, nobody is ever sent it."""

    completion: Completion
    findings: tuple[Finding, ...]
    """What is wrong with it, and what the documents don't bear out."""
    seconds: float


def evidence(passages: Sequence[ScoredPassage]) -> list[dict[str, Any]]:
    """The passages as JSON, to be kept with the draft."""
    return [
        asdict(scored.passage)
        | {"tags": sorted(scored.passage.tags), "matched": list(scored.matched)}
        | {"score": round(scored.score, 4), "support": round(scored.support, 4), "quote": scored.quote}
        for scored in passages
    ]
