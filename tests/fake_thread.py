"""A fake model server beside a test that runs the command line, which has an event loop of its own."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from tests.fakes import FakeOpenAI


@contextmanager
def in_thread(*servers: FakeOpenAI) -> Iterator[asyncio.AbstractEventLoop]:
    """Serve on a loop of another thread; `asyncio.run_coroutine_threadsafe` reaches it."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    try:
        for server in servers:
            asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(30)
        yield loop
    finally:
        for server in servers:
            asyncio.run_coroutine_threadsafe(server.__aexit__(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
