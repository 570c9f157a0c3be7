"""Passwords: which are taken, and how they are kept (argon2id) and checked without stopping everything else."""

import asyncio
import unicodedata
from collections.abc import Callable
from functools import cached_property
from typing import Any, Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from bot.access.secrets import new_secret

LEAST_CHARS: Final = 10
MOST_CHARS: Final = 1000
AT_ONCE: Final = 2
"""Hashes made at the same time, each with 19 MiB and one core."""
MOST_WAITING: Final = 16
"""Callers that may wait for their turn; the next is sent away."""

_WORST: Final = frozenset({
    "0123456789", "1234567890", "12345678910", "0987654321", "9876543210", "123456789a", "a123456789",
    "1029384756", "5201314520", "woaini1314", "woaini5201314", "qwertyuiop", "qwerty12345", "qwerty123456",
    "qwerty1234", "1q2w3e4r5t", "q1w2e3r4t5", "asdfghjkl1", "zxcvbnm123", "abcdefghij", "abcdefghijk",
    "password12", "password123", "password1234", "password12345", "passw0rd123", "p@ssw0rd123",
    "p@ssword123", "iloveyou123", "iloveyou12", "adminadmin", "admin12345", "admin123456", "administrator",
    "letmein123", "welcome123", "welcome1234", "changeme123", "changemenow", "rejoinder1", "rejoinder123",
    "rejoinderrejoinder", "sunshine123", "football123", "princess123", "dragon1234", "trustno1trustno1",
    "qazwsxedcrfv", "1qaz2wsx3edc", "zaq12wsxcde3", "superman123", "basketball", "testtest12", "test123456",
})  # fmt: skip
"""Such as stand in the lists of the passwords that are tried first, as far as they are long enough."""

T = TypeVar("T")


class TooBusy(Exception):
    """So many passwords are being checked that this one is not."""


def same_text(text: str) -> str:
    """The form in which what looks alike is alike, however a keyboard or an input method wrote it."""
    return unicodedata.normalize("NFKC", text)


def password_fault(password: str, name: str) -> str:
    """Key of the words that say why `password` is not taken for `name`; empty where it is."""
    given = same_text(password)
    if len(given) < LEAST_CHARS:
        return "access_password_short"
    if len(password) > MOST_CHARS:
        return "access_password_long"
    plain = given.casefold()
    if plain in _WORST or len(set(plain)) < 3 or plain == same_text(name).casefold():
        return "access_password_known"
    return ""


class Passwords:
    """Makes and checks hashes on threads, a few at a time: a flood of log-ins cannot take every core.

    The costs are those of the OWASP password storage cheat sheet for argon2id: 19 MiB, two rounds, one lane.
    """

    def __init__(self, *, memory_kib: int = 19 * 1024, rounds: int = 2) -> None:
        self._hasher = PasswordHasher(time_cost=rounds, memory_cost=memory_kib, parallelism=1)
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def hashed(self, password: str) -> str:
        """With its parameters and salt. Raises TooBusy."""
        return await self._in_turn(self._hash, password)

    async def fits(self, password: str, kept: str | None) -> bool:
        """Whether `kept` is a hash of `password`; takes as long where there is none. Raises TooBusy."""
        return await self._in_turn(self._fits, password, kept)

    def is_outdated(self, kept: str) -> bool:
        """Whether a hash was made with other costs than today's."""
        return self._hasher.check_needs_rehash(kept)

    def _hash(self, password: str) -> str:
        return self._hasher.hash(_bytes(password))

    def _fits(self, password: str, kept: str | None) -> bool:
        # Made before it is known whether it is needed: the first log-in, too, takes as long either way.
        decoy = self._decoy
        try:
            fits = self._hasher.verify(decoy if kept is None else kept, _bytes(password[:MOST_CHARS]))
        except (VerificationError, InvalidHashError):
            return False
        return fits and kept is not None and len(password) <= MOST_CHARS

    @cached_property
    def _decoy(self) -> str:
        return self._hash(new_secret())

    async def _in_turn(self, work: Callable[..., T], *given: Any) -> T:
        if self._waiting >= MOST_WAITING:
            raise TooBusy
        self._waiting += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(work, *given)
        finally:
            self._waiting -= 1


def _bytes(password: str) -> bytes:
    return same_text(password).encode("utf-8", "surrogatepass")
