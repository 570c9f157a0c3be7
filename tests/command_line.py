"""The command line inside a test, in a folder of the test's own."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.cli import main
from bot.store.ledger import connect, sqlite_url
from bot.store.migrate import upgrade
from tests.builders import Desk


@dataclass
class Cli:
    """The command line in a folder of its own."""

    folder: Path
    capture: pytest.CaptureFixture[str]
    out: str = ""
    err: str = ""

    def __call__(self, *arguments: str) -> int:
        code = main(["--data-dir", str(self.folder / "data"), *arguments])
        self.out, self.err = self.capture.readouterr()
        return code

    def json(self, *arguments: str) -> Any:
        assert self(*arguments) == 0, self.err
        return json.loads(self.out)

    def desk(self) -> Desk:
        """The ledger that the command line sees, with a channel `demo`."""
        (self.folder / "data").mkdir(exist_ok=True)
        ledger = connect(sqlite_url(self.folder / "data" / "ledger.db"))
        upgrade(ledger)
        return Desk(ledger)
