"""The terminal of the review desk: keys without Enter, a screen of its own, and everything put back at the end."""

import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import TracebackType
from typing import Any, Final

from rich.console import Console, RenderableType

from bot.cli.desk_input import Keys

ESCAPE_S: Final = 0.05
"""How long what follows an Escape may take to come, if it is the beginning of another key."""
_PASTE_ON, _PASTE_OFF = "\x1b[?2004h", "\x1b[?2004l"
_WATCHED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP, signal.SIGWINCH)
_ENDS: Final = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})


class Terminal:
    """A context manager; inside it signals come as keys, so that no transaction is torn: `leave`, `resized`, `back`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._in = sys.stdin.fileno()
        self._keys = Keys()
        self._stack = ExitStack()

    def __enter__(self) -> "Terminal":
        with ExitStack() as stack:
            self._wake, waker = os.pipe()
            stack.callback(os.close, self._wake)
            stack.callback(os.close, waker)
            os.set_blocking(waker, False)
            os.set_blocking(self._wake, False)
            for number in _WATCHED:
                stack.callback(signal.signal, number, signal.signal(number, _noted))
            stack.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(waker, warn_on_full_buffer=False))
            self._before = termios.tcgetattr(self._in)
            stack.callback(self._put_back)
            self._take()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def draw(self, sheet: RenderableType) -> None:
        """Show `sheet`, the whole screen."""
        self._console.update_screen(sheet)

    def keys(self, timeout_s: float) -> list[str]:
        """What was pressed, or nothing after `timeout_s`."""
        ready, _, _ = select.select([self._in, self._wake], [], [], timeout_s)
        told = self._signals() if self._wake in ready else []
        return told + (self._read() if self._in in ready else [])

    def forget(self) -> None:
        """Drop what was typed ahead: it was meant for what is no longer on the screen."""
        self._keys.clear()
        termios.tcflush(self._in, termios.TCIFLUSH)

    @contextmanager
    def lent(self) -> Iterator[None]:
        """The terminal as it was before, for another program; signals are that program's."""
        self._put_back()
        try:
            yield
        finally:
            self._drain()
            self._take()

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Ctrl-C raises KeyboardInterrupt."""
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
            self._drain()

    def _take(self) -> None:
        tty.setcbreak(self._in, termios.TCSADRAIN)
        self._console.set_alt_screen(True)
        self._console.show_cursor(False)
        self._write(_PASTE_ON)

    def _put_back(self) -> None:
        # The terminal may be gone.
        with suppress(OSError, termios.error):
            self._write(_PASTE_OFF)
            self._console.show_cursor(True)
            self._console.set_alt_screen(False)
            termios.tcsetattr(self._in, termios.TCSADRAIN, self._before)

    def _write(self, text: str) -> None:
        self._console.file.write(text)
        self._console.file.flush()

    def _read(self) -> list[str]:
        data = self._bytes()
        if not data:
            return ["leave"]
        found = self._keys.feed(data)
        while self._keys.unfinished and select.select([self._in], [], [], ESCAPE_S)[0]:
            more = self._bytes()
            if not more:
                return [*found, "leave"]
            found += self._keys.feed(more)
        return found + self._keys.finish()

    def _bytes(self) -> bytes:
        try:
            return os.read(self._in, 4096)
        except OSError:  # the terminal was closed
            return b""

    def _signals(self) -> list[str]:
        came = set(self._drain())
        if came & _ENDS:
            return ["leave"]
        if signal.SIGTSTP in came:
            return self._stop()
        return ["resized"] if signal.SIGWINCH in came else []

    def _drain(self) -> bytes:
        try:
            return os.read(self._wake, 4096)
        except BlockingIOError:
            return b""

    def _stop(self) -> list[str]:
        """Ctrl-Z: stand still, with the terminal as it was, until the shell says to go on."""
        self._put_back()
        before = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, before)
        self._take()
        return ["back"]


def _noted(_number: int, _frame: Any) -> None:
    """The wake-up pipe tells which signal came."""
