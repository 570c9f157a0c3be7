"""Learns the weights of ranking and of support from documents with questions whose right document is known."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from knowledge.calibration import Calibration
from knowledge.evaluate_data import Dataset, DatasetError
from knowledge.evaluate_figures import auc
from knowledge.evaluate_run import MakeLibrary, OnStep, built
from knowledge.language import detect
from knowledge.logistic import fit_line
from knowledge.ranking import Features, probability
from knowledge.retriever import Judged, LibraryRetriever

RANKING_WORDS = (
    "bm25", "held", "pair", "cover", "window", "dense_words", "adjacent", "head", "exact_missing", "wrong_kind",
)  # fmt: skip
RANKING_VECTORS = ("bm25", "cover", "cosine", "cosine_sentence", "cosine_pair", "both", "adjacent")
SUPPORT_WORDS = (
    "bm25", "cover", "window", "evidence", "exact_missing", "figure_missing", "wrong_kind", "adjacent", "others",
)  # fmt: skip
SUPPORT_VECTORS = (*SUPPORT_WORDS, "cosine", "cosine_pair", "both")
GIVEN = {"model_missing": -5.0}
"""Weights of support that are set, not learned: development data hold too few names of products."""
MOST = {"exact_missing": 0.0, "figure_missing": 0.0, "wrong_kind": -1.5}
"""The largest that these weights may be: what is missing never speaks for an answer, whatever the data say, and a
price that is asked for is not given by a sentence without a figure."""

_CANDIDATES = 80
_RIVALS = 15
_RANKING_PENALTY, _SUPPORT_PENALTY = 30.0, 1.0
_SMALL = (3, 3, 3, 10, 10, 40, 40)
"""Sizes of small libraries, in documents, to learn from beside halves of the whole."""
_HALVES = 4
_MOST = 1000
_LEAST_EXAMPLES = 100


@dataclass(frozen=True, slots=True)
class Example:
    """One question with the results that the retriever judged, best first."""

    group: str
    """Title of the document that the question is of: what is learned on one group is tested on others."""
    results: tuple[tuple[Features, bool], ...]
    """Each with whether it is of the right document."""


def ranking_examples(dataset: Dataset, make: MakeLibrary, on_step: OnStep | None = None) -> list[Example]:
    """Every question that has a right document, asked of the whole library."""
    questions = [row for row in dataset.questions if row.answerable]
    with built([dataset], make, on_step=on_step) as (library, _):
        return list(_asked(dataset, library.retriever(), questions, _CANDIDATES, on_step))


def support_examples(
    dataset: Dataset, make: MakeLibrary, *, seed: int = 0, on_step: OnStep | None = None
) -> list[Example]:
    """Questions asked of libraries from which half of the groups, or all but a few documents, were left out."""
    found: list[Example] = []
    drawn = random.Random(seed)  # noqa: S311  (nothing secret)
    for kept in _libraries(dataset, drawn):
        questions = [row for row in dataset.questions if row.answerable and row.doc_id]
        drawn.shuffle(questions)
        inside = [row for row in questions if row.doc_id in kept][:_MOST]
        titles = {row.title for row in dataset.documents if row.id in kept}
        title_of = {row.id: row.title for row in dataset.documents}
        outside = [
            row
            for row in questions
            if title_of[row.doc_id or ""] not in titles - {""} and row.doc_id not in kept
        ]
        asked = inside + outside[: max(len(inside), 300)]
        without = {dataset.source(row.id) for row in dataset.documents if row.id not in kept}
        with built([dataset], make, without=without) as (library, _):
            found += _asked(dataset, library.retriever(), asked, 1, on_step)
    return found


def _libraries(dataset: Dataset, drawn: random.Random) -> Iterator[frozenset[str]]:
    """The documents that each library keeps."""
    groups: dict[str, list[str]] = {}
    for row in dataset.documents:
        groups.setdefault(row.title or row.id, []).append(row.id)
    names = sorted(groups)
    for _ in range(_HALVES):
        half = set(drawn.sample(names, max(1, len(names) // 2)))
        yield frozenset(number for name in half for number in groups[name])
    ordered = [row.id for row in dataset.documents]
    for size in _SMALL:
        start = drawn.randrange(max(1, len(ordered) - size))
        yield frozenset(ordered[start : start + size])


def _asked(
    dataset: Dataset,
    retriever: LibraryRetriever,
    questions: Sequence[Any],
    results: int,
    on_step: OnStep | None,
) -> Iterator[Example]:
    title_of = {row.id: row.title for row in dataset.documents}
    for done, question in enumerate(questions, 1):
        right = dataset.source(question.doc_id or "")
        judged = retriever.judge(question.text, results)
        yield Example(title_of.get(question.doc_id or "", ""), _marked(judged, right))
        if on_step is not None:
            on_step("ask", done, len(questions))


def _marked(judged: Iterable[Judged], right: str) -> tuple[tuple[Features, bool], ...]:
    return tuple((one.fit.features, one.fit.found.passage.source == right) for one in judged)


def learn_ranking(examples: Sequence[Example], names: Sequence[str]) -> dict[str, float]:
    """Weights under which the right result comes before its nearest rivals."""
    rows: list[list[float]] = []
    for example in examples:
        right = [_values(features, names) for features, is_right in example.results if is_right]
        wrong = [_values(features, names) for features, is_right in example.results if not is_right]
        if right and wrong:
            best = max(right, key=sum)
            wrong.sort(key=sum, reverse=True)
            rows += [[a - b for a, b in zip(best, rival, strict=True)] for rival in wrong[:_RIVALS]]
    # Each difference both ways round, so that neither label is the only one; by symmetry there is no bias.
    mirrored = [[-value for value in row] for row in rows]
    labels = [True] * len(rows) + [False] * len(rows)
    line = fit_line([*rows, *mirrored], labels, penalty=_RANKING_PENALTY, bias=False)
    return _named(names, line.weights)


def learn_support(examples: Sequence[Example], names: Sequence[str]) -> dict[str, float]:
    """Weights for the probability that the best result is right. Raises ValueError without right and wrong ones."""
    best = [example.results[0] for example in examples if example.results]
    line = fit_line(
        [_values(features, names) for features, _ in best],
        [is_right for _, is_right in best],
        penalty=_SUPPORT_PENALTY,
    )
    weights = _named(names, line.weights) | {"bias": round(line.bias, 4)} | GIVEN
    return {name: min(weight, MOST.get(name, weight)) for name, weight in weights.items()}


def _values(features: Features, names: Sequence[str]) -> list[float]:
    return [float(getattr(features, name)) for name in names]


def _named(names: Sequence[str], weights: Sequence[float]) -> dict[str, float]:
    return {name: round(weight, 4) for name, weight in zip(names, weights, strict=True)}


@dataclass(frozen=True, slots=True)
class Learned:
    """A calibration with new weights of support in it."""

    calibration: Calibration
    language: str
    questions: int
    auc: float
    """Of right against wrong best results, for the questions that it was learned from."""


def calibrate(
    known: Calibration,
    dataset: Dataset,
    make: MakeLibrary,
    signature: Sequence[float] | None,
    on_step: OnStep | None = None,
) -> Learned:
    """`known` with support learned on `dataset`, for its language and the embedder with `signature`.

    Raises DatasetError when the questions are too few or too much alike to learn from.
    """
    language = _language(dataset)
    names = SUPPORT_WORDS if signature is None else SUPPORT_VECTORS
    examples = [one for one in support_examples(dataset, make, on_step=on_step) if one.results]
    right = [one.results[0][0] for one in examples if one.results[0][1]]
    wrong = [one.results[0][0] for one in examples if not one.results[0][1]]
    if min(len(right), len(wrong)) < _LEAST_EXAMPLES:
        raise DatasetError(
            f"{dataset.name} is too small to learn from: {len(right)} questions that are answered and {len(wrong)} "
            f"that are not, once documents are left out; at least {_LEAST_EXAMPLES} of each are needed"
        )
    weights = learn_support(examples, names)
    return Learned(
        known.updated(language, weights, signature),
        language,
        len(examples),
        auc([probability(one, weights) for one in right], [probability(one, weights) for one in wrong]),
    )


def _language(dataset: Dataset) -> str:
    """What most of its questions are written in."""
    counted = Counter(detect(row.text) for row in dataset.questions)
    return max(counted, key=lambda language: counted[language], default="en")
