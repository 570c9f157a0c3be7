"""How fast training rows are written, and in how much memory: `python -m tests.bench.feedback [VERDICTS]`.

The last line is one JSON object: verdicts, seconds, rows_per_s, peak_mb (of the export's own process).
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from sqlalchemy import insert
from sqlmodel import Session, select

from bot import trl
from bot.models import Comment, Draft, Verdict
from bot.persona import Persona
from bot.store.ledger import connect, sqlite_url
from bot.store.migrate import upgrade
from tests.builders import START, Desk, comment

PASSAGE = {
    "title": "Roasting",
    "heading": "",
    "text": "Roast for ten minutes at 205 C. " * 20,
    "source": "n.md",
}


def fill(url: str, verdicts: int) -> None:
    ledger = connect(url)
    upgrade(ledger)
    desk = Desk(ledger)
    for start in range(1, verdicts + 1, 1000):
        numbers = range(start, min(start + 1000, verdicts + 1))
        desk.ingest(*(comment(n, f"Question {n}: how long? Call 138{n:08}") for n in numbers))

    def judge(session: Session) -> None:
        ids = list(session.exec(select(Comment.id)))
        common = {"created_at": START, "language": "en", "passages": [PASSAGE] * 4, "citations": [0]}
        session.execute(
            insert(Draft),
            [{"comment_id": n, "text": "A", "candidates": ["A", "B"], **common} for n in ids],
        )
        drafts = session.exec(select(Draft.comment_id, Draft.id)).all()
        given = {"kind": "edit", "by": "ann", "at": START, "candidates": ["A", "B"], "chosen": 0}
        session.execute(
            insert(Verdict),
            [
                {"comment_id": n, "draft_id": draft, "text": f"Ten minutes {n}.", **given}
                for n, draft in drafts
            ],
        )

    ledger.write(judge)
    ledger.close()


def export(url: str, folder: Path) -> None:
    ledger, start = connect(url), perf_counter()
    manifest = trl.write(ledger, folder, lambda channel: Persona())
    seconds = perf_counter() - start
    rows = sum(file["rows"] for file in manifest["files"].values())
    # Not ru_maxrss: that begins at what the parent process held.
    peak = int(re.findall(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[0]) / 1024
    print(
        json.dumps(
            {"seconds": round(seconds, 1), "rows_per_s": round(rows / seconds), "peak_mb": round(peak)}
        )
    )
    ledger.close()


def main(verdicts: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        url = sqlite_url(Path(place) / "ledger.db")
        fill(url, verdicts)
        folder = Path(place) / "rows"
        folder.mkdir()
        command = [sys.executable, "-m", "tests.bench.feedback", "--export", url, str(folder)]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        size = sum(file.stat().st_size for file in folder.iterdir()) / 2**20
        print(f"{verdicts} verdicts, {size:.0f} MB written")
        print(json.dumps({"verdicts": verdicts} | json.loads(told)))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--export"]:
        export(sys.argv[2], Path(sys.argv[3]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
