"""The guide to the API: its commands and settings exist, its code knows what we send, both languages say the same."""

import re
import shlex
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot.api.operations import BASE
from bot.api.site import ApiParts, operations_of
from bot.bootstrap import utc_now
from bot.cli import COMMANDS, load_command
from bot.notices import Notice, outgoing
from bot.settings import Settings, WebhookSettings

DOCS = Path(__file__).parents[2] / "docs"
GUIDES = ("api.md", "api.zh.md")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def blocks(name: str, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", (DOCS / name).read_text("utf-8"), flags=re.S)


def test_both_languages_have_the_same_examples() -> None:
    for kind in ("sh", "toml", "python"):
        assert blocks(GUIDES[0], kind) == blocks(GUIDES[1], kind) != []


@pytest.mark.parametrize("name", GUIDES)
def test_the_code_of_the_guide_knows_our_notices_from_others(name: str) -> None:
    found: dict[str, Any] = {}
    exec(blocks(name, "python")[0], found)
    hook = WebhookSettings(name="team", url="env:X")
    sent = outgoing(hook, Notice(1), url="https://x.example", secret="s", desk="", now=NOW)
    header, now = sent.headers["X-Rejoinder-Signature"], NOW.timestamp()
    assert found["is_ours"]("s", header, sent.body, now)
    assert not found["is_ours"]("other", header, sent.body, now)
    assert not found["is_ours"]("s", header, sent.body + b" ", now)
    assert not found["is_ours"]("s", header, sent.body, now + 301)


def test_the_settings_of_the_guide_are_settings() -> None:
    [example] = blocks(GUIDES[0], "toml")
    assert Settings(**tomllib.loads(example)).webhooks[0].format == "feishu"


def test_the_commands_of_the_guide_exist() -> None:
    text = (DOCS / GUIDES[0]).read_text("utf-8")
    named = re.findall(r"rejoinder (\w+) (\w+)", text)
    assert ("webhooks", "test") in named
    for command, sub in named:
        assert command in COMMANDS
        assert sub in load_command(command).commands
    [line] = [
        line for line in "\n".join(blocks(GUIDES[0], "sh")).splitlines() if line.startswith("rejoinder")
    ]
    _, command, sub, *arguments = shlex.split(line)
    known = {option for one in load_command(command).commands[sub].params for option in one.opts}
    assert {part for part in arguments if part.startswith("--")} <= known


@pytest.mark.parametrize("name", GUIDES)
def test_every_path_of_the_api_is_in_the_guide(name: str) -> None:
    text = (DOCS / name).read_text("utf-8")
    parts: Any = ApiParts(Settings(), *([None] * 3), utc_now)  # type: ignore[arg-type]
    for operation in operations_of(parts):
        path = re.sub(r"\{\w+\}", "{id}", operation.path)
        assert f"`{path}`" in text or f"`/{path.rpartition('/')[2]}`" in text, BASE + path
