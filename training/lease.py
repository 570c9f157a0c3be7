"""Keeping a night while it runs, and knowing whether the process of another is still there."""

import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread

from bot.store import nights
from bot.store.ledger import Ledger, LedgerError
from bot.store.nights import NightLost

LEASE = timedelta(minutes=2)
"""After which another machine may take over a night whose process is gone."""
RENEW_S = 20.0

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


class Lease:
    """Renews the lease of a night on a thread of its own, while the block runs."""

    def __init__(
        self, ledger: Ledger, night_id: int, owner: str, *, clock: Clock = utc_now, every_s: float = RENEW_S
    ) -> None:
        self._ledger, self._night, self._owner = ledger, night_id, owner
        self._clock, self._every_s = clock, every_s
        self._until = clock() + LEASE
        self._lost: str | None = None
        self._over = Event()
        self._thread = Thread(target=self._keep, name="lease of the night", daemon=True)

    def __enter__(self) -> "Lease":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def check(self) -> None:
        """Raises NightLost once another process may have taken the night over."""
        if self._lost is not None:
            raise NightLost(self._lost)

    def _keep(self) -> None:
        while self._lost is None and not self._over.wait(self._every_s):
            self._renew()

    def _renew(self) -> None:
        now = self._clock()
        try:
            self._ledger.write(nights.renew, self._night, owner=self._owner, now=now, lease=LEASE)
        except NightLost as error:
            self._lost = str(error)
        except LedgerError as error:
            if now >= self._until:
                self._lost = (
                    f"the lease of night {self._night} could not be renewed in time ({error}); start again"
                )
        else:
            self._until = now + LEASE


def own_name() -> str:
    """A name for this process that no other ever has, and by which `is_gone` knows it."""
    return f"{_machine()}:{os.getpid()}:{_started(os.getpid())}"


def is_gone(owner: str) -> bool:
    """Whether the process of that name has ended, as far as this machine can tell."""
    return _lives(owner) is False


def is_there(owner: str) -> bool:
    """Whether the process of that name is certainly still there, whatever the clock says of its lease."""
    return _lives(owner) is True


def _lives(owner: str) -> bool | None:
    """None where it cannot be told from here."""
    machine, _, rest = owner.partition(":")
    number, _, started = rest.partition(":")
    if machine != _machine() or not number.isdigit():
        return None
    try:
        now = _started(int(number))
    except ProcessLookupError:
        return False
    except PermissionError:
        return None  # it is there, and hidden from us
    if now != started:
        return False
    return True if now else None  # without /proc another process may have its number


def someone_is_at_it(ledger: Ledger, clock: Clock = utc_now) -> bool:
    """Whether some process is at a night, as far as can be told from here."""
    night = ledger.read(nights.current)
    if night is None:
        return False
    owner = night.lease_owner or ""
    return is_there(owner) or (nights.is_held(night, clock()) and not is_gone(owner))


def _machine() -> str:
    """With the container on it, and the start of the machine: a process's number means something only there, and
    machines made of one image may have one name.
    """
    try:
        space = "".join(filter(str.isdigit, os.readlink("/proc/self/ns/pid")))
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        space = boot = ""
    return f"{socket.gethostname()}/{space}/{boot}"


def _started(number: int) -> str:
    """When the process started, in ticks since the machine did; empty where there is no /proc to tell.

    A number is given again to another process, so it alone proves nothing. Raises ProcessLookupError, and
    PermissionError where it is there but not to be looked at.
    """
    if not Path("/proc/self/stat").exists():
        os.kill(number, 0)
        return ""
    try:
        told = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        os.kill(number, 0)  # /proc may hide the processes of other users (hidepid)
        raise PermissionError(number) from error
    # https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html: the name in brackets may hold anything.
    fields = told.rpartition(")")[2].split()
    if fields[0] in "ZX":
        raise ProcessLookupError(number)  # it has ended, and its parent has not looked yet
    return fields[19]
