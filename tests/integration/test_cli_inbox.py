"""`rejoinder inbox import`: files become comments, and what cannot be one is told."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from bot.models import AuditEntry, Comment
from tests.command_line import Cli
from tests.inbox import registered

CSV = (
    "评论内容,用户昵称,评论时间,作品ID\n"
    "烘多久？,小满,2026-11-20 12:00,p1\n"
    "坏行,小满,某天,p1\n"
    "How long?,Kim,昨天 18:30,p1\n"
)


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    registered(monkeypatch)


@pytest.fixture
def shop(cli: Cli) -> Cli:
    code = cli(
        "channels", "add", "red", "--platform", "inbox", "--since", "2026-01-01",
        "--option", "preset=xiaohongshu", "--option", "account=烘豆师", "--option", "mapping=text=正文",
    )  # fmt: skip
    assert code == 0, cli.err
    assert "烘豆师" in cli.out
    return cli


def written(folder: Path, name: str, content: str, encoding: str = "utf-8") -> str:
    (folder / name).write_bytes(content.encode(encoding))
    return name


def comments(cli: Cli) -> list[str]:
    ledger = cli.desk().ledger
    try:
        return ledger.read(lambda session: list(session.exec(select(Comment.text))))
    finally:
        ledger.close()


def test_a_file_is_brought_in_and_what_cannot_be_read_is_told_with_its_line(
    shop: Cli, tmp_path: Path
) -> None:
    name = written(tmp_path, "export.csv", CSV, "gbk")
    assert shop("inbox", "import", "red", name) == 1
    assert "2 comments are new, 0 were known, 1 rows were refused." in shop.out
    assert shop.err == "row 3: its time '某天' is in no form that is known\n"
    assert shop("--lang", "zh", "inbox", "import", "red", name) == 1
    assert "新增 0 条评论，已有 2 条，拒绝 1 行。" in shop.out
    assert "第 3 行：评论时间 '某天' 无法识别" in shop.err


def test_a_trial_changes_nothing(shop: Cli, tmp_path: Path) -> None:
    name = written(tmp_path, "export.csv", CSV.replace("坏行,小满,某天,p1\n", ""))
    assert shop("inbox", "import", "red", name, "--dry-run") == 0
    assert "2 comments would be new" in shop.out
    assert comments(shop) == []


def test_json_tells_what_became_of_each_row(shop: Cli, tmp_path: Path) -> None:
    rows: list[Any] = [{"id": "c1", "正文": "多久？"}, {"id": "c1", "正文": "多久？"}, {"id": "c2"}]
    name = written(tmp_path, "rows.json", json.dumps(rows))
    assert shop("inbox", "import", "red", name, "--post", "在家烘豆", "--json") == 1
    told = json.loads(shop.out)
    assert [row["status"] for row in told["rows"]] == ["new", "known", "refused"]
    assert told["rows"][2]["error"] == "it has no text"
    assert told["rows"][0]["state"] == "new"


def test_history_is_told_and_kept(shop: Cli, tmp_path: Path) -> None:
    name = written(tmp_path, "old.csv", "评论内容,作品ID,评论时间\n旧评论,p1,2025-06-01 10:00\n")
    assert shop("inbox", "import", "red", name) == 0
    assert "1 of them are older than the channel" in shop.err


def test_an_import_is_in_the_audit(shop: Cli, tmp_path: Path) -> None:
    shop("inbox", "import", "red", written(tmp_path, "export.csv", CSV))
    ledger = shop.desk().ledger
    [detail] = ledger.read(
        lambda session: list(
            session.exec(select(AuditEntry.detail).where(AuditEntry.act == "import_comments"))
        )
    )
    assert detail == {"new": 2, "known": 0, "refused": 1}
    ledger.close()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("red", "nothing.csv"), "nothing.csv: No such file"),
        (("red", "header.csv"), "it holds a header and no rows"),
        (("red", "huge.csv"), "larger than 20 MB"),
        (("none", "header.csv"), "no channel is named 'none'"),
        (("demo", "header.csv"), "demo is a channel of sandbox"),
    ],
)
def test_what_cannot_be_imported_is_one_line(
    shop: Cli, tmp_path: Path, arguments: tuple[str, str], line: str
) -> None:
    written(tmp_path, "header.csv", "评论内容,作品ID\n")
    with (tmp_path / "huge.csv").open("wb") as file:
        file.truncate(100_000_000)
    shop.desk().ledger.close()
    assert shop("inbox", "import", *arguments) == 1
    assert line in shop.err
    assert shop.err.count("\n") == 1


def test_options_are_checked_when_a_channel_is_added(cli: Cli) -> None:
    given = ("channels", "add", "x", "--platform", "inbox", "--option", "account=a")
    assert cli(*given, "--option", "mapping=colour=red") == 2
    assert "mapping: write FIELD=NAME" in cli.err
    assert cli(*given, "--option", "delivery=webhook") == 2
    assert "webhook_url, webhook_secret" in cli.err
