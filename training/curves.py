"""What is written down of each batch: one JSON object a line in curves.jsonl."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from training.samples import Sample

CURVES, METRICS = "curves.jsonl", "metrics.json"


def measured(samples: Sequence[Sample], scores: Sequence[float]) -> dict[str, float]:
    """`score`; `length` in tokens; `eos_rate` and `distinct` as parts of 1."""
    count = len(samples)
    return {
        "score": fmean(scores),
        "length": fmean(len(one.reply_ids) for one in samples),
        "eos_rate": sum(one.ended for one in samples) / count,
        "distinct": len({one.reply_ids for one in samples}) / count,
    }


def write(folder: Path, curves: Sequence[Mapping[str, float]], metrics: Mapping[str, Any]) -> None:
    """curves.jsonl and metrics.json. Raises OSError."""
    lines = "".join(json.dumps(row) + "\n" for row in curves)
    (folder / CURVES).write_text(lines, "utf-8")
    (folder / METRICS).write_text(json.dumps(metrics, indent=2) + "\n", "utf-8")
