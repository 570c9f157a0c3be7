"""Checks of a reply before it may go out. Pure: a reply and what it was written from in, findings out.

A finding never changes a reply; `bot.policy.decide` sends every reply with findings to a person.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from bot.numerals import NUMBER, PRICE, amounts, canonical, price_key, prices
from bot.persona import is_cjk, reply_language
from bot.prompt import FENCE_CLOSE, FENCE_OPEN, UNKNOWN
from bot.triage import fold, is_blank, squash
from knowledge.language import detect
from knowledge.splitter import sentences


class Code(StrEnum):
    """What a check can find."""

    EMPTY = "empty"
    TOO_LONG = "too_long"
    LANGUAGE = "language"
    NUMBER = "number"
    PRICE = "price"
    LINK = "link"
    EMAIL = "email"
    MENTION = "mention"
    LEAK = "leak"
    ECHO = "echo"
    BANNED = "banned"
    REPEATED = "repeated"


_MESSAGES = {
    Code.EMPTY: ("the reply is empty", "回复是空的"),
    Code.TOO_LONG: ("the reply is too long: {text}", "回复太长：{text}"),
    Code.LANGUAGE: ("the reply is not in the comment's language: {text}", "回复与评论的语言不同：{text}"),
    Code.NUMBER: ("the documents don't hold this number: {text}", "资料里没有这个数字：{text}"),
    Code.PRICE: ("the documents don't hold this price: {text}", "资料里没有这个价格：{text}"),
    Code.LINK: ("the documents don't hold this link: {text}", "资料里没有这个链接：{text}"),
    Code.EMAIL: ("the documents don't hold this e-mail address: {text}", "资料里没有这个邮箱：{text}"),
    Code.MENTION: ("the documents don't name this account: {text}", "资料里没有提到这个账号：{text}"),
    Code.LEAK: ("the reply shows instructions of the prompt: {text}", "回复泄露了提示词内容：{text}"),
    Code.ECHO: ("the reply repeats the comment: {text}", "回复照抄了评论：{text}"),
    Code.BANNED: ("the reply holds a banned word: {text}", "回复里有禁用词：{text}"),
    Code.REPEATED: ("the reply says the same thing twice: {text}", "回复内容重复：{text}"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a reply."""

    code: Code
    span: tuple[int, int]
    """Where in the reply, in characters: start and end."""
    text: str
    """What was found there, or a measure of it; at most 80 characters."""

    def message(self, language: str = "en") -> str:
        """One line for a person, in English or Chinese."""
        return _MESSAGES[self.code][reply_language(language) == "zh"].format(text=self.text)


@dataclass(frozen=True, slots=True)
class CheckFacts:
    """What a reply is checked against."""

    comment: str
    language: str
    """Language of the comment."""
    sources: tuple[str, ...]
    """Everything that facts may come from: the passages' texts, the post, the persona's own fixed texts."""
    max_chars: int
    fixed: tuple[str, ...] = ()
    """Greeting and signature as they stand in the reply; they don't count for language and repetition."""
    instructions: str = ""
    """The prompt's system text; a reply must not show it."""
    banned: tuple[str, ...] = ()


Check = Callable[[str, CheckFacts], Iterable[Finding]]

_LINK = re.compile(
    r"(?:https?://|www\.)[^\s<>\"'，。；！？、）)】》]+|(?<![\w@./-])(?:[a-z0-9-]+\.)+(?:com|net|org|io|cn"
    r"|co|me|app|dev|shop|xyz|info|"
    r"tv|ly|gg|top|site|store|online|link|club|vip|cc|ru|uk|de|jp|fr|eu|us|ai)\b(?:/[^\s，。；！？、）)]*)?",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+", re.ASCII)
_MENTION = re.compile(r"(?<![A-Za-z0-9_.@/])@[\w.-]*\w")
_LEAK = re.compile(
    rf"{re.escape(FENCE_OPEN)}|{re.escape(FENCE_CLOSE)}|{re.escape(UNKNOWN)}|<[|｜]|[|｜]>|\[/?INST\]"
    rf"|</?think>|\[\d{{1,2}}\]"
    r"|\b(?:system prompt|as an ai (?:language )?model|i am an ai|my instructions|numbered passages?"
    r"|the passages? (?:don't|do not|state))"
    r"|系统提示词?|提示词|作为(?:一个|一名)?(?:ai|人工智能)|我的指令|(?:^|\n)[^\S\n]*(?:system|assistant"
    r"|user)\s*:",
    re.IGNORECASE,
)
_RUN = re.compile(
    r"(\S)\1{9,}|(?<!\w)(\w[^\s]{0,30}(?:\s+\S{1,30}){0,5}?)(?:[\s,，]+\2(?!\w)){2,}|([\u3400-\u9fff]{2,10}?)\3{3,}"
)
ECHO_WORDS, ECHO_CHARS = 8, 14
"""How many words (characters of Chinese) in a row count as repeating the comment."""


def check(reply: str, facts: CheckFacts) -> tuple[Finding, ...]:
    """All findings, in the order of `Code`. An empty reply has that one finding only."""
    if is_blank(reply):
        return (Finding(Code.EMPTY, (0, len(reply)), ""),)
    return tuple(finding for one in _CHECKS for finding in one(reply, facts))


def _length(reply: str, facts: CheckFacts) -> Iterator[Finding]:
    if len(reply) > facts.max_chars:
        yield Finding(Code.TOO_LONG, (facts.max_chars, len(reply)), f"{len(reply)} > {facts.max_chars}")


def _language(reply: str, facts: CheckFacts) -> Iterator[Finding]:
    spoken = detect(_without(reply, facts.fixed))
    if "und" not in (spoken, facts.language) and spoken != facts.language:
        yield Finding(Code.LANGUAGE, (0, len(reply)), f"{spoken}, {facts.language}")


def _numbers(reply: str, facts: CheckFacts) -> Iterator[Finding]:
    known_prices = {price for source in facts.sources for price in prices(source)}
    priced = []
    for match in PRICE.finditer(reply):
        priced.append(match.span())
        if known_prices.isdisjoint(price_key(match)):
            yield _at(Code.PRICE, match)
    known = {amount for source in facts.sources for amount in amounts(source)}
    apart = [m.span() for pattern in (_LINK, _EMAIL, _MENTION, _LEAK) for m in pattern.finditer(reply)]
    for match in NUMBER.finditer(reply):
        inside = any(start <= match.start() < end for start, end in (*priced, *apart))
        if not inside and canonical(match[0]) not in known:
            yield _at(Code.NUMBER, match)


def _links(reply: str, facts: CheckFacts) -> Iterator[Finding]:
    known = {_address(m[0]) for source in facts.sources for m in _LINK.finditer(source)}
    mails = [m.span() for m in _EMAIL.finditer(reply)]
    for match in _LINK.finditer(reply):
        in_mail = any(start <= match.start() < end for start, end in mails)
        if not in_mail and _address(match[0]) not in known:
            yield _at(Code.LINK, match)


def _address(link: str) -> str:
    return re.sub(r"^(?:https?://)?(?:www\.)?", "", link.lower()).rstrip("./,;:!?")


def _emails(reply: str, facts: CheckFacts) -> Iterator[Finding]:
    return _unknown(Code.EMAIL, _EMAIL, reply, facts.sources)


def _mentions(reply: str, facts: CheckFacts) -> Iterator[Finding]:
    return _unknown(Code.MENTION, _MENTION, reply, facts.sources)


def _unknown(code: Code, pattern: re.Pattern[str], reply: str, sources: tuple[str, ...]) -> Iterator[Finding]:
    known = {m[0].lower().rstrip(".") for source in sources for m in pattern.finditer(source)}
    return (_at(code, m) for m in pattern.finditer(reply) if m[0].lower().rstrip(".") not in known)


def _leaks(reply: str, facts: CheckFacts) -> Iterator[Finding]:
    sources = "\n".join(facts.sources).casefold()
    for match in _LEAK.finditer(reply):
        if match[0].casefold() not in sources:
            yield _at(Code.LEAK, match)
    plain = fold(reply)
    for rule in _rules(facts.instructions):
        if rule in plain:
            yield Finding(Code.LEAK, (0, len(reply)), rule[:80])


@lru_cache(maxsize=64)
def _rules(instructions: str) -> tuple[str, ...]:
    """The sentences of the prompt's system text that are long enough to be known again; the same for many replies."""
    folded = (fold(line).strip("- ") for line in sentences(instructions))
    return tuple(rule for rule in folded if len(rule) >= (10 if any(map(is_cjk, rule)) else 24))


def _echo(reply: str, facts: CheckFacts) -> Iterator[Finding]:
    said = set(_runs(facts.comment))
    shared = [run for run in _runs(reply) if run in said]
    if not shared:
        return
    known = {run for source in facts.sources for run in _runs(source)}
    for run in (run for run in shared if run not in known):
        yield Finding(Code.ECHO, (0, len(reply)), run[:80])
        return


def _runs(text: str) -> list[str]:
    """Every run of `ECHO_WORDS` words or `ECHO_CHARS` Chinese characters, in order."""
    folded = fold(text)
    words = re.findall(r"[^\W\u3400-\u9fff]+", folded)
    han = squash(folded)
    runs = [" ".join(words[i : i + ECHO_WORDS]) for i in range(len(words) - ECHO_WORDS + 1)]
    if any("\u3400" <= c <= "\u9fff" for c in han):
        runs += [han[i : i + ECHO_CHARS] for i in range(len(han) - ECHO_CHARS + 1)]
    return runs


def _banned(reply: str, facts: CheckFacts) -> Iterator[Finding]:
    plain, dense = fold(reply), squash(fold(reply))
    for word in (word for word in facts.banned if not is_blank(word)):
        wanted = fold(word).strip()
        bounded = rf"(?<![a-z0-9]){re.escape(wanted)}(?![a-z0-9])"
        if re.search(bounded, plain) or (any(map(is_cjk, wanted)) and squash(wanted) in dense):
            at = max(reply.casefold().find(wanted), 0)
            yield Finding(Code.BANNED, (at, at + len(wanted)), word[:80])


def _repeated(reply: str, facts: CheckFacts) -> Iterator[Finding]:
    body, seen = _without(reply, facts.fixed), set[str]()
    for sentence in sentences(body):
        key = squash(fold(sentence))
        if len(key) >= 6 and key in seen:
            yield Finding(Code.REPEATED, _span(reply, sentence), sentence[:80])
        seen.add(key)
    run = _RUN.search(body)
    if run:
        yield Finding(Code.REPEATED, _span(reply, run[0]), run[0][:80])


def _without(reply: str, fixed: tuple[str, ...]) -> str:
    for text in fixed:
        reply = reply.replace(text, " ", 1) if text else reply
    return reply


def _span(reply: str, part: str) -> tuple[int, int]:
    start = max(reply.rfind(part), 0)
    return start, min(start + len(part), len(reply))


def _at(code: Code, match: re.Match[str]) -> Finding:
    return Finding(code, match.span(), match[0].strip()[:80])


_CHECKS: tuple[Check, ...] = (
    _length,
    _language,
    _numbers,
    _links,
    _emails,
    _mentions,
    _leaks,
    _echo,
    _banned,
    _repeated,
)
