"""A part of the reward by any text-classification model: sentiment, grammar, politeness."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from training.errors import BadData
from training.reading import said
from training.samples import Sample

_Item = TypeVar("_Item")


class Classifier:
    """Probability of `label` for the reply's text, by a Hugging Face text-classification model."""

    def __init__(self, folder: str, label: str, device: torch.device, *, batch: int = 8) -> None:
        """Raises BadData."""
        self.name = f"{Path(folder).name} {label}"
        self._batch, self._device = batch, device
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder)
            self._model: Any = AutoModelForSequenceClassification.from_pretrained(folder)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            why = " ".join(str(error).split())[:300]
            raise BadData(
                f"{folder} cannot be loaded as a text classifier ({why}); see model in training.rewards"
            ) from error
        self._label = _label_of(self._model.config.id2label, label, folder)
        self._model.requires_grad_(False).eval().to(device)

    def score(self, samples: Sequence[Sample]) -> list[float]:
        texts = [said(one.text).text for one in samples]
        with torch.no_grad():
            return [value for some in batches(texts, self._batch) for value in self._probabilities(some)]

    def _probabilities(self, texts: Sequence[str]) -> list[float]:
        config = self._model.config
        longest = min(
            self._tokenizer.model_max_length, getattr(config, "max_position_embeddings", None) or 512
        )
        inputs = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=longest, return_tensors="pt"
        )
        logits = self._model(**inputs.to(self._device)).logits.float()
        alone = logits.shape[1] == 1 or config.problem_type == "multi_label_classification"
        shares = logits.sigmoid() if alone else logits.softmax(1)
        return [float(value) for value in shares[:, self._label]]


def batches(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _label_of(labels: Mapping[int, str], wanted: str, folder: str) -> int:
    for number, label in labels.items():
        if label == wanted:
            return int(number)
    raise BadData(
        f"{folder} has no label {wanted!r}, but {', '.join(map(repr, labels.values()))}; see label in training.rewards"
    )
