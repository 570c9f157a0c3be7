"""The nights, as programs read them."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.bootstrap import Running
from bot.models import NightStatus, Role
from tests import nights
from tests.builders import START, Desk
from tests.integration.test_api import ask, program_of, refused, serving
from tests.site import Browser


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Running]:
    async with serving(tmp_path) as running:
        yield running


@pytest.fixture
async def program(site: Running) -> AsyncIterator[Browser]:
    async with program_of(site, Role.REVIEWER) as made:
        yield made


def three_nights(running: Running) -> None:
    """The first promoted a voice, the second was refused, the third runs."""
    ledger, desk = running.ledger, Desk(running.ledger)
    first = nights.begin(ledger, START, base_model="tiny", settings={"cron": "0 3 * * *"})
    nights.note(ledger, first, "promote", figures={"sft": {"loss": 1.5}}, data_hash="abc", voice="mia-2")
    nights.end(ledger, first, NightStatus.PROMOTED, START + timedelta(hours=2))
    second = nights.begin(ledger, START + timedelta(days=1), channel_id=desk.channel_id, parent="mia-2")
    refusals = [{"guard": "kl", "detail": "25.7 is over 12"}]
    nights.end(ledger, second, NightStatus.REFUSED, START + timedelta(days=1, hours=1), refusals=refusals)
    nights.begin(ledger, START + timedelta(days=2))


async def test_nights_are_listed_newest_first_page_by_page(site: Running, program: Browser) -> None:
    three_nights(site)
    status, page, _ = await ask(program, "GET", "/nights?limit=2")
    assert (status, [one["id"] for one in page["items"]]) == (200, [3, 2])
    assert [one["status"] for one in page["items"]] == ["running", "refused"]
    assert page["items"][1]["channel"] == "demo"
    assert page["items"][1]["refusals"] == [{"guard": "kl", "detail": "25.7 is over 12"}]
    _, rest, _ = await ask(program, "GET", f"/nights?limit=2&cursor={page['next']}")
    assert ([one["id"] for one in rest["items"]], rest["next"]) == ([1], None)


async def test_one_night_is_told_with_its_figures_and_its_settings(site: Running, program: Browser) -> None:
    three_nights(site)
    status, night, _ = await ask(program, "GET", "/nights/1")
    assert status == 200
    assert (night["voice"], night["parent"], night["channel"]) == ("mia-2", None, None)
    assert (night["figures"], night["data_hash"]) == ({"sft": {"loss": 1.5}}, "abc")
    assert night["settings"] == {"cron": "0 3 * * *"}
    assert (night["began_at"], night["ended_at"]) == ("2026-03-01T12:00:00Z", "2026-03-01T14:00:00Z")
    # Where its files lie is the machine's own business.
    assert "folder" not in night


async def test_a_night_that_is_not_there_is_told_so(program: Browser) -> None:
    assert (await refused(program, 404, "GET", "/nights/7"))["code"] == "not_found"
    assert (await refused(program, 400, "GET", "/nights/x"))["field"] == "night_id"
    assert (await ask(program, "GET", "/nights"))[1] == {"next": None, "items": []}


async def test_a_viewer_reads_no_nights(site: Running) -> None:
    async with program_of(site, Role.VIEWER) as viewer:
        for path in ("/nights", "/nights/1"):
            assert (await ask(viewer, "GET", path))[0] == 403
