"""The keeper against model servers: what is loaded where, when it goes, and what it does with bad weights."""

import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot.generator import GeneratorMisconfigured, GeneratorUnavailable, VoiceUnusable
from bot.models import Draft, State, VoiceStatus
from bot.serving.fleet import Fleet
from bot.serving.server import ModelServer
from bot.store import drafting, verdicts, voices
from bot.store.deciding import Sign
from bot.store.ledger import connect, sqlite_url
from bot.store.migrate import upgrade
from bot.store.voices import NewVoice
from bot.voices.canary import CanaryRules
from bot.voices.files import served_as, take_in
from bot.voices.keeper import LOOK_S, Keeper, load_outcome
from tests.builders import Desk, comment
from tests.fake_weights import write_weights
from tests.fakes import FakeOpenAI

LEASE_S = 60.0


@dataclass
class House:
    """A ledger, two servers, and a keeper between them."""

    desk: Desk
    servers: list[FakeOpenAI]
    fleet: Fleet
    keeper: Keeper
    data_dir: Path
    names: dict[str, str] = field(default_factory=dict)

    def add(self, *names: str, rank: int = 8) -> None:
        for number, name in enumerate(names):
            source = write_weights(self.data_dir / "trained" / name, rank=rank, base=f"base-{number}")
            path, weights = take_in(source, self.data_dir, name)
            self.names[name] = served_as(name, weights.digest)
            new = NewVoice(name, path, weights.digest, weights.base_model, weights.rank)
            self.desk.ledger.write(voices.add, new, by="ann", now=self.desk.clock())

    def folder(self, name: str) -> Path:
        return self.data_dir / "voices" / self.names[name]

    def promote(self, *names: str, share: float | None = None) -> None:
        for name in names:
            self.desk.ledger.write(
                voices.promote, name, share=share, by="ann", now=self.desk.clock.forward(1)
            )

    async def look(self) -> None:
        self.desk.clock.forward(LOOK_S)
        await self.keeper.tick()

    def loaded(self) -> list[list[str]]:
        """The names of the voices at each server."""
        known = {served: name for name, served in self.names.items()}
        return [sorted(known[served] for served in server.voices) for server in self.servers]

    def statuses(self) -> dict[str, str]:
        return {voice.name: voice.status for voice in self.desk.ledger.read(voices.every)}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(FakeOpenAI()) for _ in range(2)]
        ledger = connect(sqlite_url(tmp_path / "ledger.db"))
        stack.callback(ledger.close)
        upgrade(ledger)
        fleet = Fleet([ModelServer(base_url=server.url, deadline_s=5.0) for server in servers], model="base")
        stack.push_async_callback(fleet.aclose)
        desk = Desk(ledger)
        keeper = Keeper(
            ledger=ledger, servers=fleet, data_dir=tmp_path, rules=CanaryRules(0.99, 5), clock=desk.clock,
            lease=timedelta(seconds=LEASE_S),
        )  # fmt: skip
        yield House(desk, servers, fleet, keeper, tmp_path)


async def test_what_answers_comments_is_loaded_on_every_server(house: House) -> None:
    house.add("mia-1", "mia-2", "mia-3", "mia-4")
    house.promote("mia-1", "mia-2")
    house.promote("mia-3", share=0.1)
    await house.keeper.tick()
    assert house.loaded() == [["mia-1", "mia-2", "mia-3"]] * 2
    assert house.keeper.troubles == {}


async def test_a_server_that_forgot_its_names_gets_them_again(house: House) -> None:
    house.add("mia-1")
    house.promote("mia-1")
    await house.keeper.tick()
    await house.servers[1].restart()
    assert house.loaded() == [["mia-1"], []]
    await house.look()
    assert house.loaded() == [["mia-1"], ["mia-1"]]


async def test_between_two_looks_the_servers_are_asked_only_when_a_voice_changes(house: House) -> None:
    house.add("mia-1")
    house.promote("mia-1")
    await house.keeper.tick()
    asked = len(house.servers[0].calls)
    house.desk.clock.forward(LOOK_S / 2)
    await house.keeper.tick()
    assert len(house.servers[0].calls) == asked
    house.add("mia-2")
    house.promote("mia-2")
    await house.keeper.tick()
    assert house.loaded() == [["mia-1", "mia-2"]] * 2


async def test_without_a_voice_no_server_is_asked(house: House) -> None:
    await house.keeper.tick()
    await house.look()
    assert house.servers[0].calls == []


async def test_a_retired_voice_stays_until_no_comment_can_need_it(house: House) -> None:
    house.add("mia-1")
    house.promote("mia-1", share=0.1)
    await house.keeper.tick()
    house.desk.ledger.write(voices.retire, "mia-1", by="ann", now=house.desk.clock())
    await house.look()
    assert house.loaded() == [["mia-1"]] * 2
    house.desk.clock.forward(LEASE_S)
    with house.fleet._members[0].asked(house.names["mia-1"]):
        await house.look()
        assert house.loaded() == [["mia-1"]] * 2
    await house.look()
    assert house.loaded() == [[], []]


async def test_a_voice_that_no_server_lets_go_is_not_told_as_unloaded(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.add("mia-1")
    house.promote("mia-1", share=0.1)
    await house.keeper.tick()
    house.desk.ledger.write(voices.retire, "mia-1", by="ann", now=house.desk.clock())
    house.desk.clock.forward(LEASE_S)

    async def refused(server: ModelServer, name: str) -> None:
        raise GeneratorMisconfigured("loading is off")

    monkeypatch.setattr(ModelServer, "unload_voice", refused)
    with capture_logs() as told:
        await house.look()
    assert told == []


async def test_the_way_back_stays_loaded(house: House) -> None:
    house.add("mia-1", "mia-2", "mia-3")
    house.promote("mia-1", "mia-2", "mia-3")
    await house.keeper.tick()
    house.desk.clock.forward(LEASE_S)
    await house.look()
    assert house.loaded() == [["mia-2", "mia-3"]] * 2


async def test_names_that_are_not_in_the_registry_are_left_alone(house: House) -> None:
    house.add("mia-1")
    house.promote("mia-1")
    house.servers[0].voices["somebody-elses"] = "/elsewhere"
    house.names["somebody"] = "somebody-elses"
    await house.look()
    assert "somebody-elses" in house.servers[0].voices


async def test_a_server_that_is_away_is_no_fault_of_the_voice(house: House) -> None:
    house.add("mia-1")
    house.promote("mia-1")
    for server in house.servers:
        await server.stop()
    await house.keeper.tick()
    assert (house.statuses(), house.keeper.troubles) == ({"mia-1": VoiceStatus.LIVE}, {})
    for server in house.servers:
        await server.restart()
    await house.look()
    assert house.loaded() == [["mia-1"]] * 2


async def test_a_voice_that_every_server_refuses_is_rolled_back_with_the_reason(house: House) -> None:
    house.add("mia-1")
    house.add("mia-2", rank=32)
    house.promote("mia-1", "mia-2")
    await house.keeper.tick()
    assert house.statuses() == {"mia-1": VoiceStatus.LIVE, "mia-2": VoiceStatus.RETIRED}
    assert "LoRA rank 32 is greater than max_lora_rank 16" in house.keeper.troubles["mia-2"]
    [(voice, event)] = house.desk.ledger.read(voices.returned_since, house.desk.clock() - timedelta(days=1))
    assert (voice.name, event.actor, event.act) == ("mia-2", "keeper", "rollback")
    assert "max_lora_rank" in event.detail
    await house.look()
    assert house.keeper.troubles == {}


async def test_a_voice_that_one_server_of_two_refuses_stays_and_is_told(house: House) -> None:
    house.servers[0].max_rank = 4
    house.add("mia-1")
    house.promote("mia-1")
    await house.keeper.tick()
    assert house.statuses() == {"mia-1": VoiceStatus.LIVE}
    assert house.loaded() == [[], ["mia-1"]]
    assert "max_lora_rank 4" in house.keeper.troubles["mia-1"]
    house.servers[0].max_rank = 16
    await house.look()
    assert house.keeper.troubles == {}


async def test_a_live_voice_whose_files_are_gone_gives_way_to_the_one_before(house: House) -> None:
    house.add("mia-1", "mia-2")
    house.promote("mia-1", "mia-2")
    shutil.rmtree(house.folder("mia-2"))
    await house.keeper.tick()
    assert house.statuses() == {"mia-1": VoiceStatus.LIVE, "mia-2": VoiceStatus.RETIRED}
    assert "damaged or gone" in house.keeper.troubles["mia-2"]


async def test_where_the_voice_before_is_bad_too_the_base_model_answers(house: House) -> None:
    house.add("mia-1", "mia-2", rank=32)
    house.promote("mia-1", "mia-2")
    await house.keeper.tick()
    await house.keeper.tick()
    assert set(house.statuses().values()) == {VoiceStatus.RETIRED}
    assert house.desk.ledger.read(voices.answering) == []


async def test_a_server_that_looks_elsewhere_for_the_files_takes_no_voice_out(house: House) -> None:
    house.fleet._there = "/nowhere"
    house.fleet._here = str(house.data_dir / "voices")
    house.add("mia-1")
    house.promote("mia-1")
    await house.keeper.tick()
    assert house.statuses() == {"mia-1": VoiceStatus.LIVE}
    assert "No adapter found" in house.keeper.troubles["mia-1"]


async def test_a_bad_canary_is_taken_back_and_the_live_voice_stays(house: House) -> None:
    house.add("mia-1")
    house.add("mia-2", rank=32)
    house.promote("mia-1")
    house.promote("mia-2", share=0.1)
    await house.keeper.tick()
    assert house.statuses() == {"mia-1": VoiceStatus.LIVE, "mia-2": VoiceStatus.RETIRED}


def judge(desk: Desk, number: int, voice: str, *, good: bool) -> None:
    desk.ingest(comment(number))
    [work] = desk.claim()
    row = work.comment.id or 0
    draft = Draft(comment_id=row, created_at=desk.clock(), text="Ten.", voice=voice, model="base")
    outcome = drafting.Outcome(row, State.REVIEW, "because", draft=draft)
    desk.ledger.write(drafting.save_outcomes, [outcome], owner=desk.owner, now=desk.clock())
    if good:
        desk.ledger.write(verdicts.approve, row, sign=Sign("ann"), now=desk.clock())
    else:
        desk.ledger.write(verdicts.reject, row, reason="wrong", sign=Sign("ann"), now=desk.clock())


async def test_a_canary_that_people_reject_goes_by_itself_and_says_why(house: House) -> None:
    house.add("mia-1", "mia-2")
    house.promote("mia-1")
    house.promote("mia-2", share=0.5)
    for number in range(8):
        judge(house.desk, number, "mia-1", good=True)
        judge(house.desk, 100 + number, "mia-2", good=number < 4)
    await house.look()
    assert house.statuses() == {"mia-1": VoiceStatus.LIVE, "mia-2": VoiceStatus.CANARY}
    judge(house.desk, 200, "mia-2", good=False)
    judge(house.desk, 201, "mia-2", good=False)
    judge(house.desk, 202, "mia-2", good=False)
    await house.look()
    assert house.statuses() == {"mia-1": VoiceStatus.LIVE, "mia-2": VoiceStatus.RETIRED}
    [(_, event)] = house.desk.ledger.read(voices.returned_since, house.desk.clock() - timedelta(days=1))
    assert (event.act, event.detail.startswith("rejected 7 of 11 (64%), the live voice 0 of 8 (0%)")) == (
        "return",
        True,
    )


DOWN, BAD, WRONG = GeneratorUnavailable("down"), VoiceUnusable("bad"), GeneratorMisconfigured("elsewhere")


@pytest.mark.parametrize(
    ("errors", "whole", "outcome"),
    [
        ([None, None], True, "served"),
        ([None, BAD], True, "served"),
        ([None], False, "served"),
        ([DOWN, DOWN], True, "waiting"),
        ([DOWN, DOWN], False, "waiting"),
        ([BAD, BAD], True, "bad"),
        ([BAD, DOWN], True, "bad"),
        ([WRONG, WRONG], True, "waiting"),
        ([WRONG, BAD], True, "waiting"),
        ([WRONG, WRONG], False, "bad"),
        ([], True, "waiting"),
    ],
)
def test_only_a_voice_that_is_to_blame_is_bad(errors: list[object], whole: bool, outcome: str) -> None:
    loaded = [(f"server {number}", error) for number, error in enumerate(errors)]
    assert load_outcome(loaded, whole) == outcome  # type: ignore[arg-type]
