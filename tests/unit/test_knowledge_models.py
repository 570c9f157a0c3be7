"""Models in this process: what loads, what doesn't, and what is said then."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from knowledge.embedder import ModelError
from tests.conftest import require_module
from tests.contract.test_embedder import local_model

require_module("numpy")

from knowledge.local_embedder import LocalEmbedder  # noqa: E402
from knowledge.reranker import LocalReranker  # noqa: E402

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "roast", "coffee", "milk", "how"]


@pytest.fixture
def minilm(tmp_path: Path) -> Path:
    """A copy of a real model, to be changed."""
    return Path(shutil.copytree(local_model(), tmp_path / "minilm"))


def tiny_cross_encoder(folder: Path, labels: int) -> Path:
    """A BERT with random weights, as its own libraries save it."""
    transformers = require_module("transformers")
    require_module("sentence_transformers")
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(WORDS), "utf-8")
    config = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        num_labels=labels,
    )
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    transformers.BertTokenizerFast(vocab_file=str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


def test_a_folder_keeps_its_name_when_it_moves_and_loses_it_when_the_weights_change(minilm: Path) -> None:
    name = LocalEmbedder(str(minilm)).name
    assert name.startswith("minilm-")
    elsewhere = minilm.parent / "elsewhere"
    elsewhere.mkdir()
    assert LocalEmbedder(str(minilm.rename(elsewhere / "minilm"))).name == name
    with (elsewhere / "minilm" / "model.safetensors").open("ab") as weights:
        weights.write(b" ")
    assert LocalEmbedder(str(elsewhere / "minilm")).name != name


@pytest.mark.parametrize(
    ("card", "languages"),
    [
        ("---\nlanguage: en\ntags:\n- x\n---\n", {"en"}),
        ("---\nlicense: mit\nlanguage: zh\n---\n", {"zh"}),
        ("---\nlanguage:\n- en\n- zh\n---\n", None),
        ("No front matter. language: en\n", None),
    ],
)
def test_the_card_of_a_model_says_what_it_speaks(
    tmp_path: Path, card: str, languages: set[str] | None
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "README.md").write_text(card, "utf-8")
    assert LocalEmbedder(str(folder)).languages == languages
    assert LocalEmbedder(str(folder), languages=frozenset({"fr"})).languages == {"fr"}


def test_a_model_that_is_not_here_is_told_of_with_the_cure() -> None:
    require_module("sentence_transformers")
    with pytest.raises(
        ModelError, match=r"'nobody/no-such-model' is not on this machine.*hf download"
    ) as caught:
        LocalEmbedder("nobody/no-such-model").embed(["a"])
    assert "\n" not in str(caught.value)


def test_a_folder_that_holds_no_model_is_told_of(tmp_path: Path) -> None:
    require_module("sentence_transformers")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "nonsense"}))
    with pytest.raises(ModelError, match=r"cannot be loaded.*complete sentence-transformers folder"):
        LocalEmbedder(str(tmp_path)).embed(["a"])


def test_weights_that_are_cut_short_are_told_of(minilm: Path) -> None:
    weights = minilm / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100_000])
    with pytest.raises(ModelError, match="cannot be loaded"):
        LocalEmbedder(str(minilm)).embed(["a"])


def test_protocols_and_the_endpoints_need_no_extra() -> None:
    blocked = (
        "import sys; sys.modules.update(dict.fromkeys(['numpy', 'faiss', 'torch', 'sentence_transformers']))"
    )
    wanted = "knowledge.vectors, knowledge.embedder, knowledge.endpoint, knowledge.reranker"
    subprocess.run([sys.executable, "-c", f"{blocked}; import {wanted}"], check=True)


def test_a_missing_extra_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ModelError, match=r"pip install 'rejoinder\[dense\]'"):
        LocalEmbedder("any").embed(["a"])


def test_a_cross_encoder_gives_each_text_a_probability(tmp_path: Path) -> None:
    reranker = LocalReranker(str(tiny_cross_encoder(tmp_path / "judge", labels=1)))
    first = reranker.rerank("how roast", ["roast coffee", "milk", "roast coffee"])
    assert len(first) == 3
    assert all(0 < score < 1 for score in first)
    assert first[0] == pytest.approx(first[2], abs=1e-6)
    assert first[0] != first[1]
    assert reranker.rerank("how", []) == []
    reranker.close()


def test_a_model_of_several_classes_is_no_reranker(tmp_path: Path) -> None:
    reranker = LocalReranker(str(tiny_cross_encoder(tmp_path / "nli", labels=3)))
    with pytest.raises(ModelError, match=r"3 classes.*single score"):
        reranker.rerank("how", ["roast"])
