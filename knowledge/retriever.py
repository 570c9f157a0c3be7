"""Finds passages by BM25, ranks the best of them again by how well they cover the question, and quotes them."""

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from knowledge import analysis
from knowledge.base import Passage, ScoredPassage
from knowledge.question import Question, parse
from knowledge.sparse import SparseIndex
from knowledge.splitter import Span, sentence_spans
from knowledge.store import Store

CANDIDATES = 30
_CACHED_PASSAGES = 4096
_LEAST_SIZE = 200
"""How many passages a library counts as at the least. In one of three passages a word in one of them is common by the
figures, and the question's other words, which are simply nowhere, would outweigh it."""

_ENOUGH = 0.5
"""Evidence in units of the rarest possible term. With this much, support comes to 63 % of what is covered, with
twice as much to 86 %: a question of a single common word is never taken as answered because the word occurs."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What each feature adds to the BM25 score, which is scaled to 1 for the best candidate."""

    window: float = 0.5
    passage: float = 0.3
    heading: float = 0.2
    exact: float = 0.1
    second_sentence: float = 0.15
    """Share of the question that a second sentence must add to be quoted with the first."""


@dataclass(frozen=True, slots=True)
class _Analysed:
    """A passage with what ranking needs of it."""

    passage: Passage
    spans: tuple[Span, ...]
    sentences: tuple[frozenset[str], ...]
    """Terms of each sentence."""
    terms: frozenset[str]
    head: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Window:
    """One or two neighbouring sentences and the share of the question that they cover."""

    first: int
    last: int
    cover: float


class SparseRetriever:
    """A `knowledge.base.Retriever` over one library; sees what another process ingests at its next query."""

    def __init__(
        self,
        store: Store,
        index: SparseIndex,
        *,
        weights: Weights | None = None,
        catch_up: Callable[[], None],
    ) -> None:
        """`catch_up` is called when the index lags behind the store; it may leave that to another process."""
        self._store, self._index, self._catch_up = store, index, catch_up
        self._weights = weights or Weights()
        self._lock = threading.Lock()
        self._seen: tuple[int, int] | None = None
        self._cache: OrderedDict[int, _Analysed] = OrderedDict()

    def retrieve(
        self, query: str, top_k: int = 4, scope: frozenset[str] | None = None, context: str = ""
    ) -> list[ScoredPassage]:
        """See `knowledge.base.Retriever`. Raises LibraryError when the store cannot be read."""
        question = parse(query)
        if top_k < 1 or not question.terms:
            return []
        self._notice_changes()
        hits = self._index.search(question.terms, max(CANDIDATES, 2 * top_k), self._in_scope(scope))
        passages = self._analysed([number for number, _ in hits])
        share = _Share(self._idf(question.content), _idf(0, self._size))
        best = max((score for _, score in hits), default=1.0)
        scored = [
            _score(passages[number], question, score / best, share, self._weights)
            for number, score in hits
            if number in passages
        ]
        scored.sort(key=lambda result: (-result.score, result.passage.id))
        return scored[:top_k]

    def _notice_changes(self) -> None:
        """Follow the store when its file has changed since the last query."""
        with self._lock:
            version = self._store.data_version(), self._store.generation()
            if version == self._seen:
                return
            self._index.refresh()
            if self._index.generation != version[1]:
                self._catch_up()
            # While another process is still writing the index, look again at the next query.
            self._seen = version if self._index.generation == version[1] else None

    def _in_scope(self, scope: frozenset[str] | None) -> frozenset[int] | None:
        return None if scope is None else self._store.tagged(scope)

    def _idf(self, terms: Sequence[str]) -> dict[str, float]:
        """Weight of each term; one that no passage holds gets the highest."""
        frequencies = self._index.frequencies(terms)
        return {term: analysis.weight(term) * _idf(count, self._size) for term, count in frequencies.items()}

    @property
    def _size(self) -> int:
        return max(self._index.size, _LEAST_SIZE)

    def _analysed(self, numbers: Sequence[int]) -> dict[int, _Analysed]:
        """Number -> passage. A number always means the same text, so what is cached never goes stale."""
        with self._lock:
            found = {number: self._cache[number] for number in numbers if number in self._cache}
            missing = [number for number in numbers if number not in found]
            for number, passage in self._store.passages(missing).items() if missing else ():
                found[number] = self._cache[number] = _analyse(passage)
            for number in found:
                self._cache.move_to_end(number)
            while len(self._cache) > _CACHED_PASSAGES:
                self._cache.popitem(last=False)
        return found


def _analyse(passage: Passage) -> _Analysed:
    spans = tuple(sentence_spans(passage.text))
    sentences = tuple(frozenset(analysis.terms(passage.text[start:end])) for start, end in spans)
    head = frozenset(analysis.terms(f"{passage.title} \n {passage.heading}"))
    return _Analysed(passage, spans, sentences, frozenset().union(*sentences), head)


def _idf(count: int, size: int) -> float:
    """Inverse document frequency of a term in `count` of `size` passages; always above 0."""
    return math.log(1 + max(0.0, size - count + 0.5) / (count + 0.5))


def _score(
    found: _Analysed, question: Question, bm25: float, share: "_Share", weights: Weights
) -> ScoredPassage:
    asked = frozenset(question.content)
    head = asked & found.head
    held = head | (asked & found.terms)
    window = _best_window(
        [head | (asked & terms) for terms in found.sentences], share, weights.second_sentence
    )
    score = (
        bm25
        + weights.window * window.cover
        + weights.passage * share.of(held)
        + weights.heading * share.of(head)
        + weights.exact * share.of(held & question.exact)
    )
    quote = found.passage.text[found.spans[window.first][0] : found.spans[window.last][1]]
    return ScoredPassage(found.passage, score, share.support(window.cover), quote)


class _Share:
    """The share, from 0 to 1, that some of the question's terms have in the weight of all."""

    def __init__(self, idf: Mapping[str, float], rarest: float) -> None:
        """`rarest` is the weight of a term that occurs nowhere."""
        self._idf = idf
        self._total = sum(idf.values())
        self._rarest = rarest

    def of(self, terms: frozenset[str]) -> float:
        return sum(self._idf[term] for term in terms) / self._total if terms else 0.0

    def support(self, cover: float) -> float:
        """The share `cover`, less where there is little evidence behind it."""
        return cover * (1 - math.exp(-cover * self._total / (self._rarest * _ENOUGH)))


def _best_window(covered: Sequence[frozenset[str]], share: _Share, second_adds: float) -> _Window:
    """The sentence that covers most, or two neighbours where the second adds at least `second_adds`.

    `covered` holds the question's terms that each sentence covers together with the headings.
    """
    singles = [_Window(index, index, share.of(terms)) for index, terms in enumerate(covered)]
    single = max(singles, key=lambda window: window.cover)
    pairs = [
        _Window(index, index + 1, share.of(first | second))
        for index, (first, second) in enumerate(pairwise(covered))
        if not (first <= second or second <= first)
    ]
    pair = max(pairs, key=lambda window: window.cover, default=single)
    return pair if pair.cover >= single.cover + second_adds else single
