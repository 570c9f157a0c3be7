"""What several kinds of tests share."""

import importlib.util
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import structlog

from bot.store.ledger import Ledger, connect, sqlite_url
from bot.store.migrate import upgrade
from tests import postgres
from tests.integration import wordpress_server

# How long an example takes is the machine's business: a loaded one would fail good code.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


def require(ok: bool, reason: str) -> None:
    """Skip the test when `ok` is False; with REJOINDER_NO_SKIP=1, fail it instead."""
    if ok:
        return
    if os.environ.get("REJOINDER_NO_SKIP") == "1":
        pytest.fail(f"{reason} (REJOINDER_NO_SKIP=1 forbids skipping)")
    pytest.skip(reason)


def require_module(name: str) -> Any:
    """The module, for what is not in every install; call it at the top of a test file or in a test."""
    if importlib.util.find_spec(name) is not None:
        return importlib.import_module(name)
    if os.environ.get("REJOINDER_NO_SKIP") == "1":
        pytest.fail(f"{name} is not installed (REJOINDER_NO_SKIP=1 forbids skipping)")
    pytest.skip(f"{name} is not installed", allow_module_level=True)


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """A command that runs in this process sends the logs to a stream that is closed when its test ends."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Address of a throw-away PostgreSQL server."""
    require(postgres.binaries() is not None, "PostgreSQL's server is not installed (Debian: postgresql)")
    with postgres.cluster() as address:
        yield address


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """Address of an empty database of the test's own; it goes when the server goes."""
    return postgres.create_database(postgres_server)


@pytest.fixture(scope="session")
def wordpress() -> Iterator[wordpress_server.WordPressServer]:
    """A real WordPress site; tests make posts of their own on it."""
    problem = wordpress_server.missing()
    require(not problem, problem)
    with wordpress_server.running() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind that the ledger supports."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "ledger.db")
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    """A ledger of this version's shape, on each kind of database."""
    opened = connect(database_url)
    upgrade(opened)
    yield opened
    opened.close()
