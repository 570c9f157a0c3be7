"""What a request tells of where it comes from, and how much of that is believed.

A foreign web site that a reader has open reaches the pages, too. Browsers tell where a request comes from, and scripts
cannot change that; a request that tells nothing is refused, as programs have tokens and the command line.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from ipaddress import IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit

from bot.settings import WebSettings

AT_ONCE: Final = 2
"""Requests of one kind that are worked on at the same time: the service writes replies with the same model."""
DESK: Final = "/review"
"""Where people go first."""


class Busy(Exception):
    """All turns are taken."""


class Turns:
    """Lets `AT_ONCE` in at the same time and sends the others away."""

    def __init__(self) -> None:
        self._taken = 0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Raises Busy."""
        if self._taken >= AT_ONCE:
            raise Busy
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1


def same_origin(headers: Mapping[str, str], public_url: str = "") -> bool:
    """Whether a request comes from a page of the very host and port that it goes to, by Fetch Metadata and Origin.

    `public_url`: how browsers name that host where a proxy in front asks under another name.
    """
    site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin")
    if site is not None and site != "same-origin":
        return False
    if origin is None or origin == "null":
        return site is not None
    ours = {headers.get("Host", "").lower(), _place(public_url) if public_url else ""}
    return _place(origin) in ours - {""}


def from_browser(headers: Mapping[str, str]) -> bool:
    """Whether the request tells that a page made it; browsers tell it of every one that may change something."""
    return "Origin" in headers or "Sec-Fetch-Site" in headers


def _place(origin: str) -> str:
    """Host and port of an origin, as a Host header writes them; no host has an empty one."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return "?"
    return parts.netloc.lower() if parts.scheme in ("http", "https") and parts.netloc else "?"


def client_address(settings: WebSettings, forwarded: Sequence[str], peer: str) -> str:
    """Who asks: `peer`, or whom the trusted proxies name in `forwarded`, the X-Forwarded-For headers in their order.

    Each proxy adds at the end whom it heard from. Read from there, the first that is no proxy of ours is the last
    that can be believed; what stands before it may have been made up.
    """
    believed = _address(peer) or peer
    for entry in reversed(",".join(forwarded).split(",")):
        if not settings.trusts(believed):
            break
        named = _address(entry.strip())
        if named is None:
            break
        believed = named
    return believed


def _address(text: str) -> str | None:
    """The address in `text`, with or without a port; an IPv4 address is the same in its IPv6 form. None: it is none."""
    host = text
    if text.startswith("["):
        host = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        host = text.partition(":")[0]
    try:
        known = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = known.ipv4_mapped if isinstance(known, IPv6Address) else None
    return str(mapped or known)


def own_path(text: str) -> str:
    """`text` where it leads to a page of this site; else the review desk."""
    # Browsers read a backslash as a slash and leave tabs and line breaks out, so that these may make a foreign host.
    is_own = text.startswith("/") and not text.startswith("//") and "\\" not in text
    return text if is_own and text.isprintable() and " " not in text and len(text) < 2000 else DESK
