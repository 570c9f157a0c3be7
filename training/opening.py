"""The ledger, as a process beside the service opens it."""

from collections.abc import Iterator
from contextlib import contextmanager

from bot.settings import Settings
from bot.store.ledger import Ledger, LedgerUnusable, connect
from bot.store.migrate import upgrade


@contextmanager
def open_ledger(settings: Settings) -> Iterator[Ledger]:
    """Of this version's shape. Raises LedgerError, SettingsError."""
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerUnusable(
            f"data_dir {settings.data_dir} cannot be made ({error.strerror}); name a folder that can be written to"
        ) from error
    ledger = connect(settings.database_url)
    try:
        upgrade(ledger)
        yield ledger
    finally:
        ledger.close()
