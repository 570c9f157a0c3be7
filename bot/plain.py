"""Text of strangers, made safe to show on a terminal or in a log."""

import re

# C0 and C1 controls, bidi marks, line separators, the byte order mark and lone surrogates. Zero-width joiners stay:
# emoji are made with them.
_ACTS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def plain(text: str, *, one_line: bool = False) -> str:
    """`text` with everything that could steer a terminal or turn the reading direction as a visible escape.

    With `one_line`, line breaks and tabs become single spaces too.
    """
    shown = _ACTS.sub(_escaped, text.replace("\r\n", "\n"))
    return " ".join(shown.split()) if one_line else shown


def excerpt(text: str, length: int) -> str:
    """At most `length` characters of `text` on one line."""
    # Cut first: a comment may be a megabyte long.
    line = plain(text[: length * 4], one_line=True)
    return line if len(line) <= length and len(text) <= length * 4 else line[: length - 1].rstrip() + "…"


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
