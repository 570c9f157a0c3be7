"""The pure parts of the command line, the logs and the settings file."""

import io
import json
import string
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from pydantic import BaseModel, ValidationError
from rich.console import Console

from bot import logs
from bot.cli import COMMANDS, hoisted, load_command, main
from bot.cli.channel_options import checked_rules, read_options
from bot.cli.errors import Misuse
from bot.cli.messages import MESSAGES
from bot.cli.progress import bars_of
from bot.cli.serve import once_report
from bot.cli.shell import Shell, parse_since
from bot.demo import demo_settings
from bot.models import State
from bot.plain import excerpt, plain
from bot.settings import ChannelRulesSettings, LogSettings, Settings, load
from bot.settings_file import settings_text
from bot.store.stats import Counts

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


@pytest.fixture
def log_output() -> Iterator[io.StringIO]:
    out = io.StringIO()
    yield out
    structlog.reset_defaults()


def keys_of(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from keys_of(field.annotation, (*path, name))
        else:
            yield (*path, name)


def test_the_settings_file_holds_every_key() -> None:
    # A key without a default stands behind a #: uncommented, the file is still valid.
    lines = settings_text().splitlines()
    bare = [line.removeprefix("# ") if " = " in line and "REJOINDER" not in line else line for line in lines]
    kept = [line for line in bare if not line.startswith("#") and (" = " in line or line.startswith("["))]
    data: Any = tomllib.loads("\n".join(kept))
    for path in keys_of(Settings):
        found = data
        for name in path:
            assert name in found, path
            found = found[name]


def test_the_settings_file_loads_to_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "rejoinder.toml"
    file.write_text(settings_text(), encoding="utf-8")
    assert load(file) == Settings()


def test_the_settings_file_names_the_choices() -> None:
    assert "One of: debug, info, warning, error." in settings_text()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_says_of_each_command_what_the_command_says_of_itself(name: str) -> None:
    line = COMMANDS[name][1].rstrip(".")
    assert load_command(name).help.startswith(line)


@pytest.mark.parametrize("key", MESSAGES)
def test_both_languages_say_the_same_values(key: str) -> None:
    english, chinese = (
        {field for _, field, _, _ in string.Formatter().parse(text) if field} for text in MESSAGES[key]
    )
    # A name may be said twice in one language, or once: the set must be the same.
    assert english == chinese


def test_the_help_loads_nothing_slow() -> None:
    program = (
        "import sys; from bot.cli import main; main(['--help']); "
        "slow = {'sqlmodel', 'sqlalchemy', 'aiohttp', 'pydantic', 'alembic', 'openai'} & set(sys.modules); "
        "sys.exit(f'loaded: {slow}' if slow else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    "wrong", [["nope"], [], ["--nope"], ["review", "show", "x"], ["demo", "--port", "70000"]]
)
def test_bad_usage_is_one_line_and_exit_code_2(
    wrong: list[str], language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--lang", language, *wrong]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("error: ")


def test_global_options_may_stand_after_the_command() -> None:
    assert hoisted(["run", "-c", "x.toml", "--role", "web", "--data-dir=d"]) == [
        "-c", "x.toml", "--data-dir=d", "run", "--role", "web",
    ]  # fmt: skip


def test_nothing_is_hoisted_from_behind_a_double_dash() -> None:
    assert hoisted(["ask", "--", "--lang"]) == ["ask", "--", "--lang"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7d", NOW - timedelta(days=7)),
        ("90m", NOW - timedelta(minutes=90)),
        ("0d", NOW),
        ("2026-03-01T18:00+08:00", datetime(2026, 3, 1, 10, 0, tzinfo=UTC)),
    ],
)
def test_since_takes_times_and_ages(text: str, expected: datetime) -> None:
    assert parse_since(text, NOW) == expected


@pytest.mark.parametrize(
    "text", ["", "d", "yesterday", "-1d", "2026-13-01", "2026-03-11T00:00+00:00", "9999999d", "٣d"]
)
def test_since_refuses_what_is_no_past_time(text: str) -> None:
    with pytest.raises(Misuse):
        parse_since(text, NOW)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("a\u202eb\u2066c", "a\\u202eb\\u2066c"),
        ("\x9b2J", "\\x9b2J"),
        ("\ud800", "\\ud800"),
        ("一\n二", "一\n二"),
        ("👩\u200d🍳", "👩\u200d🍳"),
    ],
)
def test_a_strangers_text_cannot_steer_the_terminal(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_an_excerpt_is_one_short_line_whatever_the_text() -> None:
    assert excerpt("a\n\tb", 10) == "a b"
    assert excerpt("烘焙" * 1_000_000, 5) == "烘焙烘焙…"
    assert excerpt(" " * 100 + "x", 5) == "…"


def test_logs_escape_commenters_and_hide_secrets(log_output: io.StringIO) -> None:
    logs.configure(LogSettings(format="json"), stream=log_output)
    structlog.get_logger().info("seen", text="\x1b[2J\nfake line", refresh_token="abc", channel="演示")
    (line,) = log_output.getvalue().splitlines()
    row = json.loads(line)
    assert (row["text"], row["refresh_token"], row["channel"]) == ("\\x1b[2J fake line", "[hidden]", "演示")


def test_text_logs_are_one_line_an_event(log_output: io.StringIO) -> None:
    logs.configure(LogSettings(format="text"), stream=log_output)
    structlog.get_logger().warning("seen", text="a\nb")
    assert log_output.getvalue().count("\n") == 1


def test_logs_below_the_level_are_left_out(log_output: io.StringIO) -> None:
    logs.configure(LogSettings(format="json", level="debug"), level="error", stream=log_output)
    structlog.get_logger().warning("quiet")
    assert log_output.getvalue() == ""


def test_the_parts_of_the_demo_report_add_up() -> None:
    by_state = {State.SENT: 3, State.REVIEW: 2, State.SKIPPED: 1}
    report = once_report(Counts(by_state, {}), 1.234)
    assert report == {"comments": 6, "sent": 3, "review": 2, "skipped": 1, "failed": 0, "seconds": 1.23}


def test_the_demo_keeps_the_users_own_intervals(tmp_path: Path) -> None:
    given = Settings(service={"poll_interval_s": 0.0}, database={"url": "sqlite:///mine.db"})
    made = demo_settings(given, tmp_path, 0)
    assert (made.service.poll_interval_s, made.service.beat_s, made.web.port) == (0.0, 0.5, 0)
    assert made.database_url == f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"knowledge": {"passage_size": 200, "overlap": 101}}, "half of passage_size"),
        ({"knowledge": {"embedder_url": "http://127.0.0.1:1/v1"}}, "needs embedder"),
        ({"knowledge": {"embedder": "m", "vector_index": "milvus"}}, "milvus_uri"),
        ({"knowledge": {"embedder_key": "sk-123"}}, "reference"),
        ({"knowledge": {"judge": "llm"}}, "generator.base_url"),
        (
            {
                "knowledge": {"judge": "llm"},
                "generator": {"base_url": "http://a", "model": "b", "deadline_s": 50},
            },
            "lease_s must be over 100",
        ),
    ],
)
def test_settings_of_the_library_that_cannot_work_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Settings(**given)


def test_an_explicit_zero_is_kept_in_the_rules() -> None:
    assert checked_rules({"send": ["question"]}, None, 0.0, 0.0, 0) == {
        "send": ["question"], "min_support": 0.0, "min_gap_s": 0.0, "max_per_hour": 0,
        "tags": [], "post_tags": {}, "send_tools": False, "hours": {}, "time_zone": "UTC",
        "delay_s": [], "loop_replies": 5, "loop_s": 86_400, "bots": [], "stop_after": 3, "label": {},
    }  # fmt: skip


def test_unknown_kinds_of_comment_are_refused() -> None:
    with pytest.raises(Misuse, match="send"):
        checked_rules({}, ["everything"], None, None, None)


def test_a_channels_tags_are_spelt_one_way_and_single_posts_have_their_own() -> None:
    rules = checked_rules(
        {}, None, None, None, None, tags=[" Shop "], post_tags=["/a?b=1=Beans", "/a?b=1=shop"]
    )
    assert (rules["tags"], rules["post_tags"]) == (["shop"], {"/a?b=1": ["beans", "shop"]})
    assert checked_rules(rules, None, None, None, None)["post_tags"] == rules["post_tags"]
    freed = checked_rules(rules, None, None, None, None, tags=[], post_tags=["/a?b=1="])
    assert (freed["tags"], freed["post_tags"]) == ([], {})


@pytest.mark.parametrize(
    ("tags", "post_tags", "said"),
    [
        ([" "], None, "--tag: "),
        (["a\nb"], None, "--tag: "),
        (None, ["shop"], "POST=TAG"),
        (None, ["p=" + "x" * 61], "--post-tag: "),
    ],
)
def test_what_is_no_tag_is_refused(tags: list[str] | None, post_tags: list[str] | None, said: str) -> None:
    with pytest.raises(Misuse, match=said):
        checked_rules({}, None, None, None, None, tags=tags, post_tags=post_tags)


def test_an_option_of_many_is_given_once_for_each() -> None:
    given = ["base_url=http://127.0.0.1:1", "author=a", "email=a@example.org", "posts=/a", "posts=/b"]
    assert read_options("isso", given)["posts"] == ["/a", "/b"]


def test_a_malformed_option_is_not_repeated_on_the_screen() -> None:
    with pytest.raises(Misuse) as caught:
        read_options("sandbox", ["hunter2"])
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(("language", "word"), [("en", "embedding"), ("zh", "生成向量")])
def test_reading_and_embedding_have_a_bar_each_on_a_terminal_only(language: Any, word: str) -> None:
    shell = Shell(file=None, data_dir=None, language=language)
    for terminal in (True, False):
        drawn = io.StringIO()
        shell.err = Console(file=drawn, force_terminal=terminal, width=100)
        with bars_of(shell) as bars:
            bars.reading("/docs/guide.md", 1, 3)
            bars.embedding(5, 7)
        shown = [part in drawn.getvalue() for part in ("guide.md", "1/3", "5/7", word)]
        assert shown == [terminal] * 4


@pytest.mark.parametrize(
    ("section", "key"),
    [("review", "undo_s"), ("review", "hold_s"), ("web", "session_hours"), ("web", "idle_hours")],
)
def test_a_time_that_no_calendar_has_is_refused_by_its_key(section: str, key: str) -> None:
    with pytest.raises(ValidationError, match=f"{section}.{key}"):
        Settings.model_validate({section: {key: 1e300}})


def test_a_gap_between_replies_that_no_calendar_has_is_refused() -> None:
    with pytest.raises(ValidationError, match="min_gap_s"):
        ChannelRulesSettings(min_gap_s=1e300)
