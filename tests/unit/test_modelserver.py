"""One server: what it tells of itself, its voices, and what becomes of bad answers."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.generator import (
    GeneratorError,
    GeneratorMisconfigured,
    GeneratorUnavailable,
    ModelMissing,
    RequestRefused,
    TooLong,
    VoiceRefused,
)
from bot.prompt import Message
from bot.serving.server import ModelServer, ServedModel, read_figures
from tests.fake_weights import write_weights
from tests.fakes import FakeOpenAI, Fault

HELLO: list[Message] = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "hello"}]


@pytest.fixture
async def fake() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI() as running:
        yield running


@pytest.fixture
async def server(fake: FakeOpenAI) -> AsyncIterator[ModelServer]:
    built = ModelServer(base_url=fake.url, deadline_s=5)
    yield built
    await built.aclose()


async def test_it_tells_its_version_models_and_figures(
    fake: FakeOpenAI, server: ModelServer, tmp_path: Path
) -> None:
    weights = write_weights(tmp_path / "ada")
    await server.load_voice("ada-1", str(weights))
    await server.chat(HELLO, model="base")
    assert await server.version() == "0.32.0"
    assert await server.models() == [
        ServedModel("base", "/models/base", None, 2048),
        ServedModel("ada-1", str(weights), "base", None),
    ]
    figures = await server.figures()
    assert figures is not None
    assert (figures.running, figures.cache_queries) == (0, fake.cache_queries)


async def test_a_server_that_is_not_vllm_is_asked_without_complaint() -> None:
    async with FakeOpenAI(is_vllm=False) as fake:
        server = ModelServer(base_url=fake.url)
        assert await server.version() is None
        assert await server.figures() is None
        assert await server.count_tokens(HELLO, "base") is None
        assert not await server.loads_voices()
        await server.aclose()


def test_figures_are_added_up_over_engines() -> None:
    lines = [f'vllm:num_requests_waiting{{engine="{number}"}} 2.0' for number in range(3)]
    assert read_figures("\n".join(lines) + "\n").waiting == 6


async def test_tokens_are_counted_as_the_server_does(server: ModelServer) -> None:
    short = await server.count_tokens(HELLO, "base")
    longer = await server.count_tokens([*HELLO, {"role": "user", "content": "x" * 400}], "base")
    assert short is not None
    assert longer is not None
    assert longer > short + 99
    with pytest.raises(ModelMissing, match="'nobody'"):
        await server.count_tokens(HELLO, "nobody")


async def test_a_voice_is_loaded_once_and_again_without_complaint(
    fake: FakeOpenAI, server: ModelServer, tmp_path: Path
) -> None:
    weights = str(write_weights(tmp_path / "ada"))
    await server.load_voice("ada-1", weights)
    await server.load_voice("ada-1", weights)
    assert fake.voices == {"ada-1": weights}
    await server.unload_voice("ada-1")
    await server.unload_voice("ada-1")
    assert fake.voices == {}


@pytest.mark.parametrize("bad", ["missing", "rank", "corrupt", "other base"])
async def test_bad_weights_are_refused_and_the_server_goes_on(
    server: ModelServer, tmp_path: Path, bad: str
) -> None:
    folder = tmp_path / "bad"
    if bad != "missing":
        write_weights(folder, rank=32 if bad == "rank" else 8, hidden=512 if bad == "other base" else 256)
    if bad == "corrupt":
        (folder / "adapter_model.safetensors").write_bytes(b"\xff" * 64)
    with pytest.raises(VoiceRefused, match="'bad-1'"):
        await server.load_voice("bad-1", str(folder))
    assert (await server.chat(HELLO, model="base")).choices


async def test_a_server_out_of_memory_casts_no_blame_on_the_voice(
    server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "Call to add_lora method failed: Worker failed with error 'CUDA out of memory. Tried to allocate 64.00 MiB.'"
    monkeypatch.setattr("tests.fakes.refusal", lambda path, **limits: (500, said))
    with pytest.raises(GeneratorUnavailable, match="out of memory"):
        await server.load_voice("ada-1", str(write_weights(tmp_path / "ada")))


@pytest.mark.parametrize("fault", ["503", "hang", "disconnect"])
async def test_a_server_in_trouble_has_not_refused_a_voice(fake: FakeOpenAI, fault: Fault) -> None:
    fake.fault = fault
    server = ModelServer(base_url=fake.url, deadline_s=5)
    server.load_s = 0.05
    with pytest.raises(GeneratorUnavailable):
        await server.load_voice("ada-1", "/weights/ada")
    await server.aclose()


async def test_whether_voices_can_be_loaded_is_found_without_loading_one(
    fake: FakeOpenAI, server: ModelServer
) -> None:
    assert await server.loads_voices()
    assert fake.voices == {}
    async with FakeOpenAI(runtime_lora=False) as other:
        fixed = ModelServer(base_url=other.url)
        assert not await fixed.loads_voices()
        await fixed.aclose()


async def test_a_stream_gives_what_the_whole_answer_gives(fake: FakeOpenAI, server: ModelServer) -> None:
    fake.replies = ["It costs $12 [1].", "十二元 [1]。"]
    pieces: list[str] = []
    options = {"model": "base", "n": 2, "logprobs": True, "max_tokens": 50}
    streamed = await server.chat(HELLO, on_text=pieces.append, **options)
    whole = await server.chat(HELLO, **options)
    assert "".join(pieces) == "It costs $12 [1]."
    assert [choice.model_dump() for choice in streamed.choices] == [
        choice.model_dump() for choice in whole.choices
    ]
    assert streamed.usage is not None
    assert streamed.usage.completion_tokens == whole.usage.completion_tokens  # type: ignore[union-attr]


async def test_a_streamed_tool_call_is_put_together(fake: FakeOpenAI, server: ModelServer) -> None:
    fake.tool_calls = [[("price", '{"of": "beans"}')]]
    tools = [{"type": "function", "function": {"name": "price", "parameters": {}}}]
    answer = await server.chat(HELLO, model="base", tools=tools, on_text=lambda text: None)
    [call] = answer.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert (call.function.name, call.function.arguments) == ("price", '{"of": "beans"}')


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(
    "fault",
    [
        "500",
        "429",
        "html",
        "broken_json",
        "other_json",
        "empty",
        "disconnect",
        "cut_stream",
        "endless",
        "no_choices",
    ],
)
async def test_every_bad_answer_is_one_line_of_ours(
    fake: FakeOpenAI, server: ModelServer, fault: Fault, streaming: bool
) -> None:
    fake.fault = fault
    on_text = (lambda text: None) if streaming else None
    with pytest.raises(GeneratorUnavailable) as caught:
        await server.chat(HELLO, model="base", max_tokens=20, on_text=on_text)
    assert fake.url in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


async def test_an_answer_without_end_is_not_read_to_the_end(fake: FakeOpenAI, server: ModelServer) -> None:
    fake.fault = "endless"
    with pytest.raises(GeneratorUnavailable, match="without end"):
        await server.chat(HELLO, model="base")
    with pytest.raises(GeneratorUnavailable, match="beyond max_tokens"):
        await server.chat(HELLO, model="base", max_tokens=20, on_text=lambda text: None)


async def test_a_redirect_is_not_followed(fake: FakeOpenAI, server: ModelServer) -> None:
    fake.fault = "redirect"
    with pytest.raises(GeneratorMisconfigured, match="redirect"):
        await server.chat(HELLO, model="base")
    assert len(fake.requests) == 1


async def test_each_refusal_says_what_to_do(fake: FakeOpenAI, server: ModelServer) -> None:
    with pytest.raises(ModelMissing, match="serves 'nobody'"):
        await server.chat(HELLO, model="nobody")
    with pytest.raises(TooLong, match="longer than the model's context"):
        await server.chat([{"role": "user", "content": "x" * 10_000}], model="base")
    fake.system_role = False
    with pytest.raises(RequestRefused, match="System role not supported"):
        await server.chat(HELLO, model="base")


async def test_neither_key_nor_password_is_ever_told(fake: FakeOpenAI) -> None:
    fake.key = "s3cret"
    address = fake.url.replace("http://", "http://ada:passw0rd@")
    server = ModelServer(base_url=address, api_key="wr0ng-key")
    fake.fault = "401"
    with pytest.raises(GeneratorError) as caught:
        await server.chat(HELLO, model="base")
    health = await server.check("base")
    for text in (str(caught.value), health.message, server.base_url):
        assert "wr0ng-key" not in text
        assert "passw0rd" not in text
    await server.aclose()


@pytest.mark.parametrize("fault", ["503", "429", "disconnect", "broken_json"])
async def test_an_error_tells_what_to_do_to_commands_too_where_no_comment_waits(
    fake: FakeOpenAI, server: ModelServer, fault: Fault
) -> None:
    fake.fault = fault
    for asked in (server.chat(HELLO, model="base"), server.load_voice("ada-1", "/nowhere")):
        with pytest.raises(GeneratorUnavailable) as caught:
            await asked
        assert "comment" not in str(caught.value)
        assert "look at the server's log" in str(caught.value) or "is the server running" in str(caught.value)


@pytest.mark.parametrize("key", ["密钥", "key\nX-Other: 1", "key\n"])
def test_a_key_that_no_request_can_carry_is_told_at_once_and_not_shown(key: str) -> None:
    with pytest.raises(GeneratorMisconfigured, match="api_key") as caught:
        ModelServer(base_url="http://127.0.0.1:1/v1", api_key=key)
    assert key not in str(caught.value)
