"""What a snapshot says of itself: counts, guards, what was left out and why, and hashes that the bytes follow from."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from bot.feedback_rows import as_json, hash_of
from bot.training_settings import DataSettings
from training.balance import Cap
from training.preferences import Opinion
from training.split import Split

VERSION: Final = 1
MANIFEST: Final = "manifest.json"
SHOWN: Final = 100
"""Most contradictions that the manifest tells one by one."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is in a snapshot, as `manifest.json` holds it."""

    told: Mapping[str, Any]

    @property
    def content_sha256(self) -> str:
        """Over all files but the manifest, in hexadecimal."""
        return str(self.told["content_sha256"])

    @property
    def rows(self) -> dict[str, int]:
        """By file."""
        return {name: int(file["rows"]) for name, file in self.told["files"].items()}


def read_manifest(folder: Path) -> Manifest:
    """Raises OSError."""
    return Manifest(json.loads((folder / MANIFEST).read_text(encoding="utf-8")))


class Report:
    """What the manifest tells beside the files."""

    def __init__(self) -> None:
        self.left_out: Counter[str] = Counter()
        self.contradictions: list[dict[str, Any]] = []
        self.caps: dict[str, dict[str, Cap]] = {}
        self.split = Split(frozenset(), "", {})

    def contradict(self, kind: str, opinions: Sequence[Opinion]) -> None:
        if len(self.contradictions) < SHOWN:
            self.contradictions.append(
                {
                    "kind": kind,
                    "comments": sorted({one.comment for one in opinions})[:SHOWN],
                    "verdicts": sorted({one.verdict for one in opinions})[:SHOWN],
                    "reviewers": len({one.reviewer for one in opinions}),
                }
            )


class Tally:
    """Counts what goes by."""

    def __init__(self) -> None:
        self.rows = self.exact = 0
        self.by: dict[str, Counter[str]] = {name: Counter() for name in ("kind", "channel", "language")}
        self.threads: set[str] = set()

    def add(self, row: Mapping[str, Any]) -> None:
        self.rows += 1
        self.exact += bool(row["prompt_exact"])
        for name, counter in self.by.items():
            counter[row[name]] += 1
        self.threads.add(row["thread"])


def written(path: Path, rows: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """Writes the file; returns what the manifest says of it."""
    tally, digest = Tally(), hashlib.sha256()
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            line = as_json(row) + "\n"
            file.write(line)
            digest.update(line.encode())
            tally.add(row)
    return {
        "rows": tally.rows,
        "sha256": digest.hexdigest(),
        "prompt_exact": tally.exact,
        **{name: dict(sorted(counter.items())) for name, counter in tally.by.items()},
        "threads": {"number": len(tally.threads), "sha256": hash_of(sorted(tally.threads))},
    }


def manifest_of(
    report: Report,
    files: Mapping[str, Mapping[str, Any]],
    settings: DataSettings,
    *,
    channel: str | None,
    now: datetime,
    since: datetime | None,
    new: int,
) -> dict[str, Any]:
    return {
        "version": VERSION,
        "content_sha256": hash_of([(name, file["sha256"]) for name, file in sorted(files.items())]),
        "channel": channel,
        "now": now.isoformat(),
        "since": None if since is None else since.isoformat(),
        "new_verdicts": new,
        "files": dict(files),
        "held_out_since": report.split.since,
        "left_out": dict(sorted(report.left_out.items())),
        "contradictions": report.contradictions,
        "caps": {
            file: {kind: asdict(cap) | {"holds": cap.holds} for kind, cap in caps.items()}
            for file, caps in report.caps.items()
        },
        "settings": settings.model_dump(),
    }
