"""Voices on a real vLLM server through the program: swapped under load, and refused where they can't be served."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from pathlib import Path

import pytest

from bot.generator import GeneratorError
from bot.models import State, VoiceStatus
from bot.persona import Persona
from bot.prompt import system_text
from bot.store import voices
from bot.store.cases import Item
from bot.voices.files import BadVoice
from tests.vllm import install
from tests.vllm import voices as made
from tests.vllm.fixture_data import ASKING, VOICES, facts
from tests.vllm.house import House, open_house, until
from tests.vllm.server import BASE, MAX_LORA_RANK, VLLMServer, get, post

AT_ONCE = 8


def questions(count: int) -> list[str]:
    """About the sample documents."""
    known = facts()
    asked = [
        (known[number % len(known)], ASKING[known[number % len(known)].language]) for number in range(count)
    ]
    return [
        ways[number % len(ways)].format(fact.sentence.rstrip(".。"))
        for number, (fact, ways) in enumerate(asked)
    ]


def assert_each_speaks_as_it_was_asked(items: list[Item]) -> None:
    """The first part of a voice's name tells whose weights it has. The fixture model may drop its word; it never has
    another's."""
    spoken = [
        (draft.voice.partition("-")[0] if draft.voice else None, voice_in(text))
        for draft in (item.draft for item in items if item.draft is not None)
        for text in draft.candidates
    ]
    assert [pair for pair in spoken if pair[1] not in (None, pair[0])] == []
    assert sum(asked == said for asked, said in spoken) > 0.8 * len(spoken)


def voice_in(text: str) -> str | None:
    """Whose word a reply has."""
    return next((voice for voice in VOICES if voice in text), None)


async def test_voices_change_under_load_and_every_reply_is_by_the_voice_that_its_draft_names(
    vllm: VLLMServer, tmp_path: Path
) -> None:
    shared = [{"role": "system", "content": system_text(Persona())}]
    assert post(f"{vllm.url}/tokenize", {"model": BASE, "messages": shared})[1]["count"] > 128
    async with open_house(vllm, tmp_path, generator={"candidates": 2, "concurrency": AT_ONCE}) as house:
        asked = iter(questions(1000))
        busy = asyncio.create_task(keep_busy(house, asked))
        for name in ("amber-1", "cobalt-1", "amber-2"):
            await house.register(
                name, made.renamed(install.VOICES / name.partition("-")[0], tmp_path / name, name)
            )
            house.promote(name)
            await written_by(house, name, AT_ONCE)
        house.roll_back()
        await written_by(house, "cobalt-1", AT_ONCE)
        busy.cancel()
        items = await house.ended(1000 - len(list(asked)))
        assert "generator" not in house.running.service.troubles
    assert {item.comment.state for item in items} <= {State.SENT, State.REVIEW}
    assert {item.comment.attempts for item in items} == {0}
    assert_each_speaks_as_it_was_asked(items)


async def keep_busy(house: House, texts: Iterator[str]) -> None:
    """There are always comments waiting."""
    while True:
        if sum(item.comment.state == State.NEW for item in house.items()) < 2 * AT_ONCE:
            house.say(list(islice(texts, AT_ONCE)))
        await asyncio.sleep(0.2)


async def written_by(house: House, name: str, more: int) -> None:
    """Until `name` has written `more` drafts than it has now."""

    def count() -> int:
        return sum(item.draft is not None and item.draft.voice == name for item in house.items())

    wanted = count() + more
    await until(lambda: count() >= wanted)


@pytest.fixture
async def house(vllm: VLLMServer, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(vllm, tmp_path) as opened:
        yield opened


async def test_a_voice_that_cannot_be_served_is_refused_with_one_line_and_leaves_nothing(
    house: House, vllm: VLLMServer, tmp_path: Path, amber: Path
) -> None:
    bad = {
        "is no safetensors file": made.corrupt(amber, tmp_path / "corrupt"),
        "is damaged": made.cut_short(amber, tmp_path / "short"),
        "greater than max_lora_rank 16": made.of_rank(amber, tmp_path / "rank", 2 * MAX_LORA_RANK),
        "vectors of 512 numbers, the model's have 256": made.for_another_base(amber, tmp_path / "large", 2.0),
        # The server would take this one, and answer wrongly.
        "vectors of 128 numbers, the model's have 256": made.for_another_base(amber, tmp_path / "small", 0.5),
        "are for 'Qwen/Qwen9-900B'": with_config(amber, tmp_path / "other", base="Qwen/Qwen9-900B"),
        "is not there": tmp_path / "nowhere",
    }
    for words, folder in bad.items():
        with pytest.raises((BadVoice, GeneratorError), match=words) as refused:
            await house.register("mia-1", folder)
        assert "\n" not in str(refused.value)
        assert nothing_left(house, vllm), words
    assert (await house.register("mia-1", amber)).voice.status == VoiceStatus.CANDIDATE


def nothing_left(house: House, server: VLLMServer) -> bool:
    files = list((house.running.settings.data_dir / "voices").glob("*"))
    rows = house.running.ledger.read(voices.every)
    served = [model["id"] for model in get(f"{server.url}/v1/models")[1]["data"]]
    return (files, rows, served) == ([], [], [BASE])


def with_config(good: Path, folder: Path, *, base: str) -> Path:
    """The same weights, said to be for another base."""
    shutil.copytree(good, folder)
    config = json.loads((good / made.CONFIG).read_text("utf-8"))
    (folder / made.CONFIG).write_text(json.dumps(config | {"base_model_name_or_path": base}), "utf-8")
    return folder
