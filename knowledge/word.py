"""The text of a Word file (DOCX): headings, paragraphs, lists and tables in their order."""

import re
from collections.abc import Iterator
from io import BytesIO

import docx
from docx.document import Document as WordDocument
from docx.opc.exceptions import PackageNotFoundError
from docx.table import Table, _Row
from docx.text.paragraph import Paragraph

from knowledge.archive import damage_told
from knowledge.records import Loaded, LoadError, Outline, table_lines

_HEADING = re.compile(r"Heading (\d)")


def load_word(source: str, data: bytes, title: str) -> Loaded:
    """Raises LoadError for a damaged file; `archive.kind` has looked at its size before."""
    with damage_told(source):
        try:
            document = docx.Document(BytesIO(data))
        except PackageNotFoundError as error:
            raise LoadError(source, "is no Word file inside; open it and save it again") from error
        outline = Outline()
        _add_all(outline, document)
        return outline.finish(document.core_properties.title.strip() or title)


def _add_all(outline: Outline, document: WordDocument) -> None:
    items: list[str] = []
    for block in document.iter_inner_content():
        if isinstance(block, Paragraph) and _is_list_item(block):
            items.append(block.text.strip())
            continue
        outline.paragraph("\n".join(items))
        items = []
        if isinstance(block, Table):
            outline.paragraph(table_lines(list(_cells(row)) for row in block.rows))
        else:
            _add_paragraph(outline, block)
    outline.paragraph("\n".join(items))


def _cells(row: _Row) -> Iterator[str]:
    """A cell that spans several columns is told once, and leaves the others empty."""
    before = None
    for cell in row.cells:
        yield "" if cell._tc is before else cell.text
        before = cell._tc


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
