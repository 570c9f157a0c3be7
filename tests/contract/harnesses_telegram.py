"""Telegram's adapter, and a group whose comments it reads."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from adapters.base import CommentRef
from adapters.telegram import TelegramAdapter
from adapters.telegram_options import TelegramOptions
from adapters.telegram_rows import split
from tests.contract.harnesses import new_session
from tests.platforms.telegram import GROUP, TOKEN, Telegram, serving, utc_now


class TelegramHarness:
    def __init__(self, url: str, http: aiohttp.ClientSession, state: Telegram) -> None:
        self.url = url
        self.http = http
        self.state = state
        self.post = state.post("A post\nAbout something")
        self.adapter = self.make()

    def make(self, **options: object) -> TelegramAdapter:
        chosen = {"base_url": self.url, "token": TOKEN, "groups": [GROUP], **options}
        return TelegramAdapter(TelegramOptions.model_validate(chosen), http=self.http, clock=utc_now)

    async def write(self, text: str, parent: CommentRef | None = None, name: str = "Visitor") -> None:
        above = split(parent.comment_id)[1] if parent else self.post
        self.state.write(text, thread=self.post, answers=above, name=name)

    async def remove(self, ref: CommentRef) -> None:
        self.state.remove(split(ref.comment_id)[1])


@asynccontextmanager
async def telegram(state: Telegram | None = None) -> AsyncIterator[TelegramHarness]:
    """A group with one post in it."""
    state = state or Telegram()
    async with serving(state) as url, new_session() as http:
        yield TelegramHarness(url, http, state)
