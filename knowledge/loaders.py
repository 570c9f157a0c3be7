"""Reads a file or a fetched page into sections. What a file is, its content decides, not its ending."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from knowledge import archive
from knowledge.chapters import find_chapters, load_chapters
from knowledge.faq import load_faq, with_answers
from knowledge.markdown import inline, load_markdown
from knowledge.pairs import load_json_lines, load_table
from knowledge.pdf_worker import load_pdf_apart
from knowledge.records import Loaded, LoadError, storable
from knowledge.slides import load_slides
from knowledge.textfiles import decode, load_text
from knowledge.transcript import is_transcript, load_transcript
from knowledge.webpage import load_html
from knowledge.word import load_word

MAX_BYTES = 200_000_000
VERSION = 2
"""Raise it whenever loading or splitting changes: what was ingested before is then read again."""

MARKDOWN = frozenset({".md", ".markdown", ".mdown"})
_TABLES = frozenset({".csv", ".tsv"})
_RECORDS = frozenset({".jsonl", ".ndjson"})
_OFFICE = frozenset({".pdf", ".docx", ".pptx"})
SUFFIXES = (
    MARKDOWN | _TABLES | _RECORDS | _OFFICE | {".txt", ".text", ".html", ".htm", ".xhtml", ".srt", ".vtt"}
)
"""Endings that are taken from a folder; a file that is named by itself may have any."""

# Start of the content -> what it is, and the cure.
_FOREIGN = (
    (b"\xd0\xcf\x11\xe0", "is an old Office file (.doc, .xls, .ppt); save it as DOCX or PDF"),
    (b"{\\rtf", "is an RTF file; save it as DOCX or PDF"),
    (b"\x89PNG", "is a PNG picture; give the text as PDF, DOCX, HTML, Markdown or plain text"),
    (b"\xff\xd8\xff", "is a JPEG picture; give the text as PDF, DOCX, HTML, Markdown or plain text"),
    (b"GIF8", "is a GIF picture; give the text as PDF, DOCX, HTML, Markdown or plain text"),
    (b"\x1f\x8b", "is a gzip archive; unpack it and give the files in it"),
    (b"7z\xbc\xaf", "is a 7z archive; unpack it and give the files in it"),
    (b"Rar!", "is a RAR archive; unpack it and give the files in it"),
    (b"\x7fELF", "is a program, not a document"),
    (b"MZ\x90", "is a program, not a document"),
)
_HTML = re.compile(rb"<!doctype\s+html|<html[\s>]|<head[\s>]|<body[\s>]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of one source."""

    source: str
    """Absolute path or address; names the source in errors."""
    data: bytes
    suffix: str = ""
    """Ending of the name, lower case, with its dot."""
    title: str = ""
    """Used where the content has none of its own."""
    charset: str = ""
    """What a server declared; empty where nothing did."""
    address: str = ""
    """Where redirects led; empty for files."""


def stat(path: Path) -> os.stat_result:
    """Raises LoadError for a file that is not there, may not be looked at, or is over `MAX_BYTES`."""
    try:
        found = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    if found.st_size > MAX_BYTES:
        size, limit = found.st_size // 1_000_000, MAX_BYTES // 1_000_000
        raise LoadError(str(path), f"is {size} MB, the limit is {limit} MB; split it into smaller files")
    return found


def read_file(path: Path) -> Content:
    """Raises LoadError for a file that cannot be read."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error
    return Content(str(path), data, path.suffix.lower(), title_from(path.name))


def _unreadable(path: Path, error: OSError) -> LoadError:
    return LoadError(str(path), f"cannot be read ({error.strerror}); check its name and permissions")


def title_from(name: str) -> str:
    """`my_first-guide.md` -> `my first guide`."""
    stem = PurePath(name).stem if PurePath(name).suffix.lower() in SUFFIXES else name
    return " ".join(stem.replace("_", " ").replace("-", " ").split()) or name


def load(content: Content) -> Loaded:
    """The sections of `content`. Raises LoadError with the cure when there is no text to be had."""
    if not content.data.strip():
        raise LoadError(content.source, "is empty; write something into it or remove it")
    loaded = _loader(content)(content)
    if not any(section.paragraphs for section in loaded.sections):
        why = f" ({loaded.notes[0]})" if loaded.notes else ""
        raise LoadError(content.source, f"holds no text{why}; check that it is the right file")
    return storable(replace(loaded, address=loaded.address or content.address))


def _loader(content: Content) -> Callable[[Content], Loaded]:
    head = content.data[:2048].lstrip()
    for magic, message in _FOREIGN:
        if head.startswith(magic):
            raise LoadError(content.source, message)
    if b"%PDF-" in content.data[:1024]:
        return _load_pdf
    if head.startswith(b"PK\x03\x04"):
        return _load_office
    if content.suffix in _OFFICE and not _HTML.search(head):
        raise LoadError(
            content.source, f"is no {content.suffix[1:].upper()} file inside; open it and save it again"
        )
    if content.suffix in _TABLES:
        return _load_table
    if content.suffix in _RECORDS:
        return _load_json_lines
    if content.suffix in MARKDOWN:
        return _load_markdown
    return _load_html if _HTML.search(head) else _load_text


def _load_pdf(content: Content) -> Loaded:
    return load_pdf_apart(content.source, content.data, content.title)


def _load_office(content: Content) -> Loaded:
    read = load_slides if archive.kind(content.source, content.data) == archive.SLIDES else load_word
    return with_answers(read(content.source, content.data, content.title))


def _load_html(content: Content) -> Loaded:
    return with_answers(
        load_html(content.source, content.data, content.title, content.charset, content.address)
    )


def _load_table(content: Content) -> Loaded:
    return load_table(content.source, decode(content.source, content.data), content.title)


def _load_json_lines(content: Content) -> Loaded:
    return load_json_lines(content.source, decode(content.source, content.data), content.title)


def _load_text(content: Content) -> Loaded:
    text = decode(content.source, content.data)
    if is_transcript(text):
        return load_transcript(text, content.title)
    faq = load_faq(text, content.title, str, lambda others: load_text(others, content.title))
    if faq is not None:
        return faq
    if find_chapters(text.split("\n")):
        return load_chapters(text, content.title)
    return load_text(text, content.title)


def _load_markdown(content: Content) -> Loaded:
    text = decode(content.source, content.data)
    faq = load_faq(text, content.title, inline, lambda others: load_markdown(others, content.title))
    return faq if faq is not None else with_answers(load_markdown(text, content.title))
