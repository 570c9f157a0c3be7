"""How often the checks are wrong, and what they cost, on questions and paragraphs of SQuAD 2 and CMRC 2018.

Run: python -m tests.bench.checks EVAL_FOLDER [HOW_MANY]. For each question a reply is made of the sentence that holds
the answer (`sentence`), and of the question's own words with the answer (`statement`: other words than the documents').
It is checked against four paragraphs with the right one among them (`own`: findings are false alarms) and against four
others, of the same article where there are enough (`other`: findings are right). `premise` counts good questions that
are held back for what they take for granted.
"""

import json
import random
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import process_time
from typing import Any

from bot.checks import CheckFacts, check
from bot.checks.premise import holds, premises
from knowledge.splitter import sentences

SETS = {"en": "squad2-en", "zh": "cmrc2018-zh"}
Rows = list[dict[str, Any]]


def measure(folder: Path, language: str, count: int) -> dict[str, float]:
    """Shares by kind of reply and place of the answer, and milliseconds of processor time for one check."""
    corpus, questions = _rows(folder / "corpus.jsonl"), _rows(folder / "queries.jsonl")
    by_id = {row["id"]: row for row in corpus}
    good = [row for row in questions if row["answerable"]]
    dice = random.Random(1)
    found, seen, spent = Counter[str](), Counter[str](), []
    for row in dice.sample(good, min(count, len(good))):
        others = _others(by_id, row["doc_id"], dice)
        own = by_id[row["doc_id"]]["text"]
        for kind, reply in _replies(row, own, language):
            for place, sources in (("own", (own, *others[:3])), ("other", tuple(others))):
                started = process_time()
                findings = check(reply, CheckFacts("?", language, sources, 2000))
                spent.append(process_time() - started)
                seen[f"{kind}_{place}"] += 1
                found[f"{kind}_{place}"] += bool(findings)
    spent.sort()
    shares = {name: found[name] / seen[name] for name in sorted(seen)}
    shares["premise"] = sum(_held_back(row, by_id) for row in good) / len(good)
    return {f"{name}_{language}": round(share, 4) for name, share in shares.items()} | {
        f"ms_p50_{language}": round(spent[len(spent) // 2] * 1000, 2),
        f"ms_p95_{language}": round(spent[len(spent) * 95 // 100] * 1000, 2),
    }


def _held_back(row: dict[str, Any], by_id: Mapping[str, dict[str, Any]]) -> bool:
    return any(not holds(one, (by_id[row["doc_id"]]["text"],)) for one in premises(row["text"]))


def _replies(row: dict[str, Any], text: str, language: str) -> Iterator[tuple[str, str]]:
    answer = row["answers"][0]
    colon, stop = ("：", "。") if language == "zh" else (": ", ".")
    yield "statement", f"{row['text'].rstrip('?？。 ')}{colon}{answer}{stop}"
    yield from (("sentence", one) for one in sentences(text) if answer in one)


def _others(by_id: Mapping[str, dict[str, Any]], own: str, dice: random.Random) -> Sequence[str]:
    """Four paragraphs beside `own`, of its article where it has so many."""
    near = [one["text"] for key, one in by_id.items() if one["title"] == by_id[own]["title"] and key != own]
    far = [by_id[key]["text"] for key in dice.sample([*by_id], 8) if key != own]
    return dice.sample(near, 4) if len(near) >= 4 else [*near, *far][:4]


def _rows(path: Path) -> Rows:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def main() -> None:
    folder, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 400
    figures: dict[str, float] = {}
    for language, name in SETS.items():
        figures |= measure(folder / name, language, count)
    for name, value in figures.items():
        print(f"{name:24}{value:8}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
