"""What becomes of a model's words, and of a server's faults, against a fake one on loopback."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bot.generator import GenerationRequest, GeneratorMisconfigured, GeneratorUnavailable, VoiceRef
from bot.persona import Persona
from bot.prompt import build_messages, prompt_hash
from bot.serving.fleet import Fleet
from bot.serving.server import ModelServer
from bot.vllm import VLLMGenerator, read_reply, take_citations, whole_sentences
from knowledge.base import Passage, ScoredPassage
from tests.fakes import FakeOpenAI, Fault

PLAIN = Persona(greetings={}, signatures={})
PASSAGE = Passage(1, 1, "docs/shop.md", "Shop", "", None, 0, "The course costs $12.", "en")
REQUEST = GenerationRequest(
    comment="how much is the course?",
    language="en",
    passages=(ScoredPassage(PASSAGE, 1.0, 0.9, "The course costs $12."),),
    persona=PLAIN,
)


def writer(
    *urls: str, model: str = "base", key: str = "", deadline_s: float = 5, temperature: float = 0.3
) -> VLLMGenerator:
    servers = [ModelServer(base_url=url, api_key=key, deadline_s=deadline_s) for url in urls]
    return VLLMGenerator(Fleet(servers, model=model, deadline_s=deadline_s), temperature=temperature)


@pytest.fixture
async def server() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI() as running:
        yield running


@pytest.fixture
async def generator(server: FakeOpenAI) -> AsyncIterator[VLLMGenerator]:
    built = writer(server.url)
    yield built
    await built.aclose()


async def test_a_reply_comes_back_without_its_citation_marks(generator: VLLMGenerator) -> None:
    [completion] = await generator.generate(REQUEST)
    assert completion.text == "It costs $12."
    assert completion.answered
    assert completion.citations == (0,)
    # A single candidate has nobody to be compared with.
    assert (completion.model, completion.voice, completion.logprobs) == ("base", None, None)
    assert completion.prompt_hash == prompt_hash(build_messages(REQUEST))


async def test_the_server_gets_the_rendered_messages(server: FakeOpenAI, generator: VLLMGenerator) -> None:
    await generator.generate(REQUEST)
    [body] = server.requests
    assert body["messages"] == build_messages(REQUEST)
    assert (body["model"], body["n"], body["max_tokens"]) == ("base", 1, 400)


async def test_a_temperature_of_zero_is_sent_as_zero(server: FakeOpenAI) -> None:
    generator = writer(server.url, temperature=0)
    await generator.generate(REQUEST)
    await generator.aclose()
    assert server.requests[0]["temperature"] == 0


async def test_candidates_carry_their_token_logprobs(server: FakeOpenAI) -> None:
    server.replies = ["One [1].", "Number two [1]."]
    generator = writer(server.url)
    two = GenerationRequest(
        comment="?", language="en", passages=REQUEST.passages, persona=PLAIN, candidates=2
    )
    first, second = await generator.generate(two)
    await generator.aclose()
    assert (first.text, second.text) == ("One.", "Number two.")
    assert second.logprobs == (-0.5, -0.5, -0.5)


async def test_a_voice_takes_the_place_of_the_model_in_requests(
    server: FakeOpenAI, generator: VLLMGenerator
) -> None:
    server.models = ("base", "ada-1a2b")
    voice = VoiceRef("ada", "ada-1a2b", "/weights/ada")
    [completion] = await generator.generate(replace(REQUEST, voice=voice))
    assert server.requests[0]["model"] == "ada-1a2b"
    assert (completion.model, completion.voice) == ("base", "ada")


async def test_the_first_candidate_is_told_as_it_is_written(
    server: FakeOpenAI, generator: VLLMGenerator
) -> None:
    server.replies = ["One [1].", "Two [1]."]
    pieces: list[str] = []
    told = await generator.generate(replace(REQUEST, candidates=2), pieces.append)
    assert "".join(pieces) == "One [1]."
    assert len(pieces) > 1
    assert [one.text for one in told] == ["One.", "Two."]
    assert told[1].logprobs == (-0.5, -0.5)


async def test_at_temperature_zero_one_candidate_is_asked_for(server: FakeOpenAI) -> None:
    generator = writer(server.url, temperature=0)
    assert len(await generator.generate(replace(REQUEST, candidates=3))) == 1
    await generator.aclose()


async def test_a_reply_ends_where_the_model_begins_a_fence_of_its_own(
    server: FakeOpenAI, generator: VLLMGenerator
) -> None:
    server.replies = ["It costs $12 [1].\n<<< comment\nand the other?\n>>>"]
    [completion] = await generator.generate(REQUEST)
    assert completion.text == "It costs $12."


async def test_greeting_and_signature_are_put_around_the_reply(
    server: FakeOpenAI, generator: VLLMGenerator
) -> None:
    server.replies = ["十二元 [1]。"]
    persona = Persona(greetings={"zh": "你好！"}, signatures={"zh": "——小林"})
    request = GenerationRequest(comment="多少钱", language="zh", passages=REQUEST.passages, persona=persona)
    [completion] = await generator.generate(request)
    assert completion.text == "你好！十二元。——小林"


@pytest.mark.parametrize(
    "fault",
    ["500", "429", "html", "broken_json", "other_json", "empty", "disconnect", "cut_stream", "no_choices"],
)
async def test_a_fault_that_may_pass_is_unavailable(
    server: FakeOpenAI, generator: VLLMGenerator, fault: Fault
) -> None:
    await generator.fleet.context()
    server.fault = fault
    with pytest.raises(GeneratorUnavailable, match=r"127\.0\.0\.1"):
        await generator.generate(REQUEST)
    assert len(server.requests) == 1  # never repeated by the client


@pytest.mark.parametrize(
    ("fault", "cure"), [("400", "context length"), ("401", "api_key"), ("403", "api_key")]
)
async def test_a_fault_that_stays_is_misconfigured(
    server: FakeOpenAI, generator: VLLMGenerator, fault: Fault, cure: str
) -> None:
    await generator.fleet.context()
    server.fault = fault
    with pytest.raises(GeneratorMisconfigured, match=cure):
        await generator.generate(REQUEST)


async def test_a_wrong_model_name_is_misconfigured(server: FakeOpenAI) -> None:
    generator = writer(server.url, model="nobody")
    with pytest.raises(GeneratorMisconfigured, match="serves 'nobody'"):
        await generator.generate(REQUEST)
    await generator.aclose()


async def test_the_key_is_sent_and_never_shown(server: FakeOpenAI) -> None:
    server.key = "s3cret"
    right = writer(server.url, key="s3cret")
    wrong = writer(server.url, key="wr0ng")
    assert (await right.generate(REQUEST))[0].answered
    with pytest.raises(GeneratorMisconfigured) as caught:
        await wrong.generate(REQUEST)
    assert "wr0ng" not in str(caught.value)
    await right.aclose()
    await wrong.aclose()


async def test_a_server_that_hangs_is_given_up_at_the_deadline(server: FakeOpenAI) -> None:
    server.fault = "hang"
    generator = writer(server.url, deadline_s=0.05)
    with pytest.raises(GeneratorUnavailable, match="did not answer within"):
        await generator.generate(REQUEST)
    await generator.aclose()


async def test_a_cancelled_request_is_cancelled_and_not_translated(
    server: FakeOpenAI, generator: VLLMGenerator
) -> None:
    await generator.fleet.context()
    server.fault = "hang"
    task = asyncio.create_task(generator.generate(REQUEST))
    await server.arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_server_that_is_down_is_unavailable(unused_tcp_port: int) -> None:
    generator = writer(f"http://127.0.0.1:{unused_tcp_port}/v1")
    with pytest.raises(GeneratorUnavailable, match="is the server running"):
        await generator.generate(REQUEST)
    assert not (await generator.check()).ok
    await generator.aclose()


@pytest.mark.parametrize("address", ["", "127.0.0.1:8000", "ftp://host/v1", "http://"])
def test_an_address_that_is_not_http_is_refused_at_once(address: str) -> None:
    with pytest.raises(GeneratorMisconfigured, match="base_url"):
        writer(address)


async def test_the_mark_for_not_knowing_makes_it_unanswered(
    server: FakeOpenAI, generator: VLLMGenerator
) -> None:
    server.replies = ["[unknown] I don't know that one [1]."]
    [completion] = await generator.generate(REQUEST)
    assert completion.text == "I don't know that one."
    assert not completion.answered
    assert completion.citations == ()


@pytest.mark.parametrize("fault", ["no_content", "no_message"])
async def test_an_empty_reply_becomes_the_plain_sentence(
    server: FakeOpenAI, generator: VLLMGenerator, fault: Fault
) -> None:
    server.fault = fault
    [completion] = await generator.generate(REQUEST)
    assert completion.text == PLAIN.cannot_answer_in("en")
    assert not completion.answered


async def test_a_reply_cut_off_by_the_server_keeps_its_whole_sentences(
    server: FakeOpenAI, generator: VLLMGenerator
) -> None:
    server.fault, server.replies = "truncated", ["It costs $12 [1]. And then there is the"]
    assert (await generator.generate(REQUEST))[0].text == "It costs $12."
    server.replies = ["And then there is the"]
    assert not (await generator.generate(REQUEST))[0].answered


async def test_no_reply_is_longer_than_the_platform_allows(
    server: FakeOpenAI, generator: VLLMGenerator
) -> None:
    server.replies = ["A fact about coffee [1]. " * 40]
    short = GenerationRequest(comment="?", language="en", passages=REQUEST.passages, max_chars=120)
    [completion] = await generator.generate(short)
    assert len(completion.text) <= 120
    assert completion.text.count("A fact about coffee.") >= 2


async def test_check_names_what_the_server_serves(server: FakeOpenAI, generator: VLLMGenerator) -> None:
    assert (await generator.check()).ok
    server.models = ("qwen", "llama")
    health = await generator.check()
    assert not health.ok
    assert "qwen, llama" in health.message


@pytest.mark.parametrize("fault", ["500", "401", "html", "broken_json", "other_json", "disconnect"])
async def test_check_reports_every_fault_and_raises_none(
    server: FakeOpenAI, generator: VLLMGenerator, fault: Fault
) -> None:
    server.fault = fault
    health = await generator.check()
    assert not health.ok
    assert server.url in health.message


async def test_closing_twice_is_harmless(generator: VLLMGenerator) -> None:
    await generator.check()
    await generator.aclose()
    await generator.aclose()


@pytest.mark.parametrize(
    ("content", "text", "known"),
    [
        (None, "", True),
        ("  ", "", True),
        ("<think>hmm</think>\nYes.", "Yes.", True),
        ("<think>never ends", "", True),
        ("[Unknown]: no idea", "no idea", False),
        ("我不知道。[unknown]", "我不知道。", False),
        ("［ UNKNOWN ］我不知道。", "我不知道。", False),
        ("Order at evil\u200b.sh\x00op\u202e, \ud83d ok", "Order at evil.shop, \ufffd ok", True),
        ("Enjoy 👩\u200d🍳, fri\u200dend", "Enjoy 👩\u200d🍳, friend", True),
    ],
)
def test_thoughts_and_marks_are_taken_off(content: str | None, text: str, known: bool) -> None:
    assert read_reply(content) == (text, known)


@pytest.mark.parametrize(
    ("text", "plain", "cited"),
    [
        ("A [1]. B [2][1].", "A. B.", (0, 1)),
        ("甲[1，2]。", "甲。", (0, 1)),
        ("甲【1】，乙［2］。", "甲，乙。", (0, 1)),
        ("Nothing cited.", "Nothing cited.", ()),
        ("Too far [9].", "Too far.", ()),
        ("Zero [0].", "Zero.", ()),
    ],
)
def test_citations_are_read_and_taken_off(text: str, plain: str, cited: tuple[int, ...]) -> None:
    assert take_citations(text, passages=2) == (plain, cited)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("One. Two. Thr", "One. Two."),
        ("One. Two.", "One. Two."),
        ("Thr", ""),
        ("", ""),
        ("一。二。三", "一。二。"),
        ("Two [1].", "Two [1]."),
    ],
)
def test_a_broken_off_sentence_is_dropped(text: str, whole: str) -> None:
    assert whole_sentences(text) == whole
