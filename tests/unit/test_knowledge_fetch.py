"""Which addresses may be fetched at all, and what a source is called."""

import ipaddress
import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from knowledge.fetch import PrivateAddress, PublicResolver, fetch, is_public
from knowledge.records import LoadError
from knowledge.sources import canonical, is_address

PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "fec0::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "2002:7f00:1::",
    "64:ff9b::7f00:1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address)) is False


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "::ffff:1.1.1.1"])
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address)) is True


class Answers(AbstractResolver):
    """Resolves every name to the given addresses."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=one, port=port, family=socket.AF_INET, proto=0, flags=0)
            for one in self.addresses
        ]

    async def close(self) -> None:
        pass


async def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    with pytest.raises(PrivateAddress):
        await PublicResolver(Answers("1.1.1.1", "127.0.0.1")).resolve("example.com")


async def test_a_name_that_leads_to_a_private_network_is_refused_with_the_cure() -> None:
    with pytest.raises(LoadError, match="private network; allow private addresses"):
        await fetch("http://example.com/", resolver=Answers("192.168.0.10"))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "169.254.169.254", "[::ffff:10.0.0.1]", "10.0.0.1:8080"]
)
async def test_a_numeric_private_address_is_refused(host: str) -> None:
    with pytest.raises(LoadError, match="private network"):
        await fetch(f"http://{host}/", resolver=Answers("1.1.1.1"))


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "ftp://example.com/a", "gopher://x", "http://", "http://[::"]
)
async def test_other_schemes_and_broken_addresses_are_refused(address: str) -> None:
    with pytest.raises(LoadError):
        await fetch(address, resolver=Answers("1.1.1.1"))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("HTTPS://Example.com", "https://example.com/"),
        ("https://example.com/A?b=C#part", "https://example.com/A?b=C"),
        ("http://[broken", "http://[broken"),
    ],
)
def test_an_address_has_one_spelling(given: str, expected: str) -> None:
    assert is_address(given)
    assert canonical(given) == expected


def test_a_path_is_made_absolute() -> None:
    assert canonical("/a/../b/./c.md") == "/b/c.md"
    assert not is_address("notes/about: things.md")


@pytest.mark.parametrize(
    "address",
    [
        "http://①②⑦.⓪.⓪.①:9/",
        "http://１２７.0.0.1:9/",
        "http://127。0。0。1:9/",
        "http://[::ffff:127.0.0.1]:9/",
    ],
)
async def test_a_private_address_in_other_digits_is_still_private(address: str) -> None:
    with pytest.raises(LoadError, match="private network"):
        await fetch(address)


async def test_a_password_in_an_address_is_refused_and_not_shown() -> None:
    with pytest.raises(LoadError, match="holds a name or password") as caught:
        await fetch("http://ann:hunter2@example.org/")
    assert "hunter2" not in str(caught.value)
