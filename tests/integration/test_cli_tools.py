"""`rejoinder tools` and what `doctor` says of tools."""

import json
from pathlib import Path

import pytest

from bot.cli import main
from bot.doctor.model import server_findings
from bot.settings import load
from bot.settings_file import settings_text
from tests.fakes import FakeOpenAI

TOOLS = """
[[tools]]
kind = "table"
name = "prices"
description = {{ en = "Prices", zh = "价格" }}
file = "{folder}/prices.csv"

[[tools]]
kind = "web_hook"
name = "order"
description = {{ en = "Orders" }}
url = "http://127.0.0.1:9/order"
secret = "env:REJOINDER_TEST_NO_SUCH"
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "prices.csv").write_text("name,price\nLatte,$12\n")
    path = tmp_path / "rejoinder.toml"
    path.write_text(f'data_dir = "{tmp_path}/data"\n' + TOOLS.format(folder=tmp_path))
    return str(path)


def test_the_list_says_which_tools_the_model_may_call(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-c", file, "tools", "list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(one["name"], one["offered"]) for one in found] == [("prices", True), ("order", False)]
    assert main(["-c", file, "--lang", "zh", "tools", "list"]) == 0
    assert "reads_only" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["prices", '{"value": "latte"}'], 0, "name: Latte; price: $12"),
        (["prices", '{"value": "bicycle"}'], 0, "found nothing"),
        (["prices", "{"], 2, "no JSON"),
        (["prices", "[]"], 2, "JSON object"),
        (["prices"], 2, "needs value"),
        (["nobody"], 2, "no tool 'nobody'"),
        (["order"], 2, "REJOINDER_TEST_NO_SUCH"),
    ],
)
def test_a_tool_can_be_tried(
    file: str, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    assert main(["-c", file, "tools", "try", *arguments]) == code
    captured = capsys.readouterr()
    assert said in captured.out + captured.err
    assert len((captured.out + captured.err).strip().splitlines()) == 1


def test_doctor_looks_at_every_tool(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["-c", file, "doctor", "--json"])
    told = {one["part"]: one for one in json.loads(capsys.readouterr().out)}
    assert told["tool prices"]["message"] == "table: 1 rows with name, price"
    assert told["tool order"]["level"] == "error"
    assert "extractive" in told["tools"]["message"]


def test_a_tool_can_be_added_to_the_written_settings_file(tmp_path: Path) -> None:
    path = tmp_path / "rejoinder.toml"
    path.write_text(settings_text() + TOOLS.format(folder=tmp_path), encoding="utf-8")
    assert [tool.name for tool in load(path).tools] == ["prices", "order"]


async def test_doctor_says_with_which_flags_a_server_takes_tool_calls(file: str) -> None:
    async with FakeOpenAI(calls_tools=False) as server:
        given = {"kind": "vllm", "base_url": server.url, "model": "base"}
        settings = load(Path(file), generator=given)
        found = [one async for one in server_findings(settings)]
    [tools] = [one for one in found if one.part == "tools"]
    assert tools.level == "error"
    assert "--tool-call-parser" in tools.english
    assert "--tool-call-parser" in tools.chinese
