"""Cuts text into sentences, and sentences into passages. Pure functions.

Everything works on spans of the original text, so a sentence, a passage or a quote is always word for word
what the document says, and nothing is lost in between.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

DEFAULT_SIZE = 1400
"""Size of a passage in Latin characters; see `width`."""
DEFAULT_OVERLAP = 0
WIDE = 1.6
"""A Chinese, Japanese or Korean character counts as this many Latin ones."""
# Holds every wide character, and none of what Latin text usually has.
_PERHAPS_WIDE = re.compile("[\u1100-\u115f\u231a-\U0010ffff]")

Span = tuple[int, int]

_CLOSERS = "\"'”’»」』）)]】》〉*_"
_WIDE_ENDS = "。！？；…।؟"
_END = re.compile(rf"(?:[{_WIDE_ENDS}!?]+[!?.]*|\.+)[{re.escape(_CLOSERS)}]*|\n+")
_GOES_ON = "，、,;:：的"
"""After a closing quotation mark these show that the sentence around the quotation is not over."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ABBREVIATIONS = _words(
    "dr mr mrs ms prof st vs e.g i.e cf fig figs eq nr vol ch sec pp ed approx dept gen col lt capt rev hon "
    "jan feb mar apr jun jul aug sep sept oct nov dec ca"
)
# These stand at the end of a sentence as often as not: only a capital letter after them starts a new one.
_SOMETIMES_END = _words("etc inc ltd co corp a.m p.m u.s u.k u.n al jr sr ph.d est no")
_BEFORE_WORD = re.compile(r"[\s(\[（“\"'‘]")
_LOOK_BACK = 40
_SOFT_BREAK = re.compile(r"[,;:，、；：—–)）]+\s*|\s+")


def width(text: str) -> float:
    """Length of `text` in Latin characters, each wide character counted as `WIDE` of them."""
    if text.isascii():
        return len(text)
    wide = sum(map(_is_wide, _PERHAPS_WIDE.findall(text)))
    return len(text) - wide + wide * WIDE


def sentences(text: str) -> list[str]:
    """The sentences of `text` in order, without the blanks between them. A line break ends a sentence too."""
    return [text[start:end] for start, end in sentence_spans(text)]


def sentence_spans(text: str) -> list[Span]:
    """Where each sentence starts and ends in `text`; the spans leave out nothing but blanks."""
    spans = []
    start = 0
    for end in _boundaries(text):
        span = _strip(text, start, end)
        if span[0] < span[1]:
            spans.append(span)
        start = end
    return spans


def split(paragraph: str, size: int = DEFAULT_SIZE, overlap: int = DEFAULT_OVERLAP) -> list[str]:
    """Passages of whole sentences, each at most `size` wide, neighbours sharing up to `overlap` of sentences.

    Give it one paragraph at a time: that is what keeps passages from running across paragraphs and headings.
    Only a sentence that is wider than `size` by itself is cut, at a comma or a blank where there is one.
    Raises ValueError when `size` is below 1 or `overlap` is not below `size`.
    """
    if size < 1 or not 0 <= overlap < size:
        raise ValueError(
            f"size {size} and overlap {overlap} do not fit: need size >= 1 and 0 <= overlap < size"
        )
    start, end = _strip(paragraph, 0, len(paragraph))
    if width(paragraph[start:end]) <= size:
        return [paragraph[start:end]] if start < end else []
    spans = [part for span in sentence_spans(paragraph) for part in _cut_long(paragraph, span, size)]
    return [paragraph[start:end] for start, end in _pack(paragraph, spans, size, overlap)]


def _boundaries(text: str) -> Iterator[int]:
    sentence_start = 0
    for match in _END.finditer(text):
        if _ends_sentence(text, sentence_start, match):
            sentence_start = match.end()
            yield sentence_start
    yield len(text)


def _ends_sentence(text: str, sentence_start: int, match: re.Match[str]) -> bool:
    mark, after = match[0], text[match.end() : match.end() + 1]
    if mark[0] == "\n" or not after:
        return True
    following = text[match.end() : match.end() + 8].lstrip(" \t")[:1]
    closed = mark[-1] in _CLOSERS
    if following in _GOES_ON and following:
        return False
    if mark[0] in _WIDE_ENDS:
        return not (mark[0] == "…" and following.islower() and following.isascii())
    if not (after.isspace() or _is_wide(after)):
        return False
    if mark[0] in "!?":
        return not (closed and following.islower())
    before = text[max(sentence_start, match.start() - _LOOK_BACK) : match.start()]
    return _full_stop_ends(before, mark, following)


def _full_stop_ends(before: str, mark: str, following: str) -> bool:
    """Whether the stop after `before` ends the sentence, not just an abbreviation, an initial or a number."""
    word = _BEFORE_WORD.split(before)[-1]
    lower = following.islower()
    if mark.startswith(".."):
        return not lower
    if word.isdigit() and before.strip() == word:
        return False  # "1. First step": the number of a list item
    if word.lower() in _ABBREVIATIONS or (
        len(word) == 1 and word.isupper() and word.isascii() and word != "I"
    ):
        return False
    if word.lower() in _SOMETIMES_END:
        return following.isupper()
    return not lower or len(word) >= 3


@lru_cache(maxsize=20_000)
def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"


def _strip(text: str, start: int, end: int) -> Span:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def _cut_long(text: str, span: Span, size: int) -> Iterator[Span]:
    """`span`, cut where it is wider than `size`: at the last soft break of the second half, else anywhere."""
    start, end = span
    while end - start > size or width(text[start:end]) > size:
        limit = start + _fitting(text[start : min(end, start + size + 1)], size)
        middle = start + (limit - start) // 2
        breaks = [found.end() for found in _SOFT_BREAK.finditer(text, middle, limit)]
        cut = limit if not breaks or text[limit : limit + 1].isspace() else breaks[-1]
        part = _strip(text, start, cut)
        if part[0] < part[1]:
            yield part
        start = cut
    part = _strip(text, start, end)
    if part[0] < part[1]:
        yield part


def _fitting(text: str, size: int) -> int:
    """How many characters of `text` are at most `size` wide; at least one."""
    used = 0.0
    for index, character in enumerate(text):
        used += WIDE if _is_wide(character) else 1
        if used > size:
            return max(1, index)
    return len(text)


def _pack(text: str, spans: list[Span], size: int, overlap: int) -> Iterator[Span]:
    # Width from the start of each sentence to that of the next, so that no passage is measured over and over.
    ends = [start for start, _ in spans[1:]] + [spans[-1][1]] if spans else []
    steps = [width(text[start:end]) for (start, _), end in zip(spans, ends, strict=True)]
    widths = [width(text[start:end]) for start, end in spans]
    first = 0
    while first < len(spans):
        last, before = first, 0.0
        while last + 1 < len(spans) and before + steps[last] + widths[last + 1] <= size:
            before += steps[last]
            last += 1
        yield spans[first][0], spans[last][1]
        if last + 1 == len(spans):
            return
        first = _next_first(steps, widths, (first, last), size, overlap)


def _next_first(steps: list[float], widths: list[float], packed: Span, size: int, overlap: int) -> int:
    """The sentence that the next passage starts with: back by at most `overlap`, with room for a new one."""
    first, last = packed
    following, shared = last + 1, 0.0
    while following - 1 > first:
        wider = shared + (steps[following - 1] if following <= last else widths[last])
        if wider > overlap or wider + _blank(steps, widths, last) + widths[last + 1] > size:
            break
        following, shared = following - 1, wider
    return following


def _blank(steps: list[float], widths: list[float], at: int) -> float:
    """Width of what stands between two sentences."""
    return steps[at] - widths[at]
