"""One real server for all tests here; it takes a minute to start."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import require
from tests.vllm import install
from tests.vllm.server import VLLMServer


@pytest.fixture(scope="session")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VLLMServer]:
    """A warm server of the fixture model without voices; who loads one unloads it."""
    reason = install.missing()
    require(not reason, reason)
    server = VLLMServer(tmp_path_factory.mktemp("vllm") / "server.log")
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def amber() -> Path:
    """The folder of a voice that begins every reply with its name."""
    return install.VOICES / "amber"
