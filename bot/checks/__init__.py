"""Checks of a reply before it may go out. Pure: a reply and what it was written from in, findings out.

A finding never changes a reply; `bot.policy.decide` sends every reply with findings to a person. What the reply says is
compared with its sources by words, numbers and names (`grounding`, `facts`), how it says it by rules (`manner`), and
what the comment takes for granted with the sources too (`premise`).
"""

from bot.checks import facts as stated
from bot.checks import grounding, manner, premise
from bot.checks.findings import Check, CheckFacts, Code, Finding
from bot.triage import is_blank

__all__ = ["CheckFacts", "Code", "Finding", "check"]


def check(reply: str, facts: CheckFacts) -> tuple[Finding, ...]:
    """All findings, in the order of the checks. An empty reply has that one finding only."""
    if is_blank(reply):
        return (Finding(Code.EMPTY, (0, len(reply)), ""),)
    return tuple(finding for one in _CHECKS for finding in one(reply, facts))


_CHECKS: tuple[Check, ...] = (
    manner.wordless,
    manner.length,
    manner.too_many_sentences,
    manner.language,
    stated.numbers,
    stated.dates,
    stated.links,
    stated.emails,
    stated.mentions,
    stated.addresses,
    grounding.names,
    grounding.support,
    grounding.negation,
    premise.false_premise,
    manner.leaks,
    manner.refusal,
    manner.promises,
    manner.echo,
    manner.banned,
    manner.repeated,
)
