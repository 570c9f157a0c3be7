"""Feedback in the columns that TRL's trainers read: https://huggingface.co/docs/trl/dataset_formats, conversational.

    sft.jsonl           prompt, completion            for SFTTrainer
    preferences.jsonl   prompt, chosen, rejected      for RewardTrainer and DPOTrainer
    signals.jsonl       what platforms show of how replies were taken; weak, and for no trainer
    manifest.json       counts, and a hash of the content

Prompts and replies are lists of messages. The other columns say where a row comes from; trainers drop them.
"""

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from bot.feedback_rows import PARTS, Part, Row, as_json, hash_of, rows_of, sign_row
from bot.models import Channel
from bot.persona import Persona
from bot.store import feedback
from bot.store.feedback import Judged, Sign
from bot.store.ledger import Ledger
from bot.store.signals import CONFIRMED

PAGE = 200
VERSION = 1

PersonaOf = Callable[[Channel], Persona]
OnStep = Callable[[int, int], None]
"""Gets how many comments are done, and how many there are."""


class Shelf:
    """Rows on the disk until they are written in order: each once, and of those that contradict the last."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute(
            "CREATE TABLE row (part TEXT, key TEXT, at TEXT, id INTEGER, line TEXT, PRIMARY KEY (part, key))"
        )
        # Rows are read along this index: to sort them would bring them all into memory.
        self._db.execute("CREATE INDEX place ON row (part, at, id, key)")
        self._db.execute("BEGIN")

    def put(self, row: Row) -> None:
        self._db.execute(
            "INSERT INTO row VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET at = excluded.at, id = excluded.id,"
            " line = excluded.line WHERE (excluded.at, excluded.id) > (row.at, row.id)",
            (row.part, row.key, _instant(row.at), row.verdict_id, as_json(row.columns)),
        )

    def lines(self, part: Part) -> Iterator[str]:
        """Oldest first; the same rows always come in the same order."""
        rows = self._db.execute("SELECT line FROM row WHERE part = ? ORDER BY at, id, key", (part,))
        return (line for (line,) in rows)

    def close(self) -> None:
        self._db.close()


def _instant(moment: datetime) -> str:
    """Sorts as text like the moments themselves, whatever their fractions: always UTC, always microseconds."""
    return moment.isoformat(timespec="microseconds")


@dataclass(slots=True)
class Tally:
    """What was written."""

    lines: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    exact: int = 0
    sha256: str = ""


def write(
    ledger: Ledger,
    folder: Path,
    persona_of: PersonaOf,
    *,
    channel: str | None = None,
    since: datetime | None = None,
    on_step: OnStep = lambda done, total: None,
) -> dict[str, Any]:
    """Write the four files into the empty `folder`; returns the manifest. Raises LedgerError, OSError.

    Holds one page of comments in memory; the rest of the rows is on the disk.
    """
    shelf_file = folder / "rows.db"
    shelf = Shelf(shelf_file)
    try:
        left_out = _fill(shelf, ledger, persona_of, channel=channel, since=since, on_step=on_step)
        tallies = {part: _written(folder / f"{part}.jsonl", shelf.lines(part)) for part in PARTS}
    finally:
        shelf.close()
        shelf_file.unlink(missing_ok=True)
    signs = (as_json(sign_row(one)) for one in _signs(ledger, channel=channel, since=since))
    signals = _written(folder / "signals.jsonl", signs)
    manifest = {
        "format": "trl",
        "version": VERSION,
        "channel": channel,
        "since": None if since is None else since.isoformat(),
        "content_sha256": hash_of([tallies[part].sha256 for part in PARTS]),
        "files": {f"{name}.jsonl": _told(one) for name, one in (tallies | {"signals": signals}).items()},
        "left_out": dict(sorted(left_out.items())),
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return manifest


def _fill(
    shelf: Shelf,
    ledger: Ledger,
    persona_of: PersonaOf,
    *,
    channel: str | None,
    since: datetime | None,
    on_step: OnStep,
) -> Counter[str]:
    left_out: Counter[str] = Counter()
    total = ledger.read(feedback.number_judged, channel=channel, since=since)
    for done, judged in enumerate(pages(ledger, channel=channel, since=since), start=1):
        for row in rows_of(judged, persona_of(judged.channel), since):
            shelf.put(row)
        left_out += unlearned(judged)
        on_step(done, max(done, total))
    return left_out


def pages(ledger: Ledger, *, channel: str | None = None, since: datetime | None = None) -> Iterator[Judged]:
    """Every comment that was decided about, in the order of their numbers. Raises LedgerError."""
    after = 0
    while page := ledger.read(feedback.judged, after=after, limit=PAGE, channel=channel, since=since):
        yield from page
        after = page[-1].comment.id or 0


def _signs(ledger: Ledger, *, channel: str | None, since: datetime | None) -> Iterator[Sign]:
    after = 0
    while page := ledger.read(feedback.signs, after=after, limit=PAGE, channel=channel, since=since):
        yield from (one for one in page if one.signal.kind != "removed" or one.signal.value >= CONFIRMED)
        after = page[-1].signal.id or 0


def unlearned(judged: Judged) -> Counter[str]:
    """Verdicts that teach nothing, by why."""
    found: Counter[str] = Counter()
    for one in judged.verdicts:
        if one.undone_at is not None:
            found["undone"] += 1
        elif one.kind == "skip":
            found["skip"] += 1
        elif one.draft_id is None:
            found["no_draft"] += 1
    return found


def _written(path: Path, lines: Iterator[str]) -> Tally:
    tally, digest = Tally(), hashlib.sha256()
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for line in lines:
            file.write(line + "\n")
            digest.update(line.encode() + b"\n")
            row = json.loads(line)
            tally.lines += 1
            tally.kinds[row["kind"]] += 1
            tally.exact += row.get("prompt_exact", False)
    tally.sha256 = digest.hexdigest()
    return tally


def _told(tally: Tally) -> dict[str, Any]:
    kinds = dict(sorted(tally.kinds.items()))
    return {"rows": tally.lines, "kinds": kinds, "prompt_exact": tally.exact, "sha256": tally.sha256}
