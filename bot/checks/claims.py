"""What a text claims, clause by clause, in the terms that knowledge searches by. Pure.

Replies, comments and sources are read alike, so that they can be compared. Numbers stay out: they are compared exactly,
by `bot.checks.facts`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from bot.numerals import NUMBER, PRICE
from knowledge import analysis
from knowledge.splitter import sentence_spans

READ_CHARS = 20_000
"""What is read of a text; the rest of a longer one supports nothing."""
_KIN_LETTERS, _KIN_SHARE = 4, 0.6
"""Words that begin with so many letters and so much of the longer one alike count as forms of one word."""

_CLAUSE = re.compile(
    r"[,，;；:：、\n]|\s[–—-]\s|——|\b(?:but|although|though|whereas|while|so that|because)\b|但是?|不过|而且"
    r"|因为|所以",
    re.IGNORECASE,
)
_NEGATION = re.compile(
    r"\b(?:not|no|never|none|neither|nor|without|cannot|cant|dont|doesnt|isnt|nothing|nobody|nowhere|hardly|unable)\b|n['’]t\b"
    r"|(?<!得)(?<!从)不(?!错|仅|但|过|同|断|管|客气|好意思|久|少|妨|得不|用谢|如|止|光|只是)|从不|没(?!问题"
    r"|关系)|无法|无(?!论|线|所谓|比)"
    r"|未(?!来|必)|(?<![特区分级类性个])别(?!人|的|处|墅|致)|勿|禁止|切忌",
    re.IGNORECASE,
)
PLACE = re.compile(
    r"(?<![\w.~:/?#@&'+%=-])[\w.~:/?#&'+%=-]{0,100}(?:://|@)[\w.~:/?#@&'+%=-]*"
    r"|(?<![\w.-])(?:[\w-]+\.)+[a-z]{2,}(?:/[\w./-]*)?",
    re.ASCII,
)
_EITHER_WAY = re.compile(
    r"(.)不\1|不得不|not only|no (?:problem|worries|doubt)|why not|有没有", re.IGNORECASE
)
_ENDED = re.compile(
    r"\b(?:stop(?:ped|s|ping)?|quit(?:ting)?|discontinu\w*|no longer|any ?more|cancel\w*|(?:get|got|getting) rid"
    r"|sold out|(?:drop|remov|retir|end|clos|ceas|abandon)(?:p?ed|p?ing)|gave up|giv(?:e|ing) up)\b"
    r"|不再|停(?:止|产|售|更|了|掉)|取消|下架|关(?:闭|掉|停)|放弃|删(?:除|掉|了)|换掉|已经没有|卖完|售罄",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence or clause."""

    text: str
    span: tuple[int, int]
    """Where it stands, in characters."""
    terms: frozenset[str]
    """What it is about."""
    weight: float
    """Of the terms together."""
    negative: bool
    """It denies something."""
    ended: bool
    """It says that something is over."""


@dataclass(frozen=True, slots=True)
class Source:
    """A text that claims may rest on."""

    terms: frozenset[str]
    """Every search term."""
    kin: dict[str, tuple[str, ...]]
    """First letters -> the words that begin with them."""
    sentences: tuple[tuple[Claim, ...], ...]
    """The clauses of each sentence."""

    def coverage(self, terms: Iterable[str]) -> float:
        """Share of the weight of `terms` that the text holds, from 0 to 1; 1 where there are none."""
        wanted = list(terms)
        total = sum(map(analysis.weight, wanted))
        held = sum(analysis.weight(term) for term in wanted if self.holds(term))
        return held / total if total else 1.0

    def holds(self, term: str) -> bool:
        """Whether the text has `term`, or another form of the word."""
        return term in self.terms or any(_akin(term, word) for word in self.kin.get(term[:_KIN_LETTERS], ()))


@lru_cache(maxsize=256)
def source(text: str) -> Source:
    """`text` analysed; about 0.5 ms for 1,000 characters, once."""
    read = text[:READ_CHARS]
    terms = frozenset(analysis.terms(read))
    kin: dict[str, list[str]] = {}
    for term in terms:
        if len(term) >= _KIN_LETTERS and term.isascii() and term.isalpha():
            kin.setdefault(term[:_KIN_LETTERS], []).append(term)
    return Source(terms, {start: tuple(words) for start, words in kin.items()}, _sentences(read))


def _sentences(text: str) -> tuple[tuple[Claim, ...], ...]:
    clauses = (clause_spans(text, span) for span in sentence_spans(text))
    return tuple(tuple(claim(text, part) for part in parts) for parts in clauses)


def _akin(one: str, other: str) -> bool:
    common = next(
        (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
    return common >= _KIN_SHARE * max(len(one), len(other))


def clause_spans(text: str, span: tuple[int, int]) -> list[tuple[int, int]]:
    """The clauses of the sentence at `span`, without what divides them."""
    start, end = span
    clauses = []
    for match in _CLAUSE.finditer(text, start, end):
        if match[0] == "," and text[match.end() : match.end() + 3].isdigit():
            continue  # 1,200
        clauses.append((start, match.start()))
        start = match.end()
    clauses.append((start, end))
    return [one for one in clauses if text[one[0] : one[1]].strip()]


def claim(text: str, span: tuple[int, int]) -> Claim:
    said = text[span[0] : span[1]]
    terms = frozenset(about(said))
    return Claim(said, span, terms, weigh(terms), negative(said), _ENDED.search(said) is not None)


def about(text: str) -> list[str]:
    """Content terms without numbers, prices, addresses and words that say that something is denied or over."""
    plain = NUMBER.sub(" ", PRICE.sub(" ", PLACE.sub(" ", text)))
    # Chinese words around a 不 are neighbours without it.
    words = _ENDED.sub(" ", _NEGATION.sub(lambda denial: " " if denial[0].isascii() else "", plain))
    return [term for term in analysis.content_terms(words) if not term[0].isdigit()]


def negative(text: str) -> bool:
    return len(_NEGATION.findall(_EITHER_WAY.sub(" ", text))) % 2 == 1


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def weigh(terms: Iterable[str]) -> float:
    return sum(map(analysis.weight, terms))
