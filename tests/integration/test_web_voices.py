"""The pages about the voices, with a fake model server on loopback."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, col, select

from bot.bootstrap import ALL_ROLES, assemble
from bot.models import AuditEntry, Role
from bot.settings import Settings
from bot.store import voices
from bot.store.voices import NewVoice
from bot.voices.files import take_in
from tests.builders import START, FakeClock
from tests.fake_weights import write_weights
from tests.fakes import FakeOpenAI
from tests.site import Browser, logged_in

QUESTION = "How long do I roast the beans?"
METRICS = {"reward": 0.91234567, "oracle": {"win_rate": 0.5, "n": 200}, "<b>": "<script>x</script>"}


def speak(body: dict[str, Any]) -> str:
    """Each voice says its own name, so that it shows who has answered."""
    return f"Ten minutes, says {body['model'].rpartition('-')[0] or body['model']} [1]."


@asynccontextmanager
async def serving(folder: Path, model: FakeOpenAI | None = None) -> AsyncIterator[Browser]:
    generator = (
        {} if model is None else {"kind": "vllm", "base_url": model.url, "model": "base", "deadline_s": 5}
    )
    settings = Settings(data_dir=folder / "data", web={"host": "127.0.0.1", "port": 0}, generator=generator)
    clock = FakeClock()
    clock.forward(3600)
    service = assemble(settings, roles=ALL_ROLES, clock=clock)
    async with service as running, logged_in(running) as browser:
        yield browser


@pytest.fixture
async def model() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI(reply=speak) as running:
        yield running


@pytest.fixture
async def page(tmp_path: Path, model: FakeOpenAI) -> AsyncIterator[Browser]:
    """With two voices, of which none answers yet."""
    async with serving(tmp_path, model) as made:
        add(made, tmp_path, "mia-1", metrics=METRICS, data_hash="abcdef0123456789", note="<i>November")
        add(made, tmp_path, "mia-2", parent="mia-1", rank=16)
        yield made


def add(page: Browser, folder: Path, name: str, *, rank: int = 8, **told: Any) -> None:
    source = write_weights(folder / f"trained-{name}", rank=rank)
    path, weights = take_in(source, folder / "data", name)
    new = NewVoice(name, path, weights.digest, weights.base_model, weights.rank, **told)
    page.running.ledger.write(voices.add, new, by="trainer", now=START)


def statuses(page: Browser) -> dict[str, str]:
    return {voice.name: str(voice.status) for voice in page.running.ledger.read(voices.every)}


def acts(page: Browser) -> list[tuple[str, str, str, dict[str, Any]]]:
    def every(session: Session) -> list[tuple[str, str, str, dict[str, Any]]]:
        rows = session.exec(select(AuditEntry).order_by(col(AuditEntry.id)))
        return [(row.actor, row.act, row.subject, row.detail) for row in rows]

    return page.running.ledger.read(every)


async def test_the_list_tells_each_voice_with_where_it_comes_from(page: Browser) -> None:
    status, text = await page.get("voices?lang=en")
    assert status == 200
    assert text.index("/voices/mia-2") < text.index("/voices/mia-1")
    for told in (
        "candidate",
        "all channels",
        "no verdicts yet",
        "abcdef",
        "reward 0.9123",
        "2026-03-01 12:00",
    ):
        assert told in text
    assert "&lt;i&gt;November" in text
    assert "候选" in (await page.get("voices?lang=zh"))[1]


async def test_one_voice_shows_its_metrics_as_a_table_and_its_history(page: Browser) -> None:
    _, text = await page.get("voices/mia-1?lang=en")
    assert re.search(r'<th scope="row" dir="auto">oracle.win_rate</th><td class="figure">0.5</td>', text)
    assert "abcdef0123456789" in text
    assert "&lt;script&gt;x&lt;/script&gt;" in text
    assert not re.search(r"<script>|<b>|<i>|style=", text)
    assert re.search(r"<td>loaded</td><td dir=\"auto\">trainer</td>", text)
    assert "0.0 MB" in text or re.search(r"\d MB", text)


async def test_a_voice_is_promoted_loaded_and_audited(page: Browser, model: FakeOpenAI) -> None:
    status, text = await page.post("voices/mia-1/promote", data={"share": ""})
    assert (status, statuses(page)["mia-1"]) == (200, "live")
    assert [name.rpartition("-")[0] for name in model.voices] == ["mia-1"]
    assert acts(page) == [("ann", "promote_voice", "mia-1", {})]
    assert page.running.ledger.read(voices.history, 1)[-1].actor == "ann"
    assert "Roll back" in text


async def test_a_canary_gets_its_share_and_is_shown_beside_the_live_voice(page: Browser) -> None:
    await page.post("voices/mia-1/promote", data={"share": ""})
    await page.post("voices/mia-2/promote", data={"share": "12.5%"})
    assert statuses(page) == {"mia-1": "live", "mia-2": "canary"}
    _, text = await page.get("voices/mia-2?lang=en")
    assert "canary, 12.5% of the comments" in text
    assert "Beside the voice of the other comments" in text
    assert acts(page)[1] == ("ann", "promote_voice", "mia-2", {"share": 0.125})
    assert (await page.post("voices/mia-2/retire"))[0] == 200
    assert statuses(page)["mia-2"] == "retired"
    assert acts(page)[2][1:3] == ("retire_voice", "mia-2")


@pytest.mark.parametrize("share", ["0", "100%", "-1", "nan", "ten", "<b>"])
async def test_a_share_that_is_none_is_refused_and_nothing_changes(page: Browser, share: str) -> None:
    status, text = await page.post("voices/mia-1/promote?lang=en", data={"share": share})
    assert status == 400
    assert "write it as 10% or 0.1" in text
    assert (statuses(page)["mia-1"], acts(page)) == ("candidate", [])


async def test_going_back_brings_the_voice_before_and_only_from_the_one_that_was_seen(page: Browser) -> None:
    await page.post("voices/mia-1/promote", data={"share": ""})
    await page.post("voices/mia-2/promote", data={"share": ""})
    _, text = await page.get("voices/mia-2?lang=en")
    assert "answers from the next comment on: mia-1" in text
    status, text = await page.post("voices/rollback", data={"live": "mia-1"})
    assert (status, statuses(page)["mia-2"]) == (409, "live")
    assert "mia-1 is not live any more, mia-2 is" in text
    assert (await page.post("voices/rollback", data={"live": "mia-2"}))[0] == 200
    assert statuses(page) == {"mia-1": "live", "mia-2": "retired"}
    # Of two owners who press at the same time, the second is not taken a step further.
    assert (await page.post("voices/rollback", data={"live": "mia-2"}))[0] == 409
    assert acts(page)[-1] == ("ann", "roll_back_voice", "mia-2", {"came": "mia-1"})
    _, text = await page.get("voices/mia-1?lang=en")
    assert "answers from the next comment on: base model" in text


async def test_what_the_registry_refuses_is_one_line_and_no_audit(page: Browser) -> None:
    await page.post("voices/mia-1/promote", data={"share": ""})
    before = acts(page)
    for path, data, said in (
        ("voices/mia-1/promote", {"share": ""}, "mia-1 is live already"),
        ("voices/mia-1/retire", {}, "mia-1 is live; promote another"),
        ("voices/rollback", {"live": "mia-2"}, "mia-2 is not live any more"),
    ):
        status, text = await page.post(path, data=data)
        assert (status, said in text) == (409, True), path
    for path in ("voices/nobody/promote", "voices/nobody/retire", "voices/rollback"):
        status, text = await page.post(path, data={"live": "nobody"})
        assert (status, "no voice is named &#39;nobody&#39;" in text) == (404, True), path
    assert (await page.get("voices/nobody"))[0] == 404
    assert acts(page) == before


async def test_weights_that_the_server_refuses_are_not_promoted(page: Browser, model: FakeOpenAI) -> None:
    model.max_rank = 8
    status, text = await page.post("voices/mia-2/promote", data={"share": ""})
    assert (status, statuses(page)["mia-2"]) == (503, "candidate")
    assert 'class="card alarm"' in text
    assert acts(page) == []


async def test_two_voices_answer_one_question_side_by_side(page: Browser, tmp_path: Path) -> None:
    (tmp_path / "shop.md").write_text("# Roasting\n\nRoast the beans for ten minutes.\n")
    await page.running.library.ingest([str(tmp_path / "shop.md")])
    data = {"question": QUESTION, "first": "base", "second": "mia-2"}
    status, text = await page.post("voices/try?lang=en", data=data)
    assert status == 200
    assert "Ten minutes, says base" in text
    assert "Ten minutes, says mia-2" in text
    assert f">\n{QUESTION}</textarea>" in text
    assert (statuses(page)["mia-2"], acts(page)) == ("candidate", [])


async def test_where_one_voice_cannot_answer_the_other_does(
    page: Browser, model: FakeOpenAI, tmp_path: Path
) -> None:
    (tmp_path / "shop.md").write_text("# Roasting\n\nRoast the beans for ten minutes.\n")
    await page.running.library.ingest([str(tmp_path / "shop.md")])
    model.max_rank = 8
    data = {"question": QUESTION, "first": "mia-1", "second": "mia-2"}
    status, text = await page.post("voices/try?lang=en", data=data)
    assert status == 200
    assert "Ten minutes, says mia-1" in text
    assert "No reply could be had" in text


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ({"question": " ", "first": "base", "second": "mia-1"}, 400),
        ({"question": "x" * 10_001, "first": "base", "second": "mia-1"}, 400),
        ({"question": QUESTION, "first": "base", "second": "nobody"}, 404),
    ],
)
async def test_a_trial_that_asks_nothing_or_of_nobody_is_refused(
    page: Browser, data: dict[str, str], status: int
) -> None:
    assert (await page.post("voices/try", data=data))[0] == status


async def test_a_voice_whose_files_were_removed_can_be_looked_at_but_not_used(page: Browser) -> None:
    ledger = page.running.ledger
    ledger.write(voices.retire, "mia-1", by="ann", now=START)
    ledger.write(voices.forget_files, "mia-1", by="ann", now=START)
    _, text = await page.get("voices/mia-1?lang=en")
    assert "retired, files removed" in text
    assert "not on this machine" in text
    assert "/voices/mia-1/promote" not in text
    status, text = await page.post("voices/mia-1/promote", data={"share": ""})
    assert (status, "were removed" in text) == (409, True)
    data = {"question": QUESTION, "first": "base", "second": "mia-1"}
    assert (await page.post("voices/try", data=data))[0] == 409


async def test_a_viewer_sees_and_changes_nothing_and_a_reviewer_tries(page: Browser) -> None:
    async with logged_in(page.running, Role.VIEWER, name="vic") as viewer:
        for path in ("voices", "voices/mia-1"):
            status, text = await viewer.get(path)
            assert (status, re.findall(r'action="(/voices[^"]*)"', text)) == (200, [])
        for path in ("voices/mia-1/promote", "voices/mia-1/retire", "voices/rollback", "voices/try"):
            assert (await viewer.post(path, data={"question": QUESTION}))[0] == 403
    async with logged_in(page.running, Role.REVIEWER, name="rob") as reviewer:
        _, text = await reviewer.get("voices")
        assert re.findall(r'action="(/voices[^"]*)"', text) == ["/voices/try"]
        assert (await reviewer.post("voices/mia-1/promote", data={}))[0] == 403
    assert statuses(page)["mia-1"] == "candidate"


async def test_without_a_model_server_the_page_says_how_to_add_one(tmp_path: Path) -> None:
    async with serving(tmp_path) as page:
        _, text = await page.get("voices?lang=en")
        assert "kind = &#34;vllm&#34;" in text
        assert "rejoinder voices load DIR --name NAME" in text
        assert "没有设置模型服务器" in (await page.get("voices?lang=zh"))[1]
        add(page, tmp_path, "mia-1")
        _, text = await page.get("voices/mia-1?lang=en")
        assert "/voices/mia-1/promote" not in text
        for path in ("voices/mia-1/promote", "voices/try"):
            status, text = await page.post(path, data={"question": QUESTION})
            assert (status, "No model server is set up" in text) == (409, True)
        # Taking out needs no server.
        assert (await page.post("voices/mia-1/retire"))[0] == 200
        assert statuses(page) == {"mia-1": "retired"}
