"""The guide to the inbox: its commands run as they stand, and both languages say the same."""

import asyncio
import json
import os
import re
import shlex
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.inbox_options import InboxOptions
from adapters.inbox_presets import FIELDS
from tests.command_line import Cli
from tests.conftest import require
from tests.inbox import registered
from tests.integration.test_inbox_api import opened

DOCS = Path(__file__).parents[2] / "docs" / "platforms"
GUIDES = ("inbox.md", "inbox.zh.md")


def blocks(name: str) -> list[str]:
    return re.findall(r"```sh\n(.*?)```", (DOCS / name).read_text("utf-8"), re.DOTALL)


def curls(name: str) -> list[str]:
    return [block for block in blocks(name) if block.startswith("curl")]


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    registered(monkeypatch)


async def run(command: str, **variables: str) -> Any:
    """What the command prints, as JSON."""
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-c",
        command,
        env={**os.environ, **variables, "no_proxy": "*"},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(out)


@pytest.mark.parametrize("name", GUIDES)
async def test_the_calls_of_the_guide_bring_a_comment_in_and_its_reply_out(name: str, tmp_path: Path) -> None:
    require(shutil.which("curl") is not None, "curl is not installed (Debian: curl)")
    bring, take, tell = curls(name)
    async with opened(tmp_path, datetime(2026, 11, 22, tzinfo=UTC)) as inbox:
        token = inbox.program.http.headers["Authorization"].removeprefix("Bearer ")
        known = {"DESK": f"{inbox.running.page}api/v1", "TOKEN": token}
        told = await run(bring, **known)
        assert (told["new"], told["rows"][0]["id"], told["rows"][0]["state"]) == (1, "c1", "new")
        inbox.draft_all()
        [reply] = (await run(take, **known))["items"]
        done = await run(tell, REPLY=str(reply["id"]), LEASE=reply["lease"], **known)
    assert done == {"state": "sent"}
    members = set(re.findall(r"`(\w+)`", next(line for line in _lines(name) if "`lease_ends_at`" in line)))
    assert members == set(reply) - {"comment"}


def _lines(name: str) -> list[str]:
    return (DOCS / name).read_text("utf-8").splitlines()


@pytest.mark.parametrize("name", GUIDES)
def test_the_commands_of_the_guide_run(name: str, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "export.csv").write_text("评论内容,作品ID\n要烘多久？,p1\n", "utf-8")
    lines = [line for block in blocks(name) for line in block.splitlines() if line.startswith("rejoinder ")]
    assert len(lines) == 3
    for line in lines:
        assert cli(*shlex.split(line)[1:]) == 0, cli.err


@pytest.mark.parametrize("name", GUIDES)
def test_the_guide_has_every_option_and_field(name: str) -> None:
    text = (DOCS / name).read_text("utf-8")
    for word in (*InboxOptions.model_fields, *FIELDS):
        assert f"`{word}`" in text, word


def test_both_guides_have_the_same_parts() -> None:
    shapes = []
    for name in GUIDES:
        text = (DOCS / name).read_text("utf-8")
        code = re.findall(r"```.*?```", text, re.DOTALL)
        shapes.append((code, [len(re.findall(pattern, text, re.M)) for pattern in (r"^## ", r"^\|", r"^- ")]))
    assert shapes[0] == shapes[1]
