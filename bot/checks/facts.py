"""What a reply states exactly: numbers, prices, dates, links, accounts, addresses. The sources must hold it."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from bot.checks.claims import Claim, about, source
from bot.checks.findings import CheckFacts, Code, Finding, at, masked
from bot.checks.manner import LEAK
from bot.numerals import (
    DATE,
    FREE,
    MEASURE,
    NUMBER,
    PRICE,
    Price,
    amounts,
    canonical,
    date_key,
    dates_in,
    measure_key,
    measures,
    price_key,
    prices,
)
from bot.triage import fold, squash
from knowledge.splitter import sentence_spans

_LINK = re.compile(
    r"(?:https?://|www\.)[^\s<>\"'，。；！？、）)】》]+|(?<![\w@./-])(?:[a-z0-9-]+\.)+(?:com|net|org|io|cn"
    r"|co|me|app|dev|shop|xyz|info|"
    r"tv|ly|gg|top|site|store|online|link|club|vip|cc|ru|uk|de|jp|fr|eu|us|ai)\b(?:/[^\s，。；！？、）)]*)?",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+", re.ASCII)
_MENTION = re.compile(r"(?<![A-Za-z0-9_.@/])@[\w.-]*\w")
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
    taken = []
    for match in PRICE.finditer(text):
        taken.append(match.span())
        if all(one.prices.isdisjoint(price_key(match)) for one in known):
            yield at(Code.PRICE, match)
    apart = (*taken, *_apart(reply))
    for match in NUMBER.finditer(text):
        if not _within(match.start(), apart) and not _held(canonical(match[0]), known):
            yield at(Code.NUMBER, match)
    for match in MEASURE.finditer(text):
        if not _within(match.start(), apart):
            yield from _unit(match, known)
    yield from _free(text, facts)


def _unit(match: re.Match[str], known: Sequence[_Figures]) -> Iterator[Finding]:
    """A number that the sources have with other units only: 9 days is not 9 minutes."""
    amount, unit = measure_key(match)
    stated = [other for one in known for held, other in one.measures if held == amount]
    if not _held(amount, known):
        if not NUMBER.search(match[0]):
            yield at(Code.NUMBER, match)
    elif stated and not any(_alike(unit, other) for other in stated):
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


def _within(place: int, spans: tuple[Span, ...]) -> bool:
    return any(start <= place < end for start, end in spans)


def dates(reply: str, facts: CheckFacts) -> Iterator[Finding]:
    """Clock times, months and days of the week."""
    for match in DATE.finditer(masked(reply, facts.fixed)):
        if not any(date_key(match) in _figures(source).dates for source in facts.sources):
            yield at(Code.DATE, match)


def links(reply: str, facts: CheckFacts) -> Iterator[Finding]:
    found = list(_LINK.finditer(reply))
    known = {_address(m[0]) for source in facts.sources if found for m in _LINK.finditer(source)}
    mails = tuple(m.span() for m in _EMAIL.finditer(reply))
    for match in found:
        if not _within(match.start(), mails) and _address(match[0]) not in known:
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
