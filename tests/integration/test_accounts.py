"""`rejoinder channels` connects accounts: the real command, a strict platform, and nothing secret left anywhere."""

import io
import json
import os
import re
import subprocess
import sys
import webbrowser
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.cli import main
from bot.models import AuditEntry, Channel
from bot.store import channels
from bot.store.ledger import connect as open_at
from bot.store.ledger import sqlite_url
from tests import oauth_platform
from tests.oauth_platform import CLIENT_ID, CLIENT_SECRET, Orchard, follow
from tests.terminal import Person

MAIN = "import sys; from bot.cli import main; sys.exit(main())"
ADDRESS = re.compile(r"http://\S+/authorize\?\S+")


@dataclass
class House:
    """A data folder, the platform, and everything that any command has said."""

    folder: Path
    orchard: Orchard
    path: str
    capture: pytest.CaptureFixture[str]
    environment: dict[str, str] = field(default_factory=dict)
    said: str = ""
    opened: list[str] = field(default_factory=list)
    """The addresses that commands in this process have opened in the browser."""

    def browse(self, address: str) -> bool:
        self.opened.append(address)
        self.said += self.orchard.consent(address)[1]
        return True

    def env(self) -> dict[str, str]:
        own = {
            name: value for name, value in os.environ.items() if not name.startswith(("DISPLAY", "BROWSER"))
        }
        return own | {"PYTHONPATH": self.path, "ORCHARD_SECRET": CLIENT_SECRET} | self.environment

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", MAIN, "--data-dir", str(self.folder / "data"), *arguments],
            cwd=self.folder,
            env=self.env(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """In this process; the account's owner consents at once where a browser is opened."""
        code = main(["--data-dir", str(self.folder / "data"), *arguments])
        out, err = self.capture.readouterr()
        self.said += out + err
        return code, out, err

    def run_apart(self, *arguments: str) -> tuple[int, str, str]:
        """In a process of its own."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=120)
        self.said += out + err
        return process.returncode, out, err

    def poll(self) -> tuple[int, str, str]:
        return self.run("channels", "backfill", "pears", "--since", "1h")

    def json(self, *arguments: str) -> Any:
        code, out, err = self.run(*arguments)
        assert code == 0, err
        return json.loads(out)

    def consenting(self, *arguments: str, tamper: str = "") -> tuple[int, str, str]:
        """Run a command that prints an address, and be the person who opens it."""
        process = self.start(*arguments, "--no-browser")
        assert process.stderr is not None
        line = ""
        while not (found := ADDRESS.search(line)):
            line = process.stderr.readline()
            assert line, "it ended without an address"
        if tamper:
            back = re.search(r"redirect_uri=([^&]+)", found.group())
            assert back is not None
            where = back.group(1).replace("%3A", ":").replace("%2F", "/")
            assert follow(f"{where}?{tamper}")[0] == 400
        status, page = self.orchard.consent(found.group())
        assert status == 200
        out, err = process.communicate(timeout=120)
        self.said += out + err + page
        return process.returncode, out, err

    @property
    def adding(self) -> tuple[str, ...]:
        given = ("--option", f"base_url={self.orchard.url}", "--option", f"client_id={CLIENT_ID}")
        secret = ("--option", "client_secret=env:ORCHARD_SECRET")
        return ("channels", "add", "pears", "--platform", "orchard", *given, *secret)

    def add(self) -> tuple[int, str, str]:
        return self.run(*self.adding)

    def channel(self, name: str = "pears") -> Channel | None:
        ledger = open_at(sqlite_url(self.folder / "data" / "ledger.db"))
        try:
            found: list[Channel] = ledger.read(channels.every)
            return next((one for one in found if one.name == name), None)
        finally:
            ledger.close()

    def acts(self) -> list[str]:
        from sqlmodel import select

        ledger = open_at(sqlite_url(self.folder / "data" / "ledger.db"))
        try:
            return ledger.read(lambda session: [entry.act for entry in session.exec(select(AuditEntry))])
        finally:
            ledger.close()

    def bytes_kept(self) -> bytes:
        return b"".join(
            file.read_bytes() for file in sorted((self.folder / "data").rglob("*")) if file.is_file()
        )


@pytest.fixture
def house(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[House]:
    adapters = oauth_platform.register(tmp_path / "packages")
    path = os.pathsep.join([str(adapters), *sys.path])
    monkeypatch.syspath_prepend(adapters)
    monkeypatch.setenv("ORCHARD_SECRET", CLIENT_SECRET)
    monkeypatch.setenv("BROWSER", "none")
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with oauth_platform.running() as orchard:
        house = House(tmp_path, orchard, path, capsys)
        monkeypatch.setattr(webbrowser, "open", house.browse)
        yield house


def test_a_consent_in_the_browser_connects_the_account_and_shows_what_it_may_do(house: House) -> None:
    code, out, err = house.consenting(*house.adding)
    assert code == 0, err
    assert "The pear" in out
    assert "The account may: read comments, reply, prune." in out
    assert "Comments are read from " in out
    channel = house.channel()
    assert channel is not None
    assert channel.options == {
        "base_url": house.orchard.url, "client_id": CLIENT_ID, "client_secret": "env:ORCHARD_SECRET"
    }  # fmt: skip
    assert (channel.account_id, channel.can["reply"], channel.to_connect) == ("pear", True, False)
    assert channel.connected_at is not None
    assert channel.cursor is not None
    assert house.acts() == ["add_channel"]
    assert house.orchard.refused == []


def test_nothing_secret_stands_in_any_file_export_page_or_word_said(house: House) -> None:
    code, _, err = house.add()
    assert code == 0, err
    house.orchard.expire()
    for command in (
        ("doctor",),
        ("channels", "list", "--json"),
        ("channels", "list"),
        ("export", "comments"),
        ("export", "feedback"),
        ("people", "audit", "--json"),
        ("channels", "rotate-key"),
    ):
        house.run(*command)
    house.orchard.revoke()
    house.run("doctor")
    house.poll()
    assert len(house.orchard.handed_out) >= 5
    kept = house.bytes_kept()
    for secret in (CLIENT_SECRET, *house.orchard.handed_out):
        assert secret not in house.said
        assert secret.encode() not in kept


def test_refused_consent_is_one_line_and_keeps_nothing(house: House) -> None:
    house.orchard.consents = False
    code, out, err = house.add()
    assert (code, out) == (1, "")
    assert "did not consent, so nothing was kept" in err.splitlines()[-1]
    assert house.channel() is None


def test_an_answer_with_another_state_is_turned_away_and_the_right_one_still_counts(house: House) -> None:
    code, _, err = house.consenting(*house.adding, tamper="code=stolen&state=guessed")
    assert code == 0, err
    assert house.channel() is not None


def test_a_scope_that_was_not_allowed_is_named_and_nothing_is_kept(house: House) -> None:
    house.orchard.grants = ("comments.read",)
    code, _, err = house.add()
    assert code == 1
    assert "did not allow comments.write" in err
    assert house.channel() is None


def test_a_code_that_cannot_be_exchanged_is_one_line(house: House) -> None:
    house.orchard.token_error = (400, {"error": "invalid_grant", "error_description": "Bad code\n\x1b[31m"})
    code, out, err = house.add()
    assert (code, out) == (1, "")
    assert "(invalid_grant: Bad code" in err.splitlines()[-1]
    assert "\x1b" not in err
    assert house.channel() is None


def test_nobody_consenting_ends_after_the_time_that_was_given(house: House) -> None:
    code, _, err = house.run(*house.adding, "--no-browser", "--wait", "1")
    assert code == 1
    assert "nobody consented within 1 s" in err


def test_the_browser_is_opened_where_there_is_one(house: House) -> None:
    browser = house.folder / "browser.py"
    browser.write_text(
        "import sys\nfrom urllib.parse import parse_qsl, urlsplit, urlencode\nfrom urllib.request import urlopen\n"
        "asked = dict(parse_qsl(urlsplit(sys.argv[1]).query))\n"
        "refused = urlencode({'error': 'access_denied', 'state': asked['state']})\n"
        "urlopen(asked['redirect_uri'] + '?' + refused).read()\n"
    )
    house.environment["BROWSER"] = f"{sys.executable} {browser} %s"
    code, _, err = house.run_apart(*house.adding)
    assert code == 1
    assert "did not consent" in err


def test_a_code_typed_in_elsewhere_connects_at_the_platforms_pace(house: House) -> None:
    pending = (400, {"error": "authorization_pending"})
    house.orchard.device_answers = [pending, (428, {"error": "authorization_pending"}), (500, {}), pending]
    code, _, err = house.run(*house.adding, "--device")
    assert code == 0, err
    assert f"Open {house.orchard.url}/type on any device and type in this code: KERN-7" in err
    assert house.orchard.polls == 5
    assert house.channel() is not None


def test_revoked_consent_stops_the_channel_and_connecting_again_lets_it_go_on(house: House) -> None:
    house.add()
    house.orchard.revoke()
    house.poll()
    stopped = house.channel()
    assert stopped is not None
    assert (stopped.paused, stopped.to_connect) == (True, True)
    code, out, err = house.run("channels", "connect", "pears")
    assert code == 0, err
    assert "pears is connected again and goes on" in out
    after = house.channel()
    assert after is not None
    assert (after.paused, after.to_connect, after.last_error) == (False, False, None)
    assert house.poll()[0] == 0
    again = house.channel()
    assert again is not None
    assert not again.paused
    assert "connect_channel" in house.acts()


def test_another_account_is_not_put_into_a_channels_place(house: House) -> None:
    house.add()
    house.orchard.account = "quince"
    code, _, err = house.run("channels", "connect", "pears")
    assert code == 1
    assert "this is the account The quince (quince), but pears belongs to The pear (pear)" in err
    channel = house.channel()
    assert channel is not None
    assert channel.account_id == "pear"


def test_without_a_terminal_a_missing_secret_is_one_line_that_says_what_to_give(house: House) -> None:
    given = ("--option", f"base_url={house.orchard.url}", "--option", f"client_id={CLIENT_ID}")
    code, _, err = house.run("channels", "add", "pears", "--platform", "orchard", *given)
    assert code == 2
    assert err.count("\n") == 1
    assert "client_secret: missing; give client_secret=env:NAME or client_secret=file:PATH" in err


def test_a_secret_on_the_command_line_is_refused_and_not_repeated(house: House) -> None:
    code, _, err = house.run(
        "channels", "add", "pears", "--platform", "orchard", "--option", f"client_secret={CLIENT_SECRET}"
    )
    assert code == 2
    assert CLIENT_SECRET not in err
    assert "must not stand on the command line" in err


def _person(house: House, *arguments: str, **environment: str) -> Person:
    return Person(
        house.folder,
        "--data-dir",
        str(house.folder / "data"),
        *arguments,
        environment={"PYTHONPATH": house.path, **environment},
        columns=250,
    )


def test_a_person_is_led_through_in_chinese_and_the_secret_is_neither_shown_nor_kept_readable(
    house: House,
) -> None:
    with _person(house, "--lang", "zh", "channels", "add", "basket", BROWSER="") as person:
        house.orchard.access = "pw-Quittengelee-19"
        person.sees("频道名称 [basket]")
        person.types("果篮\n")
        person.sees("需要准备：需要应用密码。", "获取地址：https://orchard.test/me", "base_url")
        person.types(f"{house.orchard.url}\n")
        person.sees("app_password（不显示，加密保存）")
        person.types("pw-Quittengelee-19\n")
        assert person.ends() == 0, person.screen
        assert "账号可以：读取评论。" in person.seen
        assert "Quittengelee" not in person.seen
    channel = house.channel("果篮")
    assert channel is not None
    assert channel.options["app_password"] == "vault:"
    assert b"Quittengelee" not in house.bytes_kept()
    assert house.run("channels", "backfill", "果篮", "--since", "1h")[0] == 0
    [shown] = house.json("channels", "list", "--json")
    assert (shown["options"]["app_password"], shown["last_error"]) == ("vault:", None)


def test_connecting_with_another_password_forgets_the_one_before(house: House) -> None:
    house.orchard.access = "pw-first"
    with _person(house, "channels", "add", "pears", "--platform", "basket") as person:
        person.sees("base_url")
        person.types(f"{house.orchard.url}\n")
        person.sees("app_password (is not shown")
        person.types("pw-first\n")
        assert person.ends() == 0, person.screen
    house.orchard.access = "pw-second"
    house.poll()
    stopped = house.channel()
    assert stopped is not None
    assert stopped.to_connect
    with _person(house, "channels", "connect", "pears") as person:
        person.sees("app_password (is not shown")
        person.types("\n")
        person.sees("app_password (is not shown")
        person.types("pw-second\n")
        assert person.ends() == 0, person.screen
        assert "pw-second" not in person.seen
        assert "goes on" in person.seen
    assert house.poll()[0] == 0
    after = house.channel()
    assert after is not None
    assert not after.paused


def test_two_processes_refreshing_at_once_keep_one_valid_token(house: House) -> None:
    house.add()
    for _ in range(3):
        house.orchard.expire()
        both = [house.start("doctor"), house.start("doctor")]
        for process in both:
            out, err = process.communicate(timeout=120)
            assert "logged in to orchard" in out, out + err
    assert "invalid_grant" not in house.orchard.refused
    assert house.orchard.refreshes == 3


def test_rotating_the_key_beside_a_lost_credential_names_the_channel(house: House) -> None:
    house.add()
    code, out, _ = house.run("channels", "rotate-key")
    assert code == 0
    assert "are sealed with a new key" in out
    (house.folder / "data" / "credentials.key").unlink()
    code, _, err = house.run("channels", "rotate-key")
    assert code == 1
    assert "rejoinder channels connect pears" in err
    assert "Traceback" not in err
