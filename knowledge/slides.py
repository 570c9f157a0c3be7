"""The text of a PowerPoint file (PPTX): each slide under its title, with its tables and the speaker's notes."""

from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Any

from knowledge.archive import damage_told
from knowledge.records import Loaded, LoadError, Outline, table_lines

if TYPE_CHECKING:
    from pptx.slide import Slide
    from pptx.text.text import TextFrame


def load_slides(source: str, data: bytes, title: str) -> Loaded:
    """One section a slide, its number as the page. Raises LoadError for a damaged file."""
    # Imported here: it takes a third of a second, which only slides need.
    from pptx import Presentation  # noqa: PLC0415
    from pptx.exc import PythonPptxError  # noqa: PLC0415

    with damage_told(source):
        try:
            presentation = Presentation(BytesIO(data))
            outline = Outline(presentation.core_properties.title.strip())
            for number, slide in enumerate(presentation.slides, 1):
                _add_slide(outline, slide, number)
        except PythonPptxError as error:
            raise LoadError(source, "is no PowerPoint file inside; open it and save it again") from error
    return outline.finish(title)


def _add_slide(outline: Outline, slide: "Slide", number: int) -> None:
    outline.at(page=number)
    titled = slide.shapes.title
    # Level 2: a slide's title is never that of the presentation.
    outline.heading(2, " ".join(titled.text_frame.text.split()) if titled is not None else "")
    for text in _texts(
        shape for shape in slide.shapes if titled is None or shape.shape_id != titled.shape_id
    ):
        outline.paragraph(text)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        outline.paragraph(_lines(slide.notes_slide.notes_text_frame))


def _texts(shapes: Iterable[Any]) -> Iterator[str]:
    """What the shapes say, groups unfolded; shapes nest as deep as the parser lets XML nest, 256 levels."""
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from _texts(shape.shapes)
        elif shape.has_table:
            yield table_lines([cell.text for cell in row.cells] for row in shape.table.rows)
        elif shape.has_text_frame:
            yield _lines(shape.text_frame)


def _lines(frame: "TextFrame") -> str:
    """Each point of a list on a line of its own."""
    return "\n".join(" ".join(one.text.split()) for one in frame.paragraphs if one.text.strip())
