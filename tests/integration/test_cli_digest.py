"""`rejoinder digest`, in this process; the comments are of today, as its time is."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.models import State
from tests.builders import comment
from tests.command_line import Cli
from tests.fakes import FakeOpenAI


def asked(cli: Cli) -> None:
    desk = cli.desk()
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    texts = ["Do you ship to Canada?", "do you ship to canada", "<b>Which</b> grinder?"]
    desk.ingest(
        *(
            comment(n, text, created_at=hour_ago + timedelta(minutes=n), url=f"https://x.example/{n}")
            for n, text in enumerate(texts, 1)
        ),
        comment(9, "Long ago?", created_at=hour_ago - timedelta(days=3)),
    )
    for work in desk.claim():
        desk.decide(work, State.REVIEW)
    desk.ledger.close()


def test_a_program_gets_exact_numbers_and_links(cli: Cli) -> None:
    asked(cli)
    found = cli.json("digest", "--json")
    assert {key: found[key] for key in ("comments", "review", "sent", "skipped", "failed", "waiting")} == {
        "comments": 3, "review": 3, "sent": 0, "skipped": 0, "failed": 0, "waiting": 0,
    }  # fmt: skip
    assert [(topic["name"], topic["comments"]) for topic in found["topics"]] == [
        ("Do you ship to Canada?", 2),
        ("<b>Which</b> grinder?", 1),
    ]
    assert found["topics"][0]["examples"][0]["url"] == "https://x.example/1"
    assert found["summary"] == []
    assert cli.json("digest", "--json", "--since", "7d")["comments"] == 4


@pytest.mark.parametrize(("language", "word"), [("en", "# What people asked"), ("zh", "# 大家问了什么")])
def test_a_person_gets_markdown(cli: Cli, language: str, word: str) -> None:
    asked(cli)
    assert cli("digest", "--language", language, "--channel", "demo") == 0
    assert cli.out.startswith(word)
    assert "\\<b\\>Which\\</b\\> grinder?" in cli.out


def test_a_file_is_written_by_its_ending(cli: Cli, tmp_path: Path) -> None:
    asked(cli)
    assert cli("digest", "--out", str(tmp_path / "today.HTML"), "--lang", "en") == 0
    assert "3 comments" in cli.out
    text = (tmp_path / "today.HTML").read_text("utf-8")
    assert "&lt;b&gt;Which&lt;/b&gt; grinder?" in text
    assert cli("digest", "--out", str(tmp_path / "today.md")) == 0
    assert (tmp_path / "today.md").read_text("utf-8").startswith("# ")


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--out", "today.pdf"), 2, "ends in .md or .html"),
        (("--out", "a.md", "--json"), 2, "not both"),
        (("--language", "fr"), 2, "use en or zh"),
        (("--since", "soon"), 2, "is no time"),
        (("--channel", "none"), 1, "no channel is named"),
        (("--out", "missing/a.md"), 1, "missing/a.md"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    cli: Cli, options: tuple[str, ...], code: int, said: str
) -> None:
    asked(cli)
    assert cli("digest", *options) == code
    assert said in cli.err
    assert cli.err.count("\n") == 1


def test_the_model_names_the_topics_where_there_is_one(cli: Cli, model_server: FakeOpenAI) -> None:
    asked(cli)
    model_server.replies = [
        json.dumps({"names": ["Shipping", "Grinders"], "summary": "People ask about shipping."})
    ]
    found = cli.json("digest", "--json", "--language", "en")
    assert [(topic["name"], topic["comments"]) for topic in found["topics"]] == [
        ("Shipping", 2),
        ("Grinders", 1),
    ]
    assert found["summary"] == ["People ask about shipping."]


def test_the_numbers_do_not_wait_for_a_model_that_fails(cli: Cli, model_server: FakeOpenAI) -> None:
    asked(cli)
    model_server.fault = "500"
    assert cli("digest", "--json", "--lang", "en") == 0
    assert json.loads(cli.out)["comments"] == 3
    assert cli.err.startswith("The model's summary is left out: ")
    assert cli.err.count("\n") == 1


def test_an_empty_time_is_told(cli: Cli) -> None:
    cli.desk().ledger.close()
    assert cli.json("digest", "--json")["comments"] == 0
    assert cli("digest", "--lang", "en") == 0
    assert "Nobody wrote anything in this time." in cli.out
