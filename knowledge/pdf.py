"""The text of a PDF, page by page, its lines joined into paragraphs again."""

import ctypes
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import pypdfium2
from pypdfium2 import raw

from knowledge.layout import HYPHEN, Block, Line, blocks, body_size, mend_page_breaks, without_running_lines
from knowledge.records import Loaded, LoadError, Outline

MAX_PAGES = 20_000
MAX_CHARACTERS = 50_000_000
"""In one file; they and the places of their lines are held in memory."""
_PASSWORD = 4
"""pdfium's error code for a file that needs a password."""
_JUNK_TITLE = re.compile(
    r"(?i)untitled|microsoft|\.(docx?|pdf|indd|tex|pptx?|xlsx?)\b|^\W*$|anonymous|unspecified"
)
_FEW_LINES = 3
"""On a page with so little text a picture may be a scan."""
_UNMAPPED = 0.3
"""Share of a page's characters, or lines, without a text map from which on it cannot be read."""


class _NoSystemFonts(pypdfium2.PdfSysfontBase):  # type: ignore[misc]
    """Reading needs no shapes, and to measure those of a Chinese font takes twenty times as long as the rest."""

    def EnumFonts(self, *_: object) -> None:
        return None

    def MapFont(self, *_: object) -> None:
        return None


@dataclass(slots=True)
class _Read:
    """What the pages hold; numbers of pages from 0."""

    pages: list[list[Line]] = field(default_factory=list)
    pictured: set[int] = field(default_factory=set)
    unmapped: list[int] = field(default_factory=list)
    broken: list[int] = field(default_factory=list)


def load_pdf(source: str, data: bytes, title: str) -> Loaded:
    """Sections by heading and page; pages without text are told in the notes.

    For one thread at a time, as pdfium is, and for files that can be trusted; for others there is `pdf_worker`.
    Raises LoadError for a damaged or encrypted file, one without any text, and one beyond the limits.
    """
    _use_no_system_fonts()
    document = _open(source, data)
    try:
        named = str(document.get_metadata_value("Title") or "").strip()
        read = _read(source, document)
    finally:
        document.close()
    pages = without_running_lines(read.pages, frozenset(read.pictured))
    scanned = [number for number, lines in enumerate(pages) if not lines and number in read.pictured]
    _check(source, pages, read)
    outline = Outline("" if _JUNK_TITLE.search(named) else named)
    _add_pages(outline, pages)
    return outline.finish(title, notes=_notes(read, scanned))


@cache
def _use_no_system_fonts() -> None:
    _NoSystemFonts().setup()


def _open(source: str, data: bytes) -> pypdfium2.PdfDocument:
    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if error.err_code == _PASSWORD:
            raise LoadError(source, "is encrypted; save a copy without a password") from error
        raise LoadError(source, "is damaged or no PDF; open it and save it as PDF again") from error


def _read(source: str, document: pypdfium2.PdfDocument) -> _Read:
    if len(document) > MAX_PAGES:
        raise LoadError(
            source, f"has {len(document)} pages, the limit is {MAX_PAGES}; split it into smaller files"
        )
    read = _Read()
    characters = 0
    for number in range(len(document)):
        try:
            lines = _read_page(document, number, read)
        except pypdfium2.PdfiumError:
            read.broken.append(number)
            lines = []
        characters += sum(len(line.text) for line in lines)
        if characters > MAX_CHARACTERS:
            limit = MAX_CHARACTERS // 1_000_000
            raise LoadError(
                source, f"holds more than {limit} million characters; split it into smaller files"
            )
        read.pages.append(lines)
    return read


def _read_page(document: pypdfium2.PdfDocument, number: int, read: _Read) -> list[Line]:
    page = document[number]
    try:
        text_page = page.get_textpage()
        try:
            if text_page.count_chars() > MAX_CHARACTERS:
                raise pypdfium2.PdfiumError("more characters than a page can hold")
            lines, unmapped = _lines(text_page)
        finally:
            text_page.close()
        if len(lines) <= _FEW_LINES and any(page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=3)):
            read.pictured.add(number)
    finally:
        page.close()
    if lines and unmapped > _UNMAPPED:
        read.unmapped.append(number)
        return []
    return lines


def _lines(text_page: pypdfium2.PdfTextPage) -> tuple[list[Line], float]:
    """The lines of a page, and the share of them that cannot be read."""
    lines: list[Line] = []
    index = unmapped = 0
    for text in str(text_page.get_text_range()).split("\r\n"):
        stripped = text.strip(" \t\x00")
        if stripped:
            first = raw.FPDFText_GetCharIndexFromTextIndex(text_page, index + text.index(stripped[0]))
            unmapped += raw.FPDFText_HasUnicodeMapError(text_page, first) == 1 or _is_unmapped(stripped)
            lines.append(_line(text_page, first, stripped))
        # The index counts in UTF-16, in which a rare character takes two.
        index += (len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2) + 2
    return lines, unmapped / max(1, len(lines))


def _line(text_page: pypdfium2.PdfTextPage, first: int, text: str) -> Line:
    box, end = raw.FS_RECTF(), raw.FS_RECTF()
    raw.FPDFText_GetLooseCharBox(text_page, first, ctypes.byref(box))
    raw.FPDFText_GetLooseCharBox(text_page, first + len(text) - 1, ctypes.byref(end))
    clean = text.replace("\x00", "").replace("\r", " ").replace("\n", " ")
    return Line(clean, box.left, box.bottom, abs(box.top - box.bottom), end.right, end.bottom)


def _is_unmapped(line: str) -> bool:
    if line.isascii() and line.isprintable():
        return False
    odd = sum(
        one == "\ufffd" or "\ue000" <= one <= "\uf8ff" or (one < " " and one not in HYPHEN + "\t\r\n")
        for one in line
    )
    return odd > len(line) * _UNMAPPED


def _check(source: str, pages: Sequence[Sequence[Line]], read: _Read) -> None:
    if any(pages):
        return
    if len(read.broken) == len(pages):
        raise LoadError(source, "is damaged; open it and save it as PDF again")
    if read.unmapped:
        raise LoadError(source, "uses fonts without a text map; run it through OCR, or export it again")
    raise LoadError(source, f"holds no text on its {len(pages)} pages (scanned?); run it through OCR first")


def _add_pages(outline: Outline, pages: Sequence[Sequence[Line]]) -> None:
    body = body_size(pages)
    told: list[list[Block]] = [list(blocks(lines, body)) for lines in pages]
    mend_page_breaks(told)
    for number, page in enumerate(told, 1):
        outline.at(page=number)
        for block in page:
            if block.level:
                outline.heading(block.level, block.text)
            else:
                outline.paragraph(block.text)


def _notes(read: _Read, scanned: Sequence[int]) -> tuple[str, ...]:
    total = len(read.pages)
    told = (
        (scanned, "no text but a picture (scanned?); run the file through OCR"),
        (read.unmapped, "text in fonts without a text map; run the file through OCR, or export it again"),
        (read.broken, "damage; open the file and save it as PDF again"),
    )
    return tuple(
        f"{len(numbers)} of {total} pages ({ranges(numbers)}) hold {what}"
        for numbers, what in told
        if numbers
    )


def ranges(numbers: Sequence[int]) -> str:
    """`0, 2, 3, 4` as people count pages: `1, 3-5`; at most ten of them."""
    spans: list[list[int]] = []
    for number in (one + 1 for one in numbers):
        if spans and spans[-1][1] + 1 == number:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    shown = [str(first) if first == last else f"{first}-{last}" for first, last in spans[:10]]
    return ", ".join([*shown, "..."] if len(spans) > len(shown) else shown)
