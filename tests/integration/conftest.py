"""What the tests of whole parts share."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.command_line import Cli


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Cli]:
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield Cli(tmp_path, capsys)
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
