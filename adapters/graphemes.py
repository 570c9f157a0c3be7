"""How long a text is where a platform counts what people see as one character."""

import regex

# `regex` and not `re`: only it knows extended grapheme clusters (Unicode Standard Annex 29).
_CLUSTER = regex.compile(r"\X")


def graphemes(text: str) -> int:
    """The number of extended grapheme clusters: a family emoji is one, and so is a letter with its accents."""
    return sum(1 for _ in _CLUSTER.finditer(text))
