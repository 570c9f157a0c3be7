"""From the lines of PDF pages to their text: what runs over every page, which lines make a paragraph, what is a
heading. Pure functions; a PDF holds nothing but characters and where they stand."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median_low

from knowledge.records import join_lines
from knowledge.splitter import WIDE, width
from knowledge.textfiles import LIST_ITEM

HYPHEN = "\x02\ufffe\u00ad"
"""What pdfium gives for the hyphen of a word that is broken over two lines."""
_PAGE_NUMBER = re.compile(
    r"\s*(?:page|seite|p\.?|第)?\s*[-–—]?\s*(?:\d{1,5}|(?=\w)x{0,3}(?:ix|iv|v?i{0,3}))"
    r"\s*(?:(?:of|/|von|de)\s*\d{1,5})?\s*[-–—]?\s*(?:页|頁)?\s*",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"\d+")
_LINE_ENDS = tuple("。！？；…”』」.!?:：;")
_BROKEN_WORD = re.compile(r"[^\W\d_]-$")
_SHORT_LINE = 0.75
"""A line that ends before this share of the page's column, at the end of a sentence, ends a paragraph."""
_EDGE = 3
"""So many lines from the top and from the bottom of a page may be running titles."""
_RUNS = 3
"""Pages on which a line must stand at the same place to be a running title."""
_SAME_PLACE = 6.0
"""Points."""
_GAP = 1.35
"""A step to the next line this much wider than usual starts a paragraph."""
_LEVELS = ((1.7, 1), (1.4, 2), (1.18, 3))
"""How much larger than the body a heading is set, and its level then."""
_LONGEST_HEADING = 120


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text, and where its first character stands; all in points, from the lower left."""

    text: str
    left: float
    bottom: float
    size: float
    right: float
    """Of its last character."""
    end: float
    """Bottom of its last character: lower than `bottom` where pdfium has joined two lines at a hyphen."""


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, or a heading."""

    text: str
    level: int = 0
    """From 1 for a heading; 0 for a paragraph."""


def without_running_lines(pages: Sequence[Sequence[Line]], pictured: frozenset[int]) -> list[list[Line]]:
    """The pages without running titles and page numbers. `pictured` are the pages that show a picture.

    A title runs when it stands at the same place of three pages at least, each at most two from the one before,
    the same but for a number that counts with the pages. Where its pages hold nothing else, it is the text itself.
    """
    places: dict[tuple[bool, str], list[tuple[int, int]]] = defaultdict(list)
    for page, lines in enumerate(pages):
        for at, top in _edges(lines):
            places[top, _DIGITS.sub("#", lines[at].text.strip())].append((page, at))
    dropped: dict[int, set[int]] = defaultdict(set)
    for group in places.values():
        for run in _runs(pages, group):
            for page, at in run:
                dropped[page].add(at)
    _spare_pages_of_one_line(pages, dropped, pictured)
    return [
        _without_numbers([line for at, line in enumerate(lines) if at not in dropped[page]])
        for page, lines in enumerate(pages)
    ]


def _edges(lines: Sequence[Line]) -> Iterator[tuple[int, bool]]:
    """Index of each line at an edge of the page, and whether that is the upper one."""
    downwards = sorted(range(len(lines)), key=lambda at: -lines[at].bottom)
    upper = min(_EDGE, (len(lines) + 1) // 2)
    yield from ((at, True) for at in downwards[:upper])
    yield from ((at, False) for at in downwards[upper:][-_EDGE:])


def _runs(
    pages: Sequence[Sequence[Line]], group: Sequence[tuple[int, int]]
) -> Iterator[list[tuple[int, int]]]:
    """The chains in `group` (page and line, by page) that are long enough to be running titles."""
    chain: list[tuple[int, int]] = []
    for page, at in group:
        if chain and not _goes_with(pages[chain[-1][0]][chain[-1][1]], pages[page][at], page - chain[-1][0]):
            if len(chain) >= _RUNS:
                yield chain
            chain = []
        chain.append((page, at))
    if len(chain) >= _RUNS:
        yield chain


def _goes_with(before: Line, line: Line, apart: int) -> bool:
    """Whether `line` is the running title `before`, so many pages on."""
    if not 0 < apart <= 2 or abs(before.bottom - line.bottom) > _SAME_PLACE:
        return False
    numbers = [int(one[-9:]) for one in _DIGITS.findall(before.text)]
    steps = [int(one[-9:]) - old for one, old in zip(_DIGITS.findall(line.text), numbers, strict=False)]
    if not any(steps):
        return True
    # "Step 7" at the top of the seventh page is a heading; "Coffee at home, 7" is not.
    worded = len(_DIGITS.sub(" ", line.text).split()) != 1 or _PAGE_NUMBER.fullmatch(line.text)
    return bool(worded) and sorted(steps) == [0] * (len(steps) - 1) + [apart]


def _spare_pages_of_one_line(
    pages: Sequence[Sequence[Line]], dropped: dict[int, set[int]], pictured: frozenset[int]
) -> None:
    bare = [page for page, at in dropped.items() if len(at) == len(pages[page]) and page not in pictured]
    if len(bare) * 2 > len(dropped):
        for page in bare:
            dropped[page].clear()


def _without_numbers(lines: list[Line]) -> list[Line]:
    while lines and _PAGE_NUMBER.fullmatch(lines[0].text):
        lines = lines[1:]
    while lines and _PAGE_NUMBER.fullmatch(lines[-1].text):
        lines = lines[:-1]
    return lines


def body_size(pages: Iterable[Iterable[Line]]) -> float:
    """The size that most of the text is set in, in points."""
    sizes: Counter[float] = Counter()
    for lines in pages:
        for line in lines:
            sizes[round(line.size, 1)] += len(line.text)
    return max(sizes, key=lambda size: sizes[size], default=0.0)


def blocks(lines: Sequence[Line], body: float) -> Iterator[Block]:
    """The headings and paragraphs of one page; `body` is the size of plain text."""
    steps = [above.end - below.bottom for above, below in pairwise(lines)]
    usual = median_low(steps) if steps else 0.0
    start = min((line.left for line in lines), default=0.0)
    full = start + (max((line.right for line in lines), default=0.0) - start) * _SHORT_LINE
    held: list[Line] = []
    for line in lines:
        if held and _starts_block(held, line, usual, full):
            yield _block(held, body)
            held = []
        held.append(line)
    if held:
        yield _block(held, body)


def _starts_block(held: Sequence[Line], line: Line, usual: float, full: float) -> bool:
    before = held[-1]
    ended = before.text.endswith(_LINE_ENDS)
    if ended and before.right < full and not LIST_ITEM.match(line.text):
        return True
    if usual <= 0:  # turned text: places say nothing
        return False
    if max(before.size, line.size) > min(before.size, line.size) * _LEVELS[-1][0]:
        return True
    indented = ended and line.left - before.left > line.size * 0.8 and not LIST_ITEM.match(held[0].text)
    return indented or before.end - line.bottom > usual * _GAP


def _block(lines: Sequence[Line], body: float) -> Block:
    text = joined(line.text for line in lines)
    size = min(line.size for line in lines)
    level = next((level for ratio, level in _LEVELS if body and size >= body * ratio), 0)
    if width(text) > _LONGEST_HEADING or text.endswith(("。", ".", "，", ",", "；", ";")):
        level = 0
    return Block(text.replace("\n", " ") if level else text, level)


def joined(lines: Iterable[str]) -> str:
    """One paragraph; a word that was broken at the end of a line is whole again, a list item keeps its line."""
    whole = ""
    for line in (_without_inner_marks(line) for line in lines):
        goes_on = _BROKEN_WORD.search(whole[-2:]) and line.lstrip()[:1].islower()
        if whole.endswith(tuple(HYPHEN)) or goes_on:
            whole = whole[:-1] + line.lstrip()
        elif whole.endswith(_LINE_ENDS) and LIST_ITEM.match(line):
            whole += "\n" + line.strip()
        else:
            whole = _beside(whole, line)
    return whole.rstrip(HYPHEN)


def _beside(whole: str, line: str) -> str:
    """Only the end of `whole` is looked at: joining many lines must not cost the square of their number."""
    return whole[:-1] + join_lines([whole[-1:], line])


def _without_inner_marks(line: str) -> str:
    """pdfium leaves the mark within the line where it has joined the two halves itself."""
    return re.sub(rf"[{HYPHEN}](?=.)", "", line)


def mend_page_breaks(pages: Sequence[list[Block]]) -> None:
    """Move the rest of a sentence that runs over a page break back to the page where it began."""
    for before, after in pairwise(pages):
        if before and after and _runs_on(before[-1], after[0]):
            before[-1] = Block(joined([before[-1].text, after.pop(0).text]))


def _runs_on(end: Block, start: Block) -> bool:
    if end.level or start.level or end.text.endswith(_LINE_ENDS) or width(end.text) <= 40:
        return False
    return start.text[0].islower() or width(start.text[0]) == WIDE
