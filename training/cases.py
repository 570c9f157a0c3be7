"""Which comments candidate and live voice are compared on."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bot.prompt import prompt_hash
from training.rows import Prompt, read_pairs, read_prompts, read_supervised

_Row = TypeVar("_Row")

HELD_PART = 0.75
"""Of the prompts, at least, where there are so many held out: past comments come after."""


@dataclass(frozen=True, slots=True)
class Case:
    """A comment that both voices answer."""

    prompt: Prompt
    human: str
    """What a person wrote or approved; empty where nobody did."""


def read_cases(snapshot: Path, count: int, seed: int) -> list[Case]:
    """At most `count` different prompts, held-out ones first; the same for the same seed. Raises BadData, OSError."""
    held = [Case(row.prompt, row.completion) for row in read_supervised(snapshot / "sft-held.jsonl")]
    held += [Case(row.prompt, row.chosen) for row in read_pairs(snapshot / "pairs-held.jsonl")]
    past = [Case(prompt, "") for prompt in read_prompts(snapshot / "replay.jsonl")]
    known: dict[str, Case] = {}
    for case in (*held, *past):
        known.setdefault(prompt_hash(case.prompt.messages), case)
    told, untold = (
        drawn([one for one in known.values() if bool(one.human) is wanted], count, seed)
        for wanted in (True, False)
    )
    first = told[: max(count - len(untold), round(count * HELD_PART))]
    return [*first, *untold][:count]


def drawn(rows: Sequence[_Row], count: int, seed: int) -> list[_Row]:
    """At most so many by lot, in an order by lot."""
    lot = random.Random(seed)  # noqa: S311 - a draw, no secret
    return lot.sample(rows, min(count, len(rows)))
