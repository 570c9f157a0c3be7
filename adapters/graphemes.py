"""How long a text is where a platform counts what people see as one character."""

import regex

# `regex` and not `re`: only it knows extended grapheme clusters (Unicode Standard Annex 29).
_CLUSTER = regex.compile(r"\X")


def graphemes(text: str) -> int:
    """The number of extended grapheme clusters: a family emoji is one, and so is a letter with its accents."""
    return sum(1 for _ in _CLUSTER.finditer(text))


def beginning(text: str, most: int) -> str:
    """As many whole clusters as `most` characters hold; where the first is longer by itself, its beginning."""
    end = 0
    for cluster in _CLUSTER.finditer(text):
        if cluster.end() > most:
            break
        end = cluster.end()
    return text[: end or most]
