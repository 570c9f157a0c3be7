"""TRL 1.12, the last release with a PPOTrainer, under `.cache/trl-1.12`: the peer of our PPO.

    python -m tests.bench.trl112

installs it, once. Only the one wheel is there (Apache-2.0); torch, transformers and peft are the project's own, so
that both sides run on the same ones. A process has either this TRL or the project's: it sees this one when it is
started with `environment()`.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".cache" / "trl-1.12"
PACKAGES, DONE = HOME / "packages", HOME / "done"
WANTED = "trl==1.12.0"


def install() -> None:
    """Where it is missing. Several may call at once. Raises CalledProcessError."""
    HOME.mkdir(parents=True, exist_ok=True)
    with _locked():
        if present():
            return
        shutil.rmtree(PACKAGES, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        # Its own dependencies would bring another torch.
        subprocess.run([*pip, "--no-deps", "--target", str(PACKAGES), WANTED], check=True)
        DONE.write_text(WANTED, "utf-8")


def present() -> bool:
    return DONE.is_file() and DONE.read_text("utf-8") == WANTED


def environment() -> dict[str, str]:
    """Of a process that is to import TRL 1.12."""
    path = os.pathsep.join([str(PACKAGES), str(ROOT)])
    return os.environ | {"PYTHONPATH": path, "TRL_EXPERIMENTAL_SILENCE": "1", "PYTHONWARNINGS": "ignore"}


@contextmanager
def _locked() -> Iterator[None]:
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    install()
