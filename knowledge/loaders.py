"""Reads a file or a fetched page into sections. What a file is, its content decides, not its ending."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath

from knowledge.markdown import load_markdown
from knowledge.pdf import load_pdf
from knowledge.records import Loaded, LoadError
from knowledge.textfiles import decode, load_text
from knowledge.webpage import load_html
from knowledge.word import load_word

MAX_BYTES = 200_000_000
VERSION = 2
"""Raise it whenever loading or splitting changes: what was ingested before is then read again."""

MARKDOWN = frozenset({".md", ".markdown", ".mdown"})
SUFFIXES = MARKDOWN | {".txt", ".text", ".html", ".htm", ".xhtml", ".pdf", ".docx"}
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
        raise LoadError(content.source, "holds no text; check that it is the right file")
    return loaded


def _loader(content: Content) -> Callable[[Content], Loaded]:
    head = content.data[:2048].lstrip()
    for magic, message in _FOREIGN:
        if head.startswith(magic):
            raise LoadError(content.source, message)
    if b"%PDF-" in content.data[:1024]:
        return _load_pdf
    if head.startswith(b"PK\x03\x04"):
        return _load_word
    if _HTML.search(head) and content.suffix not in MARKDOWN:
        return _load_html
    if content.suffix in {".pdf", ".docx"}:
        raise LoadError(
            content.source, f"is no {content.suffix[1:].upper()} file inside; open it and save it again"
        )
    return _load_markdown if content.suffix in MARKDOWN else _load_text


def _load_pdf(content: Content) -> Loaded:
    return load_pdf(content.source, content.data, content.title)


def _load_word(content: Content) -> Loaded:
    return load_word(content.source, content.data, content.title)


def _load_html(content: Content) -> Loaded:
    return load_html(content.source, content.data, content.title, content.charset)


def _load_text(content: Content) -> Loaded:
    return load_text(decode(content.source, content.data), content.title)


def _load_markdown(content: Content) -> Loaded:
    return load_markdown(decode(content.source, content.data), content.title)
