"""Who may ask for something to be done. The page has no password: whoever reaches it and means it may.

A foreign web site that its reader has open reaches it too. Browsers tell where a request comes from, and scripts cannot
change that; a request that tells nothing is refused, as programs have the command line.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

AT_ONCE: Final = 2
"""Requests of one kind that are worked on at the same time: the service writes replies with the same model."""


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


def same_origin(headers: Mapping[str, str]) -> bool:
    """Whether a request comes from a page of the very host and port that it goes to, by Fetch Metadata and Origin."""
    site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin")
    if site is not None and site != "same-origin":
        return False
    if origin is None or origin == "null":
        return site is not None
    return _place(origin) == headers.get("Host", "").lower()


def _place(origin: str) -> str:
    """Host and port of an origin, as a Host header writes them; no host has an empty one."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return "?"
    return parts.netloc.lower() if parts.scheme in ("http", "https") and parts.netloc else "?"
