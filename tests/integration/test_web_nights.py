"""The pages about the nights: the list, one night, its report, and where else they are told of."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from math import nan
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.bootstrap import ALL_ROLES, assemble
from bot.models import Night, NightStatus, Role
from bot.settings import Settings
from bot.store import voices
from bot.store.voices import NewVoice
from bot.voices.files import take_in
from tests import nights
from tests.builders import START, Desk, FakeClock
from tests.fake_weights import write_weights
from tests.site import Browser, logged_in

SCRIPT = "<script>window.ran=1</script>"
LATER = START + timedelta(hours=2, minutes=30)


@pytest.fixture
def training() -> dict[str, Any]:
    return {}


@pytest.fixture
async def page(tmp_path: Path, training: dict[str, Any]) -> AsyncIterator[Browser]:
    """Of a reviewer."""
    settings = Settings.model_validate({"data_dir": tmp_path, "web": {"port": 0}, "training": training})
    clock = FakeClock()
    clock.forward(3600)
    async with (
        assemble(settings, roles=ALL_ROLES, clock=clock) as running,
        logged_in(running, Role.REVIEWER) as browser,
    ):
        yield browser


def data_dir(page: Browser) -> Path:
    return page.running.service._settings.data_dir


def promoted(page: Browser, folder: Path, found: Any = None) -> Night:
    """A night that made the voice mia-2 of mia-1."""
    ledger, report = page.running.ledger, found or nights.report()
    for name, parent in (("mia-1", None), ("mia-2", "mia-1")):
        path, weights = take_in(write_weights(folder / "trained" / name), folder, name)
        metrics = {"snapshot": {"rows": 120}, "evaluation": nights.evaluation(report)} if parent else {}
        told: dict[str, Any] = {"parent": parent, "metrics": metrics}
        new = NewVoice(name, path, weights.digest, weights.base_model, weights.rank, **told)
        ledger.write(voices.add, new, by="trainer", now=START)
    night = nights.begin(ledger, START, base_model="Qwen/base", parent="mia-1", settings={"seed": 7})
    figures = {
        "marks": {"code": "1"},
        "snapshot": {"rows": 120},
        "sft": {"loss_before": 2.5, "loss_after": 1.25},
        "evaluation": nights.evaluation(report),
    }
    nights.note(ledger, night, "promotion", figures=figures, data_hash="abcdef0123", voice="mia-2")
    nights.end(ledger, night, NightStatus.PROMOTED, LATER)
    nights.leave(folder, night, report, f"<!doctype html><title>Night</title><p>The report.</p>{SCRIPT}")
    return night


def refused(page: Browser, **told: Any) -> Night:
    ledger = page.running.ledger
    night = nights.begin(ledger, START + timedelta(days=1), **told)
    figures = {"evaluation": nights.evaluation(nights.report(kl=25.7))}
    nights.note(ledger, night, "evaluation", figures=figures)
    refusals = [{"guard": "kl", "detail": f"KL is 25.70 per reply, and 12 is allowed {SCRIPT}"}]
    nights.end(ledger, night, NightStatus.REFUSED, START + timedelta(days=1, minutes=5), refusals=refusals)
    return night


async def test_without_a_night_the_page_says_how_to_have_one(page: Browser) -> None:
    status, text = await page.get("nights?lang=en")
    assert (status, "No night yet" in text) == (200, True)
    for told in ("rejoinder train nightly --dry-run", "rejoinder train demo", "No time is set"):
        assert told in text
    assert "还没有进行过夜间训练" in (await page.get("nights?lang=zh"))[1]


@pytest.mark.parametrize("training", [{"cron": "0 3 * * *", "time_zone": "Asia/Shanghai"}])
async def test_the_time_of_the_next_night_is_told_in_its_zone(page: Browser) -> None:
    # The clock of the test stands at 13:00 UTC, 21:00 in Shanghai.
    _, text = await page.get("nights?lang=en")
    assert "The next night begins at 2026-03-02 03:00 (Asia/Shanghai)." in text


async def test_the_list_tells_what_became_of_each_night_newest_first(page: Browser, tmp_path: Path) -> None:
    promoted(page, tmp_path)
    refused(page, channel_id=Desk(page.running.ledger).channel_id)
    _, text = await page.get("nights?lang=en")
    assert text.index("/nights/2") < text.index("/nights/1")
    for told in (
        '<span class="quiet" dir="auto">demo</span>',
        "The gate refused it, so the voice before goes on answering.",
        "Distance from where it began (KL): KL is 25.70 per reply",
        "</span> -0.54 → 1.09 [+1.53, +1.73]",
        "31.0% → 52.0% [+11.0, +31.0]",
        "2.5 h",
        '<a href="/voices/mia-2">mia-2</a>',
    ):
        assert told in text
    assert SCRIPT not in text
    assert "评审拒绝了它" in (await page.get("nights?lang=zh"))[1]


async def test_a_long_list_is_read_page_by_page(page: Browser) -> None:
    for number in range(31):
        night = nights.begin(page.running.ledger, START + timedelta(days=number))
        nights.end(page.running.ledger, night, NightStatus.SKIPPED, START + timedelta(days=number))
    _, text = await page.get("nights")
    assert len(re.findall(r'href="/nights/\d+"', text)) == 30
    _, text = await page.get(re.search(r'href="(/nights\?before=\d+)"', text)[1])  # type: ignore[index]
    assert re.findall(r'href="/nights/(\d+)"', text) == ["1"]
    assert (await page.get("nights?before=nonsense"))[0] == 200


async def test_one_night_shows_figures_guards_curves_samples_and_its_voice(
    page: Browser, tmp_path: Path
) -> None:
    promoted(page, tmp_path)
    status, text = await page.get("nights/1?lang=en")
    assert status == 200
    for told in (
        "Night 1",
        "Imitate your replies",
        '<dt dir="auto">loss_after</dt><dd class="figure" dir="auto">1.25</dd>',
        'href="/voices/mia-2"',
        'href="/nights/1/report"',
        "Ten minutes, then stir.",
        "abcdef0123",
        "Qwen/base",
        "Reward: from -0.48 to 1.5.",
        '<td class="figure">≤ 12</td>',
        '<td class="figure">≥ -2.0</td>',
        '<td class="figure">≥ 90.0%</td>',
    ):
        assert told in text
    assert len(re.findall(r"<svg viewBox=\"0 0 360 180\"", text)) == 5
    assert not re.search(r"<script>|style=|>tripped<|status.js", text)
    assert "与起点的距离" in (await page.get("nights/1?lang=zh"))[1]


async def test_the_guard_that_tripped_is_marked_and_no_other(page: Browser) -> None:
    refused(page)
    _, text = await page.get("nights/1?lang=en")
    rows = re.findall(r'<tr><th scope="row">([^<]+)</th>.*?<span class="tag (\w+)">', text)
    assert [name for name, look in rows if look == "error"] == ["Distance from where it began (KL)"]
    assert len(rows) == 13
    assert "25.7" in text
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize("guard", ["reward_accuracy", "training"])
async def test_a_guard_without_a_figure_is_told_in_words(page: Browser, guard: str) -> None:
    night = nights.begin(page.running.ledger, START)
    told = {"refusals": [{"guard": guard, "detail": "it is 0.510"}]}
    nights.end(page.running.ledger, night, NightStatus.REFUSED, LATER, **told)
    _, text = await page.get("nights/1?lang=en")
    assert re.search(r'<li dir="auto">[A-Z][^:]+: it is 0.510</li>', text)


async def test_a_running_night_shows_its_step_and_brings_itself_up_to_date(page: Browser) -> None:
    night = nights.begin(page.running.ledger, START + timedelta(hours=1))
    nights.note(page.running.ledger, night, "ppo")
    _, text = await page.get("nights/1?lang=en")
    assert 'Practise <progress max="7" value="5">' in text
    assert "/static/status.js" in text
    assert "so far" in text
    assert "学习中" in (await page.get("nights?lang=zh"))[1]


async def test_why_a_night_was_skipped_or_failed_is_told(page: Browser) -> None:
    for status, error in (
        (NightStatus.SKIPPED, "12 of 20 new verdicts"),
        (NightStatus.FAILED, f"the disk is full {SCRIPT}"),
        (NightStatus.PASSED, "a dry run: nothing was promoted"),
    ):
        night = nights.begin(page.running.ledger, START)
        nights.note(page.running.ledger, night, "sft")
        nights.end(page.running.ledger, night, status, LATER, error=error)
    _, text = await page.get("nights?lang=en")
    for told in (
        "12 of 20 new verdicts",
        "the disk is full &lt;script&gt;",
        "ended at the step “Imitate",
        "dry run",
    ):
        assert told in text


async def test_the_report_is_served_so_that_nothing_in_it_runs_or_loads(
    page: Browser, tmp_path: Path
) -> None:
    promoted(page, tmp_path)
    async with page.http.get(f"{page.url}nights/1/report") as answer:
        assert (answer.status, "The report." in await answer.text()) == (200, True)
        policy = answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert policy.startswith("sandbox; default-src 'none'; style-src 'unsafe-inline'")
    assert not re.search(r"script-src|allow-|connect-src|https?:", policy)


@pytest.mark.parametrize(
    "found",
    [
        "",
        "no JSON",
        "[1, 2]",
        "[" * 100_000,
        '{"samples": {"a": 1}, "curves": [1, {"score": "NaN", "kl": true, "length": 1e999}]}',
        '{"samples": [1, {"comment": 5, "live": ["x"], "candidate": null}], "curves": "x"}',
        '{"curves": [{"score": 9' + "9" * 400 + "}]}",
        '{"samples": "' + "x" * (4 * 1024 * 1024) + '"}',
    ],
)
async def test_a_report_of_another_shape_costs_its_own_part_of_the_page_only(
    page: Browser, tmp_path: Path, found: str
) -> None:
    night = refused(page)
    nights.leave(tmp_path, night, found)
    status, text = await page.get("nights/1?lang=en")
    assert (status, "25.7" in text) == (200, True)
    assert "<svg viewBox" not in text


async def test_figures_that_are_no_numbers_are_dashes(page: Browser) -> None:
    night = nights.begin(page.running.ledger, START)
    report = nights.report(judge_accuracy=nan, judge=nights.measure(nan, nan))
    figures = {"evaluation": nights.evaluation(report), "sft": {"loss_after": None}, "ppo": 5}
    nights.note(page.running.ledger, night, "evaluation", figures=figures)
    _, text = await page.get("nights/1?lang=en")
    assert (
        '<th scope="row">The judge is right about pairs</th><td class="figure"></td><td class="figure">–</td>'
        in text
    )
    assert "Reward by the judge" not in text


async def test_a_report_that_is_gone_too_large_or_elsewhere_is_told_plainly(
    page: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = promoted(page, tmp_path)
    file = tmp_path / night.folder / "evaluation" / "report.html"
    monkeypatch.setattr("bot.web.night_files.MOST_PAGE_BYTES", 20)
    assert "/nights/1/report" not in (await page.get("nights/1"))[1]
    status, text = await page.get("nights/1/report?lang=en")
    assert (status, "has no report on this machine" in text) == (404, True)
    monkeypatch.undo()
    secret = tmp_path.parent / f"{tmp_path.name}-secret.html"
    secret.write_text("secret", encoding="utf-8")
    file.unlink()
    file.symlink_to(secret)
    status, text = await page.get("nights/1/report?lang=zh")
    assert (status, "secret" in text, "本机没有" in text) == (404, False, True)


async def test_a_clock_that_was_set_back_makes_no_night_shorter_than_none(page: Browser) -> None:
    ledger = page.running.ledger
    nights.end(ledger, nights.begin(ledger, START), NightStatus.FAILED, START - timedelta(hours=3))
    assert "· 0 s" in (await page.get("nights?lang=en"))[1]
    assert "· 0 秒" in (await page.get("nights/1?lang=zh"))[1]


async def test_a_night_that_is_not_there_is_told_so(page: Browser) -> None:
    for path in ("nights/7", "nights/7/report", "nights/99999999999999999999"):
        assert (await page.get(path))[0] == 404, path
    assert "There is no night 7" in (await page.get("nights/7?lang=en"))[1]


async def test_a_voice_leads_to_its_parent_and_to_its_night(page: Browser, tmp_path: Path) -> None:
    promoted(page, tmp_path)
    _, text = await page.get("voices/mia-2?lang=en")
    assert '<a href="/voices/mia-1">mia-1</a>' in text
    assert '<a href="/nights/1">Night 1</a>' in text
    assert "-0.54 → 1.09" in text
    assert "-0.54 → 1.09" in (await page.get("voices?lang=en"))[1]
    assert "Made by" not in (await page.get("voices/mia-1?lang=en"))[1]


async def test_the_overview_tells_of_the_last_night_that_found_something(page: Browser) -> None:
    refused(page)
    skipped = nights.begin(page.running.ledger, START + timedelta(days=2))
    nights.end(page.running.ledger, skipped, NightStatus.SKIPPED, START + timedelta(days=2))
    _, text = await page.get("?lang=en")
    told = text.partition("Last night")[2].partition("</section>")[0]
    assert ("/nights/1" in told, "The gate refused it" in told, "KL is 25.70" in told) == (True, True, True)
    assert "最近一次夜间训练" in (await page.get("?lang=zh"))[1]
    async with logged_in(page.running, Role.VIEWER, name="vic") as viewer:
        _, text = await viewer.get("?lang=en")
        assert ("The gate refused it" in text, "/nights" in text, "KL is" in text) == (True, False, False)


async def test_a_viewer_sees_no_nights_and_no_link_to_them(page: Browser, tmp_path: Path) -> None:
    promoted(page, tmp_path)
    async with logged_in(page.running, Role.VIEWER, name="vic") as viewer:
        for path in ("nights", "nights/1", "nights/1/report"):
            assert (await viewer.get(path))[0] == 403, path
        _, text = await viewer.get("voices/mia-2?lang=en")
        assert ("Night 1" in text, "/nights" in text) == (True, False)


async def test_nobody_without_a_log_in_reads_a_report(page: Browser, tmp_path: Path) -> None:
    promoted(page, tmp_path)
    async with aiohttp.ClientSession() as http, http.get(f"{page.url}nights/1/report") as answer:
        assert "The report." not in await answer.text()
