"""A channel or post that is limited to tags: what its drafts may rest on, from the ledger to the library and back."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlmodel import select

from bot.bootstrap import make_answerer
from bot.context import Context
from bot.extractive import ExtractiveGenerator
from bot.metrics import Metrics
from bot.models import Comment, Draft, State
from bot.responder import Responder
from bot.settings import Settings
from bot.store import channels
from bot.store.ledger import connect, sqlite_url
from bot.store.migrate import upgrade
from knowledge.ingest import Library
from tests.builders import Desk, comment

QUESTIONS = ("Do you ship to Canada?", "Do you ship the beans to Canada please?", "可以寄到加拿大吗？")


@dataclass
class Bench:
    desk: Desk
    library: Library
    responder: Responder

    def limit(self, **rules: object) -> None:
        self.desk.ledger.write(
            channels.set_rules, "demo", {"send": ["question"], **rules}, now=self.desk.clock()
        )

    async def drafts(self, *texts: str) -> list[Draft]:
        self.desk.ingest(*(comment(number, text) for number, text in enumerate(texts)))
        await self.responder.tick()
        return self.desk.ledger.read(lambda session: list(session.exec(select(Draft).order_by(Draft.id))))  # type: ignore[arg-type]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    for name, text in {
        "secret.md": "# Plan\n\nDo you ship to Canada? We ship to Canada within nine days.\n\n可以寄到加拿大。",
        "shop.md": "# Shop\n\nWe ship to Canada in twenty days.\n\n可以寄到加拿大，需要二十天。",
        "club.md": "# Club\n\nMembers: we ship to Canada in two days.\n\n会员可以寄到加拿大，需要两天。",
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    library = Library(tmp_path / "library")
    await library.ingest([str(tmp_path / "secret.md")])
    await library.ingest([str(tmp_path / "shop.md")], tags=frozenset({"shop"}))
    await library.ingest([str(tmp_path / "club.md")], tags=frozenset({"club"}))
    ledger = connect(sqlite_url(tmp_path / "ledger.db"))
    upgrade(ledger)
    desk, settings = Desk(ledger), Settings()
    context = Context(ledger, None, desk.clock, "me", settings.service, Metrics())  # type: ignore[arg-type]
    answerer = make_answerer(settings, library, ExtractiveGenerator())
    yield Bench(
        desk,
        library,
        Responder(context, answerer=answerer, generator_name="extractive", on_ready=lambda: None),
    )
    ledger.close()
    library.close()


def sources(drafts: list[Draft]) -> set[str]:
    return {Path(passage["source"]).name for draft in drafts for passage in draft.passages}


async def test_a_channel_limited_to_a_tag_never_gets_a_passage_without_it(bench: Bench) -> None:
    bench.limit(tags=["shop"])
    drafts = await bench.drafts(*QUESTIONS)
    assert sources(drafts) == {"shop.md"}
    assert all("nine" not in draft.text and "two days" not in draft.text for draft in drafts)
    assert all(passage["tags"] == ["shop"] for draft in drafts for passage in draft.passages)


async def test_without_limits_every_document_may_answer(bench: Bench) -> None:
    bench.limit()
    assert sources(await bench.drafts(*QUESTIONS)) == {"secret.md", "shop.md", "club.md"}


async def test_a_posts_own_tags_take_the_place_of_the_channels(bench: Bench) -> None:
    bench.limit(tags=["shop"], post_tags={"p1": ["club"], "p2": ["shop"]})
    assert sources(await bench.drafts(*QUESTIONS)) == {"club.md"}


async def test_where_no_document_carries_the_tag_a_person_answers(bench: Bench) -> None:
    bench.limit(tags=["nowhere"])
    drafts = await bench.drafts(*QUESTIONS)
    assert [draft.passages for draft in drafts] == [[], [], []]
    rows = bench.desk.ledger.read(lambda session: list(session.exec(select(Comment))))
    assert {(row.state, row.reason) for row in rows} == {(State.REVIEW, "not_in_documents")}


async def test_a_tag_that_is_taken_away_takes_effect_at_once(bench: Bench, tmp_path: Path) -> None:
    bench.limit(tags=["shop"])
    assert sources(await bench.drafts(QUESTIONS[0])) == {"shop.md"}
    bench.library.tag(str(tmp_path / "shop.md"), frozenset())
    bench.desk.ingest(comment(7, QUESTIONS[1]))
    await bench.responder.tick()
    last = bench.desk.ledger.read(lambda session: list(session.exec(select(Draft).order_by(Draft.id))))[-1]  # type: ignore[arg-type]
    assert last.passages == []
