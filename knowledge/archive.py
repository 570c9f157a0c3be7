"""What Office files share: they are ZIP archives, which may be bombs, damaged or locked."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

from lxml import etree  # type: ignore[import-untyped]

from knowledge.records import LoadError

MAX_UNPACKED = 300_000_000
"""Bytes that the parts of a file may come to when unpacked."""
MAX_PARTS = 5_000
MAX_RATIO = 200
"""Unpacked to packed bytes; text that people write stays far below."""
_SMALL = 10_000_000
"""Below this a high ratio does no harm."""
_CHUNK = 1 << 20
WORD, SLIDES, SHEET = "word/document.xml", "ppt/presentation.xml", "xl/workbook.xml"
"""The part that says what an Office file is."""


def kind(source: str, data: bytes) -> str:
    """`WORD` or `SLIDES`, after a look at what the archive would unpack to.

    Raises LoadError for any other archive, and for one that is damaged, encrypted, or unpacks to far too much.
    """
    with damage_told(source), zipfile.ZipFile(BytesIO(data)) as archive:
        parts = archive.infolist()
        names = {part.filename for part in parts}
        found = next((name for name in (WORD, SLIDES) if name in names), None)
        if found is None:
            told = "an Excel file; save its sheets as CSV" if SHEET in names else "an archive; unpack it"
            raise LoadError(source, f"is {told} and give the files")
        if any(part.flag_bits & 1 for part in parts):
            raise LoadError(source, "is encrypted; save a copy without a password")
        _check_size(source, archive, parts, len(data))
        return found


@contextmanager
def damage_told(source: str) -> Iterator[None]:
    """Turns whatever a damaged archive makes its readers raise into a LoadError."""
    try:
        yield
    except (
        zipfile.BadZipFile,
        KeyError,
        ValueError,
        AttributeError,
        IndexError,
        EOFError,
        NotImplementedError,
        RuntimeError,
        zlib.error,
        etree.XMLSyntaxError,
    ) as error:
        raise LoadError(
            source, f"is a damaged Office file ({_line(error)}); open it and save it again"
        ) from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:100] or type(error).__name__


def _check_size(source: str, archive: zipfile.ZipFile, parts: list[zipfile.ZipInfo], packed: int) -> None:
    """The declared sizes first, as they cost nothing; then the real ones, as a bomb lies about its own."""
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
        source, "unpacks to far more than a document needs (a zip bomb?); open it and save it again"
    )
