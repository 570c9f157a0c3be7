"""Measures a library on documents and questions of one's own: is the right one found, quoted, and known to be there.

Each row of the corpus becomes one document in a library of its own, in a folder that goes away afterwards.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from knowledge.evaluate_data import Dataset
from knowledge.evaluate_figures import Ranking, Separation, mean, ranking, separation
from knowledge.evaluate_run import (
    Asked,
    MakeLibrary,
    OnStep,
    Outcome,
    ask,
    built,
    drawn_questions,
    grouped,
    resident_mb,
)
from knowledge.ingest import Library

SEEDS = 3


@dataclass(frozen=True, slots=True)
class RetrievalReport:
    """Whether the right document is found, and at what cost."""

    documents: int
    passages: int
    build_s: float
    """Seconds from the rows to a searchable library."""
    queries_per_s: float
    """One after another, in one thread."""
    p50_ms: float
    memory_mb: float | None
    """How much the process has grown; None where the system doesn't tell."""
    datasets: dict[str, Ranking]
    """By name of the dataset; `ALL` where there are several."""


@dataclass(frozen=True, slots=True)
class Quotes:
    """The share of questions for which a right answer stands, word for word, in what is quoted."""

    questions: int
    quote1: float
    """In the one sentence that is closest to the question."""
    quote2: float
    """In the one or two sentences of the best passage's quote."""
    found1: float
    """As `quote1`, of the questions whose document came first: the quoting judged apart from the finding."""
    found2: float
    """As `quote2`, of the same questions."""


@dataclass(frozen=True, slots=True)
class AnswersReport:
    """What is quoted, and whether it is known when there is nothing to quote. By name of the dataset, and `ALL`."""

    seeds: int
    quotes: dict[str, Quotes]
    in_documents: dict[str, Separation]
    """Questions of documents that are there against questions of documents that were left out; mean over the seeds."""
    adversarial: dict[str, Separation]
    """Answerable questions against those that only look so; datasets without the latter have none."""


def evaluate_retrieval(
    datasets: Sequence[Dataset],
    *,
    make: MakeLibrary = Library,
    limit: int | None = None,
    on_step: OnStep | None = None,
) -> RetrievalReport:
    """Ask the answerable questions (`limit` of each dataset, drawn the same way every time) of one mixed corpus.

    Raises DatasetError when no question is answerable, LibraryError.
    """
    asked = drawn_questions(datasets, limit, answerable=True)
    before = resident_mb()
    with built(datasets, make, on_step=on_step) as (library, build_s):
        outcomes = ask(library.retriever(), asked, on_step)
        after, stats = resident_mb(), library.stats()
    seconds = [outcome.seconds for outcome in outcomes]
    return RetrievalReport(
        stats.documents,
        stats.passages,
        build_s,
        len(seconds) / sum(seconds),
        median(seconds) * 1000,
        after - before if before is not None and after is not None else None,
        {name: ranking([one.rank for one in group]) for name, group in grouped(outcomes).items()},
    )


def evaluate_answers(
    datasets: Sequence[Dataset],
    *,
    make: MakeLibrary = Library,
    limit: int | None = None,
    seeds: int = SEEDS,
    on_step: OnStep | None = None,
) -> AnswersReport:
    """Judge the quotes on the whole corpus, and the support there and with half of the documents left out.

    `limit` and the errors are those of `evaluate_retrieval`.
    """
    asked = drawn_questions(datasets, limit, answerable=True)
    tricky = drawn_questions(datasets, limit, answerable=False)
    with built(datasets, make, on_step=on_step) as (library, _):
        right = grouped(ask(library.retriever(), asked, on_step))
        wrong = grouped(ask(library.retriever(), tricky, on_step))
    halves = [_half_left_out(datasets, asked, seed, make, on_step) for seed in range(seeds)]
    return AnswersReport(
        seeds,
        {name: _quotes(group) for name, group in right.items()},
        {name: _mean_separation([half[name] for half in halves]) for name in halves[0]} if halves else {},
        {name: separation(_supports(right[name]), _supports(group)) for name, group in wrong.items()},
    )


def left_out(dataset: Dataset, seed: int) -> frozenset[str]:
    """Sources of about half of the documents; those of one title, the parts of one article, go together."""
    titles = sorted({row.title for row in dataset.documents})
    random.Random(seed).shuffle(titles)  # noqa: S311  (nothing secret)
    gone: list[str] = []
    for title in titles:
        if len(gone) * 2 >= len(dataset.documents):
            break
        gone += [dataset.source(row.id) for row in dataset.documents if row.title == title]
    return frozenset(gone)


def _half_left_out(
    datasets: Sequence[Dataset],
    asked: Asked,
    seed: int,
    make: MakeLibrary,
    on_step: OnStep | None,
) -> dict[str, Separation]:
    gone = frozenset[str]().union(*(left_out(dataset, seed) for dataset in datasets))
    with built(datasets, make, without=gone, on_step=on_step) as (library, _):
        outcomes = ask(library.retriever(), asked, on_step)
    absent = [dataset.source(question.doc_id or "") in gone for dataset, question in asked]
    there = grouped([one for one, out in zip(outcomes, absent, strict=True) if not out])
    away = grouped([one for one, out in zip(outcomes, absent, strict=True) if out])
    return {
        name: separation(_supports(there.get(name, ())), _supports(away.get(name, ())))
        for name in grouped(outcomes)
    }


def _quotes(outcomes: Sequence[Outcome]) -> Quotes:
    found = [one for one in outcomes if one.rank == 1]
    return Quotes(
        len(outcomes), _quoted(outcomes, 0), _quoted(outcomes, 1), _quoted(found, 0), _quoted(found, 1)
    )


def _quoted(outcomes: Sequence[Outcome], kind: int) -> float:
    return mean([one.quoted[kind] for one in outcomes])


def _supports(outcomes: Sequence[Outcome]) -> list[float]:
    return [one.support for one in outcomes]


def _mean_separation(found: Sequence[Separation]) -> Separation:
    return Separation(
        mean([one.auc for one in found]),
        mean([one.at_1pct for one in found]),
        mean([one.at_5pct for one in found]),
    )
