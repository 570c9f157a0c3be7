"""Plain text: bytes to characters in any common encoding, characters to paragraphs."""

import codecs
import re
import unicodedata
from collections.abc import Iterable, Iterator

from charset_normalizer import from_bytes

from knowledge.records import Loaded, LoadError, Outline, join_lines
from knowledge.splitter import width

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_COMMON = {
    "gb18030": frozenset(
        "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发"
    ),
    "big5": frozenset(
        "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之年過發"
    ),
}
_WESTERN = frozenset("àâäáãåæçéèêëíìîïñóòôöõøœúùûüýÿß‘’‚“”„–—…•€£¥§«»¿¡°²³½¼¾·©®™×÷ªº\u00a0")
_SAMPLE_BYTES = 64_000
_SHORT_BYTES = 400
_LONGEST_TITLE = 80
_WRAPPED = 45
"""A line at least this wide that does not end a sentence goes on in the next line."""
_LINE_ENDS = tuple("。！？；…”』」.!?:：;|")
LIST_ITEM = re.compile(r"\s*(?:[-*+•·]|\d{1,3}[.)、]|[（(]\d{1,3}[）)]|[一二三四五六七八九十]{1,3}、)\s*\S")


def decode(source: str, data: bytes) -> str:
    """The text of `data` in whatever encoding it is. Raises LoadError for bytes that are no text."""
    text = _decoded(data)
    if text is None or _looks_binary(text):
        raise LoadError(
            source, "is not a text file (or is damaged); save it as UTF-8 text, Markdown, HTML, PDF or DOCX"
        )
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")


def _decoded(data: bytes) -> str | None:
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return data.decode(encoding, "replace")
    for attempt in (_utf8, _utf16_without_bom, _chinese, _western, _short_chinese, _guessed):
        text = attempt(data)
        if text is not None:
            return text
    return None


def _strict(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _utf8(data: bytes) -> str | None:
    return None if b"\x00" in data[:_SAMPLE_BYTES] else _strict(data, "utf-8")


def _utf16_without_bom(data: bytes) -> str | None:
    """Latin text in UTF-16 has a zero in every second byte."""
    sample = data[:_SAMPLE_BYTES]
    for encoding, zeros in (("utf-16-le", sample[1::2]), ("utf-16-be", sample[::2])):
        if zeros and zeros.count(0) > len(zeros) * 0.3:
            return _strict(data, encoding)
    return None


def _chinese(data: bytes) -> str | None:
    """GB18030 or Big5, if the outcome reads like Chinese: common characters make up a good part of it."""
    best, best_share = None, 0.08
    for encoding, common in _COMMON.items():
        text = _strict(data, encoding)
        if text is None:
            continue
        sample = [character for character in text[:_SAMPLE_BYTES] if not character.isascii()]
        share = sum(character in common for character in sample) / max(1, len(sample))
        if share > best_share:
            best, best_share = text, share
    return best


def _western(data: bytes) -> str | None:
    """Windows-1252, if what is not ASCII are letters and marks that Western European languages use, and few."""
    text = _strict(data, "cp1252")
    if text is None:
        return None
    foreign = [character for character in text[:_SAMPLE_BYTES].lower() if not character.isascii()]
    fits = len(foreign) * 4 < min(len(text), _SAMPLE_BYTES) and _WESTERN.issuperset(foreign)
    return text if fits else None


def _short_chinese(data: bytes) -> str | None:
    """A few words in GB2312 hold too little for any statistics."""
    return _strict(data, "gb2312") if len(data) < _SHORT_BYTES else None


def _guessed(data: bytes) -> str | None:
    best = from_bytes(data[:_SAMPLE_BYTES]).best()
    return data.decode(best.encoding, "replace") if best is not None else None


def _looks_binary(text: str) -> bool:
    sample = text[:_SAMPLE_BYTES]
    odd = [one for one in sample if one not in "\t\n\r\f" and unicodedata.category(one) in {"Cc", "Cn", "Co"}]
    return len(odd) > len(sample) * 0.02


def load_text(text: str, title: str) -> Loaded:
    """Paragraphs are what blank lines separate; lines that an editor wrapped are joined again.

    A short first line that stands alone and is no sentence is the title; else `title` is.
    """
    blocks = blocks_of(text)
    outline = Outline()
    if len(blocks) > 1 and is_title(blocks[0]):
        outline.heading(1, blocks.pop(0).strip())
    for block in blocks:
        outline.paragraph("\n".join(unwrap(block.split("\n"))))
    return outline.finish(title)


def blocks_of(text: str) -> list[str]:
    """What blank lines or page feeds separate."""
    return [block.strip("\n") for block in re.split(r"\n[ \t\u3000]*(?=\n)|\f", text) if block.strip()]


def is_title(block: str) -> bool:
    """Whether `block`, at the head of a text, reads like its title."""
    return "\n" not in block and width(block) <= _LONGEST_TITLE and not block.rstrip().endswith(_LINE_ENDS)


def unwrap(lines: Iterable[str]) -> Iterator[str]:
    """Lines with wrapping undone: verses, list items and finished sentences keep their line."""
    held: list[str] = []
    for line in lines:
        if held and not _goes_on(held[-1], line):
            yield join_lines(held)
            held = []
        held.append(line)
    if held:
        yield join_lines(held)


def _goes_on(line: str, following: str) -> bool:
    stripped = line.rstrip()
    if not following.strip() or LIST_ITEM.match(following):
        return False
    return width(stripped) >= _WRAPPED and not stripped.endswith(_LINE_ENDS)
