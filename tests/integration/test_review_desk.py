"""`rejoinder review` on a real terminal, used as a person would."""

import os
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len

from bot.models import State
from bot.store import cases, holds
from bot.store.cases import Case
from tests.builders import Desk, comment
from tests.command_line import Cli
from tests.conftest import require
from tests.terminal import SHELL, Person

KEYS = "q leave"


@pytest.fixture
def desk(cli: Cli) -> Iterator[Desk]:
    """Three comments that wait, c1 to c3."""
    desk = cli.desk()
    waiting(desk, "How long do I roast?", "烘焙要多久？", "Which grinder is that?")
    yield desk
    desk.ledger.close()


def waiting(desk: Desk, *texts: str, first: int = 1, draft: str = "Ten minutes.") -> None:
    desk.ingest(*(comment(first + number, text) for number, text in enumerate(texts)))
    for work in desk.claim():
        assert desk.decide(work, State.REVIEW, draft)


def at_desk(cli: Cli, *arguments: str, by: str = "ann", **options: object) -> Person:
    return Person(cli.folder, "review", "--by", by, *arguments, **options)  # type: ignore[arg-type]


def case(desk: Desk, number: int) -> Case:
    return desk.ledger.read(cases.case, number)


def editor(folder: Path, text: str) -> dict[str, str]:
    """An editor that writes `text` and is closed."""
    script = folder / "editor.py"
    script.write_text(
        f"#!{sys.executable}\nimport sys, pathlib\npathlib.Path(sys.argv[1]).write_text({text!r})\n"
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return {"EDITOR": str(script)}


def test_one_key_approves_and_the_next_comment_is_there(cli: Cli, desk: Desk) -> None:
    with at_desk(cli) as person:
        person.sees("#1 demo", "How long do I roast?", "Ten minutes.", KEYS)
        person.types("a")
        person.sees("#2 demo", "烘焙要多久？", "1 goes out in 8 s", KEYS)
        person.types("q")
        assert person.ends() == 0
    found = case(desk, 1)
    assert found.item.comment.state == State.READY
    assert [(verdict.kind, verdict.by, verdict.via) for verdict in found.verdicts] == [
        ("approve", "ann", "terminal")
    ]
    assert found.verdicts[0].took_s is not None
    assert found.verdicts[0].version == 1
    assert desk.ledger.read(holds.held, [1, 2, 3], now=desk.clock()) == {}


def test_what_is_typed_ahead_decides_nothing_that_was_not_seen(cli: Cli, desk: Desk) -> None:
    with at_desk(cli) as person:
        person.sees("#1 demo", KEYS)
        person.types("aaaa")
        person.sees("#2 demo", KEYS)
        person.types("q")
        assert person.ends() == 0
    assert [case(desk, number).item.comment.state for number in (1, 2, 3)] == ["ready", "review", "review"]


def test_a_key_that_is_held_down_decides_one_comment(cli: Cli, desk: Desk) -> None:
    with at_desk(cli) as person:
        person.sees("#1 demo", KEYS)
        person.types("a")
        person.sees("#2 demo", KEYS)
        person.types("a")
        person.types("aaj")
        person.sees("#3 demo", KEYS)
        person.types("q")
        assert person.ends() == 0
    assert [case(desk, number).item.comment.state for number in (1, 2, 3)] == ["ready", "review", "review"]


def test_a_text_in_another_encoding_is_kept_where_the_editor_left_it(cli: Cli, desk: Desk) -> None:
    script = cli.folder / "gbk-editor"
    script.write_text("#!/bin/sh\nprintf '\\322\\273\\265\\343' > \"$1\"\n", encoding="utf-8")
    script.chmod(0o755)
    with at_desk(cli, environment={"EDITOR": str(script), "TMPDIR": str(cli.folder)}, columns=200) as person:
        person.sees("#1 demo", KEYS)
        person.types("e")
        person.sees("UTF-8", KEYS)
        person.types("q")
        assert person.ends() == 0
    (kept,) = cli.folder.glob("rejoinder-edit-*/reply-1.txt")
    assert kept.read_bytes() == "一点".encode("gbk")


def test_the_editor_writes_the_reply_and_a_key_sends_it(cli: Cli, desk: Desk) -> None:
    with at_desk(cli, environment=editor(cli.folder, "Eleven minutes, 再见。")) as person:
        person.sees("#1 demo", KEYS)
        person.types("e")
        person.sees("This will be sent · 19 characters", "Eleven minutes, 再见。", "Enter sends it")
        person.types("\r")
        person.sees("#2 demo", "1: your text goes out", KEYS)
    verdict = case(desk, 1).verdicts[0]
    assert (verdict.kind, verdict.text, verdict.chosen) == ("edit", "Eleven minutes, 再见。", 0)


def test_a_text_that_is_put_aside_is_there_again(cli: Cli, desk: Desk) -> None:
    with at_desk(cli, environment=editor(cli.folder, "Not sure yet.")) as person:
        person.sees("#1 demo", KEYS)
        person.types("e")
        person.sees("Enter sends it")
        person.types("\x1b")
        person.sees("The text is kept", KEYS)
    with at_desk(cli) as person:
        person.sees("#1 demo", "Kept from a verdict", "Not sure yet.", KEYS)
    assert case(desk, 1).item.comment.state == State.REVIEW


def test_a_comment_is_rejected_with_a_reason_in_chinese(cli: Cli, desk: Desk) -> None:
    with at_desk(cli, "--lang", "zh") as person:
        person.sees("#1 demo", "为何在此", "q 退出")
        person.types("r")
        person.sees("哪里不对？▏")
        person.types("语气不对")
        person.sees("语气不对▏")
        person.types("\r")
        person.sees("#2 demo", "1：已拒绝", "q 退出")
    assert case(desk, 1).verdicts[0].reason == "语气不对"
    assert case(desk, 1).item.comment.reason == "rejected_by_person"


def test_a_verdict_is_taken_back(cli: Cli, desk: Desk) -> None:
    with at_desk(cli) as person:
        person.sees("#1 demo", KEYS)
        person.types("a")
        person.sees("#2 demo", KEYS)
        person.types("u")
        person.sees("#1 demo", "Taken back: 1", KEYS)
    found = case(desk, 1)
    assert (found.item.comment.state, found.item.reply, found.item.comment.reason) == (
        "review",
        None,
        "because",
    )
    assert found.verdicts[0].undone_at is not None


def test_another_draft_is_asked_for_with_a_hint(cli: Cli, desk: Desk) -> None:
    with at_desk(cli) as person:
        person.sees("#1 demo", KEYS)
        person.types("g")
        person.sees("Hint for the next draft")
        person.types("name the temperature")
        person.sees("temperature▏")
        person.types("\r")
        person.sees("#2 demo", "1 is drafted again", KEYS)
    assert (case(desk, 1).item.comment.state, case(desk, 1).item.comment.hint) == (
        "new",
        "name the temperature",
    )


def test_many_are_approved_after_a_preview(cli: Cli, desk: Desk) -> None:
    with at_desk(cli) as person:
        person.sees("#1 demo", KEYS)
        person.types("A")
        person.sees("3 comments. a approves", "#3 Fan: Which grinder", "→ Ten minutes.", "a approve all")
        person.types("a")
        person.sees("3 done, 0 not", "Nothing waits", KEYS)
        person.types("u")
        person.sees("Taken back: 1, 2, 3 (3)", KEYS)
    assert [case(desk, number).item.comment.state for number in (1, 2, 3)] == ["review"] * 3


def test_those_that_were_selected_are_skipped_and_the_others_stay(cli: Cli, desk: Desk) -> None:
    with at_desk(cli) as person:
        person.sees("#1 demo", KEYS)
        person.types("x")
        person.sees("1 selected", KEYS)
        person.types("j")
        person.sees("#2 demo", KEYS)
        person.types("\x1b[B")
        person.sees("#3 demo", KEYS)
        person.types("x")
        person.sees("2 selected", KEYS)
        person.types("A")
        person.sees("2 comments", "s skip all")
        person.types("s")
        person.sees("#2 demo", "2 done, 0 not", KEYS)
    assert [case(desk, number).item.comment.state for number in (1, 2, 3)] == ["skipped", "review", "skipped"]


def test_the_queue_is_searched_filtered_and_sorted(cli: Cli, desk: Desk) -> None:
    with at_desk(cli) as person:
        person.sees("1/3", KEYS)
        person.types("/")
        person.sees("Search: ▏")
        person.types("grinder\r")
        person.sees("#3 demo", "1/1", "search=grinder", KEYS)
        person.types("/")
        person.sees("Search: grinder▏")
        person.types("\x15\r")
        person.sees("1/3", "#1 demo", KEYS)
        person.types("o")
        person.sees("oldest", KEYS)
        person.types("o")
        person.sees("newest", "#3 demo", KEYS)
        person.types("f")
        person.sees("▶  channel: demo (3)", "reason: because (3)")
        person.types("\r")
        person.sees("channel=demo", "1/3", KEYS)


def test_work_that_comes_appears_by_itself(cli: Cli) -> None:
    desk = cli.desk()
    with at_desk(cli) as person:
        person.sees("Nothing waits", KEYS)
        waiting(desk, "Is there a discount?")
        person.sees("#1 demo", "Is there a discount?", KEYS)
    desk.ledger.close()


def test_two_people_never_work_on_the_same_comment_by_accident(cli: Cli, desk: Desk) -> None:
    with at_desk(cli, by="ann") as ann, at_desk(cli, by="bob") as bob:
        ann.sees(KEYS)
        bob.sees(KEYS)
        first = next(number for number in (1, 2, 3) if f"#{number} demo" in ann.screen)
        assert f"#{first} demo" not in bob.screen
        bob.types("/")
        bob.sees("Search: ▏")
        bob.types(f"#{first}\r")
        bob.sees(f"#{first} demo", "ann has it open", KEYS)
        bob.types("a")
        bob.sees("Somebody else has", "ann has it open", KEYS)
        assert case(desk, first).item.comment.state == State.REVIEW
        bob.types("h")
        bob.sees("It is yours now", KEYS)
        bob.types("a")
        bob.sees("goes out in", KEYS)
        ann.types("\x0c")
        ann.sees("It has changed since", KEYS)
        ann.types("r")
        ann.sees("What is wrong")
        ann.types("no\r")
        ann.sees("was decided already", KEYS)
    assert [verdict.by for verdict in case(desk, first).verdicts] == ["bob"]


@pytest.mark.parametrize(("rows", "columns"), [(24, 80), (12, 30), (50, 200), (5, 20)])
def test_every_line_fits_the_terminal(cli: Cli, rows: int, columns: int) -> None:
    desk = cli.desk()
    waiting(desk, "烘焙要多久？我家的烤箱温度不准👩‍🍳，谢谢！" * 20 + "x" * 300, draft="中" * 100)
    with at_desk(cli, rows=rows, columns=columns) as person:
        screen = person.sees("#1 demo", "Rejoinder").removeprefix("\n")
        person.types("q")
        assert person.ends() == 0
    lines = screen.splitlines()
    assert len(lines) <= rows
    assert max(cell_len(line) for line in lines) <= columns
    desk.ledger.close()


def test_the_screen_follows_the_size_of_the_terminal(cli: Cli, desk: Desk) -> None:
    with at_desk(cli, columns=120) as person:
        person.sees("#1 demo", KEYS)
        person.types("")
        person.resize(12, 40)
        person.sees_that(
            lambda screen: "#1 demo" in screen and max(map(cell_len, screen.splitlines())) == 40, "40 columns"
        )


def test_what_a_commenter_wrote_cannot_steer_the_screen(cli: Cli) -> None:
    desk = cli.desk()
    waiting(desk, "start \x1b]0;owned\x07\x1b[2J\x9b5m\u202eend", draft="\x1b[31mred")
    with at_desk(cli) as person:
        person.sees("#1 demo", "end", KEYS)
        assert "\x1b]0" not in person.seen
        assert "\x1b[2J" not in person.seen
        assert "\x9b" not in person.seen
        assert "\u202e" not in person.seen
    desk.ledger.close()


def test_what_is_pasted_is_no_key(cli: Cli, desk: Desk) -> None:
    with at_desk(cli) as person:
        person.sees("#1 demo", KEYS)
        person.types("\x1b[200~aaa\x1b[201~?")
        person.sees("next, previous comment")
    assert case(desk, 1).item.comment.state == State.REVIEW


@pytest.fixture
def shell_person(cli: Cli, desk: Desk) -> Iterator[Person]:
    """In front of a shell with job control."""
    require(shutil.which("bash") is not None, "bash is not installed")
    (cli.folder / "desk.sh").write_text(
        f"exec {sys.executable} -c 'import sys; from bot.cli import main; sys.exit(main())' review --by ann\n"
    )
    with Person(
        cli.folder, "bash", "--norc", "--noprofile", "-i", code=SHELL, environment={"PS1": "ready$ "}
    ) as person:
        person.sees("ready$")
        yield person


def stty(person: Person) -> str:
    person.types("stty -a; echo fin''ished\n")
    return person.sees("finished", "ready$").partition("\n")[2]


def test_ctrl_c_leaves_the_terminal_as_it_was(shell_person: Person, desk: Desk) -> None:
    before = stty(shell_person)
    shell_person.types("bash desk.sh\n")
    shell_person.sees("#1 demo", KEYS)
    shell_person.types("\x03")
    shell_person.sees("ready$")
    for ending in ("\x1b[?1049l", "\x1b[?25h", "\x1b[?2004l"):
        assert ending in shell_person.seen
    assert "Traceback" not in shell_person.seen
    assert stty(shell_person) == before
    assert desk.ledger.read(holds.held, [1], now=desk.clock()) == {}


def test_ctrl_z_stops_it_and_fg_brings_it_back(shell_person: Person) -> None:
    before = stty(shell_person)
    shell_person.types("bash desk.sh\n")
    shell_person.sees("#1 demo", KEYS)
    shell_person.types("\x1a")
    shell_person.sees("Stopped", "ready$")
    assert stty(shell_person) == before
    shell_person.types("fg\n")
    shell_person.sees("#1 demo", KEYS)
    shell_person.types("a")
    shell_person.sees("#2 demo", KEYS)
    shell_person.types("q")
    shell_person.sees("ready$")


def test_the_terminal_is_put_back_when_the_desk_fails(cli: Cli, desk: Desk) -> None:
    broken = (
        "import fcntl, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
        "from bot.cli import desk, main\n"
        "def fail(*_): raise ZeroDivisionError\n"
        "desk.press = fail\n"
        "sys.exit(main())"
    )
    with Person(cli.folder, "review", code=broken) as person:
        person.sees("#1 demo", KEYS)
        person.types("a")
        assert person.ends() == 1
        assert "\x1b[?1049l" in person.seen
        assert person.settings == person.before
    assert desk.ledger.read(holds.held, [1], now=desk.clock()) == {}


def test_without_a_terminal_it_is_one_line_and_exit_code_2(cli: Cli) -> None:
    assert cli("review") == 2
    assert (cli.out, cli.err.count("\n")) == ("", 1)
    assert "review list" in cli.err


def test_a_name_in_front_of_a_command_is_refused(cli: Cli) -> None:
    assert cli("review", "--by", "ann", "list") == 2
    assert "give --by after the command" in cli.err


def test_the_login_name_decides_where_none_is_given(cli: Cli, desk: Desk) -> None:
    with Person(cli.folder, "review", environment={"LOGNAME": "zoe"}) as person:
        person.sees("· zoe", "#1 demo", KEYS)
        person.types("s")
        person.sees("#2 demo", "1 stays unanswered", KEYS)
    assert case(desk, 1).verdicts[0].by == "zoe"
    assert os.environ.get("LOGNAME") != "zoe"
