"""Opening the ledger and running one transaction on it.

Query functions live in the sibling modules; each takes a Session first and holds exactly one transaction's work.
`Ledger` runs them, on the caller's thread or, for the event loop, on a thread of its own pool.
"""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, NoSuchModuleError, OperationalError
from sqlmodel import Session

P = ParamSpec("P")
T = TypeVar("T")


class LedgerError(Exception):
    """Base of what the ledger raises; the message is one line with the cure."""


class LedgerUnavailable(LedgerError):
    """Locked, full or out of reach: nothing was changed, and it may work later."""


class LedgerUnusable(LedgerError):
    """Needs a person: a wrong address, a file that is no database, a database of a newer version."""


class Ledger:
    """The database. Thread-safe; `close` it when done."""

    def __init__(self, engine: Engine, threads: int = 4) -> None:
        self._engine = engine
        # SQLite takes one writer at a time and lets the others sleep and try again; waiting here wakes them at once.
        self._turn = Lock() if engine.dialect.name == "sqlite" else nullcontext()
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="ledger")

    @property
    def engine(self) -> Engine:
        return self._engine

    @property
    def address(self) -> str:
        """Where the ledger is, without the password."""
        return self._engine.url.render_as_string(hide_password=True)

    def write(self, work: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` in one transaction that sees and keeps others out of what it changes."""
        with self._turn, self._session(writes=True) as session:
            return work(session, *args, **kwargs)

    def read(self, work: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` on one consistent view."""
        with self._session(writes=False) as session:
            return work(session, *args, **kwargs)

    async def awrite(
        self, work: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """`write` off the event loop. A cancelled caller does not undo a transaction that has begun."""
        return await self._in_thread(partial(self.write, work, *args, **kwargs))

    async def aread(self, work: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`read` off the event loop."""
        return await self._in_thread(partial(self.read, work, *args, **kwargs))

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, call)

    @contextmanager
    def _session(self, *, writes: bool) -> Iterator[Session]:
        engine = self._engine.execution_options(writes=writes)
        with (
            translated_errors(self.address),
            Session(engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    def close(self) -> None:
        self._pool.shutdown(wait=True)
        self._engine.dispose()


def connect(url: str, *, threads: int = 4) -> Ledger:
    """The ledger at `url`, as it is; see `bot.store.migrate` for bringing it up to date. Raises LedgerUnusable."""
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
        if backend == "sqlite":
            engine = _sqlite(url, threads)
        elif backend == "postgresql":
            engine = create_engine(
                parsed.set(drivername="postgresql+pg8000"), pool_size=threads, pool_pre_ping=True
            )
        else:
            raise LedgerUnusable(
                f"database.url: {backend!r} is not supported; use sqlite:///FILE or postgresql://USER@HOST/NAME"
            )
    except (ArgumentError, NoSuchModuleError) as error:
        raise LedgerUnusable(
            "database.url: not an address; use sqlite:///FILE or postgresql://USER@HOST/NAME"
        ) from error
    except ModuleNotFoundError as error:
        raise LedgerUnusable("PostgreSQL needs its driver: pip install 'rejoinder[postgres]'") from error
    return Ledger(engine, threads)


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{path}"


def _sqlite(url: str, threads: int) -> Engine:
    engine = create_engine(url, pool_size=threads, connect_args={"timeout": 15.0, "check_same_thread": False})
    event.listen(engine, "connect", _sqlite_connect)
    event.listen(engine, "begin", _sqlite_begin)
    return engine


def _sqlite_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by _sqlite_begin alone
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _sqlite_begin(connection: Connection) -> None:
    # A deferred transaction that reads and then writes fails at once when another writer came in between;
    # taking the write lock first waits for it instead.
    writes = connection.get_execution_options().get("writes", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def translated_errors(address: str) -> Iterator[None]:
    """Turn the driver's errors into LedgerError, once, here."""
    try:
        yield
    except DBAPIError as error:
        translated = _translate(error, address)
        if translated is None:
            raise
        raise translated from error


def _translate(error: DBAPIError, address: str) -> LedgerError | None:
    text = str(error.orig).lower()
    if "locked" in text or "busy" in text:
        return LedgerUnavailable(
            f"{address} is locked by another process; close that program, or wait and try again"
        )
    if "full" in text or "no space" in text:
        return LedgerUnavailable(f"{address}: the disk is full; make room, nothing that was saved is lost")
    if "not a database" in text or "malformed" in text:
        return LedgerUnusable(
            f"{address} is not a database or is damaged; restore a backup or choose another file"
        )
    if "unable to open" in text or "readonly" in text:
        return LedgerUnusable(
            f"{address} cannot be opened for writing; check that the folder exists and its rights"
        )
    if "database" in text and "does not exist" in text:
        return LedgerUnusable(
            f"{address}: there is no such database; make it (createdb NAME) or correct the address"
        )
    if "no such table" in text or "does not exist" in text:
        return LedgerUnusable(
            f"{address} has no ledger yet; run 'rejoinder doctor' or 'rejoinder run' to make one"
        )
    lost = isinstance(error, InterfaceError) and ("connection" in text or "network" in text)
    if lost or isinstance(error, OperationalError) or error.connection_invalidated:
        return LedgerUnavailable(
            f"{address} cannot be reached; check that the server runs and the address is right"
        )
    return None
