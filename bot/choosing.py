"""Which of several candidate replies is the best. Pure.

First what can be wrong: a candidate that answers goes before one that doesn't, and the one with the lighter findings
before the others. Among those alike the reward model decides once there is one; until then the passages' support, how
sure the model was, and how much the candidates agree: what a model says again when asked again is invented less often.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bot.checks import Code, Finding
from bot.generator import Completion
from knowledge import analysis

SUPPORT, SURE, AGREEMENT, LENGTH = 0.5, 0.2, 0.3, 0.1
"""What each counts for in the score; length counts against it."""

_LIGHT = frozenset({Code.SENTENCES, Code.REPEATED, Code.TOO_LONG, Code.PROMISE, Code.NAME})
_GRAVE = frozenset({Code.EMPTY, Code.LEAK, Code.REFUSAL, Code.BANNED, Code.LANGUAGE})
_OF_THE_COMMENT = frozenset({Code.FALSE_PREMISE})


@dataclass(frozen=True, slots=True)
class Candidate:
    completion: Completion
    findings: tuple[Finding, ...]
    support: float
    """Probability, from 0 to 1, that the passages it cites answer the comment."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate with what put it where it is."""

    candidate: Candidate
    place: int
    """Where the generator had it, from 0."""
    logprob: float | None
    """Mean log-probability of its tokens; None where the generator knows none."""
    agreement: float
    """Mean share of terms that it has in common with the others, from 0 to 1; 1 where there are none."""
    score: float
    """The reward, where there is one."""

    def entry(self) -> dict[str, object]:
        """What the ledger keeps of it, one entry for each candidate."""
        return {
            "text": self.place,
            "answered": self.candidate.completion.answered,
            "findings": [finding.code.value for finding in self.candidate.findings],
            "logprob": None if self.logprob is None else round(self.logprob, 4),
            "support": round(self.candidate.support, 4),
            "agreement": round(self.agreement, 4),
            "score": round(self.score, 4),
        }


def rank(candidates: Sequence[Candidate], rewards: Sequence[float] | None = None) -> list[Ranked]:
    """All `candidates`, best first; among equals the generator's own order stands.

    `rewards` are a reward model's scores, one for each candidate, higher is better. Raises ValueError where they are
    not as many.
    """
    if rewards is not None and len(rewards) != len(candidates):
        raise ValueError(f"{len(rewards)} rewards for {len(candidates)} candidates; give one for each")
    agreements = agreement([one.completion.text for one in candidates])
    longest = max((len(one.completion.text) for one in candidates), default=0) or 1
    ranked = []
    for place, one in enumerate(candidates):
        sure = mean_logprob(one.completion)
        score = _score(one, sure, agreements[place], len(one.completion.text) / longest)
        ranked.append(
            Ranked(one, place, sure, agreements[place], score if rewards is None else rewards[place])
        )
    return sorted(ranked, key=lambda found: (*_wrong(found.candidate), -found.score))


def _score(one: Candidate, logprob: float | None, agreed: float, length: float) -> float:
    sure = 0.0 if logprob is None else math.exp(min(logprob, 0.0))
    return SUPPORT * one.support + SURE * sure + AGREEMENT * agreed - LENGTH * length


def _wrong(one: Candidate) -> tuple[bool, int, int]:
    own = [finding for finding in one.findings if finding.code not in _OF_THE_COMMENT]
    return not one.completion.answered, max((_weight(f.code) for f in own), default=0), len(own)


def _weight(code: Code) -> int:
    return 3 if code in _GRAVE else 1 if code in _LIGHT else 2


def mean_logprob(completion: Completion) -> float | None:
    known = completion.logprobs
    return sum(known) / len(known) if known else None


def agreement(texts: Sequence[str]) -> list[float]:
    """For each text the mean share (Jaccard) of its terms that it has in common with each of the others."""
    if len(texts) < 2:
        return [1.0] * len(texts)
    terms = [frozenset(analysis.terms(text)) for text in texts]
    total = [0.0] * len(texts)
    for one in range(len(texts)):
        for other in range(one + 1, len(texts)):
            union = len(terms[one] | terms[other])
            share = len(terms[one] & terms[other]) / union if union else 1.0
            total[one] += share
            total[other] += share
    return [value / (len(texts) - 1) for value in total]
