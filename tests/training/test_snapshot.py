"""From the ledger to the files of a night, on each kind of database."""

import json
from pathlib import Path
from typing import Any

import pytest

from bot.models import Channel
from bot.persona import Persona
from bot.store.ledger import Ledger
from bot.training_settings import DataSettings
from tests.training.creator import NOW, Creator
from training.errors import TooLittle
from training.manifest import Manifest, read_manifest
from training.rows import read_pairs, read_supervised
from training.run import Quiet
from training.snapshot import freeze

FEW = DataSettings(min_rows=1, min_pairs=1, min_new=0)


@pytest.fixture
def creator(ledger: Ledger) -> Creator:
    return Creator(ledger)


def persona_of(channel: Channel) -> Persona:
    return Persona(name="Mo")


def frozen(creator: Creator, out: Path, settings: DataSettings = FEW, **more: Any) -> Manifest:
    given: dict[str, Any] = {"channel": None, "now": NOW, "run": Quiet()} | more
    return freeze(creator.ledger, out, persona_of, settings=settings, **given)


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_a_day_of_edits_becomes_files_that_the_steps_read(creator: Creator, tmp_path: Path) -> None:
    creator.day(20)
    creator.asked("Do you ship?", sent="Not yet.")
    manifest = frozen(creator, tmp_path / "snapshot")
    folder = tmp_path / "snapshot"
    assert sorted(file.name for file in folder.iterdir()) == [
        "manifest.json", "pairs-held.jsonl", "pairs-judge.jsonl", "pairs.jsonl", "replay.jsonl", "sft-held.jsonl",
        "sft.jsonl",
    ]  # fmt: skip
    assert [file.name for file in tmp_path.iterdir() if file.name != "ledger.db"][:1] == ["snapshot"]
    assert len(read_supervised(folder / "sft.jsonl")) == 16
    assert len(read_supervised(folder / "sft-held.jsonl")) == 4
    [sent] = read_supervised(folder / "replay.jsonl")
    assert sent.completion == "Not yet."
    assert sent.prompt.extra["kind"] == "sent"
    pairs = [
        pair
        for name in ("pairs", "pairs-judge", "pairs-held")
        for pair in read_pairs(folder / f"{name}.jsonl")
    ]
    assert {pair.prompt.extra["kind"] for pair in pairs} == {"edit"}
    assert len(pairs) == 60
    assert manifest == read_manifest(folder)
    assert manifest.rows["sft.jsonl"] == 16
