"""How well `bot.masking` finds what it must hide, on texts with what is to be hidden in them.

`python -m tests.masking` prints precision and recall by language.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.masking import Mask

PAYLOADS = Path(__file__).parent / "payloads"


@dataclass
class Score:
    hidden: int = 0
    to_hide: int = 0
    right: int = 0
    found: int = 0

    @property
    def recall(self) -> float:
        return self.hidden / self.to_hide

    @property
    def precision(self) -> float:
        return self.right / self.found


def rows(name: str = "masking") -> list[dict[str, Any]]:
    return list(json.loads((PAYLOADS / f"{name}.json").read_text(encoding="utf-8")))


def masked(text: str) -> tuple[str, Mapping[str, str]]:
    mask = Mask("1", "")
    mask.learn(text)
    return mask.apply(text), mask.known


def score(given: Iterable[Mapping[str, Any]], *, show: bool = False) -> Score:
    total = Score()
    for row in given:
        left, known = masked(row["text"])
        total.to_hide += len(row["hidden"])
        missed = [value for value in row["hidden"] if value in left]
        wrong = [value for value in known if not _meant(value, row["hidden"])]
        total.hidden += len(row["hidden"]) - len(missed)
        total.found += len(known)
        total.right += len(known) - len(wrong)
        if show and (missed or wrong):
            print(f"  {row['text']!r}: missed {missed}, wrong {wrong}, left {left!r}")
    return total


def _meant(value: str, hidden: Iterable[str]) -> bool:
    return any(one in value or value in one or _digits(one) == _digits(value) != "" for one in hidden)


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


if __name__ == "__main__":
    for name in ("masking", "masking_unseen"):
        for language in ("en", "zh"):
            one = score((row for row in rows(name) if row["language"] == language), show=True)
            print(
                f"{name} {language}: precision {one.precision:.3f} ({one.right}/{one.found}), "
                f"recall {one.recall:.3f} ({one.hidden}/{one.to_hide})"
            )
