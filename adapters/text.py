"""What every parser needs: clean text, exact ids, aware times, and a comparison that survives rewriting.

The parsers raise ValueError and nothing else. All of them run in time linear in the length of the input.
"""

import html
import math
import re
import unicodedata
from datetime import UTC, datetime
from typing import Final

MAX_ID_CHARS: Final = 255
MAX_ADDRESS_CHARS: Final = 2_000
MAX_COUNT: Final = 2**31 - 1
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
# `[^<>]*` never crosses the next `<`, so a page full of `<` is still read once.
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)([^<>]*)>")
_BREAKING_TAGS = frozenset(
    {"blockquote", "br", "dd", "div", "dt", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre"}
    | {"section", "table", "tr", "ul"}
)
_HIDDEN_TAGS = frozenset({"script", "style", "template"})
_QUOTES_AND_DASHES = str.maketrans("‘’‚‛“”„‟‐‑‒–—−", "''''\"\"\"\"------")


def clean(text: str) -> str:
    """`text` that any UTF-8 store takes, PostgreSQL too: no lone surrogates, no NUL, newlines as `\\n`."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _SURROGATE.sub("\ufffd", _UNPRINTABLE.sub("", text))


def parse_id(value: object) -> str:
    """A platform's id, given as a string or as a JSON number, as a string. Raises ValueError."""
    if isinstance(value, int) and not isinstance(value, bool):
        # Past 64 bits the number is no id, and past 4,300 digits Python refuses to print it.
        if value.bit_length() > 64:
            raise ValueError("id is a number of more than 64 bits")
        return str(value)
    if not isinstance(value, str):
        raise ValueError(f"id is a {type(value).__name__}, not a string or an integer")
    if not value.strip():
        raise ValueError("id is empty")
    if len(value) > MAX_ID_CHARS:
        raise ValueError(f"id has {len(value)} characters, more than {MAX_ID_CHARS}")
    if clean(value) != value:
        raise ValueError("id holds control characters")
    return value


def parse_text(value: object) -> str:
    """A text field, cleaned. Raises ValueError when it is not a string."""
    if not isinstance(value, str):
        raise ValueError(f"text is a {type(value).__name__}, not a string")
    return clean(value)


def parse_time(value: object) -> datetime:
    """An ISO 8601 time (UTC where it names no zone) or epoch seconds, as aware UTC. Raises ValueError."""
    try:
        moment = _moment(value)
    except OverflowError as exc:
        raise ValueError("time is out of range") from exc
    if not EARLIEST <= moment <= LATEST:
        raise ValueError(f"time {moment.isoformat()} is not between {EARLIEST.year} and {LATEST.year}")
    return moment


def _moment(value: object) -> datetime:
    if isinstance(value, str):
        if "-" not in value:
            raise ValueError("time is not ISO 8601")
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"time is a {type(value).__name__}, not a string or a number")
    # Range first: the operating system's own limits raise OSError on some platforms.
    if not (math.isfinite(value) and EARLIEST.timestamp() <= value <= LATEST.timestamp()):
        raise ValueError("time is out of range")
    return datetime.fromtimestamp(value, UTC)


def html_to_text(markup: str) -> str:
    """The readable text of a piece of HTML: block tags and `<br>` become line breaks, scripts vanish."""
    markup = _without_html_comments(markup)
    parts: list[str] = []
    hidden = ""
    position = 0
    for tag in _TAG.finditer(markup):
        if not hidden:
            parts.append(markup[position : tag.start()])
        position = tag.end()
        closing, name = bool(tag[1]), tag[2].lower()
        if hidden:
            hidden = "" if closing and name == hidden else hidden
        elif name in _HIDDEN_TAGS and not closing:
            hidden = name
        elif name in _BREAKING_TAGS:
            parts.append("\n")
    if not hidden:
        parts.append(markup[position:])
    lines = [" ".join(line.split()) for line in clean(html.unescape("".join(parts))).split("\n")]
    return "\n".join(line for line in lines if line)


def _without_html_comments(markup: str) -> str:
    parts: list[str] = []
    position = 0
    while (start := markup.find("<!--", position)) >= 0:
        end = markup.find("-->", start + 4)
        if end < 0:
            break
        parts.append(markup[position:start])
        position = end + 3
    return "".join(parts) + markup[position:]


def parse_address(value: object) -> str:
    """An http or https address that a page may link to; empty for anything else, such as `javascript:`."""
    if not isinstance(value, str) or not value.startswith(("https://", "http://")):
        return ""
    fits = len(value) <= MAX_ADDRESS_CHARS and value.isprintable() and " " not in value
    return value if fits else ""


def same_text(a: str, b: str) -> bool:
    """Whether two texts are one text that a platform has rewritten.

    Platforms turn text into HTML, escape it, strip zero-width and bidi marks, and change white space, quotes
    and Unicode forms; each side is therefore compared both as it stands and as HTML.
    """
    if _fold(a) == _fold(b):
        return True
    return bool({_fold(a), _fold(html_to_text(a))} & {_fold(b), _fold(html_to_text(b))} - {""})


def _fold(text: str) -> str:
    folded = unicodedata.normalize("NFKC", html.unescape(clean(text))).translate(_QUOTES_AND_DASHES)
    return "".join(char for char in folded if not char.isspace() and not _is_invisible(char))


def _is_invisible(char: str) -> bool:
    # U+FE00 to U+FE0F choose between text and emoji forms of the character before.
    return unicodedata.category(char) in {"Cf", "Cc"} or "\ufe00" <= char <= "\ufe0f"


def parse_count(value: object) -> int | None:
    """A number of likes; None for what is no whole number from zero on."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_COUNT:
        return None
    return value


def parse_flag(value: object) -> bool | None:
    """None for what is neither true nor false."""
    return value if isinstance(value, bool) else None
