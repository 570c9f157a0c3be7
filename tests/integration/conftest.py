"""What the tests of whole parts share."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from tests.command_line import Cli
from tests.fakes import FakeOpenAI


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.chdir(tmp_path)
    return Cli(tmp_path, capsys)


@pytest.fixture
def model_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeOpenAI]:
    """A model server that the command line is set up with, on a thread: commands run event loops of their own."""
    loop, fake = asyncio.new_event_loop(), FakeOpenAI(replies=["烘焙要多久？"])
    thread = Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(fake.__aenter__(), loop).result()
    monkeypatch.setenv("REJOINDER__GENERATOR__KIND", "vllm")
    monkeypatch.setenv("REJOINDER__GENERATOR__BASE_URL", fake.url)
    monkeypatch.setenv("REJOINDER__GENERATOR__MODEL", "base")
    yield fake
    asyncio.run_coroutine_threadsafe(fake.__aexit__(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
