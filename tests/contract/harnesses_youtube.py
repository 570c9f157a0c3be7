"""A YouTube channel with one video on the fake server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from adapters.base import Clock, CommentRef, MemoryVault
from adapters.sandbox_site import utc_now
from adapters.youtube import YouTubeAdapter
from adapters.youtube_options import YouTubeOptions
from tests.contract.harnesses import new_session
from tests.platforms.youtube import YouTube, serving


class YouTubeHarness:
    def __init__(self, fake: YouTube, url: str, http: aiohttp.ClientSession, clock: Clock) -> None:
        self.fake = fake
        self.url = url
        self.http = http
        self.clock = clock
        self.vault = MemoryVault()
        self.video = fake.store.add_video("怎么泡茶 How to brew tea")
        self.adapter = self.make()

    def make(self, **options: object) -> YouTubeAdapter:
        chosen = {
            "client_id": self.fake.client[0],
            "client_secret": self.fake.client[1],
            "refresh_token": self.fake.refresh_token,
            "base_url": self.url,
            "token_url": f"{self.url}/token",
            **options,
        }
        known = YouTubeOptions.model_validate(chosen)
        return YouTubeAdapter(known, http=self.http, clock=self.clock, vault=self.vault)

    async def write(self, text: str, parent: CommentRef | None = None, name: str = "Visitor") -> None:
        self.fake.store.add(text, video=self.video, parent=parent.thread_id if parent else None, name=name)

    async def remove(self, ref: CommentRef) -> None:
        self.fake.store.remove(ref.comment_id)


@asynccontextmanager
async def youtube(clock: Clock = utc_now, **fake: float) -> AsyncIterator[YouTubeHarness]:
    served = YouTube(clock, **fake)
    async with serving(served) as url, new_session() as http:
        yield YouTubeHarness(served, url, http, clock)
