"""Where the words of a question stand in a text."""

import re
from collections.abc import Iterable

from bot.persona import is_cjk


def as_word(word: str) -> re.Pattern[str]:
    """The word alone, not inside another one; Chinese and signs have no such border."""
    return re.compile(_pattern(word), re.IGNORECASE)


def marked(text: str, words: Iterable[str]) -> list[tuple[str, bool]]:
    """`text` in pieces, each with whether it is one of `words`; together they are `text`."""
    # The longest first: of two words that begin alike it is the one that stands there.
    wanted = sorted({word for word in words if word}, key=lambda word: (-len(word), word))
    if not wanted:
        return [(text, False)] if text else []
    parts = re.split(f"({'|'.join(map(_pattern, wanted))})", text, flags=re.IGNORECASE)
    return [(part, bool(place % 2)) for place, part in enumerate(parts) if part]


def _pattern(word: str) -> str:
    before, after = (
        border if end.isalnum() and not is_cjk(end) else ""
        for border, end in ((r"(?<!\w)", word[0]), (r"(?!\w)", word[-1]))
    )
    return before + re.escape(word) + after
