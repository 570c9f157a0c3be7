"""The benchmark of the knowledge package works, on small data of its own."""

import json
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.bench import knowledge, scale
from tests.bench.peers import PeersMissing
from tests.bench.peers_run import Memory


def test_a_quick_run_ends_in_one_line_of_json_with_the_promised_figures(
    capsys: pytest.CaptureFixture[str],
) -> None:
    knowledge.main(["--quick"])
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(figures) == set(knowledge.TARGETS) - {
        "qps_vs_peer",
        "build_vs_peer",
        "dense_p50_ms_1m",
        "dense_r10_1m",
        "dense_mb_1m",
        "pdf_pages_s",
    }
    assert figures["en_sparse_r1"] == figures["zh_r1"] == 1.0
    assert figures["mixed_loss"] == 0.0
    assert figures["sparse_p50_ms_100k"] > 0


def test_missing_data_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        knowledge.main(["--only", "english", "--data", str(tmp_path / "nowhere")])
    assert "--data" in str(ended.value)
    assert "\n" not in str(ended.value)


def test_a_part_that_is_not_known_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        knowledge.main(["--only", "english,nonsense"])
    assert ended.value.code == 2
    assert "choose from english" in capsys.readouterr().err


def test_without_peers_their_figures_are_null(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(data: Path) -> None:
        raise PeersMissing("no network")

    monkeypatch.setattr(knowledge, "peers_ready", refuse)
    assert knowledge.peers(knowledge.Setting(tmp_path)) == {"qps_vs_peer": None, "build_vs_peer": None}


def test_figures_against_peers_are_against_the_faster_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    slow = {"queries_per_s": 1e-9, "build_s": 1e9}
    fast = {"queries_per_s": 1e-3, "build_s": 1e3}
    measure = {"slow": slow, "fast": fast}.copy
    monkeypatch.setattr(knowledge, "peers_ready", lambda data: nullcontext(measure))
    monkeypatch.setattr(knowledge, "_embedder", lambda: None)
    data = knowledge.write_small(tmp_path / "data")
    found = knowledge.peers(knowledge.Setting(data))
    ours = found["ours: queries_per_s"], found["ours: build_s"]
    assert found["qps_vs_peer"] == pytest.approx(ours[0] / fast["queries_per_s"], rel=0.01)
    assert found["build_vs_peer"] == pytest.approx(ours[1] / fast["build_s"], abs=0.001)


def test_a_benchmark_that_fails_gives_null() -> None:
    assert knowledge._from_module("tests.bench.no_such_module", ("pdf_pages_s",)) == {"pdf_pages_s": None}


def test_texts_are_embedded_once_and_only_that_is_counted() -> None:
    memory, computed = Memory(), []

    def compute(texts: list[str]) -> list[list[float]]:
        computed.append(texts)
        return [[float(len(text))] for text in texts]

    assert memory.embed(["a", "bb", "a"], compute) == [[1.0], [2.0], [1.0]]
    counted = memory.seconds
    assert memory.embed(["bb"], compute) == [[2.0]]
    assert computed == [["a", "bb"]]
    assert memory.seconds == counted > 0


def test_the_made_up_text_has_words_of_every_frequency_and_is_the_same_every_time() -> None:
    words = scale.Speech(seed=1, words=500).words(False, 20_000)
    assert words == scale.Speech(seed=1, words=500).words(False, 20_000)
    counts = sorted((words.count(word) for word in set(words)), reverse=True)
    assert counts[0] == pytest.approx(2 * counts[1], rel=0.2)
    assert counts[0] == pytest.approx(10 * counts[9], rel=0.3)
