"""Office files: DOCX and PPTX, and archives that mean harm."""

import io
import struct
import zipfile

import docx
import pytest
from pptx import Presentation
from pptx.util import Inches

from tests.unit.loading import paragraphs, read, refusal


def word() -> bytes:
    document = docx.Document()
    document.add_heading("Guide", 0)
    document.add_heading("Prices", 1)
    document.add_paragraph("They are:")
    document.add_paragraph("Kit 49", style="List Bullet")
    document.add_paragraph("套装299元", style="List Number")
    table = document.add_table(2, 2)
    for cell, text in zip(
        [cell for row in table.rows for cell in row.cells], ["Bean", "Time", "Kenya", "9"], strict=True
    ):
        cell.text = text
    document.add_paragraph("The end.")
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def bomb(declared: int | None = None) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"0" * 30_000_000)
    data = bytearray(out.getvalue())
    for signature, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        if declared is not None:
            at = data.find(signature) + offset
            data[at : at + 4] = struct.pack("<I", declared)
    return bytes(data)


def excel() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
    return out.getvalue()


def test_word_gives_title_headings_lists_and_tables() -> None:
    loaded = read(word(), ".docx")
    assert loaded.title == "Guide"
    assert loaded.sections[0].headings == ("Prices",)
    assert paragraphs(loaded) == ["They are:\nKit 49\n套装299元", "Bean: Kenya; Time: 9", "The end."]


def test_word_refusals_name_the_cure() -> None:
    assert "damaged" in refusal(word()[:3000], ".docx")
    assert "zip bomb" in refusal(bomb(), ".docx")
    assert "damaged" in refusal(bomb(declared=1000), ".docx")
    assert "an Excel file" in refusal(excel(), ".docx")


def slides() -> bytes:
    presentation = Presentation()
    slide = presentation.slides.add_slide(presentation.slide_layouts[1])
    slide.shapes.title.text = "烘焙"
    slide.placeholders[1].text = "first point\nsecond point"
    slide.notes_slide.notes_text_frame.text = "Say that it is loud."
    table = slide.shapes.add_table(2, 2, Inches(1), Inches(1), Inches(3), Inches(1)).table
    for at, text in enumerate(["Bean", "Time", "Kenya", "9"]):
        table.cell(at // 2, at % 2).text = text
    slide.shapes.add_group_shape().shapes.add_textbox(0, 0, 10, 10).text_frame.text = "in a group"
    presentation.slides.add_slide(presentation.slide_layouts[5]).shapes.title.text = "The end"
    out = io.BytesIO()
    presentation.save(out)
    return out.getvalue()


def test_slides_give_title_lists_tables_groups_and_notes_with_their_number() -> None:
    (section,) = read(slides(), ".pptx").sections
    assert (section.page, section.headings) == (1, ("烘焙",))
    assert section.paragraphs == (
        "first point\nsecond point",
        "Bean: Kenya; Time: 9",
        "in a group",
        "Say that it is loud.",
    )


def with_part(data: bytes, name: str, content: bytes) -> bytes:
    """The archive with one part replaced."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.infolist():
            new.writestr(part.filename, content if part.filename == name else old.read(part))
    return out.getvalue()


ENTITIES = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
LAUGHS = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e0 "haha">{ENTITIES}]>'
W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def test_an_entity_bomb_in_a_word_file_stays_closed() -> None:
    body = (
        f'<w:document xmlns:w="{W}"><w:body><w:p><w:r><w:t>Text &e11;</w:t></w:r></w:p></w:body></w:document>'
    )
    data = with_part(word(), "word/document.xml", (LAUGHS + body).encode())
    assert "damaged Office file" in refusal(data, ".docx")


def test_a_file_named_by_an_entity_is_not_read() -> None:
    evil = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>'
    body = (
        f'<w:document xmlns:w="{W}"><w:body><w:p><w:r><w:t>Text:&e;.</w:t></w:r></w:p></w:body></w:document>'
    )
    assert paragraphs(read(with_part(word(), "word/document.xml", (evil + body).encode()), ".docx")) == [
        "Text:"
    ]


def test_tables_within_tables_without_end_are_one_clear_line() -> None:
    deep = "<w:tbl><w:tr><w:tc>" * 5000
    data = with_part(word(), "word/document.xml", f'<w:document xmlns:w="{W}"><w:body>{deep}'.encode())
    assert "damaged Office file" in refusal(data, ".docx")


@pytest.mark.parametrize("name", ["ppt/presentation.xml", "ppt/slides/slide1.xml", "[Content_Types].xml"])
def test_a_presentation_with_a_broken_part_is_one_clear_line(name: str) -> None:
    assert "save it again" in refusal(with_part(slides(), name, b"<broken"), ".pptx")


def test_parts_that_share_their_bytes_cannot_unpack_to_more_than_the_limit() -> None:
    """The overlapping bomb: every entry of the directory points at the same packed bytes."""
    data = bytearray(bomb())
    at, end = data.find(b"PK\x01\x02"), data.find(b"PK\x05\x06")
    entry, tail = bytes(data[at:end]), bytearray(data[end:])
    many = entry * 200
    struct.pack_into("<HHI", tail, 8, 200, 200, len(many))
    assert "save it again" in refusal(bytes(data[:at]) + many + bytes(tail), ".docx")


def test_an_archive_in_an_archive_is_not_opened() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("inner.zip", bomb())
    assert "is an archive; unpack it" in refusal(out.getvalue(), ".docx")
