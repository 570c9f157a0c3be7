"""Builds a library of test documents and asks it test questions."""

import random
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Literal

from knowledge.evaluate_data import ALL, Dataset, DatasetError, QueryRow, to_loaded
from knowledge.evaluate_figures import Rank, contains, rank_of
from knowledge.ingest import Library
from knowledge.records import Loaded
from knowledge.retriever import LibraryRetriever

if TYPE_CHECKING:
    from knowledge.embedder import Embedder

Mode = Literal["sparse", "dense", "both"]
Phase = Literal["index", "ask"]
OnStep = Callable[[Phase, int, int], None]
"""Called with the phase, how many of its steps are done, and how many there are."""

MakeLibrary = Callable[[Path], Library]
"""Makes an empty library in a folder."""

PASSAGES = 15
"""Asked for per question: as several may be of one document, more than the ten documents that count."""

Asked = Sequence[tuple[Dataset, QueryRow]]
"""Questions, each with the dataset that it is of."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one question brought."""

    dataset: str
    rank: Rank
    support: float
    """Of the best passage; 0 where there is none."""
    quoted: tuple[bool, bool]
    """Whether a right answer stands in the best sentence, and in the best two."""
    seconds: float


def library_maker(mode: Mode, embedder: "Embedder | None") -> MakeLibrary:
    """Makes the library that is measured. Raises DatasetError where `mode` does not go with `embedder`."""
    if mode == "sparse":
        return Library
    if embedder is None:
        raise DatasetError(f"mode {mode} needs an embedder; name one, or use mode sparse")
    from knowledge.dense import DenseIndex  # noqa: PLC0415 - only in the extra
    from knowledge.faiss_index import FaissIndex  # noqa: PLC0415
    from knowledge.remembering import Remembering  # noqa: PLC0415

    remembering = Remembering(embedder)

    def opened(folder: Path) -> DenseIndex:
        return DenseIndex(folder, remembering, FaissIndex)

    return lambda path: Library(path, dense=opened, words=mode == "both")


@contextmanager
def built(
    datasets: Sequence[Dataset],
    make: MakeLibrary = Library,
    *,
    without: Collection[str] = (),
    on_step: OnStep | None = None,
) -> Iterator[tuple[Library, float]]:
    """A library of all documents but those whose sources are in `without`, and the seconds that it took to build."""
    with tempfile.TemporaryDirectory(prefix="rejoinder-eval-") as folder:
        library = make(Path(folder))
        try:
            started = perf_counter()
            library.add_loaded(_documents(datasets, without, on_step))
            yield library, perf_counter() - started
        finally:
            library.close()


def _documents(
    datasets: Sequence[Dataset], without: Collection[str], on_step: OnStep | None
) -> Iterator[tuple[str, Loaded]]:
    total, done = sum(len(dataset.documents) for dataset in datasets), 0
    for dataset in datasets:
        for row in dataset.documents:
            source = dataset.source(row.id)
            if source not in without:
                yield source, to_loaded(row)
            done += 1
            if on_step is not None:
                on_step("index", done, total)


def ask(retriever: LibraryRetriever, questions: Asked, on_step: OnStep | None = None) -> list[Outcome]:
    """What each question brings, in order."""
    outcomes = []
    for done, (dataset, question) in enumerate(questions, 1):
        outcomes.append(_outcome(retriever, dataset, question))
        if on_step is not None:
            on_step("ask", done, len(questions))
    return outcomes


def _outcome(retriever: LibraryRetriever, dataset: Dataset, question: QueryRow) -> Outcome:
    started = perf_counter()
    judged = retriever.judge(question.text, PASSAGES)
    found = [retriever.scored(one) for one in judged]
    seconds = perf_counter() - started
    rank = rank_of(dataset.source(question.doc_id or ""), (scored.passage.source for scored in found))
    if not found:
        return Outcome(dataset.name, rank, 0.0, (False, False), seconds)
    quoted = (
        contains(judged[0].fit.quote(1), question.answers),
        contains(judged[0].fit.quote(2), question.answers),
    )
    return Outcome(dataset.name, rank, found[0].support, quoted, seconds)


def drawn_questions(
    datasets: Sequence[Dataset], limit: int | None, *, answerable: bool
) -> list[tuple[Dataset, QueryRow]]:
    """All that are `answerable` or all that are not; at most `limit` of each dataset, the same ones every time."""
    found = []
    for dataset in datasets:
        rows = [row for row in dataset.questions if row.answerable is answerable]
        if limit is not None and limit < len(rows):
            drawn = sorted(random.Random(0).sample(range(len(rows)), limit))  # noqa: S311  (nothing secret)
            rows = [rows[index] for index in drawn]
        found += [(dataset, row) for row in rows]
    if answerable and not found:
        raise DatasetError("none of the questions is answerable; set answerable and doc_id on some")
    return found


def grouped(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    """Outcomes by dataset; where there are several, also all of them."""
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.dataset, []).append(outcome)
    return groups | {ALL: list(outcomes)} if len(groups) > 1 else groups


def resident_mb() -> float | None:
    """Memory of this process, where the system tells."""
    try:
        status = Path("/proc/self/status").read_text("utf-8")
    except OSError:
        return None
    lines = (line.split() for line in status.splitlines())
    return next((int(parts[1]) / 1024 for parts in lines if parts[0] == "VmRSS:"), None)
