"""The images of a comment and of its post: which are looked at, fetched carefully, told apart by their bytes.

A commenter chooses what stands in an image and where it lies. So only this process fetches it, from public addresses
(see `knowledge.fetch`); the model's server gets the bytes, never the address.
"""

import asyncio
import struct
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from adapters.text import clean
from bot.generator import Picture
from knowledge.fetch import fetch_bytes
from knowledge.records import LoadError

MAX_PICTURES = 4
MAX_BYTES = 5_000_000
MAX_PIXELS = 40_000_000
MAX_SEGMENTS = 2_000
"""Of a JPEG, fill bytes among them; real ones have some dozens before the frame."""
DEADLINE_S = 10.0
MAX_ADDRESS_CHARS = 2000

Of = Literal["comment", "post"]


@dataclass(frozen=True, slots=True)
class Named:
    """An image that the platform names."""

    address: str
    of: Of


@dataclass(frozen=True, slots=True)
class Look:
    """What became of an image that was named."""

    named: Named
    picture: Picture | None = None
    """What the model is shown; None where it sees nothing of it."""
    why: str = ""
    """Why the model sees nothing of it, in one line."""


class BadPicture(ValueError):
    """Bytes that are no image to be shown; one line."""


def named(comment: Sequence[str], post: Sequence[str]) -> list[Named]:
    """The comment's images, then the post's, each address once."""
    places: dict[str, Of] = {}
    for address in comment:
        places.setdefault(address, "comment")
    for address in post:
        places.setdefault(address, "post")
    return [Named(address, of) for address, of in places.items()]


def overlooked(wanted: Sequence[Named], why: str) -> list[Look]:
    """All of `wanted`, unseen."""
    return [Look(one, why=why) for one in wanted]


class Pictures:
    """Fetches images. `private_hosts` (name or name:port) may lie in a private network."""

    def __init__(self, private_hosts: Collection[str] = (), deadline_s: float = DEADLINE_S) -> None:
        self._private_hosts, self._deadline_s = frozenset(private_hosts), deadline_s

    async def look(self, wanted: Sequence[Named]) -> list[Look]:
        """One for each of `wanted`, in its order; the first `MAX_PICTURES` are fetched, all at the same time."""
        looks = await asyncio.gather(*(self._look(one) for one in wanted[:MAX_PICTURES]))
        return [*looks, *overlooked(wanted[MAX_PICTURES:], f"only {MAX_PICTURES} images are looked at")]

    async def _look(self, one: Named) -> Look:
        if len(one.address) > MAX_ADDRESS_CHARS:
            return Look(one, why=f"its address is longer than {MAX_ADDRESS_CHARS} characters")
        try:
            data = await fetch_bytes(
                one.address,
                private_hosts=self._private_hosts,
                max_bytes=MAX_BYTES,
                deadline_s=self._deadline_s,
            )
            return Look(one, Picture(one.address, checked_type(data), data, one.of))
        except (LoadError, BadPicture) as error:
            return Look(one, why=clean(str(error))[:300])


def evidence(looks: Sequence[Look]) -> list[dict[str, object]]:
    """As JSON, to be kept with the draft; never the image itself."""
    return [
        {
            "address": clean(look.named.address)[:MAX_ADDRESS_CHARS],
            "of": look.named.of,
            "seen": look.picture is not None,
            "why": look.why,
        }
        for look in looks
    ]


def checked_type(data: bytes) -> str:
    """`image/png`, `image/jpeg`, `image/gif` or `image/webp`, told from the first bytes. Raises BadPicture for
    anything else, and for an image of more than `MAX_PIXELS` pixels: a few bytes may unfold to gigabytes.
    """
    kind, size = _header(data)
    if size is None:
        raise BadPicture(f"it is a {kind} without a size; it is damaged")
    width, height = size
    if not 0 < width * height <= MAX_PIXELS:
        raise BadPicture(
            f"it has {width} x {height} pixels; at most {MAX_PIXELS // 1_000_000} million are looked at"
        )
    return f"image/{kind}"


def _header(data: bytes) -> tuple[str, tuple[int, int] | None]:
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png", _numbers(">II", data, 16) if data[12:16] == b"IHDR" else None
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "gif", _numbers("<HH", data, 6)
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg", next(_jpeg_sizes(data), None)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp", _webp_size(data)
    raise BadPicture("it is no PNG, JPEG, GIF or WebP image")


def _numbers(form: str, data: bytes, at: int) -> tuple[int, int] | None:
    if len(data) < at + struct.calcsize(form):
        return None
    first, second = struct.unpack_from(form, data, at)
    return first, second


def _jpeg_sizes(data: bytes) -> Iterator[tuple[int, int]]:
    """Of the first frame header; segments are marker, length, content (ITU T.81, B.1)."""
    at = 2
    for _ in range(MAX_SEGMENTS):
        if at + 9 > len(data) or data[at] != 0xFF:
            return
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xFF:  # fill byte
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            yield width, height
            return
        else:
            at += 2 + length


def _webp_size(data: bytes) -> tuple[int, int] | None:
    """Of the canvas; the three forms of the first chunk (RFC 9649, section 2)."""
    form, head = data[12:16], data[20:30]
    if len(head) < 10:
        return None
    if form == b"VP8X":
        return int.from_bytes(head[4:7], "little") + 1, int.from_bytes(head[7:10], "little") + 1
    if form == b"VP8L" and head[0] == 0x2F:
        bits = int.from_bytes(head[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if form == b"VP8 " and head[3:6] == b"\x9d\x01\x2a":
        width, height = struct.unpack("<HH", head[6:10])
        return width & 0x3FFF, height & 0x3FFF
    return None
