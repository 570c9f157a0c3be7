"""The text of a Word file (DOCX): headings, paragraphs, lists and tables in their order."""

import re
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO

import docx
from docx.document import Document as WordDocument
from docx.opc.exceptions import PackageNotFoundError
from docx.table import Table
from docx.text.paragraph import Paragraph
from lxml import etree  # type: ignore[import-untyped]

from knowledge.records import Loaded, LoadError, Outline, table_lines

MAX_UNPACKED = 300_000_000
"""Bytes that the parts of a file may come to when unpacked."""
MAX_PARTS = 5_000
MAX_RATIO = 200
"""Unpacked to packed bytes; text that people write stays far below."""
_SMALL = 10_000_000
"""Below this a high ratio does no harm."""
_CHUNK = 1 << 20
_BODY = "word/document.xml"
_KNOWN = {"xl/workbook.xml": "an Excel file", "ppt/presentation.xml": "a PowerPoint file"}
_HEADING = re.compile(r"Heading (\d)")


def load_word(source: str, data: bytes, title: str) -> Loaded:
    """Raises LoadError for a file that is no DOCX, is damaged, encrypted, or unpacks to far too much."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            _check(source, archive, len(data))
        document = docx.Document(BytesIO(data))
        outline = Outline()
        _add_all(outline, document)
        return outline.finish(document.core_properties.title.strip() or title)
    except (
        zipfile.BadZipFile,
        PackageNotFoundError,
        KeyError,
        ValueError,
        EOFError,
        NotImplementedError,
        RuntimeError,
        zlib.error,
        etree.XMLSyntaxError,
    ) as error:
        raise LoadError(
            source, f"is a damaged Word file ({error}); open it and save it as DOCX again"
        ) from error


def _check(source: str, archive: zipfile.ZipFile, packed: int) -> None:
    """The declared sizes first, as they cost nothing; then the real ones, as a bomb lies about its own."""
    parts = archive.infolist()
    names = {part.filename for part in parts}
    if _BODY not in names:
        kind = next((kind for name, kind in _KNOWN.items() if name in names), "an archive")
        raise LoadError(source, f"is {kind}, not a Word file; export its text as DOCX, PDF or plain text")
    if any(part.flag_bits & 1 for part in parts):
        raise LoadError(source, "is encrypted; save a copy without a password")
    limit = min(MAX_UNPACKED, max(_SMALL, packed * MAX_RATIO))
    if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > limit:
        raise _bomb(source)
    total = 0
    for size in _real_sizes(archive, parts):
        total += size
        if total > limit:
            raise _bomb(source)


def _real_sizes(archive: zipfile.ZipFile, parts: list[zipfile.ZipInfo]) -> Iterator[int]:
    for part in parts:
        with archive.open(part) as stream:
            while chunk := stream.read(_CHUNK):
                yield len(chunk)


def _bomb(source: str) -> LoadError:
    return LoadError(
        source, "unpacks to far more than a document needs (a zip bomb?); open it and save it as DOCX again"
    )


def _add_all(outline: Outline, document: WordDocument) -> None:
    items: list[str] = []
    for block in document.iter_inner_content():
        if isinstance(block, Paragraph) and _is_list_item(block):
            items.append(block.text.strip())
            continue
        outline.paragraph("\n".join(items))
        items = []
        if isinstance(block, Table):
            outline.paragraph(table_lines([cell.text for cell in row.cells] for row in block.rows))
        else:
            _add_paragraph(outline, block)
    outline.paragraph("\n".join(items))


def _add_paragraph(outline: Outline, paragraph: Paragraph) -> None:
    style = (paragraph.style.name if paragraph.style is not None else None) or ""
    heading = _HEADING.match(style)
    text = " ".join(paragraph.text.split())
    if style == "Title" and text:
        outline.title = outline.title or text
    elif heading and text:
        outline.heading(int(heading[1]), text)
    else:
        outline.paragraph(paragraph.text)


def _is_list_item(paragraph: Paragraph) -> bool:
    style = paragraph.style.name if paragraph.style is not None else None
    numbered = paragraph._p.pPr is not None and paragraph._p.pPr.numPr is not None
    return (numbered or (style or "").startswith("List")) and bool(paragraph.text.strip())
