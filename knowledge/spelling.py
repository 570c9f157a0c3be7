"""Slips of the finger in a question, put right by the library's own words. Pure."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

from knowledge import analysis
from knowledge.question import Question

_LEAST_LETTERS = 5
"""A shorter word has real words a slip away."""


def doubtful(question: Question) -> list[str]:
    """Content terms that could be slips: plain words that are no names or figures and not of everyday talk."""
    return [
        term
        for term in question.content
        if len(term) >= _LEAST_LETTERS and term.isascii() and term.isalpha() and analysis.weight(term) == 1.0
    ]


def nearest(term: str, passages: Sequence[Collection[str]]) -> str:
    """The word in most of `passages` that is one slip away from `term`; empty where none is."""
    found = Counter(word for words in passages for word in words if is_slip(term, word))
    return max(found, key=lambda word: (found[word], word), default="")


def corrected(question: Question, term: str, meant: str, written: str) -> Question:
    """`question` with `meant` in the place of `term`, in its text as `written`."""
    weights = {meant if known == term else known: weight for known, weight in question.terms.items()}
    content = tuple(dict.fromkeys(meant if known == term else known for known in question.content))
    wrong = analysis.words_matching(question.text, {term})
    text = question.text.replace(wrong[0], written) if wrong else question.text
    return replace(question, text=text, terms=weights, content=content, exact=question.exact - {term})


def is_slip(one: str, other: str) -> bool:
    """Whether a letter left out, put in, changed, or two neighbours swapped makes `other` of `one`.

    The first letter is hardly ever wrong.
    """
    if one == other or abs(len(one) - len(other)) > 1 or one[:1] != other[:1]:
        return False
    start = next(
        (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
    left, right = one[start:], other[start:]
    if len(left) == len(right):
        swapped = left[1::-1] + left[2:] == right
        return left[1:] == right[1:] or swapped
    return left[1:] == right if len(left) > len(right) else left == right[1:]
