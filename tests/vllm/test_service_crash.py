"""A real vLLM server is killed with comments in flight: nothing is lost, and its voices come back."""

import asyncio
import threading
from pathlib import Path

import pytest

from bot.models import State
from bot.store import voices
from bot.voices.files import served_as
from tests.vllm import voices as made
from tests.vllm.house import House, open_house, until
from tests.vllm.install import VOICES
from tests.vllm.server import VLLMServer, get, load_voice
from tests.vllm.test_real import listen, raise_reason
from tests.vllm.test_service_voices import assert_each_speaks_as_it_was_asked, questions

COMMENTS = 40
PATIENT = {"retry_max_s": 0.5}
"""A server that starts is asked again soon."""


async def test_a_killed_server_loses_no_comment_and_gets_its_voices_again(
    vllm: VLLMServer, tmp_path: Path
) -> None:
    assert load_voice(vllm.url, "forgotten", VOICES / "amber")[0] == 200
    async with open_house(
        vllm, tmp_path, generator={"concurrency": 8, "deadline_s": 30.0}, service=PATIENT
    ) as house:
        for name in ("amber-1", "cobalt-1"):
            await house.register(name, made.renamed(VOICES / name.partition("-")[0], tmp_path / name, name))
            house.promote(name)
        house.say(questions(COMMENTS))
        await until(lambda: len(house.drafted()) >= COMMENTS // 4)
        await asyncio.to_thread(kill_while_it_speaks, vllm)
        await until(lambda: "generator" in house.running.service.troubles)
        waiting = sum(item.comment.state == State.NEW for item in house.items())
        vllm.launch()
        await asyncio.to_thread(vllm.wait_ready)
        items = await house.ended(COMMENTS)
        await until(lambda: registered(house) <= served(vllm))
        assert "generator" not in house.running.service.troubles
    assert waiting > 0
    assert {item.comment.state for item in items} <= {State.SENT, State.REVIEW}
    assert all(item.comment.reason != "generator_failed" for item in items)
    assert {item.draft.voice for item in items if item.draft is not None} == {"cobalt-1"}
    assert_each_speaks_as_it_was_asked(items)
    assert "forgotten" not in served(vllm)


def registered(house: House) -> set[str]:
    """Both, as a rollback would go to the first."""
    return {served_as(voice.name, voice.digest) for voice in house.running.ledger.read(voices.every)}


def served(server: VLLMServer) -> set[str]:
    return {model["id"] for model in get(f"{server.url}/v1/models")[1]["data"]}


def kill_while_it_speaks(server: VLLMServer) -> None:
    """A reply that is being streamed breaks off, and nobody listens any more."""
    speaking, broken = threading.Event(), threading.Event()
    listener = threading.Thread(target=listen, args=(server, speaking, broken))
    listener.start()
    assert speaking.wait(60)
    server.kill9()
    listener.join(30)
    assert broken.is_set()
    with pytest.raises(ConnectionRefusedError):
        raise_reason(server)
