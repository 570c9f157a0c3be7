"""Starts a real Isso server on loopback, from a virtual environment of its own under `.cache/`."""

import contextlib
import fcntl
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PINS = (
    "isso==0.14.0",
    "bleach==6.4.0",
    "cffi==2.1.1",
    "html5lib==1.1",
    "itsdangerous==2.2.0",
    "Jinja2==3.1.6",
    "MarkupSafe==3.0.4",
    "misaka==2.1.1",
    "mistune==3.4.0",
    "pycparser==3.12",
    "six==1.17.0",
    "webencodings==0.6.1",
    "Werkzeug==3.1.9",
)
HOME = Path(__file__).parents[2] / ".cache" / "isso"
START_S = 30.0
# The server dies with the tests, even when they are killed: PR_SET_PDEATHSIG is 1.
LAUNCH = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
os.execv(sys.argv[1], sys.argv[1:])
"""


@dataclass(frozen=True)
class IssoServer:
    url: str
    log: Path

    def links(self, action: str) -> list[str]:
        """The links that Isso printed for its moderator: `activate` or `delete`, oldest first."""
        return re.findall(rf"http://\S+/{action}/\S+", self.log.read_text())


def install() -> str:
    """Make the environment unless it is there; an empty string, or why it cannot be made."""
    HOME.parent.mkdir(parents=True, exist_ok=True)
    with (HOME.parent / "isso.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ready = HOME / "ready"
        wanted = "\n".join((sys.version, *PINS))
        if ready.exists() and ready.read_text() == wanted:
            return ""
        shutil.rmtree(HOME, ignore_errors=True)
        for command in (
            [sys.executable, "-m", "venv", str(HOME)],
            [
                str(HOME / "bin" / "python"),
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                *PINS,
            ],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                return f"Isso cannot be installed: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}"
        ready.write_text(wanted)
    return ""


@contextlib.contextmanager
def running(
    folder: Path, *, guard: bool = False, moderated: bool = False, salt: str = ""
) -> Iterator[IssoServer]:
    """An Isso server with an empty database in `folder`. Replies to one's own address are allowed."""
    port = _free_port()
    config = folder / "isso.cfg"
    config.write_text(_config(folder / "comments.db", port, guard=guard, moderated=moderated, salt=salt))
    python, isso = str(HOME / "bin" / "python"), str(HOME / "bin" / "isso")
    environment = {
        key: value for key, value in os.environ.items() if key not in {"ISSO_SETTINGS", "PYTHONPATH"}
    }
    with (folder / "isso.log").open("wb") as log:
        process = subprocess.Popen(
            [python, "-c", LAUNCH, isso, "-c", str(config), "run"], stdout=log, stderr=log, env=environment
        )
        try:
            _wait_for(port, process, folder / "isso.log")
            yield IssoServer(f"http://127.0.0.1:{port}", folder / "isso.log")
        finally:
            _stop(process)


def _config(database: Path, port: int, *, guard: bool, moderated: bool, salt: str) -> str:
    sections = {
        "general": {"dbpath": str(database), "host": "http://127.0.0.1:1", "latest-enabled": "true"},
        "server": {"listen": f"http://127.0.0.1:{port}"},
        "guard": {"enabled": str(guard).lower(), "reply-to-self": "true"},
        "moderation": {"enabled": str(moderated).lower()},
        "hash": {"salt": salt} if salt else {},
    }
    lines = [
        line
        for name, values in sections.items()
        for line in (f"[{name}]", *(f"{key} = {value}" for key, value in values.items()))
    ]
    return "\n".join(lines) + "\n"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"Isso ended at once: {log.read_text()[-500:]}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"Isso did not answer within {START_S:g} s: {log.read_text()[-500:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
