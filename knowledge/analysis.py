"""Turns text into search terms: stemmed words for scripts with spaces, character uni- and bigrams for the rest.

The same analysis serves the index, the query and the comparison of sentences, so that they always agree.
"""

import re
import threading
import unicodedata
from collections.abc import Iterator, Set
from functools import cache, lru_cache
from itertools import groupby
from operator import add

import tantivy

VERSION = 3
"""Raise it whenever the terms of the same text change: indexes made before are then rebuilt."""

_EVERYDAY_WEIGHT = 0.5
MAX_TERM = 40
"""Longer words are cut; nobody searches for them whole."""

_UNSPACED = (
    "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff\u0e00-\u0e7f"
)


def _word_pattern(letter: str, any_letter: str) -> str:
    return rf"\d+(?:[.,]\d+)+|{letter}+(?:['’]{letter}+)*(?:\+\+|#(?!{any_letter}))?"


_ANY_LETTER = r"[^\W_]"
# A run of a script without spaces, or a word or number.
_LETTER = rf"[^\W_{_UNSPACED}]"
_TOKEN = re.compile(f"([{_UNSPACED}]+)|({_word_pattern(_LETTER, _ANY_LETTER)})")
# The same for text that is all ASCII, which takes a fraction of the time.
_ASCII_WORD = re.compile(_word_pattern("[a-zA-Z0-9]", "[a-zA-Z0-9]"), re.ASCII)
_RUN = re.compile(f"[{_UNSPACED}]")
_BETWEEN_WORDS = "–—“”‘"
# Compatibility forms make letters of them, which would become a part of the product's name.
_OWNED = re.compile("[™℠]")
_MARKS = re.compile(r"[\u0300-\u036f]")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_STOP_WORDS = _words(
    "a about after all also am an and any are as at be because been before being between both but by can could did do "
    "does doing done down during each either else ever few for from further get gets give given got had has have "
    "having he her here hers him his how i if in into is it its just like let many may me mean means might mine more "
    "most much must my no nor not now of off on once one only or other our out over own per please quite really said "
    "same say says shall she should so some such tell than thank thanks that the their them then there these they "
    "this those through to too under until up upon us very was we well went were what when where whether which while "
    "who whom whose why will with would yes yet you your s t d ll m re ve don doesn didn isn aren wasn weren won "
    "wouldn couldn shouldn hasn haven hadn im ive"
)
# Question words and particles: they say what kind of answer is wanted, not what it is about.
_CHINESE_FRAME = re.compile(
    "请问一下|请问|想问一下|想问|问一下|是什么时候|什么时候|什么样|为什么|是什么|叫什么|有什么|什么|为何|如何|怎么样|怎样|怎么|"
    "是否|是不是|有没有|能不能|可不可以|可以|多少钱|多少元|多少|多久|多长时间|多大|多长|多高|多远|哪一年|哪一个|哪年|哪个|哪些|哪里|哪儿|"
    "哪位|哪种|哪几|哪|几个|几种|几次|几年|几点|几天|几号|几|谁|何时|何地|何|有多|吗|呢|吧|啊|呀|嘛|啦|哦|的话|的|了|"
    "是|在|和|与|及|或|被|把|将|从|于|对|为|以|之|其|也|都|就|还|又|着|过|到|有|会|能|要|我|你|您|他|她|它|们|这|那|个|"
    "請問|什麼時候|什麼|為什麼|怎麼|多少|哪裡|哪個|誰|嗎"
)

_ENGLISH_FRAME = re.compile(r"\bhow (?:long|far|often|many|much|big|large|old|tall|soon)\b", re.IGNORECASE)

# Words of everyday talk: a small library may not hold them at all, yet a question is hardly ever about them.
_EVERYDAY = _words(
    "able actually add always anyone anything around ask away bad based become become begin best better big bit buy "
    "call called came care change check come cool course create day different difference else end enough everyone "
    "exactly exist explain fact feel find fine first follow found full game go going gone good great guy guys hand "
    "happen hard hear help high hope idea important include including interested job keep kind know known last later "
    "learn least leave left less life little live located long look lot love main major maybe name named need never "
    "new next nice number occur old order part people person piece place plan play point possible prefer problem "
    "provide purpose put question reason recommend refer related right role run see seem seen sell set show since "
    "small soon sort start state still stop stuff sure take talk term thing think time told took top try turn type "
    "understand use used useful using usually video want watch way week work world worth wrong year start many often "
    "originally considered consider according specific particular certain example group instead primary result "
    "channel comment link episode tutorial subscribe"
)
_EVERYDAY_CHINESE = _words(
    "视频 觉得 知道 使用 时候 东西 一样 需要 应该 博主 主播 老师 大家 自己 现在 已经 这里 那里 "
    "一下 不能 可能 一般 比较 直接 问题 为啥 咋样 推荐 建议 想要 还是 或者 如果 因为 所以 但是 "
    "而且 关于 进行 其中 以及 主要 包括 位于 属于 称为 名字 名称 时间 地方 方面 情况 原因 作用 "
    "特点 哪里 后来 之后 之前 最后 最终 第一 一些 没有 不是 就是 多少 几天 一个 两个 用的"
)


def normalise(text: str) -> str:
    """Compatibility forms unified, lower case, Latin accents dropped, Chinese characters simplified."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKC", _OWNED.sub(" ", text)).lower()
    plain = unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFD", plain)))
    return plain.translate(_simplified()) if _RUN.search(plain) else plain


@cache
def _simplified() -> dict[int, str]:
    """Code of a traditional character -> its simplified form, where both are one character."""
    # Imported here: only text with letters beyond ASCII needs it.
    import opencc  # noqa: PLC0415

    han = [chr(code) for code in (*range(0x3400, 0x4DC0), *range(0x4E00, 0xA000))]
    plain = opencc.OpenCC("t2s").convert("".join(han))
    return {ord(one): other for one, other in zip(han, plain, strict=True) if one != other}


def terms(text: str) -> list[str]:
    """All search terms of `text`, in order, for the index and for BM25."""
    plain = _unmarked(normalise(text))
    if plain.isascii():
        return [_stem(word[:MAX_TERM]) for word in _ASCII_WORD.findall(plain)]
    found: list[str] = []
    for run, word in _TOKEN.findall(plain):
        if run:
            found += run
            found += bigrams(run)
        else:
            found.append(_stem(_trimmed(word)))
    return found


def content_terms(text: str) -> list[str]:
    """What `text` is about: its terms without stop words and question words, each once, in order.

    Chinese gives bigrams, and single characters only where one stands alone.
    """
    found: dict[str, None] = {}
    for run, written in _TOKEN.findall(normalise(_ENGLISH_FRAME.sub(" ", text))):
        word = _trimmed(written)
        if run:
            found.update(dict.fromkeys(_chinese_content(run)))
        elif word.partition("'")[0] not in _STOP_WORDS:
            found[_stem(word)] = None
    return list(found)


def weight(term: str) -> float:
    """What a content term counts for, whatever its frequency: everyday words count for half."""
    return _EVERYDAY_WEIGHT if term in _everyday_terms() else 1.0


@cache
def _everyday_terms() -> frozenset[str]:
    return _EVERYDAY_CHINESE | {_stem(word) for word in _EVERYDAY}


def words_matching(text: str, wanted: Set[str]) -> tuple[str, ...]:
    """The words of `text`, as it writes them, whose terms are in `wanted`; each once, in order."""
    plain = _unmarked(text)
    if plain.isascii():
        words = dict.fromkeys(_ASCII_WORD.findall(plain))
        return tuple(word for word in words if _matches(word, wanted))
    found: dict[str, None] = {}
    for run, word in dict.fromkeys(_TOKEN.findall(text)):
        if run:
            found.update(dict.fromkeys(_runs_matching(run, wanted)))
        elif _matches(word, wanted):
            found[word] = None
    return tuple(found)


def _matches(word: str, wanted: Set[str]) -> bool:
    if word.isascii():
        return _stem(word[:MAX_TERM].lower()) in wanted
    return not wanted.isdisjoint(terms(word))


def _runs_matching(run: str, wanted: Set[str]) -> Iterator[str]:
    """The longest pieces of `run` that are made up of wanted bigrams or characters."""
    plain = run.translate(_simplified())
    hit = [character in wanted for character in plain]
    for index, pair in enumerate(bigrams(plain)):
        if pair in wanted:
            hit[index] = hit[index + 1] = True
    start = 0
    for marked, group in groupby(hit):
        end = start + len(list(group))
        if marked:
            yield run[start:end]
        start = end


def _unmarked(text: str) -> str:
    """`text` without the typographer's marks that stand between words; it is often all ASCII then."""
    if not text.isascii():
        for mark in _BETWEEN_WORDS:
            text = text.replace(mark, " ")
    return text


def _trimmed(word: str) -> str:
    return word[:MAX_TERM].replace("’", "'")


def bigrams(run: str) -> Iterator[str]:
    """Neighbouring pairs of characters."""
    return map(add, run, run[1:])


def _chinese_content(run: str) -> Iterator[str]:
    for part in _CHINESE_FRAME.split(run):
        if len(part) == 1:
            yield part
        else:
            yield from bigrams(part)


@lru_cache(maxsize=50_000)
def _stem(word: str) -> str:
    if not word.isascii() or not word[0].isalpha():
        return word
    stemmer, lock = _stemmer()
    with lock:
        return stemmer.analyze(word.removesuffix("'s"))[0]


@cache
def _stemmer() -> tuple[tantivy.TextAnalyzer, threading.Lock]:
    """Snowball's English stemmer, which changes itself as it works, and the lock to hold meanwhile."""
    whole_words = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.raw())
    return whole_words.filter(tantivy.Filter.stemmer("english")).build(), threading.Lock()
