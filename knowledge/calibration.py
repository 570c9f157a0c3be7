"""The learned weights: of features for ranking, and of features for the probability that a passage answers.

`python -m tests.bench.learn` learned them on development data. A library may hold its own beside its index.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from knowledge.store import LibraryError

FILE = "calibration.json"
_SAME_MODEL = 0.01
"""Largest difference of a component between signatures of one model on different machines."""
_LARGEST = 1e6
"""Of a weight: sums of larger ones may leave what a float holds."""

Weights = Mapping[str, float]
"""Name of a feature (see `knowledge.ranking.Features`), or `bias` -> weight."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was learned without an embedder, and with each embedder that is known."""

    words: Mapping[str, Any]
    """`ranking`: weights; `support`: language -> weights."""
    embedders: Sequence[Mapping[str, Any]]
    """Each as `words`, with the `signature` by which the embedder is known."""

    def ranking(self, *, dense: bool) -> Weights:
        """Weights that put passages in order. Cosines rank alike for every embedder that is of any use."""
        known = self.embedders or shipped().embedders
        found: Weights = (known[0] if dense else self.words)["ranking"]
        return found

    def support(self, language: str, signature: Sequence[float] | None = None) -> Weights:
        """Weights for the probability that a passage answers.

        What a cosine means differs between embedders: without a calibration for the one with this `signature`, only
        words count.
        """
        by_language: Mapping[str, Weights] = self.words["support"]
        for known in self.embedders if signature is not None else ():
            if _same(known["signature"], signature or ()):
                by_language = by_language | known["support"]
        return by_language.get(language, by_language["en"])

    def updated(self, language: str, weights: Weights, signature: Sequence[float] | None) -> "Calibration":
        """This, with `weights` of support for `language`; for words alone where there is no `signature`."""
        if signature is None:
            return replace(self, words=_with_support(self.words, language, weights))
        new = {"signature": list(signature), "ranking": self.ranking(dense=True), "support": {}}
        others = [known for known in self.embedders if not _same(known["signature"], signature)]
        own = next((known for known in self.embedders if known not in others), new)
        return replace(self, embedders=[*others, _with_support(own, language, weights)])


def _with_support(part: Mapping[str, Any], language: str, weights: Weights) -> Mapping[str, Any]:
    return {**part, "support": {**part["support"], language: weights}}


def save(folder: Path, calibration: Calibration) -> Path:
    """Keep `calibration` in the library at `folder`; returns the file. Raises LibraryError where it cannot."""
    path = folder / FILE
    partial = path.with_suffix(".part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial.write_text(
            json.dumps({"words": calibration.words, "embedders": calibration.embedders}, indent=1) + "\n",
            "utf-8",
        )
        partial.replace(path)
    except OSError as error:
        raise LibraryError(
            f"{path} cannot be written ({error.strerror}); check permissions and space"
        ) from error
    return path


def _same(known: Sequence[float], signature: Sequence[float]) -> bool:
    return len(known) == len(signature) and all(
        abs(one - other) < _SAME_MODEL for one, other in zip(known, signature, strict=True)
    )


@cache
def shipped() -> Calibration:
    """What comes with the program."""
    return _parsed(files("knowledge").joinpath("learned.json").read_text(encoding="utf-8"))


def load(folder: Path) -> Calibration:
    """The library's own calibration where it has one, else the shipped one. Raises LibraryError for a broken file."""
    path = folder / FILE
    try:
        return _parsed(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return shipped()
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise LibraryError(
            f"{path} cannot be used ({error}); remove it to use the shipped calibration"
        ) from error


def _parsed(text: str) -> Calibration:
    data = json.loads(text)
    found = Calibration(data["words"], data["embedders"])
    for part in (found.words, *found.embedders):
        for weights in (part["ranking"], *part["support"].values()):
            _check_numbers(weights.values(), "a weight")
    for known in found.embedders:
        _check_numbers(known["signature"], "a part of a signature")
    if "en" not in found.words["support"]:
        raise ValueError("there are no weights for English")
    return found


def _check_numbers(values: Iterable[object], what: str) -> None:
    # NaN and Infinity are numbers to JSON, and a support of NaN is below no threshold.
    if not all(isinstance(value, int | float) and abs(value) <= _LARGEST for value in values):
        raise ValueError(f"{what} is no number from -{_LARGEST:g} to {_LARGEST:g}")
