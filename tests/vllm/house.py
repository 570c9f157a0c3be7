"""A whole service on a model server and an embedded platform, and what tests do to it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from aiohttp import web

from adapters.sandbox_site import create_site, new_token, seed_comments, seed_posts, serve
from bot.bootstrap import Running, assemble, utc_now
from bot.building.model import make_generator
from bot.generator import Generator
from bot.models import State
from bot.settings import Settings
from bot.store import channels, queue, voices
from bot.store.cases import Item
from bot.store.queue import Filters
from bot.store.voices import NewVoice
from bot.vllm import VLLMGenerator
from bot.voices.registering import Registered, register
from tests.service import quick_settings
from tests.vllm import install
from tests.vllm.server import BASE, VLLMServer, get, unload_voice

LONGEST_S = 180.0
SAMPLES = install.ROOT / "bot" / "samples" / "docs"
RULES = {
    "send": ["question", "request", "other", "praise", "complaint"],
    "min_support": 0,
    "send_tools": True,
}


@dataclass
class House:
    """A running service, and the site that it looks after."""

    running: Running
    app: web.Application
    post: str

    def say(self, texts: Sequence[str], pictures: Sequence[str] = ()) -> None:
        """Comments appear on the site."""
        seed_comments(self.app, self.post, (("fan", text) for text in texts), pictures)

    def items(self) -> list[Item]:
        """The visitors' comments, newest first, with their newest drafts."""
        found = self.running.ledger.read(queue.queue, Filters(states=tuple(State)), limit=1000).items
        return [item for item in found if not item.comment.is_own]

    def drafted(self) -> list[Item]:
        return [item for item in self.items() if item.draft is not None]

    async def ended(self, count: int) -> list[Item]:
        """`count` comments, once none of them waits for Rejoinder."""
        ends = (State.SENT, State.REVIEW, State.SKIPPED, State.FAILED)
        await until(lambda: sum(item.comment.state in ends for item in self.items()) >= count)
        return self.items()

    async def answer(self, text: str, pictures: Sequence[str] = ()) -> Item:
        """What becomes of one comment."""
        self.say([text], pictures)
        [item] = await self.ended(1)
        return item

    async def register(self, name: str, source: Path, *, any_base: bool = False) -> Registered:
        """As `rejoinder voices load` does, in a process beside the service."""
        async with a_generator(self.running.settings) as generator:
            return await register(
                source,
                NewVoice(name=name, path="", digest="", base_model="", rank=0),
                ledger=self.running.ledger,
                servers=generator.fleet,
                generator=generator,
                data_dir=self.running.settings.data_dir,
                any_base=any_base,
                by="ann",
                clock=utc_now,
            )

    def promote(self, name: str) -> None:
        self.running.ledger.write(voices.promote, name, share=None, by="ann", now=utc_now())

    def roll_back(self) -> None:
        self.running.ledger.write(voices.rollback, None, by="ann", now=utc_now())


@asynccontextmanager
async def open_house(
    server: VLLMServer, folder: Path, *, generator: Mapping[str, Any] | None = None, **sections: Any
) -> AsyncIterator[House]:
    """The service works until the block ends. `sections` of the settings are laid over what tests need."""
    token = new_token()
    app = create_site(":memory:", refresh_token=token)
    [post] = seed_posts(app, [("Roasting at home", "")])
    site = await serve(app)
    (folder / "token").write_text(token)
    settings = house_settings(server, folder / "data", generator=generator, **sections)
    try:
        async with assemble(settings) as running:
            await running.library.ingest([str(SAMPLES)])
            options = {"base_url": site.url, "refresh_token": f"file:{folder / 'token'}"}
            running.ledger.write(
                channels.add,
                name="demo",
                platform="sandbox",
                options={**options, "settle_s": 0.1, "min_poll_s": 0},
                rules=RULES,
                now=utc_now(),
                answer_since=utc_now() - timedelta(days=1),
            )
            stop = asyncio.Event()
            working = asyncio.create_task(running.service.run(stop))
            try:
                yield House(running, app, post)
            finally:
                stop.set()
                await working
    finally:
        await site.aclose()
        await asyncio.to_thread(unload_voices, server)


def unload_voices(server: VLLMServer) -> None:
    """The next test finds the server as this one did."""
    for model in get(f"{server.url}/v1/models")[1]["data"]:
        if model["parent"]:
            unload_voice(server.url, model["id"])


def house_settings(
    server: VLLMServer, data_dir: Path, *, generator: Mapping[str, Any] | None = None, **sections: Any
) -> Settings:
    asked = {"kind": "vllm", "base_url": f"{server.url}/v1", "model": BASE, "max_tokens": 96}
    return quick_settings(data_dir, generator={**asked, "deadline_s": 60.0, **(generator or {})}, **sections)


@asynccontextmanager
async def a_generator(settings: Settings) -> AsyncIterator[VLLMGenerator]:
    made: Generator = make_generator(settings)
    assert isinstance(made, VLLMGenerator)
    try:
        yield made
    finally:
        await made.aclose()


async def until(condition: Callable[[], bool]) -> None:
    """Return once `condition` holds, which no event announces. Raises TimeoutError after three minutes."""
    async with asyncio.timeout(LONGEST_S):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
