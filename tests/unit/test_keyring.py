"""The keys of the credentials: where they come from, and what they refuse."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from bot.keyring import FILE, VARIABLE, Keyring, KeyUnusable, Unreadable

ONE, OTHER = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def ring(folder: Path, *keys: str) -> Keyring:
    return Keyring(folder, {VARIABLE: ",".join(keys)} if keys else {})


def test_the_first_key_is_made_when_something_is_sealed_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    assert not ring(tmp_path).read()
    assert not (tmp_path / FILE).exists()
    sealed = ring(tmp_path).ready().seal(1, "token:a", "secret")
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    assert ring(tmp_path).read().unseal(1, "token:a", sealed) == "secret"
    assert [file.name for file in tmp_path.iterdir()] == [FILE]


def test_the_file_is_never_open_to_others_even_while_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[int] = []
    synced = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (modes.append(os.fstat(handle).st_mode), synced(handle)))
    before = os.umask(0)
    try:
        ring(tmp_path).ready()
        ring(tmp_path).put_in_front()
    finally:
        os.umask(before)
    files = [stat.S_IMODE(mode) for mode in modes if stat.S_ISREG(mode)]
    assert files == [0o600, 0o600]


def test_many_at_once_make_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        sealed = list(pool.map(lambda _: ring(tmp_path).ready().seal(1, "n", "v"), range(24)))
    keys = ring(tmp_path).read()
    assert len(keys) == 1
    assert {keys.unseal(1, "n", text) for text in sealed} == {"v"}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o610])
def test_a_file_that_others_can_read_is_refused_with_the_cure(tmp_path: Path, mode: int) -> None:
    ring(tmp_path).ready()
    (tmp_path / FILE).chmod(mode)
    with pytest.raises(KeyUnusable, match=f"can be read by others .*chmod 600 {tmp_path / FILE}"):
        ring(tmp_path).read()


def test_the_first_key_of_the_environment_seals_and_all_of_them_open(tmp_path: Path) -> None:
    old = ring(tmp_path, ONE).ready().seal(1, "n", "v")
    both = ring(tmp_path, OTHER, ONE).ready()
    assert both.unseal(1, "n", old) == "v"
    assert not both.first_unseals(1, "n", old)
    assert ring(tmp_path, OTHER).read().unseal(1, "n", both.seal(1, "n", "v")) == "v"
    assert not (tmp_path / FILE).exists()


def test_a_key_in_plain_base64_is_taken_too(tmp_path: Path) -> None:
    plain = "+/" * 21 + "+="
    assert ring(tmp_path, plain).read().seal(1, "n", "v")


@pytest.mark.parametrize("key", ["short", "é" * 44, "a" * 43, "!" * 44, "A" * 88])
def test_what_is_no_key_is_refused_without_being_repeated(tmp_path: Path, key: str) -> None:
    with pytest.raises(KeyUnusable, match="key 2 is no key") as refused:
        ring(tmp_path, ONE, key).read()
    assert key not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_empty_file_is_no_reason_to_make_another_key(tmp_path: Path) -> None:
    (tmp_path / FILE).touch(0o600)
    with pytest.raises(KeyUnusable, match="is empty; restore it"):
        ring(tmp_path).ready()


@pytest.mark.parametrize(("channel", "name"), [(2, "token:a"), (1, "token:b"), (1, "option:a")])
def test_what_was_sealed_for_one_place_opens_in_no_other(tmp_path: Path, channel: int, name: str) -> None:
    keys = ring(tmp_path, ONE).read()
    sealed = keys.seal(1, "token:a", "secret")
    with pytest.raises(Unreadable, match="another place"):
        keys.unseal(channel, name, sealed)


@pytest.mark.parametrize("sealed", ["", "nonsense", "gAAAAA==", "ключ"])
def test_what_no_key_opens_is_unreadable(tmp_path: Path, sealed: str) -> None:
    with pytest.raises(Unreadable):
        ring(tmp_path, ONE).read().unseal(1, "n", sealed)


@given(st.integers(1, 2**63), st.text(), st.text())
def test_whatever_is_sealed_opens_as_it_was(channel: int, name: str, value: str) -> None:
    keys = Keyring(Path("nowhere"), {VARIABLE: ONE}).read()
    assert keys.unseal(channel, name, keys.seal(channel, name, value)) == value


def test_forgetting_the_old_keys_removes_what_a_broken_write_left(tmp_path: Path) -> None:
    keyring = ring(tmp_path)
    old = keyring.ready().seal(1, "n", "v")
    (tmp_path / f".{FILE}.new-dead").write_text(OTHER)
    keyring.put_in_front()
    assert keyring.read().unseal(1, "n", old) == "v"
    keyring.keep_first()
    assert len(keyring.read()) == 1
    assert [file.name for file in tmp_path.iterdir()] == [FILE]
    with pytest.raises(Unreadable):
        keyring.read().unseal(1, "n", old)
