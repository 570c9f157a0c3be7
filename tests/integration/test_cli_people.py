"""`rejoinder people`, and the way in that a first start prints."""

import re
from pathlib import Path

import pytest

from bot.bootstrap import open_ledger, utc_now
from bot.models import Role
from bot.settings import Settings
from bot.store import access, links, tokens
from tests.command_line import Cli


def add_person(cli: Cli, name: str, role: Role) -> None:
    with open_ledger(Settings(data_dir=cli.folder / "data")) as ledger:
        ledger.write(access.add_person, name=name, role=role, password_hash="x", now=utc_now())


def test_the_first_link_is_there_until_there_is_an_owner(cli: Cli) -> None:
    old = cli.json("people", "link", "--json")["url"]
    assert cli("people", "link") == 0
    assert re.fullmatch(r"http://127\.0\.0\.1:8700/start#[\w-]{43}\n", cli.out)
    with open_ledger(Settings(data_dir=cli.folder / "data")) as ledger:
        assert not ledger.read(links.makes_person, old.rpartition("#")[2], now=utc_now())
        assert ledger.read(links.makes_person, cli.out.strip().rpartition("#")[2], now=utc_now())
    add_person(cli, "ann", Role.OWNER)
    assert cli("people", "link") == 1
    assert cli.err.count("\n") == 1
    assert "owner already" in cli.err
    assert "/renew#" in cli.json("people", "link", "ann", "--json")["url"]


def test_a_link_leads_to_the_public_address(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REJOINDER__WEB__PUBLIC_URL", "https://desk.example.org/")
    made = cli.json("people", "invite", "--role", "viewer", "--json")
    assert made["url"].startswith("https://desk.example.org/start#")


def test_people_are_listed_changed_and_disabled(cli: Cli) -> None:
    assert cli("people", "list") == 0
    assert "rejoinder people link" in cli.out
    add_person(cli, "ann", Role.OWNER)
    add_person(cli, "bob", Role.VIEWER)
    assert cli("people", "role", "bob", "reviewer") == 0
    assert cli("people", "disable", "BOB") == 0
    shown = {
        row["name"]: (row["role"], row["disabled_at"] is None) for row in cli.json("people", "list", "--json")
    }
    assert shown == {"ann": ("owner", True), "bob": ("reviewer", False)}
    assert cli("people", "enable", "bob", "--lang", "zh") == 0
    assert "可以再次登录" in cli.out
    assert cli("people", "role", "ann", "viewer") == 1
    assert "last owner" in cli.err
    assert cli("people", "role", "ann", "king") == 2
    assert cli("people", "disable", "nobody") == 1


def test_a_token_is_printed_once_and_revoked(cli: Cli) -> None:
    add_person(cli, "ann", Role.REVIEWER)
    assert cli("people", "token", "bot", "--for", "ann", "--role", "reviewer", "--days", "30") == 0
    secret = cli.out.strip()
    (row,) = cli.json("people", "tokens", "--json")
    assert (row["name"], row["person"], row["role"], row["seen_at"]) == ("bot", "ann", "reviewer", None)
    assert secret.startswith(tokens.PREFIX)
    assert secret not in str(row)
    assert cli("people", "token", "more", "--for", "ann", "--role", "owner") == 1
    assert cli("people", "revoke", str(row["id"])) == 0
    assert cli.json("people", "tokens", "--json") == []
    assert cli("people", "revoke", str(row["id"])) == 1


def test_what_is_done_at_the_terminal_is_in_the_audit(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.cli.shell.login", lambda: "tester")
    add_person(cli, "ann", Role.OWNER)
    secret = cli.json("people", "token", "bot", "--for", "ann", "--json")["token"]
    cli("people", "invite")
    link = cli.out.strip().rpartition("#")[2]
    deeds = cli.json("people", "audit", "--json")
    assert [(deed["actor"], deed["via"], deed["act"]) for deed in deeds] == [
        ("tester", "terminal", "invite"),
        ("tester", "terminal", "add_token"),
    ]
    assert cli("people", "audit", "--act", "invite", "--since", "1h", "--lang", "zh") == 0
    assert "生成了邀请链接" in cli.out
    stored = b"".join(path.read_bytes() for path in Path(cli.folder).rglob("*") if path.is_file()).decode(
        "latin-1"
    )
    assert secret not in stored
    assert link not in stored


def test_doctor_tells_of_a_missing_owner_and_of_passwords_in_the_open(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {row["part"]: row for row in cli.json("doctor", "--json")}
    assert (found["people"]["level"], "rejoinder people link" in found["people"]["message"]) == (
        "warning",
        True,
    )
    add_person(cli, "ann", Role.OWNER)
    monkeypatch.setenv("REJOINDER__WEB__HOST", "0.0.0.0")
    rows = cli.json("doctor", "--json")
    assert "people" not in {row["part"] for row in rows}
    assert any("passwords travel readable" in row["message"] for row in rows)
    monkeypatch.setenv("REJOINDER__WEB__PUBLIC_URL", "https://desk.example.org")
    messages = [row["message"] for row in cli.json("doctor", "--json")]
    assert not any("passwords travel readable" in message for message in messages)
    assert any("web.trusted_proxies" in message for message in messages)
