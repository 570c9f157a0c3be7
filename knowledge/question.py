"""What a comment asks, freed of what comments carry along: greetings, emoji, mentions, stretched words."""

import re
import unicodedata
from dataclasses import dataclass

from knowledge import analysis

MAX_CHARS = 2000
"""What is read of a longer comment: its start and its end, where questions stand."""
MAX_TERMS = 48
LIGHT = 0.6
"""Weight of stop words, question words and single characters of Chinese against content terms."""
CONTEXT = 0.25
"""Weight of a term that only the context holds."""
_SHORT = 3
"""A question with at most so many content terms is read in its context."""
_CONTEXT_CHARS, _CONTEXT_TERMS = 600, 24

_STRETCHED = re.compile(r"([^\W\d_])\1{2,}")
_CLUTTER = re.compile(
    r"https?://\S+|www\.\S+|(?<!\w)@[\w.\-]+|[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
)
_PREFIX_EN = re.compile(
    r"^\W*(?:(?:hi+|hey+|hello+|yo+|dear|good (?:morning|evening|afternoon))"
    r"(?: (?:there|everyone|all|guys|man|bro|sir))?"
    r"|(?:really |very |such an? |what an? )?(?:great|nice|awesome|amazing|good|cool|excellent|love(?:d|ly)?|fantastic)"
    r"(?: the| this| your)? ?(?:video|vid|content|post|stuff|work|job|explanation|tutorial|channel|one)s?"
    r"(?: as always| again)?|(?:thanks?|thank you|thx|ty)(?: (?:so|very) much| a lot)?"
    r"(?: for (?:the|this|your|sharing)(?: \w+){0,2})?|(?:just )?(?:a |one )?(?:quick|small|dumb|stupid|noob|silly) "
    r"question|(?:i have a |i've got a |one |a )?question(?: (?:for|about) (?:you|this))?|sorry(?: if.{0,40}asked)?"
    r"|(?:btw|by the way|um+|so|well|ok(?:ay)?|pls|please|anyone knows?|does anyone know"
    r"|(?:can|could) (?:you|someone|anyone)(?: please)? tell me|i (?:was|am|'m) wondering|just wondering))"
    r"(?=[\s,.!?:;~\-]|$)[\s,.!?:;~\-]*",
    re.IGNORECASE,
)
_PREFIX_ZH = re.compile(
    r"^[\W_]*(?:(?:博主|up主?|UP主?|楼主|老师|大佬|大神|作者|亲)?(?:你好|您好|大家好|哈喽|嗨|早上好|晚上好)"
    r"|(?:博主|up主?|UP主?|楼主|老师|大佬|大神|作者)(?=[，,、\s!！~～：:请想求问])"
    r"|(?:讲|说|拍|做|写|视频)?得?(?:太|真|很|非常)(?:好|棒|赞|牛|清楚|详细|有用|不错)(?:了|啊|呀)*"
    r"|(?:谢谢|感谢|多谢)(?:分享|博主|老师|up主?|视频|你|您)*"
    r"|(?:请问|想问|问)?(?:一下|个问题|一个问题)|请问|想请教|请教|想问下?|求问|弱弱地?问|有人知道|有没有人知道|想知道)"
    r"[\s，,。.!！~～：:、？?]*"
)


_NAME = re.compile(r"(?<=[^\s.!?。！？])\s+([A-Z][\w'-]*)|\b([A-Za-z]*\d[\w.,-]*)|\b([A-Z][\w-]*[A-Z]\w*)")
_AMOUNT = re.compile(
    r"\bhow (?:many|much|long|old|far|tall|big|large|high|heavy|fast|often|hot)\b|\bprices?\b|\bcosts?\b"
    r"|\bwhat (?:year|date|time|temperature|percentage|age|size)\b|\bwhen\b"
    r"|多少|几[个年天岁次点号月位种]|多[久长大高远重]|哪[一]?年|什么时候|何时|价格|几点",
    re.IGNORECASE,
)
_FIGURE = re.compile(
    r"\d|[一二三四五六七八九十百千万两半]|免费|每[天周月年]|"
    r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|hundred|thousand|million|billion"
    r"|half|once|twice|free|every|daily|weekly|monthly|yearly|(?:mon|tues|wednes|thurs|fri|satur|sun)day"
    r"|january|february|march|april|may|june|july|august|september|october|november|december|spring|summer|autumn"
    r"|winter|century|during|after|before)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Question:
    """A cleaned question and its terms."""

    text: str
    terms: dict[str, float]
    """Search terms with weights, for BM25."""
    content: tuple[str, ...]
    """What the question is about; empty when it asks nothing that documents could hold."""
    exact: frozenset[str]
    """Those content terms that are numbers or names, which have no other word for them."""
    wants_figure: bool = False
    """Whether it asks how much, how long or when."""

    def answerable_by(self, text: str) -> bool:
        """Whether `text` holds the kind of thing that is asked for."""
        return not self.wants_figure or _FIGURE.search(text) is not None


def clean(comment: str) -> str:
    """`comment` without clutter and chatty beginnings; never empties what had words in it."""
    text = comment
    if len(text) > MAX_CHARS:
        text = f"{text[: MAX_CHARS // 2]} {text[-MAX_CHARS // 2 :]}"
    text = _CLUTTER.sub(" ", unicodedata.normalize("NFKC", text))
    text = "".join(" " if _is_clutter(character) else character for character in text)
    text = " ".join(_STRETCHED.sub(r"\1\1", text).split())
    return _without_prefix(text)


def parse(comment: str, context: str = "") -> Question:
    """The question that `comment` stands for. A short one is searched for together with `context`'s words, but asks
    for no more than it says itself."""
    text = clean(comment)
    content = analysis.content_terms(text)[:MAX_TERMS]
    weights = dict.fromkeys(content, 1.0)
    for term in analysis.terms(text):
        if len(weights) >= 2 * MAX_TERMS:
            break
        weights.setdefault(term, LIGHT)
    if len(content) <= _SHORT and context:
        for term in analysis.content_terms(context[:_CONTEXT_CHARS])[:_CONTEXT_TERMS]:
            weights.setdefault(term, CONTEXT)
    names = analysis.content_terms(" ".join(match[0] for match in _NAME.finditer(text)))
    return Question(
        text,
        weights,
        tuple(content),
        frozenset(names) & frozenset(content),
        _AMOUNT.search(text) is not None,
    )


def _is_clutter(character: str) -> bool:
    """Emoji, dingbats, control characters, and halves of surrogate pairs."""
    return not character.isascii() and unicodedata.category(character) in {"So", "Sk", "Cs", "Cc", "Cn", "Co"}


def _without_prefix(text: str) -> str:
    while True:
        shorter = _PREFIX_ZH.sub("", _PREFIX_EN.sub("", text, count=1), count=1)
        if shorter == text or not any(character.isalnum() for character in shorter):
            return text
        text = shorter
