"""The text of a PDF, page by page, its lines joined into paragraphs again."""

import re
import threading
from collections.abc import Iterator
from itertools import pairwise

import pypdfium2

from knowledge.records import Loaded, LoadError, Section, join_lines
from knowledge.splitter import WIDE, width

_PASSWORD = 4
"""pdfium's error code for a file that needs a password."""
_HYPHEN = "\x02\ufffe\u00ad"
"""What pdfium gives for the hyphen of a word that is broken over two lines."""
_PAGE_NUMBER = re.compile(
    r"\s*(?:page|seite|p\.?|第)?\s*[-–—]?\s*\d{1,5}\s*(?:(?:of|/|von|de)\s*\d{1,5})?\s*[-–—]?\s*(?:页|頁)?\s*",
    re.IGNORECASE,
)
_LINE_ENDS = tuple("。！？；…”』」.!?:：;")
_BROKEN_WORD = re.compile(r"[^\W\d_]-$")
_JUNK_TITLE = re.compile(
    r"(?i)untitled|microsoft|\.(docx?|pdf|indd|tex|pptx?|xlsx?)\b|^\W*$|anonymous|unspecified"
)
_SHORT_LINE = 0.75
"""A line shorter than this share of the widest, at the end of a sentence, ends a paragraph."""
_lock = threading.Lock()
"""pdfium is not safe to use from two threads at once."""


def load_pdf(source: str, data: bytes, title: str) -> Loaded:
    """One section a page. Raises LoadError for a damaged, encrypted, scanned or unmappable file."""
    with _lock:
        document = _open(source, data)
        try:
            named = str(document.get_metadata_value("Title") or "").strip()
            pages = [list(paragraphs(_text(document, number))) for number in range(len(document))]
        except pypdfium2.PdfiumError as error:
            raise LoadError(source, f"is damaged ({error}); open it and save it as PDF again") from error
        finally:
            document.close()
    _check(source, pages)
    _mend_page_breaks(pages)
    sections = tuple(Section((), tuple(page), number) for number, page in enumerate(pages, 1) if page)
    return Loaded(title if not named or _JUNK_TITLE.search(named) else named, sections)


def _open(source: str, data: bytes) -> pypdfium2.PdfDocument:
    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if error.err_code == _PASSWORD:
            raise LoadError(source, "is encrypted; save a copy without a password") from error
        raise LoadError(source, "is damaged or no PDF; open it and save it as PDF again") from error


def _text(document: pypdfium2.PdfDocument, number: int) -> str:
    page = document[number]
    try:
        text = page.get_textpage()
        try:
            return str(text.get_text_range())
        finally:
            text.close()
    finally:
        page.close()


def _check(source: str, pages: list[list[str]]) -> None:
    text = "".join(paragraph for page in pages[:50] for paragraph in page)
    if not any(pages):
        raise LoadError(
            source, f"holds no text on its {len(pages)} pages (scanned?); run it through OCR first"
        )
    unmapped = sum(character == "\ufffd" or "\ue000" <= character <= "\uf8ff" for character in text)
    if unmapped > len(text) * 0.3:
        raise LoadError(source, "uses fonts without a text map; run it through OCR, or export it again")


def paragraphs(text: str) -> Iterator[str]:
    """The paragraphs of one page as pdfium gives it: line wrapping, hyphens and the page number are undone."""
    lines = [
        line.rstrip()
        for line in text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "").split("\n")
    ]
    while lines and (not lines[0] or _PAGE_NUMBER.fullmatch(lines[0])):
        del lines[0]
    while lines and (not lines[-1] or _PAGE_NUMBER.fullmatch(lines[-1])):
        del lines[-1]
    widest = max((width(line) for line in lines), default=0.0)
    held: list[str] = []
    for line in lines:
        if line:
            held.append(line)
        if held and (not line or (width(line) < widest * _SHORT_LINE and line.endswith(_LINE_ENDS))):
            yield _joined(held)
            held = []
    if held:
        yield _joined(held)


def _joined(lines: list[str]) -> str:
    """One paragraph; a word that was broken at the end of a line is whole again."""
    joined = ""
    for line in (_without_inner_marks(line) for line in lines):
        goes_on = _BROKEN_WORD.search(joined) and line.lstrip()[:1].islower()
        if joined.endswith(tuple(_HYPHEN)) or goes_on:
            joined = joined[:-1] + line.lstrip()
        else:
            joined = join_lines([joined, line])
    return joined.rstrip(_HYPHEN)


def _without_inner_marks(line: str) -> str:
    """pdfium leaves the mark within the line where it has joined the two halves itself."""
    return re.sub(rf"[{_HYPHEN}](?=.)", "", line)


def _mend_page_breaks(pages: list[list[str]]) -> None:
    """Move the rest of a sentence that runs over a page break back to the page where it began."""
    for before, after in pairwise(pages):
        if before and after and _runs_on(before[-1], after[0]):
            before[-1] = _joined([before[-1], after.pop(0)])


def _runs_on(end: str, start: str) -> bool:
    return (
        not end.endswith(_LINE_ENDS) and width(end) > 40 and (start[0].islower() or width(start[0]) == WIDE)
    )
