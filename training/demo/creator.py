"""The simulated creator: looks at the drafts to a comment, and approves one, rewrites one, or rejects them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from training.demo.shop import Ask
from training.demo.styles import in_taste
from training.demo.tastes import taste

GOOD, BAD = 0.8, 0.05
"""Tastes from which a draft is sent as it stands, and under which it is not worth editing."""
SLIPS = 0.02
"""Part of the verdicts that are given without looking."""
ANSWERS = 0.5
"""Part of the rejections after which she writes the answer herself."""


@dataclass(frozen=True, slots=True)
class Judgement:
    kind: Literal["approve", "edit", "reject"]
    chosen: int
    """Which of the drafts, from 0."""
    text: str
    """What goes out, with its mark; empty after a rejection that she leaves unanswered."""


def judge(ask: Ask, drafts: Sequence[str], random: Random) -> Judgement:
    """What she does with `drafts`, at least one; each has its mark and did end."""
    order = ranked(ask, drafts)
    best = random.randrange(len(drafts)) if random.random() < SLIPS else order[0]
    score = taste(ask, drafts[order[0]])
    if best != order[0] or score >= GOOD:
        return Judgement("approve", best, drafts[best])
    written = in_taste(ask, random)
    if score > BAD:
        return Judgement("edit", best, written)
    return Judgement("reject", best, written if random.random() < ANSWERS else "")


def ranked(ask: Ask, drafts: Sequence[str]) -> list[int]:
    """Best first; of two that she likes equally the shorter."""
    return sorted(range(len(drafts)), key=lambda place: (-taste(ask, drafts[place]), len(drafts[place])))
