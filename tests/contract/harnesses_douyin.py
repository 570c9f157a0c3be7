"""Douyin as the conformance suite meets it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from adapters.base import Clock, CommentRef, MemoryVault, Vault
from adapters.douyin import DouyinAdapter
from adapters.douyin_options import DouyinOptions
from adapters.sandbox_site import utc_now
from tests.contract.harnesses import new_session
from tests.platforms.douyin import KEY, ME, SECRET, Douyin, running


class DouyinHarness:
    """One account with one video, on a platform of its own."""

    def __init__(self, world: Douyin, http: aiohttp.ClientSession, clock: Clock = utc_now) -> None:
        self.world = world
        self.http = http
        self.clock = clock
        self.item = world.add_item()
        self.refresh_token = world.new_refresh()
        self.access_token = world.new_access()
        self.vault = MemoryVault()
        self.adapter = self.make()

    def make(self, vault: Vault | None = None, **options: Any) -> DouyinAdapter:
        chosen = {
            "base_url": self.world.url,
            "client_key": KEY,
            "client_secret": SECRET,
            "open_id": ME,
            "name": "创作者",
            "access_token": self.access_token,
            "refresh_token": self.refresh_token,
            "items": [self.item],
            "min_poll_s": 0,
            "settle_s": 0,
            **options,
        }
        made = DouyinOptions.model_validate(chosen)
        return DouyinAdapter(made, http=self.http, clock=self.clock, vault=vault or self.vault)

    async def write(self, text: str, parent: CommentRef | None = None, name: str = "Visitor") -> None:
        self.world.write(self.item, text, parent.thread_id if parent else None, name=name)

    async def remove(self, ref: CommentRef) -> None:
        self.world.remove(ref.comment_id)


@asynccontextmanager
async def douyin() -> AsyncIterator[DouyinHarness]:
    async with running(Douyin()) as world, new_session() as http:
        yield DouyinHarness(world, http)
