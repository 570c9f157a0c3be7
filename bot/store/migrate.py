"""Bringing a database to this version's shape, and refusing one from the future."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from bot.store.ledger import Ledger, LedgerUnusable, translated_errors

SCRIPTS = Path(__file__).parent.parent / "migrations"
_LOCK = 7_235_911  # any fixed number: names the lock that keeps two migrating processes apart


def upgrade(ledger: Ledger, revision: str = "head") -> bool:
    """Bring the ledger to `revision`; True when that changed anything.

    Safe to call from any number of processes at once. Raises LedgerUnusable for a newer database.
    """
    config = _config()
    with translated_errors(ledger.address), ledger.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        before = current(connection)
        if before == _resolve(config, revision):
            return False
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, revision)
        except CommandError as error:
            raise LedgerUnusable(
                f"{ledger.address} was written by a newer version of Rejoinder (revision {before}); "
                "install that version, or point database.url elsewhere"
            ) from error
        return True


def current(connection: Connection) -> str | None:
    """The revision the database is at; None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def _resolve(config: Config, revision: str) -> str | None:
    scripts = ScriptDirectory.from_config(config)
    return scripts.get_current_head() if revision == "head" else revision


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    return config
