"""Finds passages by words and, with an embedder, by meaning; ranks them, judges their support, quotes them."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from knowledge import analysis
from knowledge.base import ScoredPassage
from knowledge.calibration import Calibration, Weights
from knowledge.embedder import ModelError
from knowledge.language import detect
from knowledge.passages import Analysed, analyse
from knowledge.question import Question, parse
from knowledge.ranking import Cosines, Fit, ask, fit, probability, promise, weigh
from knowledge.sparse import SparseIndex
from knowledge.spelling import corrected, doubtful, nearest
from knowledge.store import LibraryError, Store

if TYPE_CHECKING:
    from knowledge.dense import DenseIndex, Similarity
    from knowledge.reranker import Reranker

CANDIDATES = 24
"""Passages that each index puts forward."""
PROMISING = 20
"""Passages that are looked at closely, at the least."""
RERANKED = 10
"""Passages that a reranker reads."""
_COMPARED = 4
"""Results that a result is compared with."""
_COVERS = 0.8
"""Share of the question that a result holds which answers it as well."""
_VECTORS_ALONE = {"cosine": 1.0}
_SIMILAR = 8
"""Passages that are looked through for a word a slip away."""
_CACHED_PASSAGES = 4096
_WITHOUT = {
    "embedder": "embedder failed; searching by words alone",
    "vectors": "vectors cannot be searched; searching by words alone",
    "reranker": "reranker failed; its ranking is left out",
}
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Candidates:
    """What the indexes put forward for one question."""

    bm25: dict[int, float]
    """Passage number -> score; 0 where only the embedder found it."""
    similarities: "dict[int, Similarity]"
    dense: bool
    """Whether an embedder took part."""


class LibraryRetriever:
    """A `knowledge.base.Retriever` over one library; sees what another process ingests at its next query."""

    def __init__(
        self,
        store: Store,
        index: SparseIndex,
        *,
        catch_up: Callable[[], None],
        calibration: Calibration,
        dense: "DenseIndex | None" = None,
        reranker: "Reranker | None" = None,
        words: bool = True,
    ) -> None:
        """`catch_up` is called when the sparse index lags behind the store; it may leave that to another process.

        `words` false ranks by the passages' vectors alone.
        """
        self._store, self._index, self._catch_up = store, index, catch_up
        self._calibration, self._dense, self._reranker, self._words = calibration, dense, reranker, words
        self._lock = threading.RLock()
        self._seen: tuple[int, int] | None = None
        self._cache: OrderedDict[int, Analysed] = OrderedDict()
        self._failing: set[str] = set()

    def retrieve(
        self, query: str, top_k: int = 4, scope: frozenset[str] | None = None, context: str = ""
    ) -> list[ScoredPassage]:
        """See `knowledge.base.Retriever`. Raises LibraryError when the store cannot be read."""
        return [self.scored(judged) for judged in self.judge(query, top_k, scope, context)]

    def judge(
        self, query: str, top_k: int = 4, scope: frozenset[str] | None = None, context: str = ""
    ) -> "list[Judged]":
        """As `retrieve`, with the features that the results were judged by: for evaluation and for learning."""
        question = parse(query, context)
        if top_k < 1 or not question.terms:
            return []
        self._notice_changes()
        documents = None if scope is None else self._store.tagged(scope)
        question = self._spelled(question)
        language = detect(question.text)
        candidates = self._candidates(question, language, max(CANDIDATES, 2 * top_k), documents)
        asked = ask(question, self._index.frequencies(list(question.terms)), self._index.size)
        passages = self._analysed(list(candidates.bm25))
        measured = [
            (
                passages[number],
                asked,
                score,
                _cosines(candidates.similarities.get(number), len(passages[number].spans)),
            )
            for number, score in candidates.bm25.items()
            if number in passages
        ]
        measured.sort(key=lambda one: -promise(*one))
        fits = [fit(*one) for one in measured[: max(PROMISING, 2 * top_k)]]
        weights = self._calibration.ranking(dense=candidates.dense) if self._words else _VECTORS_ALONE
        ranked = sorted(
            ((weigh(found.features, weights), found) for found in fits),
            key=lambda pair: (-pair[0], pair[1].found.passage.id),
        )
        ranked = _compared(self._reranked(question, ranked))[:top_k]
        support = self._calibration.support(language, self._signature if candidates.dense else None)
        return [Judged(question, found, score, _support(found, support)) for score, found in ranked]

    @property
    def _signature(self) -> tuple[float, ...] | None:
        return None if self._dense is None else self._dense.signature

    def scored(self, judged: "Judged") -> ScoredPassage:
        """The result as callers see it."""
        passage = judged.fit.found.passage
        wanted = set(judged.question.content)
        for term in judged.question.content:
            wanted.update(judged.fit.found.kin(term))
        return ScoredPassage(
            passage,
            judged.score,
            judged.support,
            passage.answer or judged.fit.quote(),
            analysis.words_matching(passage.text, wanted),
        )

    def _candidates(
        self, question: Question, language: str, limit: int, documents: frozenset[int] | None
    ) -> _Candidates:
        bm25 = dict(self._index.search(question.terms, limit, documents))
        dense = self._dense
        if dense is None or not dense.size or not dense.speaks(language):
            return _Candidates(bm25, {}, dense=False)
        try:
            vector = dense.encode(question.text)
            near = [number for number, _ in dense.search(vector, limit, documents)]
            found = dict.fromkeys(near, 0.0) | bm25
            similarities = dense.similarities(vector, list(found))
        except (ModelError, LibraryError) as error:
            self._note("embedder" if isinstance(error, ModelError) else "vectors", str(error))
            return _Candidates(bm25, {}, dense=False)
        for model in ("embedder", "vectors"):
            self._note(model, "")
        return _Candidates(found, similarities, dense=True)

    def _note(self, model: str, trouble: str) -> None:
        """Log a model's first failure and its recovery; in between, it is done without."""
        with self._lock:
            failed = model in self._failing
            (self._failing.add if trouble else self._failing.discard)(model)
        if trouble and not failed:
            log.warning(_WITHOUT[model], error=trouble)
        elif failed and not trouble:
            log.info(f"{model} recovered")

    def _reranked(self, question: Question, ranked: "list[tuple[float, Fit]]") -> "list[tuple[float, Fit]]":
        """The best `RERANKED` in the reranker's order, where there is one that works."""
        if self._reranker is None or len(ranked) < 2:
            return ranked
        first = ranked[:RERANKED]
        try:
            scores = self._reranker.rerank(question.text, [found.found.passage.text for _, found in first])
        except ModelError as error:
            self._note("reranker", str(error))
            return ranked
        self._note("reranker", "")
        order = sorted(range(len(first)), key=lambda index: -scores[index])
        return [(scores[index], first[index][1]) for index in order] + ranked[RERANKED:]

    def _spelled(self, question: Question) -> Question:
        """`question` with words that the library does not know put right, where it knows one a slip away."""
        unknown = [term for term, count in self._index.frequencies(doubtful(question)).items() if not count]
        for term in unknown:
            numbers = [number for number, _ in self._index.similar(term, _SIMILAR)]
            passages = self._analysed(numbers).values()
            meant = nearest(term, [terms.terms for terms in passages])
            if meant:
                found = [analysis.words_matching(terms.passage.text, {meant}) for terms in passages]
                # A word that its passage writes with letters and marks apart is not found there.
                written = next((words[0] for words in found if words), meant)
                question = corrected(question, term, meant, written)
        return question

    def _notice_changes(self) -> None:
        """Follow the store when its file has changed since the last query."""
        with self._lock:
            version = self._store.data_version(), self._store.generation()
            if version == self._seen:
                return
            followed = self._refresh()
            if self._index.generation != version[1]:
                self._catch_up()
            self._cache.clear()
            # While another process is still writing the index, look again at the next query.
            self._seen = version if followed and self._index.generation == version[1] else None

    def _refresh(self) -> bool:
        """Whether the vectors could be followed too; words are found without them."""
        self._index.refresh()
        try:
            if self._dense is not None:
                self._dense.refresh()
        except LibraryError as error:
            self._note("vectors", str(error))
            return False
        return True

    def _analysed(self, numbers: Sequence[int]) -> dict[int, Analysed]:
        with self._lock:
            found = {number: self._cache[number] for number in numbers if number in self._cache}
            missing = [number for number in numbers if number not in found]
            for number, passage in self._store.passages(missing).items() if missing else ():
                found[number] = self._cache[number] = analyse(passage)
            for number in found:
                self._cache.move_to_end(number)
            while len(self._cache) > _CACHED_PASSAGES:
                self._cache.popitem(last=False)
        return found


def _support(found: Fit, weights: Weights) -> float:
    """Probability that the passage answers; a written answer is for its own question, not for one that asks more."""
    share = found.features.cover**2 if found.found.passage.answer else 1.0
    return share * probability(found.features, weights)


def _compared(ranked: "list[tuple[float, Fit]]") -> "list[tuple[float, Fit]]":
    """The results, each with the mean cover of the best `_COMPARED` others that do not answer too."""
    best = [found.features.cover for _, found in ranked[: _COMPARED + 1]]
    compared = []
    for place, (score, found) in enumerate(ranked):
        rest = [cover for cover in (best[:place] + best[place + 1 :])[:_COMPARED] if cover < _COVERS]
        others = sum(rest) / len(rest) if rest else 0.0
        compared.append((score, found._replace(features=found.features._replace(others=others))))
    return compared


@dataclass(frozen=True, slots=True)
class Judged:
    """One result with what it was judged by."""

    question: Question
    fit: Fit
    score: float
    support: float


def _cosines(found: "Similarity | None", sentences: int) -> Cosines | None:
    """Those of `sentences` only where there are as many: another version may have cut the passage otherwise."""
    if found is None:
        return None
    if len(found.sentences) != sentences:
        return Cosines(found.passage, (), ())
    return Cosines(found.passage, found.sentences, found.pairs)
