"""What a reply states exactly: numbers, prices, dates, links, accounts, addresses. The sources must hold it."""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from bot.checks.claims import Claim, about, source
from bot.checks.findings import CheckFacts, Code, Finding, at, masked
from bot.checks.manner import LEAK
from bot.numerals import (
    DATE,
    DAY_OF_MONTH,
    FEW,
    FREE,
    MEASURE,
    NUMBER,
    PRICE,
    SIGN,
    SPELLED,
    Price,
    amounts,
    canonical,
    date_key,
    dates_in,
    day_key,
    measure_key,
    measures,
    price_key,
    prices,
)
from bot.triage import fold, squash
from knowledge.splitter import sentence_spans

# Chinese stands around an address without blanks, and letters of any script may stand in one. Any word in small letters
# may be its ending; in capitals or after a Chinese full stop it mostly begins a sentence.
_LETTER = r"[^\W_\u2e80-\u9fff]"
_ENDING = (
    r"(?:\.(?-i:[a-z]{2,24})|[.。．｡](?:com|net|org|io|cn|co|me|app|dev|shop|xyz|info|tv|ly|gg|top|site|store|online"
    r"|link|club|vip|cc|ru|uk|de|jp|fr|eu|us|ai|公司|网络|中国|在线))(?![A-Za-z0-9_])"
)
_LINK = re.compile(
    r"(?:https?://|www\.|(?<![:/])//(?=\w))[^\s<>\"'，。；！？、）)】》]+"
    rf"|(?<!{_LETTER})(?<![@_./。．｡-])(?:(?:{_LETTER}|-)+[.。．｡])*(?:{_LETTER}|-)+{_ENDING}(?:[:/?][^\s，。；！？、）)]*)?"
    rf"|(?<!{_LETTER}){_LETTER}+\s?(?:[\[(]\s?(?:dot|\.|点)\s?[\])]|点|\sdot\s)\s?(?:com|net|org|cn|shop|top|xyz|me)(?![a-z])"
    r"|(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])(?:[:/][^\s，。；！？、）)]*)?",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+", re.ASCII)
_MENTION = re.compile(r"(?<![A-Za-z0-9_.@＠/])[@＠][\w.-]*\w")
_PHONE = re.compile(
    r"(?<![A-Za-z0-9_.,$€£¥￥/-])(?!\d{4}-\d{2}-\d{2}(?!\d))\+?\(?\d{2,4}\)?(?:[ .-]?\d{2,4}){2,4}(?![.,]?[A-Za-z0-9_])"
)
_ADDRESS = re.compile(
    r"\b\d{1,5}[A-Za-z]?\s(?:[A-Z][\w.'’-]{0,20}\s){1,4}(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Boulevard|Blvd"
    r"|Drive|Dr"
    r"|Square|Court|Way|Place)\b"
    r"|[\u4e00-\u9fff]{1,12}(?:路|街|巷|弄|大道)\s?[\d一二三四五六七八九十百]{1,6}\s?[号弄]"
    r"|(?:微信|微信号|QQ|QQ号|扣扣|QQ群|vx|wechat|whatsapp|telegram|instagram|discord|skype|line)\s?(?:id|号"
    r"|群|is|是|为|at|on)?"
    r"\s?[:：]\s?[A-Za-z0-9_@.+-]{4,40}"
    r"|(?:微信|QQ|扣扣|vx|wechat)(?:id|号|群)?(?:\s?(?:是|为|is|at)\s?|\s?)(?=[A-Za-z_-]{0,20}\d)[A-Za-z0-9_-]{5,40}"
    r"|(?<![\w/.:])(?:~|/(?:home|etc|usr|var|tmp|root|opt|Users|data|mnt|srv))(?:/[\w.-]{1,80}){1,20}"
    r"|\b[A-Za-z]:\\[\w\\.-]{1,200}",
    re.IGNORECASE,
)

Span = tuple[int, int]


class _Figures(NamedTuple):
    prices: frozenset[Price]
    amounts: frozenset[str]
    measures: frozenset[tuple[str, str]]
    dates: frozenset[tuple[str, int, int]]


@lru_cache(maxsize=256)
def _figures(text: str) -> _Figures:
    """What a source holds; the same passages are asked for again and again."""
    return _Figures(
        frozenset(prices(text)),
        frozenset(amounts(text)),
        frozenset(measures(text)),
        frozenset(dates_in(text)),
    )


def numbers(reply: str, facts: CheckFacts) -> Iterator[Finding]:
    """Prices, numbers, and numbers with a unit."""
    text = masked(reply, facts.fixed)
    known = [_figures(source) for source in facts.sources]
    found = list(PRICE.finditer(text))
    yield from (
        at(Code.PRICE, one) for one in found if not any(price_key(one) & all_.prices for all_ in known)
    )
    apart = _places([*(match.span() for match in found), *_apart(reply)])
    for match in MEASURE.finditer(text):
        if match.start() not in apart:
            apart |= _places([match.span()])
            yield from _measured(match, known)
    for match in _numbers(text):
        if match.start() not in apart and not _held(canonical(match[0]), known):
            yield at(Code.NUMBER, match)
    yield from _free(text, facts)


def _numbers(text: str) -> Iterator[re.Match[str]]:
    """Small numbers in English words count beside a unit only: "two things" are said without a source."""
    yield from NUMBER.finditer(text)
    yield from SIGN.finditer(text)
    yield from (one for one in SPELLED.finditer(text) if one[0].lower() not in FEW)


def _measured(match: re.Match[str], known: Sequence[_Figures]) -> Iterator[Finding]:
    """A number with its unit; one that the sources have with other units only is another: 9 days are not 9 minutes."""
    amount, unit = measure_key(match)
    stated = [other for one in known for held, other in one.measures if held == amount]
    if any(_alike(unit, other) for other in stated):
        return
    if not _held(amount, known):
        yield at(Code.NUMBER, match)
    elif stated:
        yield at(Code.UNIT, match)


def _held(amount: str, known: Sequence[_Figures]) -> bool:
    return any(amount in one.amounts for one in known)


def _alike(one: str, other: str) -> bool:
    """A degree without its scale may be either."""
    return one == other or (
        one.startswith("degree") and other.startswith("degree") and "degree" in (one, other)
    )


def _free(text: str, facts: CheckFacts) -> Iterator[Finding]:
    """What is said to cost nothing: a source must say so of the same thing."""
    for start, end in sentence_spans(text) if FREE.search(text) else ():
        match = FREE.search(text, start, end)
        matter = frozenset(about(FREE.sub(" ", text[start:end])))
        sentences = (clauses for one in facts.sources for clauses in source(one).sentences)
        if match and not any(_free_there(matter, clauses) for clauses in sentences):
            yield at(Code.PRICE, match)


def _free_there(matter: frozenset[str], clauses: Sequence[Claim]) -> bool:
    free = any(FREE.search(clause.text) for clause in clauses)
    return free and (not matter or any(matter & clause.terms for clause in clauses))


def _apart(reply: str) -> list[Span]:
    """Where numbers are a part of something else that is checked."""
    patterns = (_LINK, _EMAIL, _MENTION, _PHONE, _ADDRESS, LEAK)
    return [match.span() for pattern in patterns for match in pattern.finditer(reply)]


def _places(spans: Iterable[Span]) -> set[int]:
    """Every character in `spans`."""
    return {place for start, end in spans for place in range(start, end)}


def dates(reply: str, facts: CheckFacts) -> Iterator[Finding]:
    """Clock times, months, days of the month and of the week."""
    text = masked(reply, facts.fixed)
    found = [
        *((match, date_key(match)) for match in DATE.finditer(text)),
        *((match, day_key(match)) for match in DAY_OF_MONTH.finditer(text)),
    ]
    for match, key in found:
        if not any(key in _figures(source).dates for source in facts.sources):
            yield at(Code.DATE, match)


def links(reply: str, facts: CheckFacts) -> Iterator[Finding]:
    found = list(_LINK.finditer(reply))
    known = {_address(m[0]) for source in facts.sources if found for m in _LINK.finditer(source)}
    mails = _places(m.span() for m in _EMAIL.finditer(reply))
    for match in found:
        if match.start() not in mails and _address(match[0]) not in known:
            yield at(Code.LINK, match)


def _address(link: str) -> str:
    return re.sub(r"^(?:https?://)?(?:www\.)?", "", link.lower()).rstrip("./,;:!?")


def emails(reply: str, facts: CheckFacts) -> Iterator[Finding]:
    return _unknown(Code.EMAIL, _EMAIL, reply, facts.sources)


def mentions(reply: str, facts: CheckFacts) -> Iterator[Finding]:
    return _unknown(Code.MENTION, _MENTION, reply, facts.sources)


def _unknown(code: Code, pattern: re.Pattern[str], reply: str, sources: tuple[str, ...]) -> Iterator[Finding]:
    found = list(pattern.finditer(reply))
    known = {m[0].lower().rstrip(".") for source in sources if found for m in pattern.finditer(source)}
    return (at(code, m) for m in found if m[0].lower().rstrip(".") not in known)


def addresses(reply: str, facts: CheckFacts) -> Iterator[Finding]:
    """Streets, phone numbers, contacts on other services, and paths of files."""
    text = masked(reply, facts.fixed)
    found = [match for pattern in (_ADDRESS, _PHONE) for match in pattern.finditer(text)]
    if not found:
        return
    said = squash(fold("\n".join(facts.sources)))
    yield from (at(Code.ADDRESS, match) for match in found if squash(fold(match[0])) not in said)
