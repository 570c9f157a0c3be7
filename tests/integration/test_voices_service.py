"""Voices in a running service: who answers, from which comment on, and what happens when a voice is lost."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from bot.bootstrap import Running, assemble, utc_now
from bot.models import Comment, Draft, VoiceStatus
from bot.store import voices
from bot.store.voices import NewVoice
from bot.voices.files import take_in
from tests.builders import Desk, comment
from tests.fake_weights import write_weights
from tests.fakes import FakeOpenAI
from tests.service import quick_settings, until


def speak(body: dict[str, Any]) -> str:
    return f"Roast the beans for ten minutes, says {body['model']} [1]."


@dataclass
class House:
    """A service that drafts with one model server, and a desk to put comments on."""

    running: Running
    server: FakeOpenAI
    desk: Desk

    def add(self, *names: str) -> None:
        data_dir = self.running.settings.data_dir
        for name in names:
            path, weights = take_in(write_weights(data_dir / "trained" / name), data_dir, name)
            new = NewVoice(name, path, weights.digest, "base", 8)
            self.running.ledger.write(voices.add, new, by="ann", now=utc_now())

    def promote(self, *names: str) -> None:
        for name in names:
            self.running.ledger.write(voices.promote, name, share=None, by="ann", now=utc_now())

    async def drafted(self, number: int) -> str | None:
        """Comment `number` is written, and drafted: by whom?"""
        self.desk.ingest(comment(number, f"How long do I roast the beans, question {number}?"))
        self.running.service.wake()
        wanted = (
            select(Draft)
            .join(Comment, Comment.id == Draft.comment_id)
            .where(Comment.platform_id == f"c{number}")
        )
        found: list[Draft] = []

        def is_there() -> bool:
            found[:] = self.running.ledger.read(lambda session: list(session.exec(wanted)))
            return bool(found)

        await until(is_there)
        [draft] = found
        said = draft.text.partition("says ")[2].partition(".")[0]
        assert draft.voice is None or said.startswith(draft.voice)
        return draft.voice


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[House]:
    async with FakeOpenAI(reply=speak) as server:
        settings = quick_settings(
            folder, generator={"kind": "vllm", "base_url": server.url, "model": "base", "deadline_s": 5.0}
        )
        async with assemble(settings, roles=frozenset({"respond"})) as running:
            (folder / "notes.md").write_text("# Roasting\n\nRoast the beans for ten minutes.\n")
            await running.library.ingest([str(folder / "notes.md")])
            stop = asyncio.Event()
            working = asyncio.create_task(running.service.run(stop))
            yield House(running, server, Desk(running.ledger))
            stop.set()
            await working


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with serving(tmp_path) as made:
        yield made


async def test_the_next_comment_is_drafted_by_what_was_promoted_or_rolled_back_to(house: House) -> None:
    told = [await house.drafted(1)]
    house.add("mia-1", "mia-2")
    house.promote("mia-1")
    told.append(await house.drafted(2))
    house.promote("mia-2")
    told.append(await house.drafted(3))
    house.running.ledger.write(voices.rollback, None, by="ann", now=utc_now())
    told.append(await house.drafted(4))
    assert told == [None, "mia-1", "mia-2", "mia-1"]


async def test_a_server_that_was_restarted_answers_with_the_same_voice_again(house: House) -> None:
    house.add("mia-1")
    house.promote("mia-1")
    assert await house.drafted(1) == "mia-1"
    await house.server.restart()
    assert await house.drafted(2) == "mia-1"


async def test_a_voice_whose_files_are_lost_does_not_stop_the_channel(house: House) -> None:
    house.add("mia-1", "mia-2")
    house.promote("mia-1", "mia-2")
    assert await house.drafted(1) == "mia-2"
    shutil.rmtree(house.running.settings.data_dir / house.running.ledger.read(voices.named, "mia-2").path)
    await house.server.restart()
    house.running.ledger.write(voices.retire, _candidate(house), by="ann", now=utc_now())
    assert await house.drafted(2) == "mia-1"
    assert house.running.ledger.read(voices.named, "mia-2").status == VoiceStatus.RETIRED


def _candidate(house: House) -> str:
    """A change of any voice has the keeper look now, and not at its next hour."""
    house.add("other")
    return "other"
