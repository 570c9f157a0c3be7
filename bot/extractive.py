"""The embedded default: answers in the documents' own sentences, without any model."""

import html
import re
from collections.abc import Iterator

from bot.generator import Completion, GenerationRequest, GeneratorHealth, OnText
from bot.persona import cut, join, reply_language, room, wrap
from bot.prompt import build_messages, prompt_hash
from knowledge.base import ScoredPassage
from knowledge.splitter import sentences

MODEL = "extractive"
LEAST_SUPPORT = 0.35
"""Support (0 to 1) that a passage needs to be quoted at all, in a draft too."""
NEAR_SHARE = 0.8
"""Share of the best support that a passage in the comment's language needs to come before one in another."""
SECOND_SHARE = 0.75
"""Share of the first quote's support that a second quote needs."""

_LEAD_IN = {
    ("en", "zh"): "My notes on this are in Chinese: “{quote}”",
    ("en", ""): "My notes on this are in another language: “{quote}”",
    ("zh", "en"): "这一点我的资料是英文的，原文是：“{quote}”",
    ("zh", ""): "这一点我的资料是外文的，原文是：“{quote}”",
}

_HEADING = re.compile(r"^[ \t]*#{1,6}[ \t]+.*$", re.MULTILINE)
_MARKUP = (
    (re.compile(r"!\[[^\[\]]{0,300}\]\([^()]{0,500}\)"), ""),
    (re.compile(r"\[([^\[\]]{1,300})\]\((?:mailto:)?([^()\s]{1,500})(?:\s[^()]{0,300})?\)"), r"\1 (\2)"),
    (re.compile(r"</?[a-zA-Z][^<>]*>"), " "),
    (re.compile(r"^[ \t]*(?:#{1,6}[ \t]+|>[ \t]?|[-*+•·][ \t]+|\d{1,2}[.)][ \t]+)", re.MULTILINE), ""),
    (re.compile(r"^[ \t]*[-=*_|:\s]{3,}$", re.MULTILINE), ""),
    (re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<![\w*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?![\w*])"), r"\1"),
    (re.compile(r"`+([^`]*)`+"), r"\1"),
    (re.compile(r"[ \t]*\|[ \t]*"), " "),
    (re.compile(r"^[ \t]*(?:Q|A|问|答)[ \t]*[:：][ \t]*", re.MULTILINE), ""),
)
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


class ExtractiveGenerator:
    """Quotes the best supporting sentences between the persona's greeting and signature.

    Nothing that a commenter wrote can reach the reply: it holds words of the passages and of the persona only.
    `min_support` is the least support (0 to 1) that a passage needs to be quoted at all.
    """

    def __init__(self, *, min_support: float = LEAST_SUPPORT) -> None:
        self.min_support = min_support

    async def fit(self, request: GenerationRequest) -> GenerationRequest:
        """All of it: there is no prompt."""
        return request

    async def generate(self, request: GenerationRequest, on_text: OnText | None = None) -> list[Completion]:
        """Exactly one candidate: a quotation has no second version."""
        chosen = choose(request.passages, request.language, self.min_support)
        body, used = compose(request, chosen)
        answered = bool(body)
        if not answered:
            body = request.persona.cannot_answer_in(request.language)
        text = wrap(request.persona, body, request.language, request.max_chars)
        if on_text is not None:
            on_text(text)
        return [
            Completion(
                text=text,
                answered=answered,
                citations=used,
                model=MODEL,
                voice=None,
                prompt_hash=prompt_hash(build_messages(request)),
            )
        ]

    async def sees_pictures(self) -> bool:
        return False

    @property
    def capacity(self) -> int | None:
        return None

    async def check(self) -> GeneratorHealth:
        return GeneratorHealth(True, "quotes the documents' own sentences; no model is needed")

    async def aclose(self) -> None:
        return None


def choose(passages: tuple[ScoredPassage, ...], language: str, min_support: float) -> list[int]:
    """Indices of passages worth quoting, best first, those in the comment's language before the others.

    A passage in another language keeps its place when nothing in the comment's language supports the answer nearly
    as well.
    """
    usable = [
        i for i, scored in enumerate(passages) if scored.support >= min_support and scored.quote.strip()
    ]
    if not usable:
        return []
    enough = NEAR_SHARE * max(passages[i].support for i in usable)
    near = [i for i in usable if same_language(passages[i], language)]
    if any(passages[i].support >= enough for i in near):
        return near
    return usable[:1]


def same_language(scored: ScoredPassage, language: str) -> bool:
    """Whether a reader of `language` can read the passage; a passage of unknown language is taken as readable."""
    wanted = "en" if language == "und" else language
    return scored.passage.language == "und" or _base(scored.passage.language) == _base(wanted)


def _base(language: str) -> str:
    return language.lower().partition("-")[0]


def compose(request: GenerationRequest, chosen: list[int]) -> tuple[str, tuple[int, ...]]:
    """The body of the reply and the passages it quotes; an empty body when there is nothing to quote."""
    space = room(request.persona, request.language, request.max_chars)
    body = ""
    used: tuple[int, ...] = ()
    for index in chosen:
        quote = clean(request.passages[index].quote)
        if not body:
            body = _first(request, request.passages[index], quote, space)
            used = (index,) if body else ()
        elif (
            _supports(request, index, used[0])
            and _adds(quote, body)
            and _fits(join([body, quote]), space, request.persona.max_sentences)
        ):
            return join([body, quote]), (*used, index)
    return body, used


def _first(request: GenerationRequest, scored: ScoredPassage, quote: str, space: int) -> str:
    template = lead_in(scored, request.language)
    short = cut(quote, space - len(template.format(quote="")), request.persona.max_sentences)
    return template.format(quote=short) if short else ""


def lead_in(scored: ScoredPassage, language: str) -> str:
    """What to say around a quote, with `{quote}` in it: nothing unless the reader may not read its language."""
    if same_language(scored, language):
        return "{quote}"
    ours = reply_language(language)
    known = scored.passage.language if (ours, scored.passage.language) in _LEAD_IN else ""
    return _LEAD_IN[ours, known]


def _supports(request: GenerationRequest, index: int, first: int) -> bool:
    """Whether a further passage answers nearly as well as the first; less only adds what nobody asked."""
    return request.passages[index].support >= SECOND_SHARE * request.passages[first].support


def _fits(text: str, space: int, max_sentences: int) -> bool:
    return len(text) <= space and len(sentences(text)) <= max_sentences


def _adds(quote: str, body: str) -> bool:
    """Whether at least half of what the quote says is not in the body yet."""
    new, old = set(_pieces(quote)), set(_pieces(body))
    return bool(new) and len(new - old) * 2 >= len(new)


def _pieces(text: str) -> Iterator[str]:
    for run in re.findall(r"[^\W\u3400-\u9fff]+|[\u3400-\u9fff]+", text.casefold()):
        if "\u3400" <= run[0] <= "\u9fff":
            yield from (run[i : i + 2] for i in range(max(1, len(run) - 1)))
        else:
            yield run


def clean(quote: str) -> str:
    """A quote as plain prose: no markup, headings, hidden characters, or questions that it goes on to answer."""
    text = html.unescape(_HIDDEN.sub("", quote))
    text = _HEADING.sub("", text).strip() or text
    for pattern, replacement in _MARKUP:
        text = pattern.sub(replacement, text)
    lines = (" ".join(line.split()) for line in text.splitlines())
    prose = join(line for line in lines if line)
    parts = sentences(prose)
    stated = [part for part in parts if not part.rstrip("”\"'」 ").endswith(("?", "？"))]
    return join(stated) if stated else prose
