"""`rejoinder channels` on opening hours and shadow, and that the audit has them."""

from datetime import datetime, timedelta
from typing import Literal

import pytest
from sqlmodel import select

from adapters.base import Account, Capabilities, Quota
from bot.cli.accounts import tell_found
from bot.cli.shell import Shell
from bot.connecting import Found
from bot.models import AuditEntry
from bot.store import channels
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


def test_manners_are_set_and_taken_back(cli: Cli) -> None:
    cli.desk()
    given = (
        *("--delay-s", "60", "300", "--one-reply-s", "600", "--loop-replies", "3", "--stop-after", "0"),
        *("--bot", "Nightbot", "--bot", "机器人", "--label", "zh=（本回复由 AI 生成）"),
    )
    rules = cli.json("channels", "rules", "demo", *given)
    assert (rules["delay_s"], rules["one_reply_s"], rules["loop_replies"]) == ([60, 300], 600, 3)
    assert (rules["bots"], rules["stop_after"]) == (["Nightbot", "机器人"], 0)
    assert rules["label"] == {"zh": "（本回复由 AI 生成）"}
    back = cli.json("channels", "rules", "demo", "--bot", "", "--label", "zh=", "--delay-s", "0", "0")
    assert (back["bots"], back["label"], back["delay_s"]) == ([], {}, [0, 0])


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--delay-s", "300", "60"], "--delay-s: give two numbers of seconds, the smaller one first"),
        (["--label", "AI"], "--label 'AI' needs LANGUAGE=TEXT"),
    ],
)
def test_manners_that_make_no_sense_are_refused_in_one_line(cli: Cli, options: list[str], line: str) -> None:
    cli.desk()
    assert cli("channels", "rules", "demo", *options) == 2
    assert line in cli.err
    assert cli.err.count("\n") == 1


def test_the_plan_shows_the_budget_and_when_replies_go_out(cli: Cli) -> None:
    desk = cli.desk()
    desk.ready(1, 2)
    assert cli("channels", "plan", "demo") == 0
    assert "the platform counts no units" in cli.out
    quota = Quota(10_000, 50, 1, "America/Los_Angeles")
    desk.ledger.write(
        channels.known_as, desk.channel_id, account_id="us", account_name="Us", can={}, max_reply_chars=100,
        flat_threads=False, quota=quota, reply_gap_s=3600,
    )  # fmt: skip
    found = cli.json("channels", "plan", "demo", "--json")
    assert (found["ready"], found["budget"]["units"], found["budget"]["a_day"]) == (2, 10_000, 190)
    first, second = (datetime.fromisoformat(reply["at"]) for reply in found["replies"])
    assert second - first == timedelta(hours=1)
    assert cli("channels", "plan", "demo") == 0
    assert "then about 190 a day" in cli.out
    [listed] = cli.json("channels", "list", "--json")
    assert listed["budget"]["used"] == 0


@pytest.mark.parametrize(
    ("language", "state", "cure"),
    [("en", "to be connected", "no more; connect it again"), ("zh", "须重新连接", "不再接受 demo 的凭据")],
)
def test_an_account_that_must_be_connected_again_is_told_with_the_command(
    cli: Cli, language: str, state: str, cure: str
) -> None:
    desk = cli.desk()
    assert cli("channels", "list") == 0
    assert "rejoinder channels connect" not in cli.err
    desk.ledger.write(channels.restrict, desk.channel_id, error="revoked", now=desk.clock(), to_connect=True)
    assert cli("--lang", language, "channels", "list") == 0
    assert state in " ".join(cli.out.split())
    assert cure in cli.err
    assert "rejoinder channels connect demo" in cli.err
    [listed] = cli.json("channels", "list", "--json")
    assert (listed["to_connect"], listed["paused"]) == (True, True)


@pytest.mark.parametrize(
    ("language", "told"), [("en", "about 190 replies a day"), ("zh", "每天约 190 条回复")]
)
def test_connecting_tells_as_many_replies_a_day_as_the_plan(
    capsys: pytest.CaptureFixture[str], language: Literal["en", "zh"], told: str
) -> None:
    able = Capabilities(
        max_reply_chars=100, reply_depth="any", idempotent_reply=True, can_find_own=True, settle_s=0.0,
        min_reply_gap_s=0.0, min_poll_s=1.0, quota=Quota(10_000, 50, 1, "America/Los_Angeles"),
    )  # fmt: skip
    tell_found(Shell(file=None, data_dir=None, language=language), Found(Account("us", "Us"), able, {}))
    assert told in capsys.readouterr().out


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
