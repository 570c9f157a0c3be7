"""PDF files made here, with known text: pages a second on one core, and how much of the text comes back right.

The pages have what hurts: a running title on the left pages, the chapter on the right ones, page numbers, words
broken over two lines, paragraphs broken over two pages, and nothing between paragraphs but an indent. Only the
loader is timed, the whole of it.
"""

import argparse
import json
import os
import platform
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import chain, pairwise, repeat

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from knowledge.loaders import Content, load

LATIN, HAN = "Times-Roman", "STSong-Light"
LINES, LINE_WIDTH, INDENT = 44, 430.0, 22.0
"""Lines on a page; points of a line, and of the first one's indent."""
_WORDS = (
    "the roast of a bean begins with heat and ends when its sugars turn brown while water leaves slowly so every "
    "farmer knows that altitude changes density therefore a careful reader compares temperature pressure grinder "
    "settings extraction filter paper kettle aroma acidity sweetness harvest fermentation drying storage humidity "
    "measurement because small differences matter more than expensive equipment or fashionable recipes from abroad"
)
_CHARACTERS = "咖啡豆烘焙温度时间水分香气酸甜苦味农场海拔处理方法研磨粗细萃取滤纸水壶压力实验记录"


@dataclass(frozen=True)
class Made:
    """A PDF and the paragraphs that were set in it."""

    data: bytes
    pages: int
    paragraphs: list[str]


def english(chooser: random.Random) -> str:
    """A paragraph of a few sentences."""
    words = _WORDS.split()
    told = (
        " ".join(chooser.choices(words, k=chooser.randint(8, 22))).capitalize() + "."
        for _ in range(chooser.randint(3, 6))
    )
    return " ".join(told)


def chinese(chooser: random.Random) -> str:
    """A paragraph of a few sentences, a number or a Latin word in some."""
    told = (
        "".join(chooser.choices(_CHARACTERS, k=chooser.randint(12, 34)))
        + chooser.choice(["。", "，约为196度。", "，使用 V60 滤杯。", "！"])
        for _ in range(chooser.randint(3, 6))
    )
    return "".join(told)


def english_lines(text: str) -> Iterator[str]:
    """`text` set in lines; a word that does not fit is broken with a hyphen where three letters do."""
    line, room = "", LINE_WIDTH - INDENT
    for word in text.split():
        wider = f"{line} {word}".lstrip()
        if pdfmetrics.stringWidth(wider, LATIN, 11) <= room:
            line = wider
            continue
        breaks = len(word) > 7 and pdfmetrics.stringWidth(f"{line} {word[:3]}-", LATIN, 11) <= room
        yield f"{line} {word[:3]}-" if breaks else line
        line, room = word[3:] if breaks else word, LINE_WIDTH
    yield line


def chinese_lines(text: str) -> Iterator[str]:
    """`text` set in lines, broken anywhere but before a mark and within a number or Latin word."""
    line, room = "", LINE_WIDTH - INDENT
    for unit in re.findall(r"[A-Za-z0-9]+|.", text):
        fits = pdfmetrics.stringWidth(line + unit, HAN, 11) <= room
        if not fits and unit not in "。，！":
            yield line.rstrip()
            line, room = "", LINE_WIDTH
        line += unit
    yield line


def make(
    pages: int,
    paragraph: Callable[[random.Random], str],
    lines_of: Callable[[str], Iterable[str]],
    font: str,
    titles: tuple[str, str],
    number: str,
) -> Made:
    """`pages` full pages; `titles` run over the left and the right ones, `number` is the foot's format."""
    chooser = random.Random(7)
    out = BytesIO()
    canvas = Canvas(out)
    waiting: list[tuple[str, float]] = []
    paragraphs: list[str] = []
    for page in range(1, pages + 1):
        while len(waiting) < LINES and page < pages:
            paragraphs.append(paragraph(chooser))
            waiting.extend(zip(lines_of(paragraphs[-1]), chain([INDENT], repeat(0.0)), strict=False))
        _set(canvas, waiting[:LINES], font, titles[page % 2], number.format(page))
        del waiting[:LINES]
    canvas.save()
    return Made(out.getvalue(), pages, paragraphs)


def _set(canvas: Canvas, lines: Iterable[tuple[str, float]], font: str, title: str, number: str) -> None:
    canvas.setFont(font, 9)
    canvas.drawString(80, 810, title)
    canvas.drawString(290, 30, number)
    canvas.setFont(font, 11)
    for row, (line, indent) in enumerate(lines):
        canvas.drawString(80 + indent, 780 - 16 * row, line)
    canvas.showPage()


def read(made: Made) -> tuple[list[str], float]:
    """The paragraphs that the loader finds, and the seconds of processor time that it takes."""
    started = _cpu_s()
    loaded = load(Content("/bench.pdf", made.data, ".pdf", "bench"))
    took = _cpu_s() - started
    return [text for section in loaded.sections for text in section.paragraphs], took


def _cpu_s() -> float:
    """Processor time of this process and of the one that it reads PDF files in."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def f1(expected: Iterable[str], found: Iterable[str]) -> float:
    """Harmonic mean of precision and recall over neighbouring pairs: a wrong join costs two of them."""
    left, right = Counter(pairwise(expected)), Counter(pairwise(found))
    return 2 * (left & right).total() / (left.total() + right.total())


def bench(pages: int) -> dict[str, float]:
    """Prints a line for each language; gives the figures of the last line."""
    pdfmetrics.registerFont(UnicodeCIDFont(HAN))
    titles_zh = ("咖啡烘焙手册", "第三章 烘焙的温度与时间")
    en = make(pages, english, english_lines, LATIN, ("The Coffee Handbook", "3. Heat and Time"), "{}")
    zh = make(pages, chinese, chinese_lines, HAN, titles_zh, "第 {} 页")
    print(f"{'language':10}{'pages':>7}{'MB':>7}{'pages/s':>9}{'text F1':>9}{'whole paragraphs':>18}")
    figures = {}
    for name, made in (("en", en), ("zh", zh)):
        found, took = min((read(made) for _ in range(3)), key=lambda one: one[1])
        units = (" ".join(made.paragraphs).split(), " ".join(found).split())
        if name == "zh":
            units = (list("".join(made.paragraphs)), list("".join(found)))
        figures[f"pdf_pages_s_{name}"] = round(made.pages / took, 1)
        figures[f"pdf_text_f1_{name}"] = round(f1(*units), 4)
        whole = (Counter(made.paragraphs) & Counter(found)).total() / len(made.paragraphs)
        print(
            f"{name:10}{made.pages:>7}{len(made.data) / 1e6:>7.1f}{made.pages / took:>9.0f}"
            f"{figures[f'pdf_text_f1_{name}']:>9.4f}{whole:>18.3f}"
        )
    return {"pdf_pages_s": min(figures["pdf_pages_s_en"], figures["pdf_pages_s_zh"]), **figures}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=300)
    pages = parser.parse_args().pages
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; one core is used")
    print(json.dumps(bench(pages)))


if __name__ == "__main__":
    main()
