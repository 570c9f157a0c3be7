"""What a loader gives: a title, and sections of paragraphs under their headings."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from knowledge.splitter import WIDE, width

HEADING_JOINT = " › "


class LoadError(Exception):
    """A source cannot be read; `message` says why, and what to do."""

    def __init__(self, source: str, message: str) -> None:
        super().__init__(f"{source} {message}")
        self.source = source
        self.message = message


@dataclass(frozen=True, slots=True)
class Section:
    """Paragraphs that stand under the same headings, on the same page."""

    headings: tuple[str, ...]
    """From the outermost to the nearest."""
    paragraphs: tuple[str, ...]
    """Text without line wrapping; a line break that is left separates list items, rows or verses."""
    page: int | None = None
    time: str = ""
    """Where a recording says it, as `12:34` or `1:02:03`."""
    answer: str = ""
    """Set for a question with its answer, which `paragraphs` then hold both: the answer, word for word. Such a
    section becomes one passage, however long."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """One document as its loader read it."""

    title: str
    sections: tuple[Section, ...]
    address: str = ""
    """The page's own canonical address; empty where it has none."""
    date: str = ""
    """When it was published, as `2026-03-01`; empty where nothing says."""
    notes: tuple[str, ...] = ()
    """What of the source could not be read, and the cure, one line each."""


def storable(loaded: Loaded) -> Loaded:
    """`loaded` without halves of characters, which JSON and HTML can spell (`\\ud800`) and no file can hold."""
    sections = (
        replace(
            section,
            headings=tuple(map(_whole, section.headings)),
            paragraphs=tuple(map(_whole, section.paragraphs)),
            answer=_whole(section.answer),
        )
        for section in loaded.sections
    )
    return replace(loaded, title=_whole(loaded.title), sections=tuple(sections))


def _whole(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


class Outline:
    """Collects paragraphs under headings, as a loader meets them from top to bottom."""

    def __init__(self, title: str = "") -> None:
        self.title = title
        self._path: list[tuple[int, str]] = []
        self._paragraphs: list[str] = []
        self._sections: list[Section] = []
        self._page: int | None = None
        self._time = ""

    def at(self, *, page: int | None = None, time: str = "") -> None:
        """Where what follows stands."""
        self._flush()
        self._page, self._time = page, time

    def heading(self, level: int, text: str) -> None:
        """Start a section. The first heading of level 1 becomes the title, where there is none yet."""
        self._flush()
        while self._path and self._path[-1][0] >= level:
            self._path.pop()
        if level == 1 and not self.title and not self._sections:
            self.title = text
        elif text and text != self.title:
            self._path.append((level, text))

    def paragraph(self, text: str) -> None:
        """Add text under the present heading; a list or table joins the line that introduces it."""
        text = text.strip()
        if not text:
            return
        if (
            self._paragraphs
            and self._paragraphs[-1].endswith((":", "："))
            and "\n" not in self._paragraphs[-1]
        ):
            self._paragraphs[-1] += "\n" + text
        else:
            self._paragraphs.append(text)

    @property
    def size(self) -> int:
        """Characters of paragraphs so far."""
        told = [text for section in self._sections for text in section.paragraphs]
        return sum(len(text) for text in [*told, *self._paragraphs])

    def _flush(self) -> None:
        if self._paragraphs:
            path = tuple(text for _, text in self._path)
            self._sections.append(Section(path, tuple(self._paragraphs), self._page, self._time))
        self._paragraphs = []

    def finish(self, title: str, notes: tuple[str, ...] = ()) -> Loaded:
        """The document; `title` is used where no heading gave one."""
        self._flush()
        return Loaded(self.title or title, tuple(self._sections), notes=notes)


def table_lines(rows: Iterable[Sequence[str]]) -> str:
    """A table as one line a row that can be understood by itself: `Camera: X100; Price: 20`."""
    filled = [[" ".join(cell.split()) for cell in row] for row in rows]
    filled = [row for row in filled if any(row)]
    if len(filled) < 2 or len(filled[0]) < 2:
        return "\n".join("; ".join(cell for cell in row if cell) for row in filled)
    header = filled[0]
    return "\n".join(_row_line(header, row) for row in filled[1:])


def _row_line(header: Sequence[str], row: Sequence[str]) -> str:
    names = [*header, *[""] * len(row)]
    return "; ".join(
        f"{name}: {cell}" if name else cell for name, cell in zip(names, row, strict=False) if cell
    )


def join_lines(lines: Iterable[str]) -> str:
    """Wrapped lines as one: with a blank between words, with nothing between two wide characters."""
    joined = ""
    for line in (" ".join(line.split()) for line in lines):
        apart = joined and line and not (width(joined[-1]) == WIDE and width(line[0]) == WIDE)
        joined += " " + line if apart else line
    return joined
