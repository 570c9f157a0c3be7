"""From verdicts to training rows, on each kind of database and from the command line."""

import json
import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from bot import trl
from bot.bootstrap import assemble
from bot.export import rows
from bot.models import Channel, Draft, Signal, State, Verdict
from bot.persona import Persona
from bot.prompt import prompt_hash
from bot.store import feedback
from bot.store.ledger import Ledger
from tests.builders import START, Desk, comment
from tests.command_line import Cli
from tests.fakes import FakeOpenAI
from tests.service import quick_settings, until

PASSAGE = {
    "title": "Roasting",
    "heading": "",
    "text": "Roast for ten minutes at 205 C.",
    "source": "notes.md",
}


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.chdir(tmp_path)
    return Cli(tmp_path, capsys)


@pytest.fixture
def desk(ledger: Ledger) -> Iterator[Desk]:
    return Desk(ledger)  # type: ignore[return-value]


def judge(desk: Desk, comment_id: int, kind: str, text: str = "", **more: Any) -> None:
    """A verdict on the draft in force, as the desk writes it."""

    def work(session: Any) -> None:
        draft = session.exec(select(Draft).where(Draft.comment_id == comment_id)).first()
        values = {"draft_id": draft.id if draft else None, "by": "ann", "at": desk.clock()} | more
        session.add(Verdict(comment_id=comment_id, kind=kind, text=text, **values))

    desk.clock.forward(1)
    desk.ledger.write(work)


def drafted(desk: Desk, *comments: Any) -> list[int]:
    desk.ingest(*comments)
    ids = []
    for work in desk.claim():
        desk.decide(work, State.REVIEW)
        ids.append(work.comment.id or 0)

    def give_passages(session: Any) -> None:
        for draft in session.exec(select(Draft)):
            draft.passages, draft.citations, draft.language = [PASSAGE], [0], "en"
            draft.candidates = [draft.text]

    desk.ledger.write(give_passages)
    return ids


def persona_of(channel: Channel) -> Persona:
    return Persona(name="Mo")


def exported(desk: Desk, folder: Path, **options: Any) -> dict[str, Any]:
    folder.mkdir()
    return trl.write(desk.ledger, folder, persona_of, **options)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_rows_have_trls_columns_and_the_reply_as_a_model_writes_it(desk: Desk, tmp_path: Path) -> None:
    [one] = drafted(desk, comment(1))
    judge(
        desk, one, "edit", "Thanks for asking! Ten minutes at 205 C.", candidates=["Ten minutes."], chosen=0
    )
    manifest = exported(desk, tmp_path / "out")
    [taught], [preferred] = (
        lines(tmp_path / "out" / "sft.jsonl"),
        lines(tmp_path / "out" / "preferences.jsonl"),
    )
    assert [message["role"] for message in taught["prompt"]] == ["system", "user"]
    assert "205 C" in taught["prompt"][1]["content"]
    assert taught["completion"] == [{"role": "assistant", "content": "Ten minutes at 205 C. [1]"}]
    assert preferred["prompt"] == taught["prompt"]
    assert preferred["chosen"] == taught["completion"]
    assert preferred["rejected"] == [{"role": "assistant", "content": "Ten minutes. [1]"}]
    assert manifest["files"]["preferences.jsonl"]["kinds"] == {"edit": 1}
    assert not (tmp_path / "out" / "rows.db").exists()


def test_rows_tell_threads_and_reviewers_apart_without_naming_them(desk: Desk, tmp_path: Path) -> None:
    one, other, third = drafted(desk, comment(1), comment(2, "And then?", thread_id="c1"), comment(3, "Why?"))
    judge(desk, one, "approve", "A.", by="ann")
    judge(desk, other, "approve", "B.", by="bob")
    judge(desk, third, "approve", "C.", by="ann")
    exported(desk, tmp_path / "out")
    rows = {row["comment"]: row for row in lines(tmp_path / "out" / "sft.jsonl")}
    threads, people = (
        [rows[number][name] for number in (one, other, third)] for name in ("thread", "reviewer")
    )
    assert threads[0] == threads[1] != threads[2]
    assert people[0] == people[2] != people[1]
    assert all(re.fullmatch(r"[0-9a-f]{16}", value) for value in threads + people)


def test_a_draft_that_did_not_know_is_taught_with_the_mark_for_it(desk: Desk, tmp_path: Path) -> None:
    [one] = drafted(desk, comment(1))

    def unknown(session: Any) -> None:
        session.exec(select(Draft)).one().ranking = [{"answered": False}]

    desk.ledger.write(unknown)
    judge(desk, one, "edit", "Ten minutes!", candidates=["Ten minutes."], chosen=0)
    exported(desk, tmp_path / "out")
    [preferred] = lines(tmp_path / "out" / "preferences.jsonl")
    assert preferred["chosen"][0]["content"] == "Ten minutes! [1]"
    assert preferred["rejected"][0]["content"] == "[unknown] Ten minutes."


def test_what_tells_who_a_commenter_is_is_masked_in_prompt_and_reply(desk: Desk, tmp_path: Path) -> None:
    asked = comment(1, "Call me on 13800138000, Anna Berg", author_name="Anna Berg")
    [one] = drafted(desk, asked)
    judge(desk, one, "edit", "Anna Berg, we call 138 0013 8000. Roast at 205 C.", candidates=["Ten minutes."])
    exported(desk, tmp_path / "out")
    written = (tmp_path / "out" / "sft.jsonl").read_text() + (
        tmp_path / "out" / "preferences.jsonl"
    ).read_text()
    assert "Anna" not in written
    assert "138" not in written.replace('"138', "")
    assert "we call [phone-1]. Roast at 205 C." in written
    kept = list(rows(desk.ledger, what="feedback", persona_of=persona_of))
    told = json.dumps(kept, default=str)
    assert "Anna" not in told
    assert "0013" not in told
    assert kept[0]["draft"]["passages"] == [PASSAGE]


def test_the_thread_stands_in_the_prompt_as_far_as_the_draft_knew_it(desk: Desk, tmp_path: Path) -> None:
    drafted(
        desk, comment(1, "Which beans?"), comment(2, "Bourbon.", is_own=True, thread_id="c1", parent_id="c1")
    )
    [asked] = drafted(desk, comment(4, "And how long?", thread_id="c1", parent_id="c1"))
    desk.clock.forward(60)
    desk.ingest(comment(3, "Too late to be seen", thread_id="c1", parent_id="c1"))
    judge(desk, asked, "approve", "Ten minutes.")
    exported(desk, tmp_path / "out")
    [row] = lines(tmp_path / "out" / "sft.jsonl")
    said = row["prompt"][1]["content"]
    assert "fan: Which beans?\nus: Bourbon.\n" in said
    assert "Too late" not in said


def test_the_hash_depends_on_the_data_and_not_on_time_or_paging(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = drafted(desk, *(comment(number, f"Question {number}?") for number in range(1, 6)))
    for number in reversed(ids):
        judge(desk, number, "edit", f"Answer {number}.", candidates=["Ten minutes."], chosen=0)
    first = exported(desk, tmp_path / "a")
    monkeypatch.setattr("bot.trl.PAGE", 2)
    desk.clock.forward(3600)
    again = exported(desk, tmp_path / "b")
    assert again == first
    assert (tmp_path / "a" / "sft.jsonl").read_bytes() == (tmp_path / "b" / "sft.jsonl").read_bytes()
    judge(desk, ids[0], "edit", "Another.", candidates=["Ten minutes."], chosen=0)
    assert exported(desk, tmp_path / "c")["content_sha256"] != first["content_sha256"]


def test_the_same_prompt_is_taught_once_and_the_later_of_two_contradicting_verdicts_counts(
    desk: Desk, tmp_path: Path
) -> None:
    one, other = drafted(desk, comment(1, "How long?"), comment(2, "How long?"))
    judge(desk, one, "approve", "A", candidates=["A", "B"], chosen=0)
    judge(desk, other, "approve", "B", candidates=["A", "B"], chosen=1)
    judge(desk, one, "approve", "B", candidates=["C", "B"], chosen=1, undone_at=START)
    manifest = exported(desk, tmp_path / "out")
    [row] = lines(tmp_path / "out" / "preferences.jsonl")
    assert row["chosen"][0]["content"] == "B [1]"
    assert manifest["left_out"] == {"undone": 1}


def test_since_and_channel_choose_by_the_time_of_the_verdict(desk: Desk, tmp_path: Path) -> None:
    first, second = drafted(desk, comment(1), comment(2, "And then?"))
    judge(desk, first, "reject", candidates=["Ten minutes."])
    judge(desk, second, "approve", "Ten minutes.")
    between = desk.clock() + timedelta(milliseconds=500)
    judge(desk, first, "edit", "Nine.", candidates=["Ten minutes."])
    exported(desk, tmp_path / "out", since=between)
    assert [row["comment"] for row in lines(tmp_path / "out" / "sft.jsonl")] == [first]
    [pair] = lines(tmp_path / "out" / "preferences.jsonl")
    assert pair["kind"] == "reject"
    assert exported(desk, tmp_path / "none", channel="other")["files"]["sft.jsonl"]["rows"] == 0


def test_signals_are_written_apart_and_an_unconfirmed_removal_is_not(desk: Desk, tmp_path: Path) -> None:
    one, other = drafted(desk, comment(1), comment(2))

    def signal(session: Any) -> None:
        for number, kind, value in ((one, "likes", 3), (one, "removed", 2), (other, "removed", 1)):
            session.add(Signal(comment_id=number, kind=kind, value=value, first_at=START, last_at=START))

    desk.ledger.write(signal)
    exported(desk, tmp_path / "out")
    found = [(row["comment"], row["kind"], row["value"]) for row in lines(tmp_path / "out" / "signals.jsonl")]
    assert found == [(one, "likes", 3), (one, "removed", 2)]
    assert lines(tmp_path / "out" / "sft.jsonl") == []


def test_a_page_costs_the_same_queries_for_one_comment_and_for_many(desk: Desk) -> None:
    from sqlalchemy import event

    ids = drafted(desk, *(comment(number) for number in range(1, 31)))
    for number in ids:
        judge(desk, number, "approve", "Ten minutes.")
    counted: list[str] = []
    event.listen(desk.ledger.engine, "before_cursor_execute", lambda *given: counted.append(given[2]))
    assert len(desk.ledger.read(feedback.judged, after=0, limit=1)) == 1
    one = len(counted)
    assert len(desk.ledger.read(feedback.judged, after=0, limit=30)) == 30
    assert len(counted) - one == one


async def test_an_exported_prompt_is_what_the_model_server_was_sent(tmp_path: Path) -> None:
    async with FakeOpenAI(replies=["Ten minutes [1].", "Nine minutes [1]."]) as server:
        (tmp_path / "notes.md").write_text("# Roasting\n\nRoast the beans for ten minutes.\n")
        settings = quick_settings(
            tmp_path / "data",
            generator={"kind": "vllm", "base_url": server.url, "model": "base", "candidates": 2},
            persona={"name": "Mo", "tone": "Dry."},
        )
        async with assemble(settings, roles=frozenset({"respond"})) as running:
            await running.library.ingest([str(tmp_path / "notes.md")])
            desk = Desk(running.ledger)
            desk.ingest(
                comment(1, "Which beans?"),
                comment(2, "How long do I roast the beans?", thread_id="c1", parent_id="c1"),
                comment(3, "怎么烘豆子？要烤多久？"),
            )
            await drafts_of(running, 3)
            for number in (1, 2, 3):
                judge(desk, number, "approve", "Ten minutes.", candidates=["Nine.", "Ten minutes."], chosen=1)
            from bot.building.persona import persona_of as by_settings

            (tmp_path / "out").mkdir()
            manifest = trl.write(running.ledger, tmp_path / "out", by_settings(settings))
    sent = {prompt_hash(body["messages"]) for body in server.requests}
    found = lines(tmp_path / "out" / "sft.jsonl")
    assert len(found) == 3
    assert all(row["prompt_exact"] and prompt_hash(row["prompt"]) in sent for row in found)
    assert manifest["files"]["sft.jsonl"]["prompt_exact"] == 3


async def drafts_of(running: Any, number: int) -> None:
    import asyncio

    stop = asyncio.Event()
    task = asyncio.create_task(running.service.run(stop))

    def drafted_all() -> bool:
        return bool(running.ledger.read(lambda session: len(session.exec(select(Draft)).all())) >= number)

    try:
        await until(drafted_all)
    finally:
        stop.set()
        await task


def test_with_another_persona_the_prompt_is_told_apart(desk: Desk, tmp_path: Path) -> None:
    [one] = drafted(desk, comment(1))
    judge(desk, one, "approve", "Ten minutes.")
    exported(desk, tmp_path / "out")
    assert [row["prompt_exact"] for row in lines(tmp_path / "out" / "sft.jsonl")] == [False]


def test_the_command_writes_a_folder_and_says_what_is_in_it(cli: Cli) -> None:
    desk = cli.desk()
    [one] = drafted(desk, comment(1))
    judge(desk, one, "edit", "Nine.", candidates=["Ten minutes."], chosen=0)
    manifest = cli.json("export", "feedback", "--format", "trl", "--out", "rows", "--json")
    assert manifest == json.loads((cli.folder / "rows" / "manifest.json").read_text())
    assert manifest["files"]["sft.jsonl"]["rows"] == manifest["files"]["preferences.jsonl"]["rows"] == 1
    assert cli("export", "feedback", "--format", "trl", "--out", "rows", "--lang", "zh") == 0
    assert "1 条示范回复" in cli.out
    assert sorted(path.name for path in cli.folder.iterdir()) == ["data", "rows"]
    desk.ledger.close()


def test_bad_usage_of_the_command_is_one_line_and_writes_nothing(cli: Cli) -> None:
    (cli.folder / "mine").mkdir()
    (cli.folder / "mine" / "letter.txt").write_text("Dear Ann")
    for wrong in (
        ["feedback", "--format", "trl", "--out", "mine"],
        ["feedback", "--format", "trl"],
        ["comments", "--format", "trl", "--out", "new"],
        ["feedback", "--format", "csv"],
        ["feedback", "--json"],
        ["feedback", "--what", "comments"],
    ):
        assert cli("export", *wrong) == 2, wrong
        assert cli.err.count("\n") == 1
    assert (cli.folder / "mine" / "letter.txt").read_text() == "Dear Ann"
    assert not list(cli.folder.glob("*.unfinished"))


@pytest.mark.parametrize(
    "arguments", [["--out", "all.jsonl"], ["feedback", "--format", "trl", "--out", "rows"]]
)
def test_an_export_that_is_interrupted_leaves_nothing_behind(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, arguments: Sequence[str]
) -> None:
    desk = cli.desk()
    [one] = drafted(desk, comment(1))
    judge(desk, one, "approve", "Ten minutes.")

    def interrupted(*given: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bot.export.comment_row", interrupted)
    monkeypatch.setattr("bot.trl.rows_of", interrupted)
    assert cli("export", *arguments) != 0
    assert [path.name for path in cli.folder.iterdir()] == ["data"]
    desk.ledger.close()


def test_an_older_export_stays_until_the_new_one_is_whole(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = cli.desk()
    [one] = drafted(desk, comment(1))
    judge(desk, one, "approve", "Ten minutes.")
    assert cli("export", "feedback", "--format", "trl", "--out", "rows") == 0
    before = (cli.folder / "rows" / "manifest.json").read_text()

    def broken(*given: object, **more: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("bot.trl.rows_of", broken)
        assert cli("export", "feedback", "--format", "trl", "--out", "rows") != 0
    assert (cli.folder / "rows" / "manifest.json").read_text() == before
    desk.ledger.close()
