"""The keys that credentials are sealed with: REJOINDER_KEY in the environment, or a file that only its owner reads.

Several keys, separated by commas or white space: the first one seals, all of them open. What is sealed holds the
channel and the name that it is for: copied to another row, it does not open.
"""

import base64
import binascii
import json
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from secrets import token_hex
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from bot.settings import SettingsError

VARIABLE: Final = "REJOINDER_KEY"
FILE: Final = "credentials.key"
_UNFINISHED: Final = f".{FILE}.new-"
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class KeyUnusable(SettingsError):
    """The key is there and must not, or cannot, be used; the message is one line with the cure."""


class Unreadable(ValueError):
    """A credential that no key opens, or that was sealed for another place."""


class Keys:
    """The keys as they are at one moment; none of them is ever shown."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._all = [Fernet(key) for key in keys]

    def __bool__(self) -> bool:
        return bool(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def seal(self, channel_id: int, name: str, value: str) -> str:
        """Ciphertext for this row alone."""
        return self._all[0].encrypt(json.dumps([channel_id, name, value]).encode()).decode()

    def unseal(self, channel_id: int, name: str, sealed: str) -> str:
        """Raises Unreadable."""
        return _unsealed(self._all, channel_id, name, sealed)

    def first_unseals(self, channel_id: int, name: str, sealed: str) -> bool:
        """Whether the other keys are not needed for it."""
        try:
            _unsealed(self._all[:1], channel_id, name, sealed)
        except Unreadable:
            return False
        return True


def _unsealed(keys: Sequence[Fernet], channel_id: int, name: str, sealed: str) -> str:
    if not keys:
        raise Unreadable("there is no key")
    try:
        place = json.loads(MultiFernet(keys).decrypt(sealed.encode()))
    except InvalidToken:
        raise Unreadable("no key opens it") from None
    if not isinstance(place, list) or len(place) != 3 or place[:2] != [channel_id, name]:
        raise Unreadable("it was sealed for another place")
    return str(place[2])


class Keyring:
    """Where the keys are. They are read anew each time: another process may have changed them."""

    def __init__(self, folder: Path, environment: Mapping[str, str] = os.environ) -> None:
        self.file = folder / FILE
        self._environment = environment

    @property
    def where(self) -> str:
        """For messages."""
        return VARIABLE if self.from_environment else str(self.file)

    @property
    def from_environment(self) -> bool:
        return bool(self._environment.get(VARIABLE, "").strip())

    def read(self) -> Keys:
        """The keys that there are, maybe none. Raises KeyUnusable."""
        return Keys(self._texts())

    def ready(self) -> Keys:
        """The keys; the first one is made where there is none. Raises KeyUnusable, OSError."""
        if not self._texts():
            self._make()
        return self.read()

    def put_in_front(self) -> Keys:
        """A new key that seals from now on, before those that are there; the file is replaced at once, whole."""
        self._write([Fernet.generate_key(), *self._texts()], fresh=False)
        return self.read()

    def keep_first(self) -> None:
        """Forget all keys but the first, and what a broken-off write left."""
        self._write(self._texts()[:1], fresh=False)
        for left in self.file.parent.glob(f"{_UNFINISHED}*"):
            left.unlink(missing_ok=True)

    def _texts(self) -> list[bytes]:
        given = self._environment.get(VARIABLE, "") if self.from_environment else self._read_file()
        words = given.replace(",", " ").split()
        return [_key(word, number, self.where) for number, word in enumerate(words, start=1)]

    def _read_file(self) -> str:
        try:
            with self.file.open(encoding="ascii") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                if mode & _OTHERS:
                    raise KeyUnusable(
                        f"{self.file} can be read by others (mode {mode:o}); run: chmod 600 {self.file}"
                    )
                text = file.read()
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as error:
            raise KeyUnusable(
                f"{self.file} cannot be read ({error}); give it to the user that runs rejoinder, or restore it"
            ) from error
        if not text.strip():
            raise KeyUnusable(
                f"{self.file} is empty; restore it, or remove it and connect the accounts again"
            )
        return text

    def _make(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self._write([Fernet.generate_key()], fresh=True)

    def _write(self, keys: Sequence[bytes], *, fresh: bool) -> None:
        """`fresh`: leave the file of another process that was quicker."""
        beside = self.file.with_name(f"{_UNFINISHED}{token_hex(8)}")
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(b"\n".join(keys) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            # Either name appears with the whole content behind it.
            if fresh:
                _link(beside, self.file)
            else:
                beside.replace(self.file)
        finally:
            beside.unlink(missing_ok=True)
        _sync(self.file.parent)


def _link(beside: Path, file: Path) -> None:
    try:
        os.link(beside, file)
    except FileExistsError:
        return


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _key(word: str, number: int, where: str) -> bytes:
    """32 bytes in either alphabet of base64. Raises KeyUnusable, which does not repeat the text."""
    try:
        raw = base64.urlsafe_b64decode(word.replace("+", "-").replace("/", "_"))
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 32:
        raise KeyUnusable(
            f"{where}: key {number} is no key; it takes 32 bytes in base64, as 'openssl rand -base64 32' makes them"
        )
    return base64.urlsafe_b64encode(raw)
