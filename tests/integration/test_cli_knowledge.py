"""The library on the command line: what it holds, what it answers, what is wrong with it."""

import json
from pathlib import Path

import pytest
from rich.text import Text

from bot.cli import main
from bot.cli.passages import highlighted
from bot.models import Draft, State
from bot.reasons import Reason
from bot.store.drafting import Outcome, save_outcomes
from tests.builders import comment
from tests.command_line import Cli

SHOP = "# Shop\n\n## Shipping\n\nWe ship to Canada within nine days. Orders over $40 travel free.\n"
BEANS = (
    "# 咖啡豆\n\n低因咖啡豆每周三烘焙，周五寄出，可以寄到加拿大，运费三十元，满三百元免运费，欢迎订购品尝。\n"
)


@pytest.fixture
def shelf(cli: Cli) -> Cli:
    """A library of two documents, one of them tagged."""
    (cli.folder / "docs").mkdir()
    (cli.folder / "docs" / "shop.md").write_text(SHOP)
    (cli.folder / "docs" / "beans.md").write_text(BEANS, encoding="utf-8")
    assert cli("ingest", "docs/shop.md", "--tag", " Shop ") == 0
    assert cli("ingest", "docs") == 0
    return cli


def names(rows: list[dict[str, str]]) -> list[str]:
    return [Path(row["source"]).name for row in rows]


def test_documents_keep_their_tags_when_they_are_ingested_again(shelf: Cli) -> None:
    found = shelf.json("knowledge", "list", "--json")
    assert [(row["title"], row["language"], row["tags"]) for row in found] == [
        ("咖啡豆", "zh", []),
        ("Shop", "en", ["shop"]),
    ]
    assert names(shelf.json("knowledge", "list", "--tag", "SHOP", "--json")) == ["shop.md"]


def test_what_could_not_be_read_of_a_file_is_told(cli: Cli) -> None:
    (cli.folder / "pairs.csv").write_text("question,answer\nHow?,So.\nWhen?,\n", "utf-8")
    assert cli("--lang", "zh", "ingest", "pairs.csv") == 0
    assert (cli.err.count("\n"), cli.err.startswith("提示：")) == (1, True)
    assert "line 3: no question or no answer" in cli.err
    cli.json("knowledge", "remove", "pairs.csv", "--json")
    [note] = cli.json("ingest", "pairs.csv", "--json")["notes"]
    assert (Path(note["source"]).name, note["message"].split(":")[0]) == ("pairs.csv", "line 3")


def test_show_gives_the_passages_with_their_headings(shelf: Cli) -> None:
    found = shelf.json("knowledge", "show", "shop.md", "--json")
    assert (found["title"], found["passages"], found["text"][0]["heading"]) == ("Shop", 1, "Shipping")
    assert shelf("knowledge", "show", "shop.md") == 0
    assert "[1] Shop › Shipping\n    We ship to Canada within nine days." in shelf.out
    assert shelf("--lang", "zh", "knowledge", "show", "shop.md", "--passages", "0") == 0
    assert "另有 1 个段落" in shelf.out
    assert "nine days" not in shelf.out


def test_show_wants_one_document(shelf: Cli) -> None:
    assert shelf("knowledge", "show", "docs") == 1
    assert "any of 2" in shelf.err
    assert shelf("knowledge", "show", "gone.md") == 1
    assert shelf.err.count("\n") == 1


def test_tag_replaces_the_tags_of_a_document_or_of_a_folder(shelf: Cli) -> None:
    shelf.json("knowledge", "tag", "shop.md", "a", "B", "--json")
    assert shelf.json("knowledge", "stats", "--json")["tags"] == {"a": 1, "b": 1}
    shelf.json("knowledge", "tag", "docs", "--none", "--json")
    assert shelf.json("knowledge", "stats", "--json")["tags"] == {}


def test_remove_forgets_what_is_held_and_names_what_is_not(shelf: Cli) -> None:
    assert shelf("knowledge", "remove", "shop.md", "gone.md", "--json") == 1
    report = json.loads(shelf.out)
    assert ([Path(source).name for source in report["removed"]], report["not_held"]) == (
        ["shop.md"],
        ["gone.md"],
    )
    assert shelf.err.count("\n") == 1
    assert (shelf.folder / "docs" / "shop.md").exists()
    assert names(shelf.json("knowledge", "list", "--json")) == ["beans.md"]
    assert shelf.json("ask", "Do you ship to Canada?", "--json")["passages"] == []


def test_reindex_and_stats_count_what_there_is(shelf: Cli) -> None:
    assert shelf.json("knowledge", "reindex", "--json") == {"documents": 2}
    stats = shelf.json("knowledge", "stats", "--json")
    assert (stats["documents"], stats["passages"], stats["languages"]) == (2, 2, {"en": 1, "zh": 1})
    assert shelf("--lang", "zh", "knowledge", "stats") == 0
    assert "2 份资料，2 个段落" in shelf.out
    assert "标签：shop 1" in shelf.out


def test_doctor_names_what_to_mend_and_what_to_write_next(shelf: Cli) -> None:
    assert shelf("knowledge", "doctor") == 0
    assert shelf.out == "The library has nothing to mend.\n"
    (shelf.folder / "docs" / "copy.md").write_text(SHOP)
    assert shelf("ingest", "docs") == 0
    (shelf.folder / "docs" / "beans.md").unlink()
    asked_in_vain(shelf)
    found = shelf.json("knowledge", "doctor", "--json")
    assert [[Path(one).name for one in group] for group in found["same_content"]] == [["copy.md", "shop.md"]]
    assert [Path(source).name for source in found["vanished"]] == ["beans.md"]
    assert [(topic["example"], topic["comments"]) for topic in found["unanswered"]] == [("Which grinder?", 2)]
    assert shelf("--lang", "zh", "knowledge", "doctor") == 0
    assert "同一文件重复收录" in shelf.out
    assert "资料里没有（共 2 条评论）" in shelf.out


def test_unanswered_is_listed_by_topic(cli: Cli) -> None:
    assert cli("knowledge", "unanswered") == 0
    assert cli.out.count("\n") == 1
    asked_in_vain(cli)
    [topic] = cli.json("knowledge", "unanswered", "--json")
    assert (topic["comments"], topic["waiting"], topic["posts"]) == (2, 2, ["Roasting at home"])
    assert cli.json("knowledge", "unanswered", "--since", "0d", "--json") == []
    assert cli("--lang", "zh", "knowledge", "unanswered") == 0
    assert "Which grinder?" in cli.out


def asked_in_vain(cli: Cli) -> None:
    """Two comments that the documents hold no answer to."""
    desk = cli.desk()
    desk.ingest(comment(1, "Which grinder?"), comment(2, "what grinder pls"))
    for work in desk.claim():
        made = Draft(comment_id=work.comment.id or 0, created_at=desk.clock(), reason=Reason.NOT_IN_DOCUMENTS)
        outcome = Outcome(work.comment.id or 0, State.REVIEW, Reason.NOT_IN_DOCUMENTS, draft=made)
        desk.ledger.write(save_outcomes, [outcome], owner=desk.owner, now=desk.clock())
    desk.ledger.close()


def test_ask_tells_every_passage_with_its_scores(shelf: Cli) -> None:
    answer = shelf.json("ask", "Do you ship to Canada?", "--json")
    [passage] = answer["passages"]
    assert passage["quote"] == "We ship to Canada within nine days."
    assert {"score", "support", "matched", "heading", "page", "time", "tags", "text"} <= set(passage)
    assert shelf("ask", "Do you ship to Canada?", "--passages") == 0
    assert "[1] Shop › Shipping\n" in shelf.out
    assert "· cited" in shelf.out
    assert "Orders over $40 travel free." in shelf.out
    assert "\x1b" not in shelf.out


def test_ask_looks_at_no_more_passages_than_it_is_told_and_only_at_the_tag(shelf: Cli) -> None:
    (shelf.folder / "docs" / "more.md").write_text("# More\n\nShip to Canada? Canada is far.\n")
    assert shelf("ingest", "docs") == 0
    question = ["ask", "Do you ship to Canada?", "--json"]
    assert len(shelf.json(*question)["passages"]) == 2
    assert len(shelf.json(*question, "--top", "1")["passages"]) == 1
    assert names(shelf.json(*question, "--tag", "shop")["passages"]) == ["shop.md"]


@pytest.mark.parametrize(
    "wrong",
    [
        ["knowledge"],
        ["knowledge", "nope"],
        ["knowledge", "show"],
        ["knowledge", "tag", "a.md"],
        ["knowledge", "tag", "a.md", "x", "--none"],
        ["knowledge", "tag", "a.md", " "],
        ["knowledge", "unanswered", "--since", "tomorrow"],
        ["ingest", "a.md", "--tag", ""],
        ["ask", "Why?", "--top", "0"],
        ["ask", "Why?", "--tag", "a", "--docs", "b"],
    ],
)
def test_bad_usage_of_the_library_is_one_line_and_exit_code_2(
    wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(wrong) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)


def test_a_channel_is_limited_on_the_command_line_and_doctor_says_when_nothing_is_left(shelf: Cli) -> None:
    shelf.desk().ledger.close()
    given = ["--tag", "Club", "--post-tag", "p1=Shop"]
    code = shelf("channels", "rules", "demo", *given)
    assert (code, json.loads(shelf.out)["tags"], json.loads(shelf.out)["post_tags"]) == (
        0,
        ["club"],
        {"p1": ["shop"]},
    )
    assert shelf("channels", "list") == 0
    assert "club (+1 posts)" in shelf.out
    shelf("doctor", "--json")
    parts = {row["part"]: row["message"] for row in json.loads(shelf.out) if row["level"] == "warning"}
    assert "tagged club" in parts["channel demo"]
    assert "channel demo, post p1" not in parts
    assert shelf("channels", "rules", "demo", "--any-tag", "--post-tag", "p1=") == 0
    assert (json.loads(shelf.out)["tags"], json.loads(shelf.out)["post_tags"]) == ([], {})


@pytest.mark.parametrize(
    ("text", "words", "marked"),
    [
        ("Often ten tents, TEN days", ("ten",), ["ten", "TEN"]),
        ("可以寄到加拿大吗", ("加拿大", "寄"), ["加拿大", "寄"]),
        ("c++ and [red]c#[/]", ("c++", "[red]"), ["c++", "[red]"]),
        ("nothing", ("",), []),
    ],
)
def test_matched_words_are_marked_whole(text: str, words: tuple[str, ...], marked: list[str]) -> None:
    shown = highlighted(text, words)
    assert isinstance(shown, Text)
    assert (shown.plain, [text[span.start : span.end] for span in shown.spans]) == (text, marked)
