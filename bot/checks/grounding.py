"""Whether the sources say what a reply says: sentence by sentence, its names, and yes for yes and no for no.

Compared are words, not meanings: a sentence in other words, or in another language than the documents, counts as
unsupported, which costs a person one look.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from bot.checks.claims import PLACE, Claim, Source, claim, clause_spans, source, weigh, words
from bot.checks.findings import MAX_TEXT, CheckFacts, Code, Finding, masked
from knowledge import analysis
from knowledge.splitter import sentence_spans

LEAST_COVERAGE = 0.5
"""Share of a sentence's words that one source must hold. See `tests/bench/checks.py` for how often that is wrong."""
LEAST_CLAUSE_COVERAGE, CLAUSE_WEIGHT = 0.2, 3.0
"""The same for one clause of a sentence, if it has so much to say."""
LEAST_WEIGHT = 1.5
"""A sentence that says less states nothing."""
SAME_THING, SAME_BACK = 0.75, 0.35
"""Shares of a clause's words that another must hold, there and back, for both to be about the same."""

_KIND = re.compile(
    r"\s*(?:(?:and|so|well|oh|hey|hi|hello|yes|yeah|yep|no|nope|sure|ok|okay|absolutely|of course|definitely"
    r"|certainly"
    r"|haha|wow)\b[\s!.,]*)*"
    r"(?:thank|thx|cheers|glad|happy to|i'?m (?:so |really |very )?(?:glad|happy|delighted|sorry)|(?:so |very "
    r"|i'?m )?sorry"
    r"|(?:i )?(?:really )?(?:hope|appreciate)|let me know|feel free|don'?t hesitate|good luck|have fun|enjoy"
    r"|best of luck"
    r"|(?:what an? |that'?s an? |such an? )?(?:great|good|nice|lovely|excellent|fair|interesting"
    r"|super) (?:question|point|idea)"
    r"|you'?re welcome|welcome|my pleasure|no (?:problem|worries)|happy \w+ing|see you|take care|stay tuned"
    r"|keep it up"
    r"|sounds (?:good|great)|congrat\w*|well done|my notes (?:on this )?are in (?:another language|\w+)"
    r"|(?:if|should) you have (?:any )?(?:more |other |further )?questions?|just ask|as (?:i"
    r"|the notes?) (?:say|said|mention\w*)"
    r"|in my (?:notes|documents|guide)|good to (?:hear|know|see)|love (?:to hear|that|it|your)|i'?d love to"
    r"|谢|多谢|感谢|不客气|很高兴|希望|祝|加油|欢迎|好问题|(?:这|真)?是?(?:一个|个)?(?:很|非常)?好(?:的)?问题"
    r"|一起加油|你好|您好|哈喽|嗨|没问题"
    r"|当然|好的|可以的|是的|对的|如果(?:你|您|大家)?(?:还)?有(?:其他|别的|任何|更多|什么)?(?:问题|疑问)"
    r"|有(?:其他|任何|什么)?问题"
    r"|随时|抱歉|不好意思|辛苦|这一点我的资料是.{1,6}的|原文是|我的资料(?:里|中)(?:提到|写|说)?|哈哈)",
    re.IGNORECASE,
)
_KIND_WIDTH = 60
"""Longer clauses say more than a kind word, whatever they begin with."""
_ABSTAINS = re.compile(
    r"\b(?:don'?t|do not|doesn'?t|does not|can'?t|cannot|couldn'?t) (?:really |actually )?"
    r"(?:know|say|tell|answer|find|mention|cover|state|have (?:any )?(?:information|details|notes))"
    r"|\b(?:not sure|no (?:information|idea|details)|rather not guess|won'?t guess|(?:have|need) to check"
    r"|nothing (?:about|on))\b"
    r"|不知道|不清楚|不(?:太)?确定|没(?:有)?(?:找到|查到|提到|写|说明|记录|相关|资料|答案)|资料里?(?:没|未|中?没)"
    r"|无法(?:回答|确定|确认)|不(?:乱|瞎)?猜|未提及|不了解",
    re.IGNORECASE,
)
_YES_OR_NO = re.compile(
    r"\W*(?:(?:yes|yeah|yep|no|nope|sure|of course|absolutely|definitely|certainly|it is|it does|you can|we do|i do"
    r"|sorry|是的?|不是|对的?|不对|可以|不可以|能|不能|行|不行|会|不会|有|没有|当然|抱歉|不好意思)[\s哦呀啊呢的了]*(?:\W|$)+)+",
    re.IGNORECASE,
)
_ANOTHER_MATTER = words(
    "note document question answer mention recommend suggest chinese english video comment channel hello yes"
)
_QUESTION_END = re.compile(r"[?？][\s”\"'」)）]*$")


def support(reply: str, facts: CheckFacts) -> Iterator[Finding]:
    """Each sentence, or clause of one, that no source holds enough of; a yes or no that stands alone could be
    either."""
    bare = _YES_OR_NO.fullmatch(masked(reply, facts.fixed).strip())
    if bare:
        yield Finding(Code.UNSUPPORTED, (0, len(reply)), bare[0][:MAX_TEXT])
    sources = [source(text) for text in facts.sources]
    for clauses in _statements(masked(reply, facts.fixed)):
        whole = frozenset[str]().union(*(clause.terms for clause in clauses)) - _ANOTHER_MATTER
        if weigh(whole) >= LEAST_WEIGHT and _best(whole, sources) < LEAST_COVERAGE:
            yield _found(Code.UNSUPPORTED, reply, clauses)
            continue
        for clause in clauses:
            terms = clause.terms - _ANOTHER_MATTER
            if weigh(terms) >= CLAUSE_WEIGHT and _best(terms, sources) < LEAST_CLAUSE_COVERAGE:
                yield _found(Code.UNSUPPORTED, reply, [clause])


def stated(reply: str) -> list[tuple[int, int]]:
    """Where it says what needs a source: no kind words, no questions, no "I don't know"."""
    return [(parts[0][0], parts[-1][1]) for parts in _stating(reply)]


def _best(terms: frozenset[str], sources: Sequence[Source]) -> float:
    return max((one.coverage(terms) for one in sources), default=0.0)


def negation(reply: str, facts: CheckFacts) -> Iterator[Finding]:
    """Each clause that denies what a source says, or says what every source denies."""
    known = [clause for text in facts.sources for clauses in source(text).sentences for clause in clauses]
    for clauses in _statements(masked(reply, facts.fixed)):
        for clause in clauses:
            if clause.weight < LEAST_WEIGHT:
                continue
            alike = [one for one in known if _same_matter(clause, one)]
            if alike and all(one.negative != clause.negative for one in alike):
                yield _found(Code.NEGATED, reply, [clause])


def _same_matter(one: Claim, other: Claim) -> bool:
    shared = one.terms & other.terms
    both = weigh(shared) if shared else 0.0
    return both >= SAME_THING * one.weight and both >= SAME_BACK * other.weight


def _statements(reply: str) -> Iterator[list[Claim]]:
    """The clauses of each sentence that state something."""
    return ([claim(reply, part) for part in parts] for parts in _stating(reply))


def _stating(reply: str) -> Iterator[list[tuple[int, int]]]:
    """Where they stand: no kind words, no questions, no "I don't know"."""
    for span in sentence_spans(reply):
        if _QUESTION_END.search(reply[span[0] : span[1]]):
            continue
        parts = [part for part in clause_spans(reply, span) if not _is_framing(reply[slice(*part)])]
        if parts:
            yield parts


def _is_framing(clause: str) -> bool:
    kind = _KIND.match(clause) is not None and len(clause) <= _KIND_WIDTH
    return kind or _ABSTAINS.search(clause) is not None


def _found(code: Code, reply: str, clauses: Sequence[Claim]) -> Finding:
    start, end = clauses[0].span[0], clauses[-1].span[1]
    return Finding(code, (start, end), reply[start:end].strip()[:MAX_TEXT])


_WORD = re.compile(
    r"[A-Za-zÀ-ɏ][A-Za-z0-9À-ɏ]*(?:[-'’&.][A-Za-z0-9À-ɏ]+)*|(?<!\d)\d{1,8}[A-Za-z][A-Za-z0-9]*"
)
_TITLE = re.compile(r"《([^《》\n]{1,60})》")
_HAN = re.compile(r"[\u3400-\u9fff]")
_STARTS = re.compile(r"(?:^|[.!?:;。！？：；…\n\"“”‘’'(（\[「『—–-])[\s\"“‘'(（「『*]*$")
_COMMON = words(
    "i im id ill ive ok okay faq url pdf diy tv am pm eg ie ps asap english chinese mandarin internet app email mail "
    "vip up bgm ppt usb wifi hi bye haha btw monday tuesday wednesday thursday friday saturday sunday january february "
    "march april may june july august september october november december jan feb mar apr jun jul aug sep sept oct nov "
    "dec mon tue wed thu fri sat sun usd eur gbp cny rmb"
)
_MEASURE = re.compile(
    r"(?:[kmc]?m|[km]?g|ml|l|s|h|min|mins|kg|lbs?|oz|k|w|kw|v|hz|gb|mb|tb|px|fps|c|f|x|th|st|nd|rd|inch)"
)


def names(reply: str, facts: CheckFacts) -> Iterator[Finding]:
    """Names of people, places and products, Latin words among Chinese, and titles that no source holds."""
    text = PLACE.sub(lambda match: " " * len(match[0]), masked(reply, facts.fixed))
    terms = [source(one).terms for one in facts.sources]
    found = [match.span() for match in _named(text) if not _known(match[0], terms)]
    unknown = _abstentions(text) if found else []
    for span in _joined(text, found):
        if not any(start <= span[0] < end for start, end in unknown):
            yield Finding(Code.NAME, span, text[slice(*span)][:MAX_TEXT])
    said = "\n".join(facts.sources).casefold()
    for match in _TITLE.finditer(text):
        if match[1].casefold() not in said:
            yield Finding(Code.NAME, match.span(), match[0][:MAX_TEXT])


def _named(text: str) -> Iterator[re.Match[str]]:
    chinese = _HAN.search(text) is not None
    words = list(_WORD.finditer(text))
    for index, match in enumerate(words):
        if _may_name(match[0], chinese) and (
            chinese or _marked(match[0]) or not _opens(text, match) or _next_too(text, words, index)
        ):
            yield match


@lru_cache(maxsize=4096)
def _may_name(word: str, chinese: bool) -> bool:
    bare = word.casefold().partition("'")[0].partition("’")[0]
    if bare in _COMMON or len(bare) < 2 or _MEASURE.fullmatch(bare.lstrip("0123456789")):
        return False
    content = analysis.content_terms(word)
    # Everyday words in capitals are stressed, not names.
    everyday = not content or all(analysis.weight(term) < 1 for term in content)
    return not everyday and (chinese or _marked(word) or word[0].isupper())


def _marked(word: str) -> bool:
    """Written as only names are: `iPhone`, `V60`, `GPU`."""
    return any(map(str.isupper, word[1:])) or (any(map(str.isdigit, word)) and any(map(str.isalpha, word)))


def _opens(text: str, match: re.Match[str]) -> bool:
    return (
        _STARTS.search(text[max(0, match.start() - 8) : match.start()]) is not None
        or not text[: match.start()].strip()
    )


def _next_too(text: str, words: Sequence[re.Match[str]], index: int) -> bool:
    """Whether the next word has a capital as well: `Behmor Roaster` opens a sentence as a name does."""
    following = words[index + 1] if index + 1 < len(words) else None
    return (
        following is not None
        and text[words[index].end() : following.start()] == " "
        and following[0][0].isupper()
        and _may_name(following[0], False)
    )


def _known(word: str, sources: Sequence[frozenset[str]]) -> bool:
    wanted = analysis.terms(word)
    return any(all(term in terms for term in wanted) for terms in sources)


def _joined(text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Neighbouring words are one name."""
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and not text[joined[-1][1] : start].strip(" -"):
            joined[-1] = joined[-1][0], end
        else:
            joined.append((start, end))
    return joined


def _abstentions(text: str) -> list[tuple[int, int]]:
    """The clauses that say what isn't known."""
    parts = (part for sentence in sentence_spans(text) for part in clause_spans(text, sentence))
    return [(start, end) for start, end in parts if _ABSTAINS.search(text[start:end])]
