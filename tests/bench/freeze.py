"""How fast a night's data is frozen, and in how much memory: `python -m tests.bench.freeze [VERDICTS]`.

The last line is one JSON object: verdicts, rows, seconds, rows_per_s, peak_mb (of the freezing process alone), size_mb.

What is read from the ledger is read page by page; what grows is what is decided over all rows at once. `--decide
VERDICTS` measures that alone: four rows a verdict, each in a thread of its own, from three reviewers.
"""

import json
import re
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from time import perf_counter

from bot.feedback_rows import hash_of
from bot.persona import Persona
from bot.store.ledger import connect, sqlite_url
from bot.training_settings import DataSettings
from tests.bench.feedback import fill
from tests.builders import START
from training.manifest import Report
from training.preferences import Opinion
from training.run import Quiet
from training.shelf import Place, opened
from training.snapshot import decide, freeze


def frozen(url: str, out: Path) -> None:
    ledger, start = connect(url), perf_counter()
    manifest = freeze(
        ledger,
        out,
        lambda channel: Persona(),
        settings=DataSettings(),
        channel=None,
        now=START + timedelta(days=1),
        run=Quiet(),
    )
    seconds, rows = perf_counter() - start, sum(manifest.rows.values())
    told = {
        "rows": rows,
        "seconds": round(seconds, 1),
        "rows_per_s": round(rows / seconds),
        "peak_mb": peak_mb(),
    }
    print(json.dumps(told))
    ledger.close()


def decided(verdicts: int, file: Path) -> None:
    start = perf_counter()
    with opened(file) as shelf:
        for number in range(verdicts):
            at = (START + timedelta(seconds=number)).isoformat(timespec="microseconds")
            near = hash_of(number)[:32]
            for part, better, worse in (
                ("sft", "c", ""),
                *(("preferences", *pair) for pair in ("ca", "cb", "ab")),
            ):
                place = Place(part, near, near, hash_of("thread", number)[:16], f"channel {number % 2}")
                texts = [hash_of(text, number)[:24] if text else "" for text in (better, worse)]
                opinion = Opinion(0, at, number, number, f"reviewer {number % 3}", *texts, hash_of(texts))
                shelf.put(place, opinion, (near, "[]"), "{}")
        told = perf_counter() - start
        decide(shelf, Report(), DataSettings(), now=START + timedelta(days=30), new=verdicts)
        rows = sum(shelf.counts().values())
    seconds = round(perf_counter() - start - told, 1)
    print(json.dumps({"verdicts": verdicts, "rows": rows, "seconds": seconds, "peak_mb": peak_mb()}))


def peak_mb() -> int:
    # Not ru_maxrss: that begins at what the parent process held.
    return round(int(re.findall(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[0]) / 1024)


def main(verdicts: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        url, out = sqlite_url(Path(place) / "ledger.db"), Path(place) / "snapshot"
        fill(url, verdicts)
        command = [sys.executable, "-m", "tests.bench.freeze", "--freeze", url, str(out)]
        told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        size = round(sum(file.stat().st_size for file in out.iterdir()) / 2**20)
        print(f"{verdicts} verdicts, {size} MB written")
        print(json.dumps({"verdicts": verdicts, **told, "size_mb": size}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--freeze"]:
        frozen(sys.argv[2], Path(sys.argv[3]))
    elif sys.argv[1:2] == ["--decide"]:
        with tempfile.TemporaryDirectory() as folder:
            decided(int(sys.argv[2]), Path(folder) / "rows.db")
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
