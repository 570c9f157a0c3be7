"""The commands as a user meets them."""

import asyncio
import json
import os
import re
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, Request, build_opener, urlopen

import pytest

from adapters.sandbox_site import create_site, seed_comments, seed_posts, serve
from bot import samples
from bot.models import State
from tests.access import PASSWORD
from tests.builders import comment
from tests.command_line import Cli
from tests.fakes import FakeOpenAI

DEADLINE_S = 60.0
COMMAND = [sys.executable, "-c", "import sys; from bot.cli import main; sys.exit(main())"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the command line as a process; it is killed at the end if it still runs."""
    running: list[subprocess.Popen[str]] = []

    def begin(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*COMMAND, *arguments], cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        running.append(process)
        return process

    yield begin
    for process in running:
        process.kill()
        process.communicate()


def line_with(process: subprocess.Popen[str], word: str) -> str:
    assert process.stdout is not None
    late = threading.Timer(DEADLINE_S, process.kill)
    late.start()
    try:
        for line in process.stdout:
            if word in line:
                return line
    finally:
        late.cancel()
    raise AssertionError(f"ended without {word!r}: {process.stderr and process.stderr.read()}")


def come_in(page: str, path: str, **form: str) -> OpenerDirector:
    """Sends the form of `path`, and gives the browser that is let in."""
    browser = build_opener(HTTPCookieProcessor())
    with browser.open(
        Request(f"{page}{path}", urlencode(form).encode(), {"Origin": page.rstrip("/")})
    ) as answer:
        assert answer.url == f"{page}review"
    return browser


def seen_by(browser: OpenerDirector, url: str) -> str:
    with browser.open(url, timeout=20) as answer:
        return answer.read().decode()


def until(found: Callable[[], Any]) -> Any:
    """What `found` returns as soon as it is true."""
    end = monotonic() + DEADLINE_S
    while monotonic() < end:
        result = found()
        if result:
            return result
        sleep(0.05)
    raise AssertionError("did not happen in time")


def get(url: str) -> str:
    with urlopen(url, timeout=20) as answer:
        return str(answer.read().decode())


def address(line: str) -> str:
    match = re.search(r"http://\S+/", line)
    assert match
    return match[0]


def test_demo_once_answers_the_bundled_comments_and_its_counts_add_up(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    out, err = start("demo", "--once", "--json").communicate(timeout=DEADLINE_S)
    report = json.loads(out)
    parts = {name: report[name] for name in ("sent", "review", "skipped", "failed")}
    wanted = [sample.expect for sample in samples.comments() if not sample.is_own]
    assert report["comments"] == sum(parts.values()) == len(wanted)
    assert parts == {
        "sent": wanted.count("send"), "review": wanted.count("review"), "skipped": wanted.count("skip"), "failed": 0,
    }  # fmt: skip
    assert err == ""
    assert not list(tmp_path.iterdir())


def test_demo_once_without_json_prints_each_reply(cli: Cli) -> None:
    assert cli("--lang", "zh", "demo", "--once") == 0
    assert "已回复" in cli.out
    assert f"共 {sum(not sample.is_own for sample in samples.comments())} 条评论" in cli.out


def test_demo_once_that_takes_too_long_fails_with_one_line(cli: Cli) -> None:
    assert cli("demo", "--once", "--json", "--deadline", "0") == 1
    assert (cli.out, cli.err.count("\n")) == ("", 1)


def test_the_demo_answers_a_visitor_and_keeps_its_state(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    demo = start("demo", "--port", "0", "--site-port", "0")
    site, page = address(line_with(demo, "Sandbox")), address(line_with(demo, "Review desk"))
    code = line_with(demo, "/start#").partition("#")[2].strip()
    owner = come_in(page, "start", code=code, name="ann", password=PASSWORD)
    post = json.loads(get(f"{site}visitor/changes"))["changes"][0]["post_id"]
    body = json.dumps({"post_id": post, "name": "Zoe", "text": "Do you ship to Singapore?"}).encode()
    request = Request(f"{site}visitor/comments", body, {"Content-Type": "application/json"})
    with urlopen(request, timeout=20) as answer:
        written = json.loads(answer.read())["id"]

    def reply() -> str | None:
        rows = json.loads(get(f"{site}visitor/changes"))["changes"]
        return next((row["text"] for row in rows if row["parent_id"] == written and row["by_creator"]), None)

    assert "Singapore" in until(reply)
    assert until(lambda: "Do you ship to Singapore?" in seen_by(owner, page))
    assert json.loads(get(f"{page}healthz")) == {"ok": True, "troubles": {}}
    demo.send_signal(signal.SIGINT)
    assert demo.wait(DEADLINE_S) == 0
    token = tmp_path / "data" / "demo" / "refresh-token"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600

    again = start("demo", "--port", "0", "--site-port", "0")
    moved = address(line_with(again, "Sandbox"))
    assert any(row["id"] == written for row in json.loads(get(f"{moved}visitor/changes"))["changes"])
    page = address(line_with(again, "Review desk"))
    owner = come_in(page, "login", name="ann", password=PASSWORD)
    assert until(lambda: "last poll" in seen_by(owner, f"{page}?lang=en"))
    again.send_signal(signal.SIGTERM)
    assert again.wait(DEADLINE_S) == 0


def test_run_prints_its_page_and_leaves_in_order_when_told(
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    service = start("run", "--port", "0")
    assert json.loads(get(address(line_with(service, "Review desk")) + "healthz"))["ok"] is True
    service.send_signal(signal.SIGTERM)
    assert service.wait(DEADLINE_S) == 0


@pytest.mark.parametrize("command", [["run"], ["demo", "--site-port", "0"]])
def test_a_taken_port_is_one_line_and_exit_code_2(cli: Cli, command: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert cli(*command, "--port", str(taken.getsockname()[1])) == 2
    assert (cli.out, cli.err.count("\n")) == ("", 1)
    assert "Address already in use" in cli.err


def test_a_fresh_demo_that_cannot_start_deletes_nothing(cli: Cli) -> None:
    kept = cli.folder / "data" / "demo" / "ledger.db"
    kept.parent.mkdir(parents=True)
    kept.write_text("kept")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert cli("demo", "--fresh", "--port", "0", "--site-port", str(taken.getsockname()[1])) == 2
    assert kept.read_text() == "kept"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nope = 1", "nope"),
        ('[web]\nport = "x"', "web.port"),
        ("[service]\nworkers = 0", "service.workers"),
        ("[[[", "not valid TOML"),
    ],
)
def test_bad_settings_are_one_line_and_exit_code_2(cli: Cli, text: str, said: str) -> None:
    (cli.folder / "bad.toml").write_text(text)
    assert cli("run", "-c", "bad.toml") == 2
    assert (cli.out, cli.err.count("\n")) == ("", 1)
    assert said in cli.err


def test_an_explicit_zero_is_taken_as_zero(cli: Cli) -> None:
    (cli.folder / "rejoinder.toml").write_text("[policy]\nmin_support = 0.0\n")
    (cli.folder / "a.md").write_text("# Roasting\n\nRoast for ten minutes.\n")
    answer = cli.json(
        "ask", "Is the roast of ten minutes suitable for aeroplanes?", "--docs", "a.md", "--json"
    )
    assert answer["reason"] != "not_in_documents" or "I can't answer" in answer["reply"]


def test_init_writes_a_file_once(cli: Cli) -> None:
    assert cli("init") == 0
    first = (cli.folder / "rejoinder.toml").read_text()
    (cli.folder / "rejoinder.toml").write_text(first + "# mine\n")
    assert cli("init") == 1
    assert cli.err.count("\n") == 1
    assert (cli.folder / "rejoinder.toml").read_text().endswith("# mine\n")
    assert cli("init", "--force") == 0
    assert (cli.folder / "rejoinder.toml").read_text() == first


def test_ingest_reports_what_it_read_and_what_it_could_not(cli: Cli) -> None:
    (cli.folder / "docs").mkdir()
    (cli.folder / "docs" / "a.md").write_text("# Shop\n\nWe ship to Canada.\n")
    (cli.folder / "docs" / "b.pdf").write_bytes(b"no pdf at all")
    assert cli("ingest", "docs", "gone.md", "--json") == 1
    report = json.loads(cli.out)
    assert [Path(source).name for source in report["added"]] == ["a.md"]
    assert sorted(Path(row["source"]).name for row in report["failed"]) == ["b.pdf", "gone.md"]
    assert cli.err.count("\n") == 2
    assert cli.json("ingest", "docs/a.md", "--json")["unchanged"]


def test_ask_answers_from_the_named_documents_alone(cli: Cli) -> None:
    (cli.folder / "a.md").write_text(
        "# Shop\n\nWe ship to Canada within nine days.\n\n咖啡豆可以寄到加拿大，需要九天。\n"
    )
    answer = cli.json("ask", "Do you ship to Canada?", "--docs", "a.md", "--json")
    keys = {"reply", "decision", "reason", "citations", "language", "voice", "support", "passages", "steps"}
    assert set(answer) == keys
    assert (answer["decision"], answer["reason"], answer["language"]) == ("send", "grounded", "en")
    assert "nine days" in answer["reply"]
    assert set(answer["citations"][0]) == {"source", "title", "text", "score"}
    assert not (cli.folder / "data").exists()


def test_ask_reads_the_question_from_stdin(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    (cli.folder / "a.md").write_text("# 商店\n\n咖啡豆可以寄到加拿大，需要九天。\n")
    read, write = os.pipe()
    os.write(write, "咖啡豆可以寄到加拿大吗？\n".encode())
    os.close(write)
    with os.fdopen(read, encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        answer = cli.json("ask", "-", "--docs", "a.md", "--json")
    assert (answer["language"], "九天" in answer["reply"]) == ("zh", True)


def test_without_a_model_there_is_nothing_to_compare(cli: Cli) -> None:
    assert cli("ask", "Do you ship?", "--no-context") == 2
    assert "nothing to compare" in cli.err
    assert cli.err.count("\n") == 1


def test_ask_speaks_as_the_persona_that_is_named(cli: Cli) -> None:
    (cli.folder / "a.md").write_text("# Shop\n\nWe ship to Canada within nine days.\n")
    ask = ("ask", "Do you ship to Canada?", "--docs", "a.md", "--json")
    for option in ("--preset", "--persona"):
        assert cli.json(*ask, option, "concise")["reply"].endswith("within nine days. Thanks for asking!")
        assert cli(*ask, option, "pirate") == 2
        assert "no persona 'pirate'; known: concise, expert" in cli.err
    assert cli(*ask, "--persona", "expert", "--preset", "concise") == 2


async def test_ask_shows_what_the_model_says_without_the_documents(cli: Cli) -> None:
    (cli.folder / "a.md").write_text("# Shop\n\nWe ship to Canada within nine days.\n")
    async with FakeOpenAI(replies=["Parcels travel by balloon."]) as server:
        generator = f'[generator]\nkind = "vllm"\nbase_url = "{server.url}"\nmodel = "base"\n'
        (cli.folder / "rejoinder.toml").write_text(generator)
        ask = ("ask", "Do you ship to Canada?", "--docs", "a.md", "--no-context")
        found = await asyncio.to_thread(cli.json, *ask, "--json")
        assert await asyncio.to_thread(cli, *ask) == 0
    with_documents, without = (json.dumps(body["messages"]) for body in server.requests[:2])
    assert ("nine days" in with_documents, "nine days" in without) == (True, False)
    assert "balloon" in found["without_documents"]["reply"]
    assert [one["code"] for one in found["without_documents"]["findings"]] == ["unsupported"]
    assert "the documents don't say this: Parcels travel by balloon." in cli.out
    assert "Without documents" in cli.out


def test_a_channel_speaks_as_the_persona_that_it_is_given(cli: Cli) -> None:
    options = ("--option", "base_url=http://127.0.0.1:9", "--option", "refresh_token=env:PATH")
    add = ("channels", "add", "shop", "--platform", "sandbox", *options, "--no-check")
    assert cli(*add, "--persona", "pirate") == 2
    assert "no persona 'pirate'" in cli.err
    assert cli(*add, "--persona", "expert") == 0
    assert cli.json("channels", "rules", "shop")["persona"] == "expert"
    assert cli.json("channels", "rules", "shop", "--persona", "")["persona"] is None


def test_ask_with_unreadable_documents_fails(cli: Cli) -> None:
    assert cli("ask", "Why?", "--docs", "gone.md") == 1
    assert "gone.md" in cli.err


def test_a_reviewer_approves_edits_rejects_and_skips(cli: Cli) -> None:
    desk = cli.desk()
    desk.ingest(*(comment(number) for number in range(1, 5)))
    for work in desk.claim():
        desk.decide(work, State.REVIEW)
    ids = [str(row["id"]) for row in cli.json("review", "list", "--json")]
    assert cli("review", "approve", ids[0], "--by", "ann") == 0
    assert cli("review", "edit", ids[1], "--text", "Nine minutes.", "--by", "ann") == 0
    assert cli("review", "reject", ids[2], "--reason", "wrong tone", "--by", "ann") == 0
    assert cli("review", "skip", ids[3], "--by", "ann") == 0
    assert cli.json("review", "list", "--json") == []
    edited = cli.json("review", "show", ids[1], "--json")
    assert (edited["state"], edited["reply"], edited["verdicts"][0]["by"]) == (
        "ready",
        "Nine minutes.",
        "ann",
    )
    assert cli("review", "approve", ids[2], ids[0]) == 1
    assert cli.err.count("\n") == 2
    assert cli("export", "--what", "feedback") == 0
    rows = [json.loads(line) for line in cli.out.splitlines()]
    assert [row["verdict"]["kind"] for row in rows] == ["approve", "edit", "reject", "skip"]
    desk.ledger.close()


def test_the_editor_that_is_set_writes_the_reply(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = cli.desk()
    desk.ingest(comment(1))
    desk.decide(desk.claim()[0], State.REVIEW)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", "sed -i s/Ten/Eleven/")
    assert cli("review", "edit", "1") == 0, cli.err
    assert cli.json("review", "show", "1", "--json")["reply"] == "Eleven minutes."
    desk.ledger.close()


def test_what_a_commenter_wrote_cannot_steer_the_terminal(cli: Cli) -> None:
    desk = cli.desk()
    desk.ingest(comment(1, "\x1b[31m[bold]red[/bold]\u202e?", author_name="\x9bEve"))
    desk.decide(desk.claim()[0], State.REVIEW)
    for command in (["list"], ["show", "1"]):
        assert cli("review", *command) == 0
        assert "[bold]red[/bold]" in cli.out.replace("\n", "")
        assert not re.search("[\x1b\x9b\u202e]", cli.out)
    desk.ledger.close()


def test_export_streams_every_page_of_a_channel(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.export.PAGE", 2)
    desk = cli.desk()
    desk.ingest(*(comment(number, f"问题 {number}？") for number in range(1, 6)))
    assert cli("export", "--channel", "demo", "--out", "all.jsonl") == 0, cli.err
    rows = [json.loads(line) for line in (cli.folder / "all.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["platform_id"] for row in rows] == [f"c{number}" for number in range(1, 6)]
    assert cli("export", "--channel", "other") == 1
    assert cli("export", "--what", "all") == 2
    desk.ledger.close()


def test_a_newer_database_is_refused_with_one_line(cli: Cli) -> None:
    desk = cli.desk()
    desk.ledger.close()
    with sqlite3.connect(cli.folder / "data" / "ledger.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    assert cli("review", "list") == 1
    assert "newer version" in cli.err
    assert cli.err.count("\n") == 1


def test_a_file_that_is_no_database_is_refused_with_one_line(cli: Cli) -> None:
    (cli.folder / "data").mkdir()
    (cli.folder / "data" / "ledger.db").write_text("this is a diary, not a database")
    assert cli("run", "--port", "0") == 1
    assert (cli.out, cli.err.count("\n")) == ("", 1)
    assert cli("doctor", "--json") == 1
    levels = {row["part"]: row["level"] for row in json.loads(cli.out)}
    assert (levels["settings"], levels["database"], levels["generator"]) == ("ok", "error", "ok")


def test_doctor_says_what_is_missing(cli: Cli) -> None:
    found = {row["part"]: row for row in cli.json("doctor", "--json")}
    assert found["documents"]["level"] == found["channels"]["level"] == "warning"
    assert "rejoinder ingest" in found["documents"]["message"]
    assert cli("doctor", "--lang", "zh") == 0
    assert "正常" in cli.out
    assert "还没有频道；请添加" in cli.out


@dataclass
class Site:
    """A sandbox site on a thread of its own."""

    url: str
    token_file: Path


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    token = "a-token-that-is-long-enough"
    (tmp_path / "token").write_text(token)
    started, stop, found = Event(), Event(), []

    async def hold() -> None:
        app = create_site(":memory:", refresh_token=token)
        (post,) = seed_posts(app, [("Roasting", "At home")])
        seed_comments(app, post, [("Ann", "How long do I roast?"), ("Bo", "烘焙要多久？")])
        running = await serve(app)
        found.append(running.url)
        started.set()
        await asyncio.to_thread(stop.wait)
        await running.aclose()

    thread = Thread(target=lambda: asyncio.run(hold()))
    thread.start()
    assert started.wait(DEADLINE_S)
    yield Site(found[0], tmp_path / "token")
    stop.set()
    thread.join()


def test_a_channel_is_added_checked_paused_and_backfilled(cli: Cli, site: Site) -> None:
    add = ["channels", "add", "mine", "--platform", "sandbox", "--option", f"base_url={site.url}"]
    assert cli(*add, "--option", f"refresh_token=file:{site.token_file}") == 0, cli.err
    assert "Creator" in cli.out
    assert "review" in cli.out
    assert cli("channels", "rules", "mine", "--send", "question", "--max-per-hour", "0") == 0
    assert json.loads(cli.out)["max_per_hour"] == 0
    assert cli("channels", "pause", "mine") == 0
    assert cli.json("channels", "list", "--json")[0]["paused"] is True
    assert cli("channels", "backfill", "mine", "--since", "7d") == 1
    assert "resume" in cli.err
    assert cli("channels", "resume", "mine") == 0
    assert cli("channels", "backfill", "mine", "--since", "7d") == 0, cli.err
    assert "2 comments" in cli.out
    assert len(cli.json("review", "list", "--state", "new", "--json")) == 2
    assert {row["part"]: row["level"] for row in cli.json("doctor", "--json")}["channel mine"] == "ok"
    assert cli(*add, "--option", f"refresh_token=file:{site.token_file}") == 1
    assert "exists already" in cli.err


@pytest.mark.parametrize(
    ("platform", "options", "code"),
    [
        ("nope", [], 2),
        ("sandbox", ["base_url=http://127.0.0.1:1"], 2),
        ("sandbox", ["base_url=http://127.0.0.1:1", "refresh_token=hunter2hunter2"], 2),
        ("sandbox", ["base_url=http://127.0.0.1:1", "refresh_token=env:NOT_SET_ANYWHERE"], 2),
        ("sandbox", ["base_url=http://127.0.0.1:1", "refresh_token=env:PATH", "nope=1"], 2),
        ("sandbox", ["base_url=http://127.0.0.1:1", "refresh_token=env:PATH"], 1),
    ],
)
def test_a_channel_that_cannot_work_is_not_added(
    cli: Cli, platform: str, options: list[str], code: int
) -> None:
    given = [part for option in options for part in ("--option", option)]
    assert cli("channels", "add", "mine", "--platform", platform, *given) == code
    assert (cli.out, cli.err.count("\n")) == ("", 1)
    assert "hunter2" not in cli.err
    assert cli.json("channels", "list", "--json") == []


def test_a_channel_out_of_reach_is_added_unchecked_and_shown_by_the_doctor(cli: Cli) -> None:
    options = ["--option", "base_url=http://127.0.0.1:1", "--option", "refresh_token=env:PATH"]
    assert cli("channels", "add", "mine", "--platform", "sandbox", "--no-check", *options) == 0
    assert cli("doctor", "--json") == 1
    assert {row["part"]: row["level"] for row in json.loads(cli.out)}["channel mine"] == "error"


def test_platforms_are_listed_with_what_they_need(cli: Cli) -> None:
    found = cli.json("channels", "platforms", "--json")
    assert {"sandbox", "isso"} <= set(found)
    assert cli("channels", "platforms") == 0
    assert "env:NAME" in cli.out


def test_a_verdict_of_the_command_line_can_be_taken_back_and_is_told_as_json(cli: Cli) -> None:
    desk = cli.desk()
    desk.ingest(comment(1), comment(2))
    for work in desk.claim():
        desk.decide(work, State.REVIEW)
    [told] = cli.json("review", "approve", "1", "--json")
    assert told == {"id": 1, "act": "approve", "done": True, "state": "ready", "version": 2}
    assert cli("review", "undo", "1") == 0
    assert cli.json("review", "show", "1", "--json")["state"] == "review"
    assert cli("review", "redraft", "2", "--hint", "shorter") == 0
    assert cli.json("review", "show", "2", "--json")["state"] == "new"
    assert cli("review", "approve", "1", "2", "99", "--json") == 1
    assert [(row["done"], row.get("why")) for row in json.loads(cli.out)] == [
        (True, None), (False, "state"), (False, "gone"),
    ]  # fmt: skip
    assert cli.err.count("\n") == 2
    assert cli("review", "approve", "1", "--candidate", "2") == 1
    desk.ledger.close()


def test_the_list_is_narrowed_and_refuses_what_does_not_exist(cli: Cli) -> None:
    desk = cli.desk()
    desk.ingest(comment(1), comment(2, "烘焙要多久？"))
    for work in desk.claim():
        desk.decide(work, State.REVIEW)
    assert [row["id"] for row in cli.json("review", "list", "--search", "多久", "--json")] == [2]
    assert [row["id"] for row in cli.json("review", "list", "--sort", "newest", "--json")] == [2, 1]
    assert [row["id"] for row in cli.json("review", "list", "--older-than", "1h", "--json")] == [1, 2]
    assert cli.json("review", "list", "--intent", "praise", "--json") == []
    assert cli("review", "list", "--channel", "nope") == 1
    assert "no channel is named 'nope'" in cli.err
    for option in ("--sort", "--intent", "--reason", "--older-than", "--state"):
        assert cli("review", "list", option, "nope") == 2
        assert option in cli.err
    desk.ledger.close()
