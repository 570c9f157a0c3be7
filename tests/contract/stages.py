"""The platforms that adapters are tried on, by name: fakes in memory, and real servers of Isso and WordPress."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from adapters.conformance import Harness
from tests.contract.harnesses import IssoHarness, new_session, sandbox
from tests.contract.harnesses_discord import discord
from tests.contract.harnesses_douyin import douyin
from tests.contract.harnesses_fediverse import bluesky, mastodon
from tests.contract.harnesses_telegram import telegram
from tests.contract.harnesses_wordpress import on_a_post_of_its_own
from tests.contract.harnesses_youtube import youtube
from tests.integration import isso_server, wordpress_server

Fresh = Callable[[], AbstractAsyncContextManager[Harness]]
"""Makes a platform with one empty post."""
Stage = Callable[[], AbstractAsyncContextManager[Fresh]]


class NotHere(RuntimeError):
    """A server is not installed; the message says which, and how to get it."""


def in_memory(fresh: Fresh) -> Stage:
    @asynccontextmanager
    async def stage() -> AsyncIterator[Fresh]:
        yield fresh

    return stage


@asynccontextmanager
async def isso() -> AsyncIterator[Fresh]:
    if problem := isso_server.install():
        raise NotHere(problem)
    with TemporaryDirectory(prefix="rejoinder-isso-") as folder, isso_server.running(Path(folder)) as server:

        @asynccontextmanager
        async def fresh() -> AsyncIterator[Harness]:
            async with new_session() as http:
                yield IssoHarness(server.url, http)

        yield fresh


@asynccontextmanager
async def wordpress() -> AsyncIterator[Fresh]:
    if problem := wordpress_server.missing():
        raise NotHere(problem)
    with wordpress_server.running() as site:

        @asynccontextmanager
        async def fresh() -> AsyncIterator[Harness]:
            async with new_session() as http:
                yield await on_a_post_of_its_own(site, http)

        yield fresh


STAGES: dict[str, Stage] = {
    "sandbox": in_memory(sandbox),
    "isso": isso,
    "wordpress": wordpress,
    "youtube": in_memory(youtube),
    "douyin": in_memory(douyin),
    "bluesky": in_memory(bluesky),
    "mastodon": in_memory(mastodon),
    "discord": in_memory(discord),
    "telegram": in_memory(telegram),
}
