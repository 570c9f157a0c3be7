"""A chapter list as video platforms read it: lines like `12:34 Grinding`, the first at 0:00."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from knowledge.records import Loaded, Outline
from knowledge.textfiles import blocks_of, unwrap
from knowledge.transcript import clock, seconds_of

_CHAPTER = re.compile(
    r"\s*(?:[-*•]\s+)?[(\[（【]?(?:(\d{1,2}):)?(\d{1,2}):(\d{2})[)\]）】]?\s*(?:[-–—:：|·]\s*)?(\S.{0,199})"
)
_FEWEST = 3

Chapter = tuple[int, int, str]
"""Number of its line, seconds, name."""


def find_chapters(lines: Sequence[str]) -> list[Chapter]:
    """The chapters in `lines`; none unless there are three or more, from 0:00 and in order."""
    found: list[Chapter] = []
    for at, line in enumerate(lines):
        match = _CHAPTER.fullmatch(line.rstrip())
        if match is None:
            continue
        seconds = seconds_of(*match.groups()[:3])
        if (seconds == 0 and not found) or (found and seconds > found[-1][1]):
            found.append((at, seconds, match[4].strip()))
    return found if len(found) >= _FEWEST else []


def load_chapters(text: str, title: str) -> Loaded:
    """Chapters with text under them are headings with their time; a bare list gives one paragraph a chapter.

    What stands before the list, and after a bare one, is kept as it is.
    """
    lines = text.split("\n")
    chapters = find_chapters(lines)
    outline = Outline()
    _add_text(outline, lines[: chapters[0][0]])
    bare = all(after[0] == before[0] + 1 for before, after in pairwise(chapters))
    rest = chapters[-1][0] + 1
    for (at, seconds, name), end in zip(chapters, _ends(chapters, len(lines)), strict=True):
        outline.at(time=clock(seconds))
        outline.heading(2, "" if bare else name)
        if bare or not any(line.strip() for line in lines[at + 1 : end]):
            outline.paragraph(name)
        else:
            _add_text(outline, lines[at + 1 : end])
    outline.at()
    if bare:
        _add_text(outline, lines[rest:])
    return outline.finish(title)


def _ends(chapters: Sequence[Chapter], last: int) -> Iterator[int]:
    yield from (at for at, _, _ in chapters[1:])
    yield last


def _add_text(outline: Outline, lines: Sequence[str]) -> None:
    for block in blocks_of("\n".join(lines)):
        outline.paragraph("\n".join(unwrap(block.split("\n"))))
