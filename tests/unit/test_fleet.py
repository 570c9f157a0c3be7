"""Several servers: who is asked, what happens when one fails, and how voices get to all of them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.generator import (
    GeneratorError,
    GeneratorMisconfigured,
    GeneratorUnavailable,
    RequestRefused,
    VoiceRef,
    VoiceRefused,
)
from bot.prompt import Message
from bot.serving.breaker import FAILURES, PAUSE_S
from bot.serving.fleet import Fleet
from bot.serving.member import path_there
from bot.serving.server import ModelServer
from tests.fake_weights import write_weights
from tests.fakes import FakeOpenAI
from tests.service import until

HELLO: list[Message] = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "hello"}]


class Ticks:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Yard:
    """Two fake servers and the fleet that asks them."""

    def __init__(self, one: FakeOpenAI, two: FakeOpenAI, deadline_s: float = 5.0) -> None:
        self.one, self.two, self.ticks = one, two, Ticks()
        self.fleet = Fleet(
            [ModelServer(base_url=fake.url, deadline_s=deadline_s) for fake in (one, two)],
            model="base",
            concurrency=4,
            deadline_s=deadline_s,
            clock=self.ticks,
        )

    async def ask(self, **options: Any) -> str:
        answer = await self.fleet.chat(HELLO, **options)
        return answer.choices[0].message.content or ""

    @property
    def asked(self) -> tuple[int, int]:
        return len(self.one.requests), len(self.two.requests)


@asynccontextmanager
async def running_yard(deadline_s: float = 5.0, **two: Any) -> AsyncIterator[Yard]:
    async with FakeOpenAI(replies=["one"]) as first, FakeOpenAI(replies=["two"], **two) as second:
        yard = Yard(first, second, deadline_s)
        yield yard
        await yard.fleet.aclose()


@pytest.fixture
async def yard() -> AsyncIterator[Yard]:
    async with running_yard() as made:
        yield made


@pytest.fixture
def voice(tmp_path: Path) -> VoiceRef:
    return VoiceRef("ada", "ada-1a2b", str(write_weights(tmp_path / "voices" / "ada-1a2b")))


async def test_the_server_with_the_least_to_do_is_asked(yard: Yard) -> None:
    yard.one.fault = yard.two.fault = "slow"
    tasks = [asyncio.create_task(yard.ask()) for _ in range(6)]
    await until(lambda: sum(yard.asked) == 6)
    assert yard.asked == (3, 3)
    assert yard.fleet.outstanding("base") == 6
    yard.one.go.set()
    yard.two.go.set()
    await asyncio.gather(*tasks)
    assert yard.fleet.outstanding("base") == 0


@pytest.mark.parametrize("fault", ["500", "429", "html", "disconnect", "no_choices", "401", "cut_stream"])
async def test_when_one_fails_the_other_answers_and_the_request_is_asked_once_of_each(
    yard: Yard, fault: Any
) -> None:
    await yard.fleet.context()
    yard.one.fault = fault
    assert await yard.ask() == "two"
    assert yard.asked == (1, 1)


async def test_when_all_fail_the_error_that_may_pass_is_told(yard: Yard) -> None:
    yard.one.fault, yard.two.fault = "500", "401"
    with pytest.raises(GeneratorUnavailable):
        await yard.ask()
    yard.one.fault = "401"
    with pytest.raises(GeneratorMisconfigured, match="api_key"):
        await yard.ask()


async def test_a_request_that_is_refused_is_not_asked_of_another(yard: Yard) -> None:
    with pytest.raises(RequestRefused):
        await yard.ask(n=3, temperature=0)
    assert sum(yard.asked) == 1


async def test_once_text_has_come_no_other_server_begins_again(yard: Yard) -> None:
    yard.one.replies = yard.two.replies = ["a reply of several words"]
    yard.one.fault = yard.two.fault = "cut_stream"
    heard: list[str] = []
    with pytest.raises(GeneratorUnavailable, match="broke off"):
        await yard.ask(on_text=heard.append)
    assert "".join(heard) == "a reply"
    assert sum(yard.asked) == 1


async def test_the_deadline_is_one_for_all_servers() -> None:
    async with running_yard(deadline_s=0.3) as yard:
        await yard.fleet.context()
        await yard.fleet.count_tokens(HELLO)
        yard.one.fault = yard.two.fault = "hang"
        with pytest.raises(GeneratorUnavailable, match="deadline"):
            await yard.ask()
        assert sum(yard.asked) == 1


async def test_a_server_that_hangs_casts_no_doubt_on_the_one_for_which_no_time_is_left() -> None:
    async with running_yard(deadline_s=0.2) as yard:
        await yard.ask()
        yard.one.fault = "hang"
        for _ in range(FAILURES):
            with pytest.raises(GeneratorUnavailable, match="deadline"):
                await yard.ask()
        assert [use.well for use in yard.fleet.uses()] == [False, True]
        assert await yard.ask() == "two"


async def test_a_request_without_time_is_no_failure_of_any_server(yard: Yard) -> None:
    for _ in range(FAILURES):
        with pytest.raises(GeneratorUnavailable, match="no time"):
            await yard.ask(until=asyncio.get_running_loop().time())
    assert yard.asked == (0, 0)
    assert [use.well for use in yard.fleet.uses()] == [True, True]


async def test_a_server_that_cannot_count_is_left_alone_as_one_that_cannot_write(yard: Yard) -> None:
    yard.one.fault = "500"
    for _ in range(FAILURES):
        assert await yard.fleet.count_tokens(HELLO) is not None
    assert [use.well for use in yard.fleet.uses()] == [False, True]
    assert yard.fleet.outstanding("base") == 0


async def test_while_a_voice_is_loaded_others_go_on_answering(
    yard: Yard, voice: VoiceRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def slow(server: ModelServer, name: str, path: str) -> None:
        begun.set()
        await go.wait()

    monkeypatch.setattr(ModelServer, "load_voice", slow)
    loading = asyncio.create_task(yard.fleet.load(voice))
    await begun.wait()
    assert await yard.ask() == "one"
    assert not loading.done()
    go.set()
    await loading


async def test_a_server_that_fails_again_and_again_is_left_alone_and_then_probed_once(yard: Yard) -> None:
    yard.one.fault = "500"
    for _ in range(FAILURES):
        assert await yard.ask() == "two"
    before = len(yard.one.calls)
    assert await yard.ask() == "two"
    assert len(yard.one.calls) == before
    assert [use.well for use in yard.fleet.uses()] == [False, True]
    yard.ticks.now += PAUSE_S
    yard.one.fault = ""
    assert await yard.ask() == "one"
    assert [use.well for use in yard.fleet.uses()] == [True, True]


async def test_a_fleet_with_no_server_that_is_well_still_tries_one(yard: Yard) -> None:
    yard.one.fault = yard.two.fault = "500"
    for _ in range(FAILURES + 2):
        with pytest.raises(GeneratorUnavailable):
            await yard.ask()
    assert yard.fleet.capacity == 1
    yard.one.fault = yard.two.fault = ""
    assert await yard.ask() in ("one", "two")


async def test_the_capacity_is_that_of_the_servers_that_are_well(yard: Yard) -> None:
    assert yard.fleet.capacity == 8
    yard.two.fault = "500"
    for _ in range(FAILURES):
        await yard.ask()
        yard.one.fault, yard.two.fault = "", "500"
        await asyncio.gather(*(yard.ask() for _ in range(2)))
    assert yard.fleet.capacity == 4


async def test_a_queue_at_a_server_lowers_how_much_it_gets_until_it_is_gone(yard: Yard) -> None:
    yard.one.waiting = 3
    yard.two.waiting = 3
    await yard.ask()
    await until(lambda: yard.fleet.capacity == 7)
    yard.one.waiting = yard.two.waiting = 0
    for _ in range(2):
        yard.ticks.now += 1
        await yard.ask()
    await until(lambda: yard.fleet.capacity == 8)


async def test_a_voice_is_loaded_once_where_it_is_missing(yard: Yard, voice: VoiceRef) -> None:
    answers = await asyncio.gather(*(yard.ask(voice=voice) for _ in range(6)))
    assert len(answers) == 6
    for fake in (yard.one, yard.two):
        loads = [path for path, _ in fake.calls if path == "/v1/load_lora_adapter"]
        assert len(loads) <= 1
        assert {body["model"] for body in fake.requests} <= {"ada-1a2b"}


async def test_a_server_that_restarted_gets_the_voice_again(yard: Yard, voice: VoiceRef) -> None:
    await yard.fleet.load(voice)
    await yard.one.restart()
    await yard.two.restart()
    assert await yard.ask(voice=voice) in ("one", "two")
    assert len(yard.one.voices) + len(yard.two.voices) == 1


async def test_a_voice_that_somebody_unloaded_is_loaded_again(yard: Yard, voice: VoiceRef) -> None:
    await yard.fleet.load(voice)
    yard.one.voices.clear()
    yard.two.voices.clear()
    assert await yard.ask(voice=voice) in ("one", "two")


async def test_loading_and_unloading_tell_of_every_server(yard: Yard, voice: VoiceRef) -> None:
    assert await yard.fleet.load(voice) == [(yard.one.url, None), (yard.two.url, None)]
    assert "ada-1a2b" in yard.one.voices
    yard.two.fault = "503"
    [(_, fine), (_, failed)] = await yard.fleet.unload("ada-1a2b")
    assert fine is None
    assert isinstance(failed, GeneratorUnavailable)
    served = await yard.fleet.served()
    assert [entry.name for entry in served[yard.one.url]] == ["base"]  # type: ignore[union-attr]
    assert isinstance(served[yard.two.url], GeneratorError)


async def test_bad_weights_are_told_as_the_voices_fault(yard: Yard, tmp_path: Path) -> None:
    broken = VoiceRef("bad", "bad-1", str(write_weights(tmp_path / "bad", rank=32)))
    with pytest.raises(VoiceRefused, match="rank 32"):
        await yard.ask(voice=broken)
    assert [use.well for use in yard.fleet.uses()] == [True, True]
    yard.two.fault = "503"
    with pytest.raises(GeneratorUnavailable):
        await yard.ask(voice=broken)


async def test_a_voice_that_is_served_from_the_start_needs_no_loading() -> None:
    async with FakeOpenAI(models=("base", "ada-1a2b"), runtime_lora=False) as fake:
        fleet = Fleet([ModelServer(base_url=fake.url)], model="base")
        answer = await fleet.chat(HELLO, voice=VoiceRef("ada", "ada-1a2b", "/nowhere"))
        assert answer.model == "ada-1a2b"
        await fleet.aclose()


async def test_an_answer_by_another_voice_is_refused(yard: Yard, voice: VoiceRef) -> None:
    class Mixed(ModelServer):
        async def chat(self, *args: Any, **options: Any) -> Any:
            answer = await super().chat(*args, **options)
            answer.model = "somebody-else"
            return answer

    fleet = Fleet([Mixed(base_url=yard.one.url)], model="base")
    with pytest.raises(GeneratorMisconfigured, match="somebody-else"):
        await fleet.chat(HELLO, voice=voice)
    await fleet.aclose()


async def test_a_server_without_a_system_role_gets_the_rules_in_the_first_message() -> None:
    async with running_yard(system_role=False) as yard:
        yard.one.fault = "500"
        assert await yard.ask() == "two"
        assert yard.two.requests[0]["messages"] == [{"role": "user", "content": "Be kind.\n\nhello"}]


async def test_a_server_whose_tokenizer_speaks_otherwise_is_asked_without_a_count(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*args: object) -> None:
        raise RequestRefused("400: prompt is missing")

    monkeypatch.setattr(ModelServer, "count_tokens", refused)
    assert await yard.fleet.count_tokens(HELLO) is None
    await yard.ask()
    assert yard.one.requests[0]["messages"] == HELLO


async def test_the_smallest_context_of_the_servers_counts() -> None:
    async with running_yard(max_model_len=1024) as yard:
        assert await yard.fleet.context() in (1024, 2048)
        await asyncio.gather(yard.ask(), yard.ask())
        assert await yard.fleet.context() == 1024


@pytest.mark.parametrize(
    ("one", "two", "sees"), [(True, True, True), (True, False, False), (False, False, False)]
)
async def test_pictures_are_seen_when_every_server_sees_them(
    yard: Yard, one: bool, two: bool, sees: bool
) -> None:
    yard.one.sees, yard.two.sees = one, two
    assert await yard.fleet.sees_pictures() is sees
    await yard.fleet.sees_pictures()
    assert yard.asked == (1, 1), "each is tried once"


async def test_while_no_server_answers_no_picture_is_seen_and_that_is_asked_again(yard: Yard) -> None:
    yard.one.sees = yard.two.sees = True
    yard.one.fault = yard.two.fault = "503"
    assert not await yard.fleet.sees_pictures()
    yard.one.fault = yard.two.fault = ""
    assert await yard.fleet.sees_pictures()


async def test_tokens_that_the_cache_served_are_counted(yard: Yard) -> None:
    yard.two.fault = "500"
    for _ in range(2):
        await yard.fleet.chat([{"role": "user", "content": "x" * 400}])
    use = yard.fleet.uses()[0]
    assert use.prompt_tokens == 2 * 112
    assert use.cached_tokens == 112


@pytest.mark.parametrize(
    ("path", "there", "mapped"),
    [
        ("/data/voices/ada-1", "", "/data/voices/ada-1"),
        ("/data/voices/ada-1", "/mnt/v", "/mnt/v/ada-1"),
        ("/elsewhere/ada-1", "/mnt/v", "/elsewhere/ada-1"),
    ],
)
def test_a_voices_folder_is_found_where_the_server_has_it(path: str, there: str, mapped: str) -> None:
    assert path_there(path, "/data/voices", there) == mapped


@pytest.mark.parametrize(
    "ask",
    [lambda fleet: fleet.chat(HELLO), lambda fleet: fleet.context(), lambda fleet: fleet.count_tokens(HELLO)],
)
async def test_without_a_server_the_error_says_what_to_set(ask: Callable[[Fleet], Awaitable[object]]) -> None:
    with pytest.raises(GeneratorMisconfigured, match="base_url"):
        await ask(Fleet([], model="base"))
