"""Training on an export, whose newest comments are held out."""

from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from bot.training_settings import TrainingSettings
from tests.conftest import require_module
from tests.training.conftest import pair_rows, rows_file, supervised_rows
from training.errors import BadData
from training.rows import Pair, Supervised
from training.run import Quiet

require_module("torch")
require_module("trl")

from training.exported import newest_held_out, reward_on_export, tune_on_export  # noqa: E402

Row = TypeVar("Row", Supervised, Pair)


def dated(rows: list[Row]) -> list[Row]:
    """The lower a comment's number, the newer: two rows a comment."""
    return [
        replace(row, prompt=replace(row.prompt, extra={"comment": at // 2, "at": f"2026-01-{30 - at:02}"}))
        for at, row in enumerate(rows)
    ]


def test_the_newest_comments_are_held_out_with_all_their_rows() -> None:
    taught, held = newest_held_out(dated(supervised_rows(10)), 0.3)
    assert [row.prompt.extra["comment"] for row in held] == [0, 0, 1, 1]
    assert [row.prompt.extra["comment"] for row in taught] == [2, 2, 3, 3, 4, 4]


def test_rows_that_name_no_comment_are_each_their_own() -> None:
    rows = [replace(row, prompt=replace(row.prompt, extra={})) for row in supervised_rows(4)]
    taught, held = newest_held_out(rows, 0.2)
    assert (len(taught), len(held)) == (3, 1)


def test_an_export_is_learned_from(tmp_path: Path, tiny_settings: TrainingSettings) -> None:
    rows_file(tmp_path / "sft.jsonl", dated(supervised_rows(10)))
    rows_file(tmp_path / "preferences.jsonl", dated(pair_rows(10)))
    base, work = tiny_settings.base, tmp_path / "work"
    tuned = tune_on_export(
        base, tmp_path, tmp_path / "voice", start=None, settings=tiny_settings, run=Quiet(), work=work
    )
    judged = reward_on_export(
        base, tmp_path, tmp_path / "reward", settings=tiny_settings, run=Quiet(), work=work
    )
    assert (tuned["rows"], tuned["held_rows"]) == (8, 2)
    assert (judged["pairs"], judged["held_pairs"]) == (8, 2)
    assert (tmp_path / "voice" / "metrics.json").exists()
    assert (tmp_path / "reward" / "head.safetensors").exists()


@pytest.mark.parametrize("count", [0, 1])
def test_an_export_with_too_little_is_refused(
    tmp_path: Path, tiny_settings: TrainingSettings, count: int
) -> None:
    rows_file(tmp_path / "preferences.jsonl", pair_rows(count))
    with pytest.raises(BadData, match="fewer than two comments"):
        reward_on_export(
            tiny_settings.base,
            tmp_path,
            tmp_path / "reward",
            settings=tiny_settings,
            run=Quiet(),
            work=tmp_path / "work",
        )
