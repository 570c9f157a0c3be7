"""How a reply speaks: its length and language, nothing of the prompt, nothing twice, no refusal, no promise."""

import re
from collections.abc import Iterator
from functools import lru_cache

from bot.checks.findings import MAX_TEXT, CheckFacts, Code, Finding, at, masked
from bot.persona import is_cjk
from bot.prompt import FENCE_CLOSE, FENCE_OPEN, UNKNOWN
from bot.triage import fold, is_blank, is_emoji_only, squash
from knowledge.language import detect
from knowledge.splitter import sentences

LEAK = re.compile(
    rf"{re.escape(FENCE_OPEN)}|{re.escape(FENCE_CLOSE)}|[＜﹤]{{3}}|[＞﹥]{{3}}|{re.escape(UNKNOWN)}|<[|｜]|[|｜]>|\[/?INST\]"
    rf"|</?(?:think|tool_call|tool_response)>|[\[［【]\d{{1,2}}[\]］】]|\bpassages? \d|段落\s?\d"
    r"|\b(?:system prompt|as an ai (?:language )?model|i am an ai|my instructions|numbered passages?"
    r"|the passages? (?:don't|do not|state))"
    r"|系统提示词?|提示词|作为(?:一个|一名)?(?:ai|人工智能)|我的指令|(?:^|\n)[^\S\n]*(?:system|assistant"
    r"|user)\s*:",
    re.IGNORECASE,
)
_RUN = re.compile(
    r"(\S)\1{9,}|(?<!\w)(\w[^\s]{0,30}(?:\s+\S{1,30}){0,5}?)(?:[\s,，]+\2(?!\w)){2,}|([\u3400-\u9fff]{2,10}?)\3{3,}"
)
_REFUSAL = re.compile(
    r"\bI(?:'m| am)? (?:can(?:no|')t|(?:am )?unable to|(?:am )?not able to|won't|will not|must decline to) "
    r"(?:help|assist|comply|fulfil|provide|discuss|engage|do that|continue)"
    r"|\bI(?:'m| am) not allowed to|\bI(?: must| have to)? (?:decline|refuse)\b|\bI'd rather not (?:answer|say|talk)"
    r"|\bI(?:'m| am) (?:just |only )?a (?:robot|program|machine)\b"
    r"|\bI'?m (?:just |only )?(?:an? )?(?:ai|bot|chat ?bot|(?:large )?language model|virtual assistant"
    r"|digital assistant)\b"
    r"|\bas an? (?:large language model|chat ?bot|virtual assistant|assistant)\b|\bagainst my (?:guidelines"
    r"|policy|policies|programming)"
    r"|我(?:无法|不能|没法|不便)(?:提供|协助|满足|完成|帮助|帮你|帮您|处理|讨论|继续)|我(?:只|仅仅)?是(?:一个"
    r"|一名)?(?:ai|人工智能|机器人|语言模型|虚拟助手|聊天助手)"
    r"|我?拒绝(?:回答|透露)|(?:不便|不方便|恕不能|恕我不能)(?:回答|透露|说|多说)"
    r"|作为(?:一个|一名)?(?:语言模型|大模型|机器人|虚拟助手|聊天助手)|违反.{0,6}(?:政策|准则|规定)",
    re.IGNORECASE,
)
_PROMISE = re.compile(
    r"\b(?:i|we)(?:'ll| will| can)? (?:guarantee|promise|swear)\b|\bguaranteed?\b|\b100 ?% (?:safe|sure"
    r"|certain|works?|effective)"
    r"|\brisk[- ]free\b|\bmoney[- ]back (?:guarantee|promise)\b|\bmy word\b|\bcount on it\b"
    r"|\bno questions asked\b|\bhalf[- ]price\b|(?<!不)(?<!不能)(?:保证|承诺|担保)(?!金|书)|绝对(?:有效|安全|没问题"
    r"|不会|可以)|百分之?百|包(?:过|赚|治|退|换)|包你|包教包会|打包票|发誓|无效退款|假一赔|半价|买一送一|稳赚",
    re.IGNORECASE,
)
ECHO_WORDS, ECHO_CHARS = 8, 14
"""How many words (characters of Chinese) in a row count as repeating the comment, or the rules of the prompt."""


def wordless(reply: str, facts: CheckFacts) -> Iterator[Finding]:
    """Nothing but emoji and punctuation."""
    if is_emoji_only(masked(reply, facts.fixed)):
        yield Finding(Code.EMPTY, (0, len(reply)), reply[:MAX_TEXT])


def length(reply: str, facts: CheckFacts) -> Iterator[Finding]:
    if len(reply) > facts.max_chars:
        yield Finding(Code.TOO_LONG, (facts.max_chars, len(reply)), f"{len(reply)} > {facts.max_chars}")


def too_many_sentences(reply: str, facts: CheckFacts) -> Iterator[Finding]:
    if facts.max_sentences is None:
        return
    count = len(sentences(_without(reply, facts.fixed)))
    if count > facts.max_sentences:
        yield Finding(Code.SENTENCES, (0, len(reply)), f"{count} > {facts.max_sentences}")


def language(reply: str, facts: CheckFacts) -> Iterator[Finding]:
    spoken = detect(_without(reply, facts.fixed))
    if "und" not in (spoken, facts.language) and spoken != facts.language:
        yield Finding(Code.LANGUAGE, (0, len(reply)), f"{spoken}, {facts.language}")


def leaks(reply: str, facts: CheckFacts) -> Iterator[Finding]:
    sources = "\n".join(facts.sources).casefold()
    for match in LEAK.finditer(reply):
        if match[0].casefold() not in sources:
            yield at(Code.LEAK, match)
    plain = fold(reply)
    shown = [rule for rule in _rules(facts.instructions) if rule in plain]
    said = shown or _shared_runs(reply, _rule_runs(facts.instructions), facts)[:1]
    yield from (Finding(Code.LEAK, (0, len(reply)), rule[:MAX_TEXT]) for rule in said)


@lru_cache(maxsize=64)
def _rules(instructions: str) -> tuple[str, ...]:
    """The sentences of the prompt's system text that are long enough to be known again; the same for many replies."""
    folded = (fold(line).strip("- ") for line in sentences(instructions))
    return tuple(rule for rule in folded if len(rule) >= (10 if any(map(is_cjk, rule)) else 24))


@lru_cache(maxsize=64)
def _rule_runs(instructions: str) -> frozenset[str]:
    return frozenset(_runs(instructions))


def refusal(reply: str, facts: CheckFacts) -> Iterator[Finding]:
    return _unsaid(Code.REFUSAL, _REFUSAL, reply, facts)


def promises(reply: str, facts: CheckFacts) -> Iterator[Finding]:
    return _unsaid(Code.PROMISE, _PROMISE, reply, facts)


def _unsaid(code: Code, pattern: re.Pattern[str], reply: str, facts: CheckFacts) -> Iterator[Finding]:
    """What the sources don't say word for word."""
    match = pattern.search(masked(reply, facts.fixed).replace("’", "'"))
    if match and match[0].casefold() not in "\n".join(facts.sources).casefold():
        yield at(code, match)


def echo(reply: str, facts: CheckFacts) -> Iterator[Finding]:
    for run in _shared_runs(reply, frozenset(_runs(facts.comment)), facts)[:1]:
        yield Finding(Code.ECHO, (0, len(reply)), run[:MAX_TEXT])


def _shared_runs(reply: str, said: frozenset[str], facts: CheckFacts) -> list[str]:
    """What the reply has in common with `said` that no source says too."""
    shared = [run for run in _runs(reply) if run in said]
    known = {run for source in facts.sources for run in _runs(source)} if shared else frozenset[str]()
    return [run for run in shared if run not in known]


def _runs(text: str) -> list[str]:
    """Every run of `ECHO_WORDS` words or `ECHO_CHARS` Chinese characters, in order."""
    folded = fold(text)
    words = re.findall(r"[^\W\u3400-\u9fff]+", folded)
    han = squash(folded)
    runs = [" ".join(words[i : i + ECHO_WORDS]) for i in range(len(words) - ECHO_WORDS + 1)]
    if any("\u3400" <= c <= "\u9fff" for c in han):
        runs += [han[i : i + ECHO_CHARS] for i in range(len(han) - ECHO_CHARS + 1)]
    return runs


def banned(reply: str, facts: CheckFacts) -> Iterator[Finding]:
    plain, dense = fold(reply), squash(fold(reply))
    for word in (word for word in facts.banned if not is_blank(word)):
        wanted = fold(word).strip()
        bounded = rf"(?<![a-z0-9]){re.escape(wanted)}(?![a-z0-9])"
        if re.search(bounded, plain) or (any(map(is_cjk, wanted)) and squash(wanted) in dense):
            start = max(reply.casefold().find(wanted), 0)
            yield Finding(Code.BANNED, (start, start + len(wanted)), word[:MAX_TEXT])


def repeated(reply: str, facts: CheckFacts) -> Iterator[Finding]:
    body, seen = _without(reply, facts.fixed), set[str]()
    for sentence in sentences(body):
        key = squash(fold(sentence))
        if len(key) >= 6 and key in seen:
            yield Finding(Code.REPEATED, _span(reply, sentence), sentence[:MAX_TEXT])
        seen.add(key)
    run = _RUN.search(body)
    if run:
        yield Finding(Code.REPEATED, _span(reply, run[0]), run[0][:MAX_TEXT])


def _without(reply: str, fixed: tuple[str, ...]) -> str:
    for text in fixed:
        reply = reply.replace(text, " ", 1) if text else reply
    return reply


def _span(reply: str, part: str) -> tuple[int, int]:
    start = max(reply.rfind(part), 0)
    return start, min(start + len(part), len(reply))
