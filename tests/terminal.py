"""A program on a terminal of its own, used as a person would: what it shows is read, keys are typed, nothing sleeps."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic
from types import TracebackType

DEADLINE_S = 60.0
COMMAND = "import fcntl, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
CLI = COMMAND + "from bot.cli import main; sys.exit(main())"
SHELL = COMMAND + "import os; os.execvp(sys.argv[1], sys.argv[1:])"
_STEERING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r")
FRAME, LINE = "\x1b[1;1H", re.compile(r"\x1b\[\d+;1H")


class Person:
    """Sits in front of a terminal on which `arguments` run."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        code: str = CLI,
        rows: int = 24,
        columns: int = 80,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._near, far = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(far)
        given = {
            name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "VISUAL")
        }
        given |= {"TERM": "xterm-256color", "PYTHONPATH": os.pathsep.join(sys.path), "LC_ALL": "C.UTF-8"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            cwd=folder,
            env=given | dict(environment or {}),
            stdin=far,
            stdout=far,
            stderr=far,
            start_new_session=True,
        )
        self._far = far
        self.seen = ""
        """Everything that came, with what steers the terminal."""

    def __enter__(self) -> "Person":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._near)
        os.close(self._far)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._near, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def types(self, keys: str) -> None:
        """Type `keys`; what was shown before is forgotten."""
        self.seen = ""
        os.write(self._near, keys.encode())

    def sees(self, *wanted: str) -> str:
        """The screen, as soon as everything `wanted` stands on it at once. Raises AssertionError after a minute."""
        return self.sees_that(lambda screen: all(text in screen for text in wanted), repr(wanted))

    def sees_that(self, holds: Callable[[str], bool], what: str) -> str:
        ends = monotonic() + DEADLINE_S
        while not holds(self.screen):
            left = ends - monotonic()
            ready = select.select([self._near], [], [], max(0.0, left))[0]
            data = self._read() if ready else b""
            if not data:
                raise AssertionError(f"never saw {what}; last:\n{self.screen}")
            self.seen += data.decode("utf-8", "replace")
        return self.screen

    @property
    def screen(self) -> str:
        """What was drawn last, line by line, without what steers the terminal."""
        return _STEERING.sub("", LINE.sub("\n", self.seen.rpartition(FRAME)[2]))

    def ends(self) -> int:
        """The exit code, once the program is gone; what it still says is read."""
        ends = monotonic() + DEADLINE_S
        while self.process.poll() is None:
            if select.select([self._near], [], [], 0.05)[0]:
                self.seen += self._read().decode("utf-8", "replace")
            assert monotonic() < ends, self.screen
        while select.select([self._near], [], [], 0)[0]:
            self.seen += self._read().decode("utf-8", "replace")
        return self.process.returncode

    @property
    def settings(self) -> list[object]:
        """What `stty` would say, to be compared with `before`."""
        return termios.tcgetattr(self._far)

    def _read(self) -> bytes:
        try:
            return os.read(self._near, 65536)
        except OSError:
            return b""
