"""What viewers ask, put together so that the creator sees what is asked most and what to write next. Pure.

Comments that use the same rare words are about the same thing. A topic grows around the wording that is asked most:
each comment joins the topic whose wording is nearest (cosine of term weights), or starts its own.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from knowledge import analysis
from knowledge.question import clean

NEAR = 0.45
"""Least cosine, from 0 to 1, between a comment and the wording that its topic grew around."""

Terms = tuple[str, ...]


class Told(Protocol):
    """A comment, as much as is needed to put it beside others."""

    @property
    def id(self) -> int: ...
    @property
    def text(self) -> str: ...
    @property
    def post(self) -> str:
        """Title of the post."""
        ...

    @property
    def at(self) -> datetime:
        """When it was written."""
        ...

    @property
    def waiting(self) -> bool:
        """It waits for a person."""
        ...


C = TypeVar("C", bound=Told)


@dataclass(frozen=True, slots=True)
class Topic(Generic[C]):
    """Comments about one thing, oldest first."""

    example: str
    """The wording that was used most; of several, the earliest."""
    comments: tuple[C, ...]

    @property
    def count(self) -> int:
        return len(self.comments)

    @property
    def waiting(self) -> int:
        """How many of them still wait for a person."""
        return sum(comment.waiting for comment in self.comments)

    @property
    def posts(self) -> tuple[str, ...]:
        """Titles of the posts they stand under, the one with most first."""
        return tuple(title for title, _ in Counter(comment.post for comment in self.comments).most_common())

    @property
    def first(self) -> datetime:
        return self.comments[0].at

    @property
    def last(self) -> datetime:
        return self.comments[-1].at


def topics(comments: Iterable[C]) -> list[Topic[C]]:
    """The comments by what they ask, the topic that is asked most first; every comment is in exactly one."""
    wordings: defaultdict[Terms, list[C]] = defaultdict(list)
    for comment in sorted(comments, key=lambda comment: (comment.at, comment.id)):
        wordings[_terms(comment.text)].append(comment)
    groups = _grouped({terms: len(members) for terms, members in wordings.items()})
    found = [_topic([wordings[terms] for terms in group]) for group in groups]
    return sorted(found, key=lambda topic: (-topic.count, topic.first, topic.comments[0].id))


def _terms(text: str) -> Terms:
    """What a comment is about, in one order; of a comment without any such word, its own letters."""
    found = frozenset(analysis.content_terms(clean(text))) or frozenset(analysis.terms(text))
    return tuple(sorted(found)) if found else (text.strip(),)


def _topic(wordings: Sequence[Sequence[C]]) -> Topic[C]:
    """`wordings` begin with the one that the topic grew around."""
    members = sorted((one for wording in wordings for one in wording), key=lambda one: (one.at, one.id))
    texts = Counter(one.text for one in wordings[0])
    return Topic(max(texts, key=lambda text: texts[text]), tuple(members))


def _grouped(counts: Mapping[Terms, int]) -> list[list[Terms]]:
    """Wordings that belong together, each group after the wording it grew around."""
    weights = _weights(counts)
    groups: list[list[Terms]] = []
    vectors: list[dict[str, float]] = []
    """Of each group, that of the wording it grew around."""
    holding: defaultdict[str, list[int]] = defaultdict(list)
    # The most asked first, and of these the shortest: a long comment asks beside the point.
    for terms in sorted(counts, key=lambda terms: (-counts[terms], len(terms), terms)):
        vector = _vector(terms, weights)
        telling = _telling(vector)
        candidates = sorted({group for term in telling for group in holding[term]})
        cosines = {group: _cosine(vector, vectors[group]) for group in candidates}
        # Of equals the one that began first.
        nearest = max(cosines, key=lambda group: cosines[group], default=None)
        if nearest is not None and cosines[nearest] >= NEAR:
            groups[nearest].append(terms)
            continue
        for term in telling:
            holding[term].append(len(groups))
        groups.append([terms])
        vectors.append(vector)
    return groups


def _weights(counts: Mapping[Terms, int]) -> dict[str, float]:
    """Each term's weight: rare ones weigh most, everyday words half of that."""
    total = len(counts)
    frequencies = Counter(term for terms in counts for term in terms)
    return {
        term: analysis.weight(term) * math.log(1 + total / number) for term, number in frequencies.items()
    }


def _vector(terms: Terms, weights: Mapping[str, float]) -> dict[str, float]:
    """Each term's share of a vector of length 1, the heaviest first."""
    length = math.sqrt(sum(weights[term] ** 2 for term in terms))
    return {term: weights[term] / length for term in sorted(terms, key=lambda term: (-weights[term], term))}


def _telling(vector: Mapping[str, float]) -> list[str]:
    """The heaviest terms, of which two vectors share at least one if their cosine reaches `NEAR`.

    All vectors have their terms in the same order. What stands from the first shared term on is shorter than `NEAR`
    in neither of them then, as a product is at most that of the lengths (Cauchy and Schwarz).
    """
    found = []
    left = 1.0
    for term, share in vector.items():
        if left < NEAR**2:
            break
        found.append(term)
        left -= share**2
    return found


def _cosine(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    return sum(share * other[term] for term, share in one.items() if term in other)
