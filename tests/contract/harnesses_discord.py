"""Discord's adapter, and a server whose messages it reads."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from adapters.base import CommentRef
from adapters.discord import DiscordAdapter
from adapters.discord_options import DiscordOptions
from tests.contract.harnesses import new_session
from tests.platforms.discord import CHANNEL, TOKEN, Discord, serving, utc_now


class DiscordHarness:
    """`place` is where visitors write: a channel, or a thread in it."""

    def __init__(self, url: str, http: aiohttp.ClientSession, state: Discord) -> None:
        self.url = url
        self.http = http
        self.state = state
        self.place = CHANNEL
        self.adapter = self.make()

    def make(self, **options: object) -> DiscordAdapter:
        chosen = {"base_url": self.url, "token": TOKEN, "channels": [CHANNEL], **options}
        return DiscordAdapter(DiscordOptions.model_validate(chosen), http=self.http, clock=utc_now)

    async def write(self, text: str, parent: CommentRef | None = None, name: str = "Visitor") -> None:
        self.state.write(text, channel=self.place, answers=parent and parent.comment_id, name=name)

    async def remove(self, ref: CommentRef) -> None:
        self.state.remove(ref.comment_id)


@asynccontextmanager
async def discord(state: Discord | None = None) -> AsyncIterator[DiscordHarness]:
    """A server with a channel and a forum."""
    state = state or Discord()
    async with serving(state) as url, new_session() as http:
        yield DiscordHarness(url, http, state)
