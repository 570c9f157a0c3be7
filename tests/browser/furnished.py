"""A service with something of every kind on its pages: as people write it, or as an attacker would."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from bot.access.visitor import Visitor
from bot.bootstrap import Running
from bot.models import NightStatus, Role
from bot.review import Wish, decide_here
from bot.store import access, audit, channels, links, voice_acts, voices
from bot.store.deciding import Sign
from bot.store.voices import NewVoice
from bot.voices.files import take_in
from tests import nights
from tests.browser.house import Waiting, fill, house
from tests.browser.work import WORK, by, evidence, passage
from tests.builders import Desk, FakeClock
from tests.fake_weights import write_weights
from tests.site import NO_PASSWORD

RUNS = "<script>window.ran=1</script><img src=x onerror=window.ran=1><svg onload=window.ran=1>"
BREAKS = "'\"></textarea></title></template><script>window.ran=1</script>{{7*7}}${window.ran=1}"
LEADS = "javascript:window.ran=1"
TURNED = "\u202e\u2066\u2067gnp.exe\u200f the other way round\u0000\u0007"
STACKED = "Z" + "\u0363\u0489\u035f\u0311\u0301" * 400 + "algo"
WIDE = "W" * 5000
HOSTILE = [RUNS, BREAKS, LEADS, TURNED, STACKED, WIDE, "🦊" * 3000, "x " * 500_000]


@dataclass(frozen=True, slots=True)
class Words:
    """What stands in every place that somebody else writes."""

    work: list[Waiting]
    channel: str
    person: str
    title: str
    file: str
    text: str
    note: str
    subject: str


def hostile_work() -> list[Waiting]:
    """Each hostile text as a comment, its author's name, its draft and its evidence."""
    return [
        Waiting(
            by(number, text[:200], text),
            (text[:8000], RUNS),
            "checks",
            text[:300],
            evidence(
                passage(text[:4000], source=LEADS, title=text[:300], heading=RUNS, time=BREAKS),
                model=RUNS,
                voice=BREAKS,
                findings=[
                    {
                        "code": "unsupported",
                        "message": BREAKS,
                        "message_zh": RUNS,
                        "span": [0, 9],
                        "text": RUNS,
                    }
                ],
            ),
        )
        for number, text in enumerate(HOSTILE, 1)
    ]


PLAIN = Words(
    WORK, "demo", "Mei 梅", "Roasting at home", "guide.md", "Roast ten minutes.", "November", "guide.md"
)
EVIL = Words(
    hostile_work(), f"{RUNS}{BREAKS}", f"{RUNS[:30]}{'m' * 25}", f"{RUNS} {BREAKS} {'w' * 300}",
    "<img src=x onerror=window.ran=1>&amp;'.md", f"{RUNS} {BREAKS} [go]({LEADS}) {STACKED}", BREAKS, RUNS,
)  # fmt: skip


@asynccontextmanager
async def furnished(folder: Path, words: Words, **sections: Any) -> AsyncIterator[tuple[Running, FakeClock]]:
    """Comments that wait and that were decided, documents, voices, people, an invitation, and what they did."""
    async with house(folder, **sections) as (running, clock):
        desk = fill(running, clock, words.work)
        await _read_document(folder, running, words)
        _add_voices(folder, running, clock, words)
        _add_nights(folder, running, clock, words)
        _add_people(running, clock, words)
        _decide(desk, clock, words)
        running.ledger.write(
            channels.add, name=words.channel + " 2", platform="sandbox", options={}, rules={}, now=clock()
        )
        yield running, clock


async def _read_document(folder: Path, running: Running, words: Words) -> None:
    path = folder / words.file
    path.write_text(f"# {words.title}\n\n{words.text}\n\n## Beans\n\nTen minutes is enough.\n", "utf-8")
    report = await running.library.ingest([str(path)], tags=frozenset({"beans"}))
    assert not report.failed


def _add_voices(folder: Path, running: Running, clock: FakeClock, words: Words) -> None:
    metrics = {"reward": 0.91, words.note: words.note}
    for name, parent in (("mia-1", None), ("mia-2", "mia-1")):
        path, weights = take_in(write_weights(folder / name), folder, name)
        told: dict[str, Any] = {"parent": parent, "metrics": metrics, "note": words.note}
        new = NewVoice(name, path, weights.digest, weights.base_model, weights.rank, **told)
        running.ledger.write(voices.add, new, by="trainer", now=clock())
    running.ledger.write(voice_acts.promote, _mei(words), "mia-1", share=None, now=clock())


def _add_nights(folder: Path, running: Running, clock: FakeClock, words: Words) -> None:
    """One that made a voice, one that was refused, one that failed, and one that runs."""
    ledger, now, (asked, *_) = running.ledger, clock(), words.work
    told = nights.sample(asked.comment.text, asked.drafts[0], words.text, words.note)
    found = nights.report(samples=(told, nights.sample("可以放冰箱吗？", words.note, "不要放进冰箱。")))
    figures = {"sft": {"loss_after": 1.25, words.note: words.text}, "evaluation": nights.evaluation(found)}
    first = nights.begin(ledger, now, base_model=words.file, parent="mia-1", settings={"cron": words.note})
    nights.note(ledger, first, "promotion", figures=figures, data_hash=words.note, voice="mia-2")
    nights.end(ledger, first, NightStatus.PROMOTED, now)
    nights.leave(folder, first, found, f"<!doctype html><title>{words.title}</title>{words.text}")
    second = nights.begin(ledger, now, parent="mia-2")
    refusals = [{"guard": "kl", "detail": words.text}, {"guard": words.note, "detail": words.file}]
    nights.end(ledger, second, NightStatus.REFUSED, now, refusals=refusals)
    third = nights.begin(ledger, now)
    nights.end(ledger, third, NightStatus.FAILED, now, error=words.text)
    nights.note(ledger, nights.begin(ledger, now), "ppo")


def _add_people(running: Running, clock: FakeClock, words: Words) -> None:
    ledger, now = running.ledger, clock()
    person = ledger.write(
        access.add_person, name=words.person, role=Role.REVIEWER, password_hash=NO_PASSWORD, now=now
    )
    ledger.write(
        access.begin_sitting,
        person_id=person.id or 0,
        agent=words.note,
        address="127.0.0.1",
        now=now,
        lasts=timedelta(hours=1),
    )
    ledger.write(links.invite, Role.VIEWER, by=words.person, now=now)
    ledger.write(
        audit.note, _mei(words), "remove_document", words.subject, now=now, detail={"tags": words.note}
    )


def _decide(desk: Desk, clock: FakeClock, words: Words) -> None:
    """The last three that wait, each in another way."""
    number = len(words.work)
    for act in ("approve", "reject", "skip"):
        clock.forward(60)
        decide_here(
            desk.ledger,
            Wish(act, number, words.note if act == "reject" else "", 0 if act == "approve" else None),  # type: ignore[arg-type]
            Sign(words.person, via="page", took_s=2.0),
            now=clock(),
            undo_s=8,
        )
        number -= 1


def _mei(words: Words) -> Visitor:
    return Visitor(words.person, Role.REVIEWER, "page", address="127.0.0.1")
