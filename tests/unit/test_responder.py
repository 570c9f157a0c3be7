"""What the responder does with what the answerer gives it, and with its failures."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from adapters.errors import Transient
from bot.answer import Answerer
from bot.context import Context
from bot.generator import (
    Completion,
    GenerationRequest,
    GeneratorError,
    GeneratorMisconfigured,
    GeneratorUnavailable,
    OnText,
    RequestRefused,
    VoiceRefused,
)
from bot.metrics import Metrics
from bot.models import Comment, Draft, Reply, State
from bot.persona import Persona
from bot.planning import delay
from bot.policy import Thresholds, TriageRules
from bot.prompt import build_messages
from bot.reasons import Reason
from bot.responder import CAUTIOUS_CHARS, Responder, most_chars, question
from bot.settings import ServiceSettings
from bot.store import channels, verdicts
from bot.store.deciding import Sign
from bot.store.drafting import reply_key
from bot.store.ledger import connect, sqlite_url
from bot.store.migrate import upgrade
from knowledge.base import Passage, ScoredPassage
from tests.builders import START, Desk, comment
from tests.generators import PlainGenerator

SETTINGS = ServiceSettings(beat_s=0.05, max_attempts=3, retry_s=10, retry_max_s=600, workers=4)
PASSAGE = Passage(1, 1, "notes.md", "Notes", "", None, 0, "Roast the beans for ten minutes.", "en")


class OneRetriever:
    def retrieve(
        self, query: str, top_k: int = 4, scope: frozenset[str] | None = None, context: str = ""
    ) -> list[ScoredPassage]:
        return [ScoredPassage(PASSAGE, 3.0, 0.9, PASSAGE.text)]


class ScriptedGenerator(PlainGenerator):
    """Writes what `write` says, and keeps the requests."""

    def __init__(self) -> None:
        self.requests: list[GenerationRequest] = []
        self.write: Callable[[GenerationRequest], str] = lambda request: "Roast the beans for ten minutes."

    async def generate(self, request: GenerationRequest, on_text: OnText | None = None) -> list[Completion]:
        self.requests.append(request)
        return [Completion(self.write(request), True, (0,), "model-1", "voice-7", "hash-1")]


class NoConnections:
    async def get(self, channel: object) -> object:
        raise Transient("down", ambiguous=False)


class Bench:
    def __init__(self, desk: Desk) -> None:
        self.desk, self.generator, self.ready = desk, ScriptedGenerator(), 0
        answerer = Answerer(
            retriever=OneRetriever(),
            generator=self.generator,
            persona=Persona(greetings={}, signatures={}),
            thresholds=Thresholds(0.5),
            triage_rules=TriageRules(),
        )
        context = Context(desk.ledger, NoConnections(), desk.clock, "me", SETTINGS, Metrics())  # type: ignore[arg-type]
        self.responder = Responder(
            context, answerer=answerer, generator_name="scripted", on_ready=self._count_ready
        )

    def _count_ready(self) -> None:
        self.ready += 1

    def rows(self) -> list[Comment]:
        return self.desk.ledger.read(lambda session: list(session.exec(select(Comment).order_by(Comment.id))))

    def one(self, table: type) -> object:
        return self.desk.ledger.read(lambda session: session.exec(select(table)).one())

    def open_for_questions(self) -> None:
        def work(session: object) -> None:
            channel = channels.named(session, "demo")  # type: ignore[arg-type]
            channel.rules = {"send": ["question"]}

        self.desk.ledger.write(work)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    ledger = connect(sqlite_url(tmp_path / "ledger.db"))
    upgrade(ledger)
    yield Bench(Desk(ledger))
    ledger.close()


async def test_a_new_channel_sends_nothing_by_itself(bench: Bench) -> None:
    bench.desk.ingest(comment(1))
    await bench.responder.tick()
    [row] = bench.rows()
    assert (row.state, row.reason) == (State.REVIEW, "not_opened")


async def test_the_channels_persona_answers(bench: Bench) -> None:
    bench.desk.ledger.write(channels.set_rules, "demo", {"persona": "expert"}, now=bench.desk.clock())
    bench.desk.ingest(comment(1))
    [work] = bench.desk.claim()
    assert question(work).persona == "expert"


async def test_what_the_owner_opened_is_ready_with_all_its_evidence(bench: Bench) -> None:
    bench.open_for_questions()
    bench.desk.ingest(comment(1))
    await bench.responder.tick()
    [row] = bench.rows()
    draft, reply = bench.one(Draft), bench.one(Reply)
    assert (row.state, row.reason, row.draft_id) == (State.READY, "grounded", draft.id)  # type: ignore[attr-defined]
    assert isinstance(draft, Draft)
    assert (draft.model, draft.voice, draft.prompt_hash, draft.citations) == (
        "model-1",
        "voice-7",
        "hash-1",
        [0],
    )
    assert [(entry["text"], entry["findings"]) for entry in draft.ranking] == [(0, [])]
    assert draft.passages[0]["text"] == PASSAGE.text
    assert draft.passages[0]["source"] == "notes.md"
    assert isinstance(reply, Reply)
    assert (reply.text, reply.approved_by) == (draft.text, "policy")
    assert bench.ready == 1


async def test_a_number_that_no_document_holds_goes_to_a_person(bench: Bench) -> None:
    bench.open_for_questions()
    bench.generator.write = lambda request: "Roast the beans for 45 minutes."
    bench.desk.ingest(comment(1))
    await bench.responder.tick()
    [row] = bench.rows()
    assert (row.state, row.reason) == (State.REVIEW, "checks")


async def test_a_comment_that_asks_nothing_never_reaches_the_generator(bench: Bench) -> None:
    bench.desk.ingest(comment(1, "😂😂"), comment(2, "Great video!"), comment(3, "\u200b\u200d"))
    await bench.responder.tick()
    assert [(row.state, row.reason) for row in bench.rows()] == [
        (State.SKIPPED, "emoji_only"),
        (State.SKIPPED, "nothing_to_answer"),
        (State.SKIPPED, "empty"),
    ]
    assert bench.generator.requests == []


async def test_while_the_generator_is_down_comments_wait_and_none_is_lost(bench: Bench) -> None:
    def down(request: GenerationRequest) -> str:
        raise GeneratorUnavailable("http://127.0.0.1:8000/v1 does not answer")

    bench.generator.write = down
    bench.desk.ingest(*(comment(number) for number in range(20)))
    for _ in range(20):
        await bench.responder.tick()
        bench.desk.clock.forward(11)
    assert {row.state for row in bench.rows()} == {State.NEW}
    assert bench.responder.trouble == "http://127.0.0.1:8000/v1 does not answer"
    bench.generator.write = lambda request: "Roast the beans for ten minutes."
    bench.desk.clock.forward(601)
    await bench.responder.tick()
    assert {row.state for row in bench.rows()} == {State.REVIEW}
    assert bench.responder.trouble is None


async def test_a_generator_in_trouble_is_asked_by_one_comment_at_a_time_and_less_and_less_often(
    bench: Bench,
) -> None:
    def wrong(request: GenerationRequest) -> str:
        raise GeneratorMisconfigured("no such model")

    bench.generator.write = wrong
    bench.desk.ingest(*(comment(number) for number in range(20)))
    await bench.responder.tick()
    asked = [len(bench.generator.requests)]
    for _ in range(70):
        bench.desk.clock.forward(1)
        await bench.responder.tick()
        asked.append(len(bench.generator.requests))
    assert asked[0] == SETTINGS.workers
    # Pauses of 10, 20 and 40 seconds.
    assert [second for second in range(1, 71) if asked[second] > asked[second - 1]] == [10, 30, 70]
    assert asked[-1] == SETTINGS.workers + 3


async def test_a_comment_that_fails_while_others_succeed_goes_to_a_person(bench: Bench) -> None:
    def picky(request: GenerationRequest) -> str:
        if "poison" in request.comment:
            raise GeneratorMisconfigured("400: too long for the model")
        return "Roast the beans for ten minutes."

    bench.generator.write = picky
    bench.desk.ingest(comment(0, "How long do I roast poison?"))
    for number in range(1, 12):
        bench.desk.ingest(comment(number))
        bench.desk.clock.forward(601)
        await bench.responder.tick()
    rows = {row.platform_id: row for row in bench.rows()}
    assert (rows["c0"].state, rows["c0"].reason) == (State.REVIEW, "generator_failed")
    assert rows["c0"].detail == "400: too long for the model"
    assert {row.reason for key, row in rows.items() if key != "c0"} == {"not_opened"}


@pytest.mark.parametrize("error", [RequestRefused, VoiceRefused])
async def test_a_comment_that_is_refused_while_others_succeed_holds_up_nobody(
    bench: Bench, error: type[GeneratorError]
) -> None:
    def picky(request: GenerationRequest) -> str:
        if "poison" in request.comment:
            raise error("400: no\0such\ud800thing")
        return "Roast the beans for ten minutes."

    bench.generator.write = picky
    bench.desk.ingest(comment(0, "How long do I roast poison?"), comment(1))
    bench.desk.clock.forward(601)
    await bench.responder.tick()
    bench.desk.clock.forward(601)
    await bench.responder.tick()
    assert bench.responder.trouble is None
    bench.desk.ingest(comment(2))
    await bench.responder.tick()
    rows = {row.platform_id: row for row in bench.rows()}
    assert rows["c2"].reason == "not_opened"
    assert (rows["c0"].state, rows["c0"].detail) == (State.NEW, "400: nosuch\ufffdthing")


async def test_a_defect_is_tried_again_and_then_shown_as_failed(bench: Bench) -> None:
    def broken(request: GenerationRequest) -> str:
        raise KeyError("oops")

    bench.generator.write = broken
    bench.desk.ingest(comment(1), comment(2, "Great video!"))
    for _ in range(6):
        await bench.responder.tick()
        bench.desk.clock.forward(601)
    assert [(row.state, row.reason) for row in bench.rows()] == [
        (State.FAILED, "defect"),
        (State.SKIPPED, "nothing_to_answer"),
    ]
    assert bench.rows()[0].detail == "KeyError: 'oops'"
    assert len(bench.generator.requests) == SETTINGS.max_attempts


async def test_the_thread_is_handed_over_oldest_first_with_who_spoke(bench: Bench) -> None:
    bench.desk.ingest(
        comment(1, "How long do I roast?"),
        comment(2, "It depends.", is_own=True, parent_id="c1", thread_id="c1"),
        comment(3, "On what does it depend?", parent_id="c1", thread_id="c1"),
    )
    await bench.responder.tick()
    [request] = bench.generator.requests
    assert [(turn.author, turn.text) for turn in request.thread] == [
        ("fan", "How long do I roast?"),
        ("us", "It depends."),
    ]
    assert request.max_chars == CAUTIOUS_CHARS


async def test_when_stopping_no_further_comment_is_taken(bench: Bench) -> None:
    bench.desk.ingest(comment(1))
    bench.responder.stop()
    await bench.responder.tick()
    assert bench.rows()[0].state == State.NEW


async def test_a_comment_that_arrives_later_does_not_wait_for_a_slow_draft(bench: Bench) -> None:
    begun, release = asyncio.Event(), asyncio.Event()
    generate = bench.generator.generate

    async def slow(request: GenerationRequest, on_text: OnText | None = None) -> list[Completion]:
        if "slow" in request.comment:
            begun.set()
            await release.wait()
        return await generate(request)

    bench.generator.generate = slow  # type: ignore[method-assign]
    bench.desk.ingest(comment(1, "How slow do I roast the beans?"))
    tick = asyncio.create_task(bench.responder.tick())
    async with asyncio.timeout(10):
        await begun.wait()
        bench.desk.ingest(comment(2))
        while [row.state for row in bench.rows()] != [State.NEW, State.REVIEW]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    release.set()
    await tick


async def test_a_slow_draft_does_not_hold_up_the_others(bench: Bench) -> None:
    release = asyncio.Event()
    saved: list[str] = []
    generate = bench.generator.generate

    async def slow(request: GenerationRequest, on_text: OnText | None = None) -> list[Completion]:
        if "slow" in request.comment:
            await release.wait()
        return await generate(request)

    bench.generator.generate = slow  # type: ignore[method-assign]
    bench.desk.ingest(comment(1, "How slow do I roast the beans?"), *(comment(n) for n in range(2, 9)))
    tick = asyncio.create_task(bench.responder.tick())
    async with asyncio.timeout(10):
        while len(saved) < 7:
            saved = [row.platform_id for row in bench.rows() if row.state == State.REVIEW]
            await asyncio.sleep(0.01)
    assert "c1" not in saved
    release.set()
    await tick
    assert {row.state for row in bench.rows()} == {State.REVIEW}
    assert bench.desk.clock() > START


async def test_a_draft_that_a_person_asked_for_comes_back_even_where_everything_is_open(bench: Bench) -> None:
    bench.desk.ingest(comment(1))
    await bench.responder.tick()
    bench.open_for_questions()
    bench.desk.ledger.write(
        verdicts.redraft, 1, hint="name the roast level", sign=Sign("ann"), now=bench.desk.clock.forward(1)
    )
    await bench.responder.tick()
    [row] = bench.rows()
    assert (row.state, row.reason, bench.ready) == (State.REVIEW, "redrafted", 0)
    assert bench.desk.ledger.read(lambda session: session.exec(select(Reply)).all()) == []
    request = bench.generator.requests[-1]
    assert "name the roast level" in str(build_messages(request)[-1]["content"])
    assert "name the roast level" not in str(build_messages(bench.generator.requests[0])[-1]["content"])


async def test_a_draft_that_a_person_asked_for_is_written_whatever_the_comment_is(bench: Bench) -> None:
    bench.desk.ingest(comment(1, "😂😂"))
    await bench.responder.tick()
    assert (bench.rows()[0].state, bench.generator.requests) == (State.SKIPPED, [])
    bench.desk.ledger.write(
        verdicts.redraft, 1, hint="thank them", sign=Sign("ann"), now=bench.desk.clock.forward(1)
    )
    await bench.responder.tick()
    assert (bench.rows()[0].state, len(bench.generator.requests)) == (State.REVIEW, 1)


def set_rules(bench: Bench, **rules: object) -> None:
    bench.desk.ledger.write(
        channels.set_rules, "demo", {"send": ["question"], **rules}, now=bench.desk.clock()
    )


async def test_a_reply_that_goes_out_by_itself_waits_its_random_delay(bench: Bench) -> None:
    set_rules(bench, delay_s=[60, 300])
    bench.desk.ingest(comment(1))
    await bench.responder.tick()
    [row] = bench.rows()
    waits = row.due_at - bench.desk.clock()
    assert row.state == State.READY
    assert waits == delay([60, 300], reply_key(row))
    assert timedelta(seconds=60) <= waits <= timedelta(seconds=300)


async def test_a_listed_bot_is_not_even_drafted_for_but_a_person_may_ask_for_it(bench: Bench) -> None:
    set_rules(bench, bots=["@fan"])
    bench.desk.ingest(comment(1))
    await bench.responder.tick()
    [row] = bench.rows()
    assert (row.state, row.reason, bench.generator.requests) == (State.SKIPPED, Reason.BOT, [])
    bench.desk.ledger.write(verdicts.redraft, row.id or 0, hint="", sign=Sign("ann"), now=bench.desk.clock())
    await bench.responder.tick()
    assert bench.rows()[0].state == State.REVIEW


async def test_the_model_has_room_for_the_label_and_does_not_see_it(bench: Bench) -> None:
    set_rules(bench, label={"en": "(AI-assisted reply)"})
    channel = bench.desk.ledger.read(channels.named, "demo")
    assert most_chars(channel) == CAUTIOUS_CHARS - 20
    ours = comment(2, "Ten minutes.\n(AI-assisted reply)", thread_id="t", is_own=True, parent_id="c1")
    bench.desk.ingest(comment(1, thread_id="t"), ours, comment(3, "And then?", thread_id="t", parent_id="c2"))
    asked = {work.comment.platform_id: question(work) for work in bench.desk.claim()}
    assert [turn.text for turn in asked["c3"].thread] == ["How long do I roast?", "Ten minutes."]
