"""A passage as ranking sees it: sentences, terms, and where the question's words stand. Pure."""

from dataclasses import dataclass
from itertools import chain

from knowledge import analysis
from knowledge.base import Passage
from knowledge.splitter import Span, sentence_spans

KIN_PREFIX = 4
"""Letters that two words must begin with alike to be taken for forms of one word."""
_KIN_SHARE = 0.6
_KIN_WEIGHT = 0.8


@dataclass(frozen=True, slots=True)
class Analysed:
    """A passage with what ranking needs of it."""

    passage: Passage
    spans: tuple[Span, ...]
    """Its sentences."""
    sentences: tuple[frozenset[str], ...]
    """Terms of each sentence."""
    lengths: tuple[int, ...]
    """Terms in each sentence, repeated ones counted."""
    terms: frozenset[str]
    head: frozenset[str]
    """Terms of the title and the headings."""
    line: str
    """All terms in order, a blank before, between and after them."""

    def kin(self, term: str) -> dict[str, float]:
        """The passage's words that may be another form of `term`, with how much they count (0 to 1).

        Stems of one family differ (`defens`, `defend`); a long common beginning tells it.
        """
        if len(term) < KIN_PREFIX or not term.isascii() or not term.isalpha():
            return {}
        found: dict[str, float] = {}
        prefix = " " + term[:KIN_PREFIX]
        at = self.line.find(prefix)
        while at >= 0:
            other = self.line[at + 1 : self.line.index(" ", at + 1)]
            share = _common(term, other) / max(len(term), len(other))
            if other != term and share >= _KIN_SHARE:
                found[other] = share * _KIN_WEIGHT
            at = self.line.find(prefix, at + 1)
        return found


def analyse(passage: Passage) -> Analysed:
    """Splits and analyses; about 0.1 ms for a passage of 1,000 characters."""
    spans = tuple(sentence_spans(passage.text))
    listed = [analysis.terms(passage.text[start:end]) for start, end in spans]
    sentences = tuple(frozenset(terms) for terms in listed)
    return Analysed(
        passage,
        spans,
        sentences,
        tuple(len(terms) for terms in listed),
        frozenset().union(*sentences),
        frozenset(analysis.terms(f"{passage.title} \n {passage.heading}")),
        f" {' '.join(chain.from_iterable(listed))} ",
    )


def _common(one: str, other: str) -> int:
    """How many letters both begin with."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count
