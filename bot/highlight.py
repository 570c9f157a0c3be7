"""Which words of the passages bear each sentence of a reply. Pure.

Words are compared as the search compares them: English stems, Chinese characters in pairs, numbers as they stand.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from knowledge import analysis
from knowledge.splitter import sentence_spans

Span = tuple[int, int]
MOST_PLACES = 3
"""Sentences of passages that are shown for one sentence of the reply."""
LEAST_SHARED, LEAST_ADDED = 0.5, 1.0
"""Weight of the words that the first of them must share, and that each further one must add."""
LEAST_SHARE = 0.5
"""Of the weight of a sentence's words: where all places together share no more, nothing bears it."""
READ_CHARS = 20_000
"""What is read of a text."""


@dataclass(frozen=True, slots=True)
class Place:
    """A sentence of a passage that bears a sentence of the reply."""

    passage: int
    span: Span
    words: tuple[Span, ...]
    """The words that both share, as spans of the passage."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of the reply, and what bears it; nothing does where `places` is empty."""

    span: Span
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text, with the labels of the spans that it lies in."""

    text: str
    labels: tuple[str, ...] = ()


def align(reply: str, passages: Sequence[str]) -> list[Sentence]:
    """Each sentence of `reply` with the sentences of `passages` that share most of its words."""
    known = [_sentences(text[:READ_CHARS]) for text in passages]
    spans = sentence_spans(reply[:READ_CHARS])
    return [Sentence(span, _places(reply[slice(*span)], passages, known)) for span in spans]


def pieces(text: str, marks: Iterable[tuple[Span, str]]) -> list[Piece]:
    """`text` cut where a mark begins or ends; the parts together are `text`."""
    wanted = [(span, label) for span, label in marks if span[0] < span[1]]
    cuts = sorted({0, len(text), *(edge for span, _ in wanted for edge in span if 0 < edge < len(text))})
    return [
        Piece(
            text[start:end],
            tuple(dict.fromkeys(label for span, label in wanted if span[0] <= start and end <= span[1])),
        )
        for start, end in pairwise(cuts)
    ]


_Known = tuple[tuple[Span, frozenset[str]], ...]


@lru_cache(maxsize=512)
def _sentences(text: str) -> _Known:
    return tuple(
        (span, frozenset(analysis.content_terms(text[slice(*span)]))) for span in sentence_spans(text)
    )


def _places(sentence: str, passages: Sequence[str], known: Sequence[_Known]) -> tuple[Place, ...]:
    """The best place first; then those that add words, in the order of what they add."""
    asked = missing = frozenset(analysis.content_terms(sentence))
    found: list[Place] = []
    while missing and len(found) < MOST_PLACES:
        gain, passage, span, shared = max(
            (
                (sum(map(analysis.weight, terms & missing)), -index, (-span[0], -span[1]), terms & missing)
                for index, sentences in enumerate(known)
                for span, terms in sentences
            ),
            key=lambda one: one[:3],
            default=(0.0, 0, (0, 0), frozenset[str]()),
        )
        if gain < (LEAST_ADDED if found else LEAST_SHARED):
            break
        start, end = -span[0], -span[1]
        words = _where(passages[-passage][start:end], shared, start)
        found.append(Place(-passage, (start, end), words))
        missing -= shared
    shared_weight = sum(map(analysis.weight, asked - missing))
    return tuple(found) if shared_weight > LEAST_SHARE * sum(map(analysis.weight, asked)) else ()


def _where(text: str, terms: frozenset[str], offset: int) -> tuple[Span, ...]:
    """Where the words with these terms stand in `text`, `offset` characters into the passage."""
    words = sorted(analysis.words_matching(text, terms), key=len, reverse=True)
    if not words:
        return ()
    # `\b` sees no border between a number and a Chinese character.
    pattern = "|".join(
        rf"(?<![a-zA-Z0-9]){re.escape(word)}(?![a-zA-Z0-9])" if word.isascii() else re.escape(word)
        for word in words
    )
    return tuple((offset + match.start(), offset + match.end()) for match in re.finditer(pattern, text))
