"""Makes the passages of a document that its loader has read. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence

from knowledge.language import detect
from knowledge.records import HEADING_JOINT, Loaded, Section
from knowledge.splitter import split
from knowledge.store import NewPassage


def to_passages(loaded: Loaded, size: int, overlap: int) -> list[NewPassage]:
    """The passages of a document, in order."""
    return [
        NewPassage(
            HEADING_JOINT.join(section.headings),
            section.page,
            text,
            detect(text),
            section.time,
            section.answer,
        )
        for section in loaded.sections
        for text in _texts(section, size, overlap)
    ]


def _texts(section: Section, size: int, overlap: int) -> Iterator[str]:
    if section.answer:
        yield "\n".join(section.paragraphs)
        return
    for paragraph in section.paragraphs:
        yield from split(paragraph, size, overlap)


def main_language(passages: Sequence[NewPassage]) -> str:
    """The language that most of the text is in; `und` where there is none."""
    letters: Counter[str] = Counter()
    for passage in passages:
        letters[passage.language] += len(passage.text)
    return max(letters, key=lambda language: letters[language], default="und")
