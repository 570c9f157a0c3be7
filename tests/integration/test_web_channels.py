"""The channels' pages: what they show, what an owner changes there, and what nobody sees."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from adapters.base import Quota
from bot.bootstrap import ALL_ROLES, Running, assemble
from bot.models import AuditEntry, Channel, Draft, Role, State
from bot.planning import day_of
from bot.reasons import Reason
from bot.settings import Settings
from bot.store import budgets, channels, drafting
from bot.web.overview_view import clock_time
from tests.builders import START, Desk, FakeClock, comment
from tests.site import Browser, logged_in

EMPTY = {f"hours_{day}": "" for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}


def settings_of(folder: Path, **more: Any) -> Settings:
    return Settings(data_dir=folder, web={"port": 0}, **more)


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Browser]:
    clock = FakeClock()
    async with (
        assemble(settings_of(tmp_path), roles=ALL_ROLES, clock=clock) as running,
        logged_in(running) as made,
    ):
        yield made


@pytest.fixture(autouse=True)
def desk(page: Browser) -> Desk:
    """A channel, `demo`, with the steps of its comments."""
    return Desk(page.running.ledger)


def the_channel(running: Running) -> Channel:
    return running.ledger.read(channels.named, "demo")


def acts(running: Running) -> list[tuple[str, str, str]]:
    rows = running.ledger.read(lambda session: list(session.exec(select(AuditEntry))))
    return [(row.actor, row.act, row.subject) for row in rows]


async def change(page: Browser, what: str, **fields: Any) -> tuple[int, str]:
    return await page.post(f"channels/1/{what}", data={"csrf": page.csrf, **fields})


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("not polled yet", "nothing waits", "Nothing is sent")),
        ("zh", ("尚未轮询", "没有待处理", "不会自动发送")),
    ],
)
async def test_the_list_tells_how_each_channel_is(
    page: Browser, language: str, words: tuple[str, ...]
) -> None:
    status, text = await page.get(f"channels?lang={language}")
    assert status == 200
    assert all(word in text for word in ("demo", *words))


async def test_the_last_error_stands_with_its_cure(page: Browser) -> None:
    page.running.ledger.write(
        channels.restrict, 1, error="<b>token expired</b>", now=START - timedelta(hours=2)
    )
    _, text = await page.get("channels/1?lang=en")
    assert "&lt;b&gt;token expired&lt;/b&gt;" in text
    assert "since 2 h ago" in text
    assert "then resume it" in text


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (
            "en",
            ("may: prune, read comments", "may not: reply", "takes the account&#39;s credentials no more"),
        ),
        ("zh", ("可以：prune, 读取评论", "不可以：回复", "平台不再接受该账号的凭据")),
    ],
)
async def test_what_the_account_may_do_is_shown_and_how_to_connect_it_again(
    page: Browser, desk: Desk, language: str, words: tuple[str, ...]
) -> None:
    ledger, now = page.running.ledger, desk.clock()
    can = {"read": True, "reply": False, "prune": True}
    ledger.write(
        channels.known_as,
        1,
        account_id="me",
        account_name="Me",
        can=can,
        max_reply_chars=9,
        flat_threads=False,
    )
    ledger.write(channels.connected, "demo", {"client_secret": "vault:"}, now=now)
    ledger.write(channels.restrict, 1, error="revoked", now=now, to_connect=True)
    for address in ("channels", "channels/1"):
        _, text = await page.get(f"{address}?lang={language}")
        for word in (*words, "<code>rejoinder channels connect demo</code>"):
            assert word in text
    assert "vault:" not in text
    assert "client_secret" in text
    await change(page, "resume")
    _, text = await page.get("channels")
    assert "channels connect" not in text


@pytest.mark.parametrize(("delivery", "told"), [({}, True), ({"delivery": "outbox"}, False)])
async def test_a_channel_whose_replies_a_person_brings_out_leads_there(
    page: Browser, desk: Desk, delivery: dict[str, str], told: bool
) -> None:
    made = page.running.ledger.write(
        channels.add, name="red", platform="inbox", options={"account": "me"} | delivery, rules={},
        now=desk.clock(),
    )  # fmt: skip
    _, text = await page.get(f"channels/{made.id}")
    assert ('<a href="/inbox/outbox">' in text) is told
    _, text = await page.get("channels/1")
    assert '<a href="/inbox/outbox">' not in text


async def test_pause_and_resume_are_done_and_noted(page: Browser) -> None:
    assert (await change(page, "pause"))[0] == 200
    assert the_channel(page.running).paused is True
    await change(page, "resume")
    assert the_channel(page.running).paused is False
    assert acts(page.running) == [("ann", "pause_channel", "demo"), ("ann", "resume_channel", "demo")]


async def test_shadow_is_switched_and_noted(page: Browser, desk: Desk) -> None:
    desk.ready(1)
    _, text = await change(page, "shadow", on="1")
    assert "in shadow" in text
    assert the_channel(page.running).shadow is True
    assert desk.claim_ready() == []
    await change(page, "shadow", on="0")
    assert the_channel(page.running).shadow is False
    assert desk.claim_ready() == []
    assert [act for _, act, _ in acts(page.running)] == ["shadow_on", "shadow_off"]


async def test_rules_are_saved_as_typed(page: Browser) -> None:
    typed = {
        "send": "question", "min_support": "0.8", "min_gap_s": "", "max_per_hour": "0", "tags": "shop，book",
        "persona": "expert", "time_zone": "Asia/Shanghai", "send_tools": "1", "hours_mon": "09:00-12:00, 13:00-18:00",
    }  # fmt: skip
    status, text = await change(page, "rules", **{**EMPTY, **typed})
    assert status == 200
    rules = the_channel(page.running).rules
    assert (rules["send"], rules["min_support"], rules["max_per_hour"]) == (["question"], 0.8, 0)
    assert (rules["tags"], rules["persona"], rules["send_tools"]) == (["shop", "book"], "expert", True)
    assert (rules["hours"], rules["time_zone"]) == ({"mon": ["09:00-12:00", "13:00-18:00"]}, "Asia/Shanghai")
    assert 'value="0.8"' in text
    [entry] = page.running.ledger.read(lambda session: list(session.exec(select(AuditEntry))))
    assert (entry.act, entry.detail["max_per_hour"]) == ("change_rules", [None, 0])


async def test_tags_of_single_posts_outlive_the_form(page: Browser) -> None:
    rules = {"post_tags": {"p1": ["course"]}}
    page.running.ledger.write(channels.set_rules, "demo", rules, now=START)
    await change(page, "rules", **EMPTY, time_zone="UTC")
    assert the_channel(page.running).rules["post_tags"] == {"p1": ["course"]}


async def test_manners_are_saved_as_typed_and_shown_again(page: Browser) -> None:
    typed = {
        "delay_s": "60，300", "one_reply_s": "600", "loop_replies": "3", "loop_s": "", "bots": "Nightbot, 机器人",
        "stop_after": "0", "label_en": "", "label_zh": "（本回复由 AI 生成）", "time_zone": "UTC",
    }  # fmt: skip
    status, text = await change(page, "rules", **{**EMPTY, **typed})
    assert status == 200
    rules = the_channel(page.running).rules
    assert (rules["delay_s"], rules["one_reply_s"]) == ([60, 300], 600)
    assert (rules["loop_replies"], rules["loop_s"], rules["stop_after"]) == (3, 86_400, 0)
    assert (rules["bots"], rules["label"]) == (["Nightbot", "机器人"], {"zh": "（本回复由 AI 生成）"})
    assert 'value="60, 300"' in text
    assert 'value="Nightbot, 机器人"' in text


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("Used 3,120 of 10,000 units today; about 1", "then about 190 a day", "Ready to go out: 2")),
        ("zh", ("今日已用 3,120 / 10,000 单位", "之后每天约 190 条", "待发送：2")),
    ],
)
async def test_the_page_shows_the_budget_and_when_each_reply_goes_out(
    page: Browser, desk: Desk, language: str, words: tuple[str, ...]
) -> None:
    desk.ready(1, 2)
    quota = Quota(10_000, 50, 1, "America/Los_Angeles")
    ledger = page.running.ledger
    ledger.write(
        channels.known_as, 1, account_id="us", account_name="Us", can={}, max_reply_chars=100, flat_threads=False,
        quota=quota, reply_gap_s=3600,
    )  # fmt: skip
    ledger.write(budgets.add_units, "sandbox channel 1", day_of(quota, START), 3_120)
    _, text = await page.get(f"channels/1?lang={language}")
    assert all(word in text for word in words)
    first, second = (clock_time(START + timedelta(seconds=seconds)) for seconds in (1, 3_601))
    assert f"#1</a> {first}" in text
    assert f"#2</a> {second}" in text
    _, item = await page.get(f"review/2?lang={language}")
    assert second in item


@pytest.mark.parametrize(
    ("field", "typed", "where"),
    [
        ("delay_s", "300, 60", "delay_s"),
        ("loop_s", "0", "loop_s"),
        ("label_zh", "x" * 101, "label_zh"),
        ("min_support", "1.5", "min_support"),
        ("min_support", "nan", "min_support"),
        ("max_per_hour", "-1", "max_per_hour"),
        ("max_per_hour", "many", "max_per_hour"),
        ("max_per_hour", "1,000", "max_per_hour"),
        ("hours_tue", "9-5", "hours"),
        ("time_zone", "Mars/Olympus", "time_zone"),
        ("persona", "nobody", "persona"),
    ],
)
async def test_what_cannot_be_is_told_beside_the_field_and_nothing_is_saved(
    page: Browser, field: str, typed: str, where: str
) -> None:
    status, text = await change(
        page, "rules", **{**EMPTY, "time_zone": "UTC", "send": "praise", field: typed}
    )
    assert status == 422
    assert f'id="{where}-error"' in text
    if field != "persona":
        assert f'value="{typed}"' in text, "what was typed is kept"
    assert re.search(r'value="praise" checked', text)
    assert the_channel(page.running).rules == {}
    assert acts(page.running) == []


async def test_what_is_wrong_is_told_in_chinese_too(page: Browser) -> None:
    wrong = {
        "min_support": "2",
        "max_per_hour": "x",
        "min_gap_s": "x",
        "hours_tue": "9-5",
        "time_zone": "Mars",
    }
    data = {"csrf": page.csrf, **EMPTY, **wrong, "persona": "nobody"}
    _, text = await page.post("channels/1/rules?lang=zh", data=data)
    told = dict(re.findall(r'<p class="error small" id="(\w+)-error">(.*?)</p>', text))
    assert set(told) == {"min_support", "max_per_hour", "min_gap_s", "hours", "time_zone", "persona"}
    assert all(re.search("[一-龥]", line) for line in told.values()), told


async def test_a_preview_says_that_nothing_is_saved_and_saving_says_so(page: Browser) -> None:
    _, previewed = await change(page, "rules", **EMPTY, time_zone="UTC", act="preview")
    assert "nothing has been saved yet" in previewed
    _, saved = await change(page, "rules", **EMPTY, time_zone="UTC")
    assert "Saved." in saved


async def test_what_is_no_number_reaches_the_server_as_it_was_typed(page: Browser) -> None:
    """A browser sends nothing for such a field of the type number, and nothing means no limit."""
    _, text = await page.get("channels/1")
    assert 'type="number"' not in text


async def test_the_preview_counts_what_would_have_gone_out_and_saves_nothing(
    page: Browser, desk: Desk
) -> None:
    desk.ingest(*(comment(number) for number in range(1, 5)))
    for work, support in zip(desk.claim(), (0.55, 0.75, 0.85, 0.97), strict=True):
        draft = Draft(
            comment_id=work.comment.id or 0, created_at=desk.clock(), text="x", intent="question", support=support,
            citations=[0], reason=Reason.NOT_OPENED,
        )  # fmt: skip
        outcome = drafting.Outcome(work.comment.id or 0, State.REVIEW, Reason.NOT_OPENED, draft=draft)
        desk.ledger.write(drafting.save_outcomes, [outcome], owner="me", now=desk.clock())
    typed = {**EMPTY, "time_zone": "UTC", "send": "question", "min_support": "0.85", "act": "preview"}
    status, text = await change(page, "rules", **typed)
    rows = re.findall(r'<tr><th scope="row">([\d.]+).*?<td>(\d+)</td>', text)
    assert status == 200
    assert dict(rows)["0.5"] == "4"
    assert dict(rows)["0.85"] == "2"
    assert dict(rows)["0.95"] == "1"
    assert the_channel(page.running).rules == {}


async def test_secrets_and_options_are_never_shown(page: Browser) -> None:
    options = {"base_url": "https://inner.example", "refresh_token": "env:VERY_SECRET"}
    page.running.ledger.write(channels.set_options, "demo", options, now=START)
    for path in ("channels", "channels/1"):
        _, text = await page.get(path)
        assert "inner.example" not in text
        assert "VERY_SECRET" not in text
    assert "refresh_token" in text


@pytest.mark.parametrize("what", ["pause", "resume", "shadow", "rules"])
async def test_who_is_no_owner_sees_but_changes_nothing(page: Browser, what: str) -> None:
    async with logged_in(page.running, Role.REVIEWER, "rae") as rae:
        status, text = await rae.get("channels/1")
        assert status == 200
        assert "<button" not in text.split("<main")[1]
        assert (await change(rae, what, on="1"))[0] == 403
    assert the_channel(page.running).rules == {}
    assert acts(page.running) == []


@pytest.mark.parametrize("number", ["99", "0", "-1", "x", "9" * 30, "１"])
async def test_an_unknown_channel_is_said_to_be_unknown(page: Browser, number: str) -> None:
    assert (await page.get(f"channels/{number}"))[0] == 404


async def test_the_services_shadow_is_told_on_every_page_of_channels(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "other", service={"shadow": True})
    async with assemble(settings, roles=ALL_ROLES) as running, logged_in(running) as page:
        Desk(running.ledger, FakeClock(datetime.now(UTC)))
        for path in ("", "channels", "channels/1"):
            assert "service.shadow" in (await page.get(path))[1]
