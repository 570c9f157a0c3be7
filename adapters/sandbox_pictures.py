"""Pictures of the sandbox site: plain squares of one colour, drawn when they are asked for."""

import re
import struct
import zlib
from typing import Final

from aiohttp import web

SIDE: Final = 64
_NAME: Final = re.compile(r"([0-9a-f]{6})\.png")


def picture_path(colour: str) -> str:
    """Where the site shows a square of `colour`, six hexadecimal digits."""
    return f"/pictures/{colour}.png"


def png(width: int, height: int, colour: bytes) -> bytes:
    """A PNG file of one colour, given as three bytes (RFC 2083)."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress((b"\x00" + colour * width) * height)
    parts = ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def routes() -> list[web.RouteDef]:
    return [web.get("/pictures/{name}", _show)]


async def _show(request: web.Request) -> web.StreamResponse:
    match = _NAME.fullmatch(request.match_info["name"])
    if match is None:
        raise web.HTTPNotFound
    return web.Response(body=png(SIDE, SIDE, bytes.fromhex(match[1])), content_type="image/png")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
