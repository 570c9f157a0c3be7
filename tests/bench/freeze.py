"""How fast a night's data is frozen, and in how much memory: `python -m tests.bench.freeze [VERDICTS]`.

The last line is one JSON object: verdicts, rows, seconds, rows_per_s, peak_mb (of the freezing process alone), size_mb.
"""

import json
import re
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from time import perf_counter

from bot.persona import Persona
from bot.store.ledger import connect, sqlite_url
from bot.training_settings import DataSettings
from tests.bench.feedback import fill
from tests.builders import START
from training.run import Quiet
from training.snapshot import freeze


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
    # Not ru_maxrss: that begins at what the parent process held.
    peak = int(re.findall(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[0]) / 1024
    told = {
        "rows": rows,
        "seconds": round(seconds, 1),
        "rows_per_s": round(rows / seconds),
        "peak_mb": round(peak),
    }
    print(json.dumps(told))
    ledger.close()


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
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
