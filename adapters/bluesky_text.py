"""What Bluesky wants of a text: its length, its links and mentions by byte, and a key of its own. Pure functions."""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from adapters.errors import RejectedContent
from adapters.graphemes import graphemes

# Base 32 in the order of a timestamp identifier (TID), https://atproto.com/specs/tid.
TID_DIGITS: Final = "234567abcdefghijklmnopqrstuvwxyz"
TID_CHARS: Final = 13
LINK: Final = re.compile(r"https?://[^\s<>\"'“”‘’（）()，。！？；：、]+")
MENTION: Final = re.compile(
    r"(?<![^\s(（])@([a-zA-Z0-9](?:[a-zA-Z0-9-]{0,62}\.)+[a-zA-Z][a-zA-Z0-9-]{0,62})(?![\w-])"
)


def record_key(key: str) -> str:
    """The record's key for a reply's `key`: the first 63 bits of its SHA-256, spelled as a TID.

    Any 1 to 512 characters of a small alphabet make a record key, but posts want a TID, and some servers take no
    more than 15 characters.
    """
    number = int.from_bytes(sha256(key.encode()).digest()[:8], "big") >> 1
    digits = [TID_DIGITS[number >> 5 * place & 31] for place in range(TID_CHARS)]
    return "".join(reversed(digits))


def check_length(text: str, *, max_graphemes: int, max_bytes: int) -> None:
    """Raises RejectedContent for a text that a post cannot hold."""
    if not text.strip():
        raise RejectedContent("bluesky: the reply is empty")
    length, size = graphemes(text), len(text.encode())
    if length > max_graphemes or size > max_bytes:
        raise RejectedContent(
            f"bluesky: the reply has {length} characters in {size} bytes; a post holds {max_graphemes} in {max_bytes}"
        )


def mentioned(text: str) -> list[str]:
    """The handles that a text mentions, each once."""
    return list(dict.fromkeys(match[1].lower() for match in MENTION.finditer(text)))


def facets(text: str, dids: Mapping[str, str]) -> list[dict[str, Any]]:
    """What is a link or a mention in `text`, by UTF-8 bytes. `dids`: whom a handle, in small letters, belongs to."""
    found = []
    for match in LINK.finditer(text):
        uri = match[0].rstrip(".,;:!?")
        span = _span(text, match.start(), match.start() + len(uri))
        found.append((span, {"$type": "app.bsky.richtext.facet#link", "uri": uri}))
    for match in MENTION.finditer(text):
        if did := dids.get(match[1].lower()):
            span = _span(text, match.start(), match.end())
            found.append((span, {"$type": "app.bsky.richtext.facet#mention", "did": did}))
    found.sort(key=lambda facet: facet[0])
    return [
        {"index": {"byteStart": start, "byteEnd": end}, "features": [feature]}
        for (start, end), feature in found
    ]


def _span(text: str, start: int, end: int) -> tuple[int, int]:
    before = len(text[:start].encode())
    return before, before + len(text[start:end].encode())
