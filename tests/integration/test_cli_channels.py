"""`rejoinder channels` on opening hours and shadow, and that the audit has them."""

import pytest
from sqlmodel import select

from bot.models import AuditEntry
from tests.command_line import Cli


def test_opening_hours_are_set_and_taken_back(cli: Cli) -> None:
    cli.desk()
    given = ("--hours", "mon-fri=09:00-18:00", "--hours", "sat=10:00-14:00", "--time-zone", "Asia/Shanghai")
    rules = cli.json("channels", "rules", "demo", *given)
    assert rules["hours"]["fri"] == ["09:00-18:00"]
    assert rules["hours"]["sat"] == ["10:00-14:00"]
    assert "sun" not in rules["hours"]
    assert rules["time_zone"] == "Asia/Shanghai"
    assert cli.json("channels", "rules", "demo", "--always-open")["hours"] == {}


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--hours", "mon=9-5"], "--hours: '9-5' is no opening time; write it as 09:00-18:00"),
        (["--time-zone", "Mars/Olympus"], "--time-zone: 'Mars/Olympus' is no time zone"),
        (["--hours", "mon=09:00-10:00", "--always-open"], "not both"),
    ],
)
def test_hours_that_make_no_sense_are_refused_in_one_line(cli: Cli, options: list[str], line: str) -> None:
    cli.desk()
    assert cli("channels", "rules", "demo", *options) == 2
    assert line in cli.err
    assert cli.err.count("\n") == 1


def test_shadow_holds_back_what_was_ready_and_is_noted(cli: Cli) -> None:
    desk = cli.desk()
    desk.ready(1, 2)
    assert cli("channels", "shadow", "demo", "on") == 0
    assert "2 replies that were ready wait for a person" in cli.out
    [channel] = cli.json("channels", "list", "--json")
    assert channel["shadow"] is True
    assert cli("--lang", "zh", "channels", "shadow", "demo", "off") == 0
    assert "不会自动发出" in cli.out
    acts = desk.ledger.read(lambda session: [entry.act for entry in session.exec(select(AuditEntry))])
    assert acts == ["shadow_on", "shadow_off"]
