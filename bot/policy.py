"""What becomes of a comment: `triage` before anything is written, `decide` afterwards. Pure.

Nothing is sent unless the channel's owner has opened that kind of comment; doubt always ends with a person.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bot.checks import Code, Finding
from bot.generator import Completion, ToolStep
from bot.intents import Intent, classify
from bot.reasons import Reason
from bot.triage import injection_sign, is_blank, is_emoji_only, spam_sign
from knowledge.base import ScoredPassage


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with a comment, and why."""

    action: Literal["send", "review", "skip"]
    reason: Reason
    detail: str = ""
    """What exactly led to it: the matched words, the codes of the findings, the figures."""


@dataclass(frozen=True, slots=True)
class CommentFacts:
    """What `triage` knows of a comment."""

    text: str
    language: str
    is_own: bool = False
    answered_by_human: bool = False
    """The creator, or anyone with the account, has answered it since."""
    has_pictures: bool = False
    """The comment itself shows something."""


@dataclass(frozen=True, slots=True)
class TriageRules:
    max_comment_chars: int = 5000
    languages: frozenset[str] = frozenset({"en", "zh"})
    """Languages that replies are written in; `und` (too short to tell) always passes."""
    praise: Literal["skip", "review"] = "skip"
    """What becomes of thanks and praise that ask nothing."""


@dataclass(frozen=True, slots=True)
class DraftFacts:
    """What `decide` knows of a draft."""

    answered: bool
    support: float
    """Probability that the passages which the draft cites answer the comment; see `draft_support`."""
    intent: Intent
    findings: tuple[Finding, ...] = ()
    steps: tuple[ToolStep, ...] = ()
    unseen: tuple[str, ...] = ()
    """Why each picture that counts was not looked at."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    min_support: float = 0.6
    """Least probability that the passages answer, for a reply to go out without a person."""


@dataclass(frozen=True, slots=True)
class ChannelRules:
    """What the owner has opened up on one channel. By default nothing: everything goes to review."""

    send_intents: frozenset[str] = frozenset()
    min_support: float | None = None
    """Takes the place of the threshold where it is set; 0 asks for no support at all."""
    send_tools: bool = False
    """A reply may rest on what a tool said, where the passages don't support it."""


def triage(facts: CommentFacts, rules: TriageRules | None = None) -> Decision | None:
    """The decision that needs no draft; None where one is to be written."""
    rules = rules if rules is not None else TriageRules()
    by_place = _triage_place(facts)
    if by_place:
        return by_place
    decision = _triage_form(facts, rules) or _triage_text(facts, rules)
    if decision is not None and facts.has_pictures and decision.reason in _SAYS_NOTHING:
        return Decision("review", Reason.PICTURES, decision.reason)
    return decision


_SAYS_NOTHING = frozenset({Reason.EMPTY, Reason.EMOJI_ONLY, Reason.NOTHING_TO_ANSWER})
"""What holds of a comment's text alone: its picture may be the question."""


def _triage_form(facts: CommentFacts, rules: TriageRules) -> Decision | None:
    if is_blank(facts.text):
        return Decision("skip", Reason.EMPTY)
    if len(facts.text) > rules.max_comment_chars:
        return Decision("review", Reason.TOO_LONG, f"{len(facts.text)} > {rules.max_comment_chars}")
    return None


def _triage_place(facts: CommentFacts) -> Decision | None:
    if facts.is_own:
        return Decision("skip", Reason.OWN_COMMENT)
    if facts.answered_by_human:
        return Decision("skip", Reason.ANSWERED_BY_HUMAN)
    return None


def _triage_text(facts: CommentFacts, rules: TriageRules) -> Decision | None:
    if is_emoji_only(facts.text):
        asks = any(mark in facts.text for mark in "?？❓❔🆘") or "[疑问]" in facts.text
        return Decision("review" if asks else "skip", Reason.EMOJI_ONLY)
    intent = classify(facts.text)
    if spam := spam_sign(facts.text, asks=intent == "question"):
        # A spammer who asks costs a person one look; a viewer's question that is skipped is never seen.
        return Decision("skip" if intent in ("praise", "other") else "review", Reason.SPAM, spam)
    if injection := injection_sign(facts.text):
        return Decision("review", Reason.INJECTION, injection)
    if intent == "praise":
        return Decision(rules.praise, Reason.NOTHING_TO_ANSWER)
    if facts.language not in rules.languages | {"und"}:
        return Decision("review", Reason.UNSUPPORTED_LANGUAGE, facts.language)
    return None


def decide(draft: DraftFacts, thresholds: Thresholds, rules: ChannelRules) -> Decision:
    """Send or review; the first reason in the order of a person's interest."""
    least = least_support(thresholds, rules)
    if evidence := _evidence_missing(draft):
        return evidence
    by_tools = [step.tool for step in draft.steps if step.grounds] if draft.support < least else []
    if not draft.answered or (draft.support < least and not by_tools):
        return Decision("review", Reason.NOT_IN_DOCUMENTS, f"support {draft.support:.2f}, needed {least:.2f}")
    premise = next((f for f in draft.findings if f.code is Code.FALSE_PREMISE), None)
    if premise is not None:
        return Decision("review", Reason.FALSE_PREMISE, premise.text)
    codes = list(dict.fromkeys(finding.code for finding in draft.findings))
    if codes:
        reason = Reason.LANGUAGE if codes == [Code.LANGUAGE] else Reason.CHECKS
        return Decision("review", reason, ", ".join(codes))
    if by_tools and not rules.send_tools:
        return Decision("review", Reason.TOOLS_NOT_OPENED, ", ".join(dict.fromkeys(by_tools)))
    if draft.intent not in rules.send_intents:
        return Decision("review", Reason.NOT_OPENED, draft.intent)
    tools = f", tools: {', '.join(dict.fromkeys(by_tools))}" if by_tools else ""
    return Decision("send", Reason.GROUNDED, f"support {draft.support:.2f}{tools}")


def _evidence_missing(draft: DraftFacts) -> Decision | None:
    failed = [step for step in draft.steps if step.failed]
    if failed:
        return Decision("review", Reason.TOOL_FAILED, f"{failed[0].tool}: {failed[0].result}")
    if draft.unseen:
        return Decision("review", Reason.PICTURES, draft.unseen[0])
    return None


def least_support(thresholds: Thresholds, rules: ChannelRules) -> float:
    """The probability that a reply of this channel needs to go out without a person."""
    return thresholds.min_support if rules.min_support is None else rules.min_support


def draft_support(completion: Completion, passages: Sequence[ScoredPassage]) -> float:
    """Best support among the cited passages; 0 for a draft that cites none."""
    return max((passages[i].support for i in completion.citations), default=0.0)
