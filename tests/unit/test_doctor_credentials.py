"""What the doctor says of keys, credentials and references."""

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from bot.doctor.credentials import credential_findings
from bot.keyring import FILE, VARIABLE, Keyring
from bot.models import Channel
from bot.store.credentials import Kept
from tests.builders import START


def channel(**options: str) -> Channel:
    return Channel(
        id=1, name="pears", platform="isso", options=options, created_at=START, answer_since=START,
        next_poll_at=START, next_send_at=START,
    )  # fmt: skip


def told(
    keyring: Keyring, rows: list[Kept], *known: Channel, language: str = "en"
) -> list[tuple[str, str, str]]:
    found = credential_findings(keyring, rows, known)
    return [(one.level, one.part, one.message(language)) for one in found]


def kept(keyring: Keyring, name: str = "option:password") -> Kept:
    return Kept("pears", 1, name, keyring.ready().seal(1, name, "hush"))


def test_nothing_is_said_where_there_is_nothing_to_keep(tmp_path: Path) -> None:
    assert told(Keyring(tmp_path, {}), [], channel(base_url="http://127.0.0.1:1")) == []


def test_all_is_well_when_the_key_opens_everything(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path, {})
    [(level, part, line)] = told(keyring, [kept(keyring)], channel(password="vault:"))
    assert (level, part) == ("ok", "credentials")
    assert line == f"1 kept encrypted, all of them open with {tmp_path / FILE}"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_key_that_opens_nothing_is_an_error_of_each_channel_with_the_cure(
    tmp_path: Path, language: str
) -> None:
    rows = [kept(Keyring(tmp_path, {}))]
    for other in (
        Keyring(tmp_path / "gone", {}),
        Keyring(tmp_path, {VARIABLE: Fernet.generate_key().decode()}),
    ):
        [(level, part, line)] = told(other, rows, channel(password="vault:"), language=language)
        assert (level, part) == ("error", "channel pears")
        assert "rejoinder channels connect pears" in line
        assert other.where in line


def test_a_key_file_that_others_read_is_an_error(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path, {})
    rows = [kept(keyring)]
    (tmp_path / FILE).chmod(0o644)
    [(level, _, line)] = told(keyring, rows)
    assert level == "error"
    assert "chmod 600" in line


def test_a_rotation_that_broke_off_is_told(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path, {})
    rows = [kept(keyring)]
    keyring.put_in_front()
    levels = {level: line for level, _, line in told(keyring, rows)}
    assert "rejoinder channels rotate-key" in levels["warning"]


def test_references_that_lead_nowhere_are_named_without_what_they_lead_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOT_THERE", raising=False)
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.setenv("THERE", "hush")
    one = channel(
        a="vault:", b="env:NOT_THERE", c=f"file:{tmp_path / 'none'}", d="env:EMPTY", e="env:THERE", f="plain"
    )
    found = told(Keyring(tmp_path, {}), [], one)
    assert {level for level, _, _ in found} == {"error"}
    lines = [line for _, _, line in found]
    assert [line.partition(":")[0] for line in lines[1:]] == ["b", "c", "d"]
    assert lines[0].startswith("the secret a is not kept")
    assert "hush" not in str(lines)
