"""Fetches a web address carefully: only the public web, only documents, within limits."""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from knowledge.loaders import SUFFIXES, Content, title_from
from knowledge.records import LoadError

MAX_BYTES = 20_000_000
MAX_REDIRECTS = 5
DEADLINE_S = 30.0
_CHUNK = 65_536
_REDIRECTS = frozenset([301, 302, 303, 307, 308])
_SUFFIX_OF = {
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "application/pdf": ".pdf",
    "text/plain": ".txt",
    "text/markdown": ".md",
    "text/x-markdown": ".md",
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "text/vtt": ".vtt",
    "application/x-subrip": ".srt",
    "application/jsonl": ".jsonl",
    "application/x-ndjson": ".jsonl",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
}
_HEADERS = {"User-Agent": "rejoinder-ingest", "Accept": ", ".join([*_SUFFIX_OF, "*/*;q=0.1"])}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

T = TypeVar("T")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MayBePrivate = Callable[[str, int], bool]
"""Whether this host and port may lie in a private network."""


class PrivateAddress(OSError):
    """A host that leads to a network other than the public internet."""


def is_public(address: Address) -> bool:
    """Whether `address`, or the IPv4 address that an IPv6 one carries within it, is on the public internet."""
    if isinstance(address, ipaddress.IPv6Address):
        carried = _carried(address)
        if carried is not None:
            return is_public(carried)
        if address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _carried(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address.teredo is not None:
        return address.teredo[1]
    return address.ipv4_mapped or address.sixtofour


class PublicResolver(AbstractResolver):
    """Answers only with public addresses.

    The connection goes to the very addresses that were checked here, so a name that resolves differently a
    moment later changes nothing.
    """

    def __init__(
        self, inner: AbstractResolver, may_be_private: MayBePrivate = lambda host, port: False
    ) -> None:
        self._inner, self._may_be_private = inner, may_be_private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises PrivateAddress when any of the host's addresses is not public."""
        found = await self._inner.resolve(host, port, family)
        if self._may_be_private(host, port):
            return found
        for result in found:
            if not is_public(ipaddress.ip_address(result["host"].partition("%")[0])):
                raise PrivateAddress(f"{host} is {result['host']}")
        return found

    async def close(self) -> None:
        await self._inner.close()


async def fetch(
    address: str,
    *,
    allow_private: bool = False,
    max_bytes: int = MAX_BYTES,
    deadline_s: float = DEADLINE_S,
    resolver: AbstractResolver | None = None,
) -> Content:
    """The document at `address`. Raises LoadError with the cure when it cannot be had.

    `allow_private` also lets loopback and private networks be read: for intranets and tests.
    """

    async def read(response: aiohttp.ClientResponse) -> Content:
        return await _read(response, address, max_bytes)

    return await _fetched(address, lambda host, port: allow_private, deadline_s, resolver, read)


async def fetch_bytes(
    address: str,
    *,
    private_hosts: Collection[str] = (),
    max_bytes: int,
    deadline_s: float,
    resolver: AbstractResolver | None = None,
) -> bytes:
    """What is at `address`, of whatever type. Raises LoadError with the cure when it cannot be had.

    `private_hosts`, as `name` or `name:port`, may lie in a private network.
    """

    async def read(response: aiohttp.ClientResponse) -> bytes:
        if response.status != 200:
            raise LoadError(address, f"answers with status {response.status}; check it in a browser")
        return await _body(response, address, max_bytes)

    def may_be_private(host: str, port: int) -> bool:
        return host in private_hosts or f"{host}:{port}" in private_hosts

    return await _fetched(address, may_be_private, deadline_s, resolver, read)


async def _fetched(
    address: str,
    may_be_private: MayBePrivate,
    deadline_s: float,
    resolver: AbstractResolver | None,
    read: Callable[[aiohttp.ClientResponse], Awaitable[T]],
) -> T:
    connector = aiohttp.TCPConnector(
        resolver=PublicResolver(resolver or ThreadedResolver(), may_be_private),
        use_dns_cache=False,
        force_close=True,
    )
    try:
        async with (
            asyncio.timeout(deadline_s),
            aiohttp.ClientSession(connector=connector, headers=_HEADERS, trust_env=False) as session,
        ):
            return await _follow(session, address, may_be_private, read)
    except TimeoutError as error:
        raise LoadError(address, f"did not answer within {deadline_s:g} s; try again later") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise _translated(address, error) from error


def _translated(address: str, error: BaseException) -> LoadError:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, PrivateAddress):
            return _refused(address)
        cause = cause.__cause__ or cause.__context__
    return LoadError(address, f"cannot be fetched ({error or type(error).__name__}); check it in a browser")


def _refused(address: str) -> LoadError:
    return LoadError(
        address,
        "leads to a private network; allow private addresses in the settings if that is what you want",
    )


async def _follow(
    session: aiohttp.ClientSession,
    address: str,
    may_be_private: MayBePrivate,
    read: Callable[[aiohttp.ClientResponse], Awaitable[T]],
) -> T:
    """Each hop is checked like the first. The document keeps the name under which it was asked for."""
    here = address
    for _ in range(MAX_REDIRECTS + 1):
        async with session.get(_checked(address, here, may_be_private), allow_redirects=False) as response:
            if response.status not in _REDIRECTS:
                return await read(response)
            here = urljoin(here, response.headers.get("Location", ""))
    raise LoadError(address, f"redirects more than {MAX_REDIRECTS} times; give the address that it ends at")


def _checked(address: str, here: str, may_be_private: MayBePrivate) -> URL:
    """What is to be connected to, in the form that the client takes it: `①②⑦.⓪.⓪.①` is 127.0.0.1 there.

    Numeric hosts never reach the resolver, so they are checked here.
    """
    try:
        url = URL(here)
    except ValueError as error:
        raise LoadError(address, f"leads to {here[:100]!r}, which is no address ({error})") from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise LoadError(address, f"leads to {here[:100]!r}, which is no http or https address")
    if url.user or url.password:
        raise LoadError(
            without_login(address), "holds a name or password; leave it out, it would be shown as the source"
        )
    if may_be_private(url.host, url.port or 0):
        return url
    try:
        host = ipaddress.ip_address(url.host.partition("%")[0])
    except ValueError:
        return url
    if not is_public(host):
        raise _refused(address)
    return url


def without_login(address: str) -> str:
    """`address` without `user:password@`."""
    return re.sub(r"(?<=//)[^/@]*@", "", address)


async def _read(response: aiohttp.ClientResponse, address: str, max_bytes: int) -> Content:
    if response.status != 200:
        raise LoadError(address, f"answers with status {response.status}; check it in a browser")
    kind = response.content_type
    suffix = _SUFFIX_OF.get(kind)
    if suffix is None:
        raise LoadError(
            address, f"is of type {kind}; give HTML, PDF, DOCX, PPTX, CSV, Markdown or plain text"
        )
    data = await _body(response, address, max_bytes)
    name = urlsplit(address).path.rstrip("/").rpartition("/")[2]
    ending = "." + name.lower().rpartition(".")[2]
    return Content(
        address,
        data,
        ending if suffix == ".txt" and ending in SUFFIXES else suffix,
        title_from(name or response.host or ""),
        response.charset or "",
        str(response.url.with_fragment(None)),
    )


async def _body(response: aiohttp.ClientResponse, address: str, max_bytes: int) -> bytes:
    data = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        data += chunk
        if len(data) > max_bytes:
            raise LoadError(
                address, f"is larger than {max_bytes / 1e6:g} MB; give a smaller one, or a part of it"
            )
    return bytes(data)
