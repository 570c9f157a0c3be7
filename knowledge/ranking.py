"""How well a passage fits a question: features, and the learned weights that make one score of them. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from knowledge import analysis
from knowledge.logistic import sigmoid
from knowledge.passages import Analysed
from knowledge.question import CONTEXT, Question
from knowledge.quoting import COSINE_SHARE, best_sentences

_USUAL_SENTENCE = 24.0
"""Terms of a sentence of usual length; what a longer one covers says less."""
_LEAST_SIZE = 200
"""How many passages a library counts as at the least. In one of three passages a word in one of them is common by the
figures, and the question's other words, which are simply nowhere, would outweigh it."""


@dataclass(frozen=True, slots=True)
class Cosines:
    """How near one passage is to the question for an embedder."""

    passage: float
    sentences: tuple[float, ...]
    pairs: tuple[float, ...]
    """One for each two neighbouring sentences."""


class Features(NamedTuple):
    """Each from 0 to 1, give or take; shares are of the question's weight in content terms."""

    bm25: float
    """Against the score of a passage that holds all of the question's terms."""
    held: float
    """Share that stands in the passage or its headings, word for word."""
    pair: float
    """Share that one or two neighbouring sentences hold together with the headings, word for word."""
    cover: float
    """As `held`, with other forms of the words counted in part."""
    window: float
    """As `pair`, likewise."""
    sentence: float
    """As `window`, of a single sentence."""
    dense_words: float
    """Share that a sentence holds by itself, less for a long sentence."""
    adjacent: float
    """Share of the question's neighbouring words that are neighbours in the passage."""
    head: float
    exact_missing: float
    """Share of those numbers and names in the question that the passage does not hold."""
    figure_missing: float
    """Share of those of them with a digit that the passage does not hold."""
    model_missing: float
    """The same for names of letters and digits, as of products: the neighbouring product is another one."""
    evidence: float
    """Weight of what `window` covers, in units of the rarest possible term; saturates towards 1."""
    cosine: float
    """Of the whole passage; 0 where there is no embedding, as in the next three."""
    cosine_sentence: float
    cosine_pair: float
    both: float
    """Best sum of a sentence's share and cosine."""
    wrong_kind: float
    """1 where the question asks for a figure and the passage's best sentences hold none."""
    others: float = 0.0
    """Mean `cover` of the other best results, without those that cover the question too: words that every passage
    holds tell little, but the same answer in two places is no worse."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with the weights of its terms in one library."""

    content: dict[str, float]
    """Content term -> weight."""
    question: Question
    neighbours: dict[str, float]
    """Two neighbouring terms with blanks around -> weight."""
    ideal: float
    """BM25 score of a short passage that holds all terms."""
    rarest: float
    """Weight of a term that occurs nowhere."""
    figures: frozenset[str]
    """Content terms with a digit."""
    models: frozenset[str]
    """Those of them with a letter too."""

    total: float
    """Weight of all content terms; 1 where there are none."""

    def share(self, terms: Iterable[str]) -> float:
        """Of some of the content terms in the weight of all."""
        return sum(map(self.content.__getitem__, terms)) / self.total


def ask(question: Question, frequencies: Mapping[str, int], size: int) -> Asked:
    """Weigh `question` by the document `frequencies` of its terms among `size` passages."""
    counted = max(size, _LEAST_SIZE)
    idf = {term: inverse_frequency(frequencies.get(term, 0), counted) for term in question.terms}
    listed = [term for term in analysis.terms(question.text) if term in idf]
    figures = frozenset(term for term in question.content if any(map(str.isdigit, term)))
    content = {term: analysis.weight(term) * idf[term] for term in question.content}
    return Asked(
        content,
        question,
        {f" {one} {other} ": max(idf[one], idf[other]) for one, other in pairwise(listed)},
        # As the index weighs them, which knows of no least size; what only the context holds was not asked for.
        sum(
            weight * inverse_frequency(frequencies.get(term, 0), size)
            for term, weight in question.terms.items()
            if weight > CONTEXT
        )
        or 1.0,
        inverse_frequency(0, counted),
        figures,
        frozenset(term for term in figures if term.isalnum() and any(map(str.isalpha, term))),
        sum(content.values()) or 1.0,
    )


def inverse_frequency(count: int, size: int) -> float:
    """Weight of a term that is in `count` of `size` passages; always above 0."""
    return math.log(1 + max(0.0, size - count + 0.5) / (count + 0.5))


def promise(found: Analysed, asked: Asked, bm25: float, cosines: Cosines | None) -> float:
    """A rough score at a tenth of the cost of `fit`: enough to leave out what has no chance."""
    held = asked.content.keys() & (found.terms | found.head)
    rough = bm25 / asked.ideal + asked.share(held)
    return rough if cosines is None else rough + 2 * cosines.passage + max(cosines.sentences, default=0.0)


class Fit(NamedTuple):
    """A passage and how it fits the question."""

    found: Analysed
    features: Features
    single: tuple[float, ...]
    """Share of the question that each sentence holds together with the headings."""
    double: tuple[float, ...]
    """The same for each two neighbouring sentences."""
    cosines: Cosines | None

    def quote(self, count: int | None = None) -> str:
        """The one or two sentences that answer best, word for word; exactly `count` where that is asked for."""
        return _quoted(self.found, self.single, self.double, self.cosines, count)


def fit(found: Analysed, asked: Asked, bm25: float, cosines: Cosines | None = None) -> Fit:
    """Measure `found` against `asked`; `bm25` is its score, 0 where only the embedder found it."""
    content = frozenset(asked.content)
    head = content & found.head
    kin = {term: found.kin(term) for term in content - found.terms - head}
    soft = _Soft(asked, head, {term: words for term, words in kin.items() if words})
    own = [content & terms for terms in found.sentences]
    single = tuple(soft.share(held, terms) for held, terms in zip(own, found.sentences, strict=True))
    double = tuple(
        soft.share(one | two, a | b)
        for (one, a), (two, b) in pairwise(zip(own, found.sentences, strict=True))
    )
    sentence, window = max(single, default=0.0), max((*single, *double), default=0.0)
    held = head | (content & found.terms)
    quote = _quoted(found, single, double, cosines)
    features = Features(
        bm25=bm25 / asked.ideal,
        held=asked.share(held),
        pair=max(map(asked.share, (head | part for part in _with_pairs(own))), default=0.0),
        cover=soft.share(held, found.terms),
        window=window,
        sentence=sentence,
        dense_words=max(map(_discounted, map(asked.share, own), found.lengths), default=0.0),
        adjacent=_adjacent(asked.neighbours, found.line),
        head=asked.share(head),
        exact_missing=asked.share(asked.question.exact - held),
        figure_missing=_share_missing(asked.figures, held),
        model_missing=_share_missing(asked.models, held),
        evidence=1 - math.exp(-2 * window * asked.total / asked.rarest),
        cosine=cosines.passage if cosines else 0.0,
        cosine_sentence=max(cosines.sentences, default=0.0) if cosines else 0.0,
        cosine_pair=max((*cosines.sentences, *cosines.pairs), default=0.0) if cosines else 0.0,
        both=_both(single, cosines.sentences) if cosines else 0.0,
        wrong_kind=float(not asked.question.answerable_by(quote)),
    )
    return Fit(found, features, single, double, cosines)


def _with_pairs(own: Sequence[frozenset[str]]) -> list[frozenset[str]]:
    return [*own, *(one | two for one, two in pairwise(own))]


def _quoted(
    found: Analysed,
    single: Sequence[float],
    double: Sequence[float],
    cosines: Cosines | None,
    count: int | None = None,
) -> str:
    of_sentences, of_pairs = (cosines.sentences, cosines.pairs) if cosines else ((), ())
    first, last = best_sentences(single, double, of_sentences, of_pairs, count=count)
    return found.passage.text[found.spans[first][0] : found.spans[last][1]]


class _Soft:
    """Shares of the question that count other forms of a word in part."""

    def __init__(self, asked: Asked, head: frozenset[str], kin: Mapping[str, Mapping[str, float]]) -> None:
        self._asked, self._head, self._kin = asked, head, kin

    def share(self, held: frozenset[str], terms: frozenset[str]) -> float:
        """`held` of the content terms stand among `terms` word for word."""
        share = self._asked.share(self._head | held)
        for term, words in self._kin.items():
            best = max((weight for word, weight in words.items() if word in terms), default=0.0)
            share += best * self._asked.content[term] / self._asked.total
        return share


def _share_missing(terms: frozenset[str], held: frozenset[str]) -> float:
    return len(terms - held) / len(terms) if terms else 0.0


def _discounted(share: float, length: int) -> float:
    """BM25's discount for length, with its usual k1 = 1.2 and b = 0.75."""
    return share * 2.2 / (1 + 1.2 * (0.25 + 0.75 * length / _USUAL_SENTENCE))


def _adjacent(neighbours: Mapping[str, float], line: str) -> float:
    total = sum(neighbours.values())
    return sum(weight for two, weight in neighbours.items() if two in line) / total if total else 0.0


def _both(shares: Sequence[float], cosines: Sequence[float]) -> float:
    return max(
        (share + COSINE_SHARE * cosine for share, cosine in zip(shares, cosines, strict=False)), default=0.0
    )


def weigh(features: Features, weights: Mapping[str, float]) -> float:
    """The weighted sum of those features that `weights` names; `bias` is added as it is."""
    named: dict[str, float] = features._asdict()
    return weights.get("bias", 0.0) + sum(
        weight * named[name] for name, weight in weights.items() if name in named
    )


def probability(features: Features, weights: Mapping[str, float]) -> float:
    """The logistic function of the weighted sum."""
    return sigmoid(weigh(features, weights))
