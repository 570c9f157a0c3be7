"""What a comment takes for granted: "since it is free, ...", "既然是免费的". Pure.

A reply that answers such a question agrees with its premise without saying so. A premise that no source states, or that
a source denies, leads to a person. What commenters say of themselves ("since I live in Japan") is theirs to know.
"""

import re
from collections.abc import Iterator, Sequence

from bot.checks.claims import Claim, about, claim, source, words
from bot.checks.findings import MAX_TEXT, CheckFacts, Code, Finding
from bot.numerals import FREE, amounts

LEAST_COVERAGE = 0.7
"""Share of the premise's words that one sentence of a source must hold."""
READ_CHARS = 2_000
"""What is read of a comment."""

_CLAUSE = r"(?P<{}>(?:[^,，.。!！?？;；\n]|(?<=\d)[.,](?=\d)){{2,160}})"
_PATTERNS = (
    # A reason that is given: the subject keeps "since 2019" and "because of" out.
    r"\b(?:since|because|given|considering|though|although)\s+" + _CLAUSE.format("given"),
    r"\b(?:given that|seeing (?:that|as|how)|considering that|now that)\s+" + _CLAUSE.format("known"),
    r"\bif (?=(?:it|this|that|the \w+|shipping|your \w+)(?:'s| is| are)? (?:already|really|actually) )"
    + _CLAUSE.format("granted"),
    # What was said or heard.
    r"\b(?:i (?:just |also )?(?:heard|read|saw|was told|noticed)|you (?:said|mentioned|told us|claimed"
    r"|promised|wrote)"
    r"|didn'?t you say|as you (?:said|mentioned)|(?:they|people|everyone|somebody|someone) (?:say|says"
    r"|said))(?: somewhere| earlier"
    r"| before| in \w+ \w+)?,?\s+(?:that\s+)?(?!about\b|how\b|why\b|when\b|what\b|where\b|which\b|if\b|whether\b)"
    + _CLAUSE.format("said"),
    # A reason that is asked for.
    r"\b(?:why (?:did|do|does|is|are|was|were|have|has|don'?t|didn'?t|doesn'?t|isn'?t|aren'?t|won'?t|can'?t)|how come"
    r"|when did you|what made you|why'?d you)\s+" + _CLAUSE.format("asked"),
    r"(?:既然|因为|由于|鉴于|反正|考虑到)" + _CLAUSE.format("yin"),
    r"(?:(?:我)?(?:听说|听人说|听别人说|看到说|据说|有人说|网上说)|(?:你|您|博主|老师|up主?)(?:之前|上次|上期"
    r"|以前|视频里|不是|曾经)*(?:说过?|提过|提到|讲过|承诺))[，,]?(?!一下|说|怎|为|哪|什|的)"
    + _CLAUSE.format("ting"),
    r"(?:(?<![化成作称认以])为什么|为啥|为何|干嘛|怎么(?=不再|又不|就不|突然|停|取消|下架))"
    + _CLAUSE.format("wen"),
    r"(?:^|[，,。！!？?\s])不是(?=[^，,。！!？?\n]{2,40}(?:吗|么|嘛))" + _CLAUSE.format("fan"),
    r"(?:^|[，,。！!？?\s])都(?=[^，,。！!？?\n]{1,30}了[，,])" + _CLAUSE.format("dou"),
)
_PREMISE = tuple(re.compile(pattern, re.IGNORECASE) for pattern in _PATTERNS)
# It has a subject of its own and a verb; what follows is about us or about things, not about the commenter.
_SUBJECT = re.compile(
    r"\s*(?:that )?(?!(?:i|i'm|i've|i'd|my|mine|we|we're|our|me|someone|it'?s (?:been|my|so hot|hot|cold"
    r"|winter|summer)|of|then|last|yesterday|today)\b|the \w+$)"
    r"(?:(?:it|this|that|there|you|they|he|she|these|those|everything|all|both|nobody|everyone)\b|(?:it|that"
    r"|there|you|they)['’]|your\b|the\b|(?!\d)(?:[\w'-]+ ){1,4}(?:is|are|was|were|has|have|does|do|can|cannot"
    r"|will|comes?|needs?|costs?|takes?|works?|contains?)\b)",
    re.IGNORECASE,
)
_OF_THEMSELVES = re.compile(
    r"\s*(?:i|i'm|i've|my|we|our)\b|\s*(?:我|俺|咱|本人|家里|楼上|最近天|天气|今天|昨天|时间|太|想|要|没时间"
    r"|手头)|\s*(?:of|it'?s (?:been|my))\b",
    re.IGNORECASE,
)
_OPENING = re.compile(
    r"^\s*(?:that\s+)?(?:you (?:guys )?(?:are|were|have|had|do|did|will|can)?|it(?:'s| is| was| has)?|this is"
    r"|there (?:is|are)|they(?:'re| are)?"
    r"|the|your|你们?|您|它|这个?|那个?|是|说|都|已经|现在|会|又|就|突然)\s*|[吗嘛么]$",
    re.IGNORECASE,
)
_TALK = words(
    "video already ever still even anyway alway usual onli realli now today like decid thing kind sort lot bit everyth "
    "channel comment episod"
)


def false_premise(reply: str, facts: CheckFacts) -> Iterator[Finding]:
    """What the comment takes for granted and the sources don't state. The reply plays no part."""
    for premise in premises(facts.comment):
        if not holds(premise, facts.sources):
            yield Finding(Code.FALSE_PREMISE, (0, 0), premise[:MAX_TEXT])
            return


def premises(comment: str) -> list[str]:
    """The clauses of `comment` that take something for granted about its subject, in order."""
    text = " ".join(comment[:READ_CHARS].replace("’", "'").split())
    found: dict[int, str] = {}
    for pattern in _PREMISE:
        for match in pattern.finditer(text):
            kind = str(match.lastgroup)
            if _counts(kind, match[kind]):
                said = f"{_polarity(match[0])}{match[kind]}".strip()
                found.setdefault(match.end(), said)
    return [found[place] for place in sorted(found)]


def _counts(kind: str, clause: str) -> bool:
    if kind == "given":
        return _SUBJECT.match(clause) is not None
    return _OF_THEMSELVES.match(clause) is None


def _polarity(matched: str) -> str:
    """The denial that a question carries in front of its clause: "why don't you ..." """
    return "not " if re.match(r"why \w+n'?t\b", matched, re.IGNORECASE) else ""


def holds(premise: str, sources: tuple[str, ...]) -> bool:
    """Whether a source states `premise`: its words, its numbers, and yes for yes and no for no."""
    wanted = claim(premise, (0, len(premise)))
    terms = frozenset(about(_OPENING.sub("", premise))) - _TALK
    denies = wanted.negative or wanted.ended
    figures = set(amounts(premise))
    free = FREE.search(f"it is {premise}") is not None
    if not terms and not figures and not free:
        return True
    sentences = [clauses for text in sources for clauses in source(text).sentences]
    agreeing = max((_held(terms, clauses, denies, figures, free) for clauses in sentences), default=0.0)
    at_all = max((_held(terms, clauses, None, figures, free) for clauses in sentences), default=0.0)
    return agreeing >= LEAST_COVERAGE and agreeing >= at_all


def _held(
    terms: frozenset[str], clauses: Sequence[Claim], denies: bool | None, figures: set[str], free: bool
) -> float:
    """Share of `terms` in those clauses of a sentence that deny something, or don't; None: in any. 0 for a sentence
    without the figures.
    """
    said = [one for one in clauses if denies is None or (one.negative or one.ended) == denies]
    text = " ".join(one.text for one in said)
    if not figures <= set(amounts(" ".join(one.text for one in clauses))) or (free and not FREE.search(text)):
        return 0.0
    if not terms:
        return float(bool(said))
    found = frozenset[str]().union(*(one.terms for one in said))
    return sum(_share(term, found, text) for term in terms) / len(terms)


def _share(term: str, found: frozenset[str], text: str) -> float:
    if term in found:
        return 1.0
    if len(term) == 2 and not term.isascii():
        # Neighbouring characters of two words are no neighbours any more with a word between them.
        return 0.5 * (term[0] in text and term[1] in text)
    return 0.8 * source(text).holds(term)
