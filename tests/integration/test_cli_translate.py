"""`rejoinder review --translate`, in this process, with a fake model server on loopback."""

from bot.models import State
from tests.builders import comment
from tests.command_line import Cli
from tests.fakes import FakeOpenAI


def waiting(cli: Cli) -> None:
    desk = cli.desk()
    desk.ingest(comment(1), comment(2, "要烘焙多久？"))
    for work in desk.claim():
        desk.decide(work, State.REVIEW)
    desk.ledger.close()


def test_what_waits_is_listed_with_translations_which_are_kept(cli: Cli, model_server: FakeOpenAI) -> None:
    waiting(cli)
    assert cli("review", "list", "--translate", "zh", "--lang", "en") == 0
    assert "[machine" in cli.out
    assert "烘焙要" in cli.out
    assert len(model_server.requests) == 1  # the other comment is Chinese already
    found = cli.json("review", "list", "--translate", "zh", "--json")
    assert [one["translations"] for one in found] == [{"zh": "烘焙要多久？"}, {}]
    assert len(model_server.requests) == 1


def test_one_comment_is_shown_with_its_translation(cli: Cli, model_server: FakeOpenAI) -> None:
    waiting(cli)
    assert cli("review", "show", "1", "--translate", "zh", "--lang", "zh") == 0
    assert "[机器翻译]\n    烘焙要多久？" in cli.out


def test_the_list_is_shown_even_where_the_model_fails(cli: Cli, model_server: FakeOpenAI) -> None:
    waiting(cli)
    model_server.fault = "500"
    assert cli("review", "list", "--translate", "zh") == 1
    assert "How long do I roast?" in cli.out
    [line] = cli.err.splitlines()
    assert line.startswith("error: comment 1: ")


def test_without_a_model_the_command_says_so(cli: Cli) -> None:
    waiting(cli)
    assert cli("review", "list", "--translate", "zh") == 2
    assert cli.err.count("\n") == 1
    assert "no model to translate with" in cli.err


def test_an_unknown_language_is_refused(cli: Cli) -> None:
    assert cli("review", "show", "1", "--translate", "fr") == 2
    assert "use en or zh" in cli.err
