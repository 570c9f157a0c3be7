"""What the client relies on a model server for: asked of the fake, and of the real one (`tests/vllm/`).

A fake that drifts away from vLLM fails here, or vLLM does when its version changes.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.generator import ModelMissing, RequestRefused, TooLong, VoiceRefused, VoiceUnusable
from bot.prompt import Message, tool_turn
from bot.serving.server import ModelServer
from tests.fake_weights import HIDDEN, MAX_RANK, WEIGHTS, write_weights
from training.server_sleep import MARK, asleep

HELLO: list[Message] = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "hello 你好"}]
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
TOOL = {
    "type": "function",
    "function": {
        "name": "price",
        "description": "Prices",
        "parameters": {"type": "object", "properties": {"thing": {"type": "string"}}, "required": ["thing"]},
        "strict": True,
    },
}


@dataclass(frozen=True)
class Served:
    """A server of a base model `base` with a context of 2048 tokens, for ranks up to 16, without voices."""

    client: ModelServer
    context: int = 2048


class ModelServerContract:
    """Subclasses have a fixture `served`."""

    async def test_the_base_is_listed_with_its_context_and_a_voice_with_its_parent_and_folder(
        self, served: Served, tmp_path: Path
    ) -> None:
        folder = str(write_weights(tmp_path / "ada"))
        await served.client.load_voice("ada-1", folder)
        base, voice = await served.client.models()
        await served.client.unload_voice("ada-1")
        assert (base.name, base.parent, base.max_model_len) == ("base", None, served.context)
        assert base.root
        assert (voice.name, voice.root, voice.parent, voice.max_model_len) == ("ada-1", folder, "base", None)

    async def test_token_ids_are_answered_with_token_ids_and_the_one_that_ended_them(
        self, served: Served
    ) -> None:
        # What a tiny model makes of any four tokens may end at once.
        options = {"model": "base", "max_tokens": 64, "temperature": 0.0, "ignore_eos": True}
        whole = await served.client.complete([5, 6, 7, 8], **options)
        stopped = await served.client.complete([5, 6, 7, 8], **options, stop_token_ids=[whole[2]])
        assert stopped == whole[: whole.index(whole[2]) + 1]
        with pytest.raises(ModelMissing, match="does not exist"):
            await served.client.complete([5], **options | {"model": "nobody"})

    async def test_the_version_is_told(self, served: Served) -> None:
        assert await served.client.version() == "0.32.0"

    async def test_loading_is_known_to_be_on_without_loading(self, served: Served) -> None:
        assert await served.client.loads_voices()
        assert [one.name for one in await served.client.models()] == ["base"]

    async def test_tokens_are_counted_as_the_prompt_has_them(self, served: Served) -> None:
        answer = await served.client.chat(HELLO, model="base", max_tokens=4)
        assert answer.usage is not None
        assert await served.client.count_tokens(HELLO, "base") == answer.usage.prompt_tokens

    async def test_the_cache_keeps_a_prompt_that_comes_again(self, served: Served) -> None:
        long: list[Message] = [{"role": "user", "content": "The shop has many rules, and this is one. " * 40}]
        cached = []
        for _ in range(2):
            answer = await served.client.chat(long, model="base", max_tokens=4)
            assert answer.usage is not None
            assert answer.usage.prompt_tokens_details is not None
            cached.append(answer.usage.prompt_tokens_details.cached_tokens)
        figures = await served.client.figures()
        assert cached[0] == 0
        assert cached[1] > 128
        assert figures is not None
        assert figures.cache_queries > figures.cache_hits >= cached[1]

    async def test_each_candidate_has_its_tokens_with_their_log_probabilities(self, served: Served) -> None:
        answer = await served.client.chat(
            HELLO, model="base", n=3, max_tokens=6, temperature=1.0, logprobs=True
        )
        told = [choice.logprobs.content or [] for choice in answer.choices if choice.logprobs]
        assert [choice.index for choice in answer.choices] == [0, 1, 2]
        assert answer.usage is not None
        assert sum(map(len, told)) == answer.usage.completion_tokens
        assert all(token.logprob <= 0 for tokens in told for token in tokens)

    async def test_a_streamed_reply_is_the_same_as_a_whole_one(self, served: Served) -> None:
        heard: list[str] = []
        options: dict[str, Any] = {"model": "base", "max_tokens": 12, "temperature": 0, "logprobs": True}
        whole = await served.client.chat(HELLO, **options)
        streamed = await served.client.chat(HELLO, on_text=heard.append, **options)
        said = whole.choices[0].message.content
        assert streamed.choices[0].message.content == said == "".join(heard)
        assert streamed.choices[0].finish_reason == whole.choices[0].finish_reason
        assert whole.usage is not None
        assert streamed.usage is not None
        assert streamed.usage.completion_tokens == whole.usage.completion_tokens

    async def test_a_reply_is_cut_where_the_context_ends(self, served: Served) -> None:
        long: list[Message] = [{"role": "user", "content": "word " * 1000}]
        tokens = await served.client.count_tokens(long, "base")
        assert tokens is not None
        answer = await served.client.chat(long, model="base", max_tokens=served.context)
        assert answer.usage is not None
        assert answer.usage.total_tokens <= served.context

    async def test_a_prompt_beyond_the_context_is_told_apart(self, served: Served) -> None:
        with pytest.raises(TooLong, match="maximum context length is 2048 tokens"):
            await served.client.chat([{"role": "user", "content": "word " * 4000}], model="base")

    @pytest.mark.parametrize(
        "options",
        [
            {"messages": []},
            {"n": 3, "temperature": 0},
            {"messages": [{"role": "user", "content": [PICTURE, {"type": "text", "text": "What is it?"}]}]},
        ],
        ids=["no messages", "candidates without a temperature", "a picture that it cannot see"],
    )
    async def test_what_it_does_not_do_is_refused(self, served: Served, options: dict[str, Any]) -> None:
        with pytest.raises(RequestRefused):
            await served.client.chat(**{"messages": HELLO, "model": "base", "max_tokens": 4, **options})

    async def test_results_of_tools_are_read(self, served: Served) -> None:
        turn = tool_turn([("call-0", "price", '{"thing": "bag"}')], ["$12"])
        answer = await served.client.chat(
            [*HELLO, *turn], model="base", max_tokens=4, tools=[TOOL], tool_choice="none"
        )
        assert not answer.choices[0].message.tool_calls

    async def test_a_voice_answers_under_its_own_name_until_it_is_unloaded(
        self, served: Served, tmp_path: Path
    ) -> None:
        await served.client.load_voice("ada-2", str(write_weights(tmp_path / "ada")))
        answer = await served.client.chat(HELLO, model="ada-2", max_tokens=4)
        await served.client.unload_voice("ada-2")
        assert answer.model == "ada-2"
        with pytest.raises(ModelMissing, match="does not exist"):
            await served.client.chat(HELLO, model="ada-2")
        with pytest.raises(ModelMissing, match="does not exist"):
            await served.client.count_tokens(HELLO, "ada-2")

    async def test_loading_and_unloading_twice_is_fine(self, served: Served, tmp_path: Path) -> None:
        folder = str(write_weights(tmp_path / "ada"))
        await served.client.load_voice("ada-3", folder)
        await served.client.load_voice("ada-3", folder)
        await served.client.unload_voice("ada-3")
        await served.client.unload_voice("ada-3")

    async def test_a_folder_that_is_not_there_is_no_fault_of_the_weights(
        self, served: Served, tmp_path: Path
    ) -> None:
        with pytest.raises(VoiceRefused, match="No adapter found") as refused:
            await served.client.load_voice("bad", str(tmp_path / "nowhere"))
        assert not isinstance(refused.value, VoiceUnusable)

    async def test_the_name_of_the_base_is_taken(self, served: Served, tmp_path: Path) -> None:
        with pytest.raises(VoiceRefused, match="conflicts with a served base model"):
            await served.client.load_voice("base", str(write_weights(tmp_path / "ada")))

    async def test_weights_that_cannot_be_served_are_to_blame_and_leave_nothing(
        self, served: Served, tmp_path: Path
    ) -> None:
        for number, folder in enumerate(bad_weights(tmp_path)):
            with pytest.raises(VoiceUnusable):
                await served.client.load_voice(f"bad-{number}", str(folder))
        assert [one.name for one in await served.client.models()] == ["base"]

    async def test_asleep_it_takes_requests_and_answers_once_it_is_awake(
        self, served: Served, tmp_path: Path
    ) -> None:
        block = asleep([served.client.base_url], tmp_path)
        await asyncio.to_thread(block.__enter__)
        assert (tmp_path / MARK).read_text() != "[]"
        waits = asyncio.create_task(served.client.chat(HELLO, model="base", max_tokens=4))
        await served.client.models()
        assert not waits.done()
        await asyncio.to_thread(block.__exit__, None, None, None)
        assert (await waits).choices
        assert not (tmp_path / MARK).exists()

    async def test_weights_for_smaller_matrices_are_taken(self, served: Served, tmp_path: Path) -> None:
        # Why the program compares the shapes itself.
        folder = write_weights(tmp_path / "small", hidden=HIDDEN // 2)
        await served.client.load_voice("small", str(folder))
        await served.client.unload_voice("small")


def bad_weights(folder: Path) -> list[Path]:
    """No weights, weights cut short, of too high a rank, for larger matrices."""
    corrupt, short = write_weights(folder / "corrupt"), write_weights(folder / "short")
    (corrupt / WEIGHTS).write_bytes(b"not weights " * 100)
    (short / WEIGHTS).write_bytes((short / WEIGHTS).read_bytes()[:-100])
    high = write_weights(folder / "high", rank=2 * MAX_RANK)
    return [corrupt, short, high, write_weights(folder / "large", hidden=2 * HIDDEN)]
