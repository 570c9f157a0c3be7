"""Logging in and out, and how long it lasts."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, select

from bot.access.passwords import Passwords
from bot.bootstrap import utc_now
from bot.cli.serve import tell_first_link
from bot.cli.shell import Shell, caller
from bot.models import AuditEntry, Person, Role, Sitting
from bot.store import access, links, managing, tries
from bot.store.ledger import Ledger
from tests.access import FIREFOX, PASSWORD, House, house
from tests.builders import START, FakeClock

HOUR = 3600


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as made:
        yield made


def sittings(site: House) -> int:
    return site.running.ledger.read(lambda session: len(session.exec(select(Sitting)).all()))


async def test_the_first_link_makes_the_owner_once(site: House) -> None:
    secret = site.running.ledger.write(links.first, now=site.clock()) or ""
    first, second = site.outside(), site.outside()
    assert (await first.get("/start")).status == 200
    assert (await first.start(secret)).headers["Location"] == "/review"
    assert await first.is_in()
    late = await second.start(secret, name="eve")
    assert (late.status, site.names()) == (410, ["ann"])
    assert site.running.ledger.write(links.first, now=site.clock()) is None


async def test_every_start_prints_the_way_in_until_there_is_an_owner(
    site: House, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = Shell(file=None, data_dir=None, language="zh")
    printed = []
    for _ in range(2):
        await tell_first_link(shell, site.running, site.running.page or "")
        printed.append(capsys.readouterr().out.split()[-1])
    site.clock.now = utc_now()  # the command's own clock
    assert [address.partition("#")[0] for address in printed] == [f"{site.outside().url}/start"] * 2
    assert (await site.outside().start(printed[0].partition("#")[2])).status == 410
    assert (await site.outside().start(printed[1].partition("#")[2])).status == 303
    await tell_first_link(shell, site.running, site.running.page or "")
    assert capsys.readouterr().out == ""


async def test_a_first_link_ends_after_a_day_or_when_the_next_one_is_made(site: House) -> None:
    old = site.running.ledger.write(links.first, now=site.clock()) or ""
    new = site.running.ledger.write(links.first, now=site.clock()) or ""
    assert (await site.outside().start(old)).status == 410
    site.clock.forward(24 * HOUR)
    assert (await site.outside().start(new)).status == 410
    assert site.names() == []


async def test_two_browsers_with_the_first_link_make_one_owner(tmp_path: Path, database_url: str) -> None:
    async with house(tmp_path, database_url) as site:
        secret = site.running.ledger.write(links.first, now=site.clock()) or ""
        got = await asyncio.gather(*(site.outside().start(secret, name=f"ann {n}") for n in range(4)))
        assert sorted(answer.status for answer in got) == [303, 410, 410, 410]
        assert len(site.names()) == 1


async def test_two_first_links_at_once_make_one_owner(ledger: Ledger) -> None:
    """As two processes print them that start at the same moment."""
    secrets = [
        ledger.write(links._add, role=Role.OWNER, by=links.FIRST, now=START, lasts=links.OWNER_LASTS)
        for _ in range(4)
    ]

    async def use(number: int, secret: str) -> bool:
        try:
            await ledger.awrite(links.use_for_person, secret, name=f"p{number}", password_hash="x", now=START)
        except access.AccessRefused:
            return False
        return True

    assert sum(await asyncio.gather(*(use(*pair) for pair in enumerate(secrets)))) == 1


async def test_two_owners_cannot_demote_each_other_at_once(ledger: Ledger) -> None:
    for name in ("ann", "bob"):
        ledger.write(access.add_person, name=name, role=Role.OWNER, password_hash="x", now=START)

    def demote(session: Session, name: str) -> None:
        access.set_role(session, access.known_person(session, name), Role.VIEWER)

    done = await asyncio.gather(
        ledger.awrite(demote, "ann"), ledger.awrite(demote, "bob"), return_exceptions=True
    )
    assert [type(one) for one in done if one is not None] == [access.AccessRefused]
    assert ledger.read(access.owners) == 1


@pytest.mark.parametrize(
    ("name", "password", "said"),
    [
        ("", PASSWORD, "1 to 60"),
        ("ann", "brief one", "too short"),
        ("ann", "1234567890", "first that anybody"),
    ],
)
async def test_a_password_that_is_refused_does_not_use_the_link_up(
    site: House, name: str, password: str, said: str
) -> None:
    secret = site.running.ledger.write(links.first, now=site.clock()) or ""
    refused = await site.outside().start(secret, name=name, password=password)
    assert (refused.status, said in refused.text, password in refused.text) == (422, True, False)
    assert (await site.outside().start(secret)).status == 303


async def test_a_name_is_had_once_however_it_is_capitalised(site: House) -> None:
    await site.owner("Ann")
    secret = site.running.ledger.write(links.invite, Role.VIEWER, by="Ann", now=site.clock())
    assert (await site.outside().start(secret, name="aNN")).status == 422
    assert (await site.outside().log_in("ANN")).status == 303


async def test_a_log_in_leads_where_one_wanted_to_go_on_this_site_only(site: House) -> None:
    await site.owner()
    nobody = site.outside()
    led = await nobody.get("/digest?days=7")
    assert (led.status, led.headers["Location"]) == (303, "/login?next=/digest?days%3D7")
    assert 'value="/digest?days=7"' in (await nobody.get(led.headers["Location"])).text
    assert (await nobody.log_in(next="/digest?days=7")).headers["Location"] == "/digest?days=7"
    assert (await nobody.log_in(next="//evil.example/")).headers["Location"] == "/review"


async def test_the_cookie_is_of_this_site_alone_and_out_of_reach_of_scripts(site: House) -> None:
    await site.owner()
    line = (await site.outside().log_in()).headers["Set-Cookie"]
    assert {part.strip().lower() for part in line.split(";")[1:]} == {
        "httponly", "path=/", "samesite=lax", f"max-age={72 * HOUR}",
    }  # fmt: skip


@pytest.mark.parametrize(
    "web", [{"public_url": "https://desk.example.org"}, {"trusted_proxies": ["127.0.0.1"]}]
)
async def test_behind_tls_the_cookie_is_secure_and_browsers_stay_with_tls(tmp_path: Path, web: dict) -> None:
    async with house(tmp_path, **web) as site:
        proxied = {"X-Forwarded-Proto": "https"} if "trusted_proxies" in web else {}
        browser = await site.owner()
        browser.headers = proxied
        answer = await browser.log_in()
        line = answer.headers["Set-Cookie"]
        assert line.startswith("__Host-rejoinder=")
        assert "secure" in line.lower()
        assert "max-age" in answer.headers["Strict-Transport-Security"]
        assert await browser.is_in()


async def test_without_tls_nothing_says_so(site: House) -> None:
    claimed = await site.outside().get("/login", headers={"X-Forwarded-Proto": "https"})
    assert "Strict-Transport-Security" not in claimed.headers


async def test_every_log_in_begins_a_new_sitting_and_ends_the_one_before(site: House) -> None:
    browser = await site.owner()
    before = browser.cookie
    await browser.log_in()
    assert browser.cookie != before
    browser.cookie = before
    assert not await browser.is_in()
    planted = site.outside()
    planted.cookie = "rejoinder=chosen-by-somebody-else"
    await planted.log_in()
    assert planted.cookie != "rejoinder=chosen-by-somebody-else"


async def test_logging_out_ends_the_sitting_at_the_server(site: House) -> None:
    browser = await site.owner()
    kept = browser.cookie
    left = await browser.press("/account", "/logout")
    assert (left.status, left.headers["Location"]) == (303, "/login")
    browser.cookie = kept
    assert not await browser.is_in()
    assert sittings(site) == 0


async def test_a_sitting_ends_when_nobody_uses_it_and_at_last_anyway(tmp_path: Path) -> None:
    async with house(tmp_path, idle_hours=2, session_hours=5) as site:
        browser = await site.owner()
        for _ in range(4):
            site.clock.forward(1.2 * HOUR)
            assert await browser.is_in()
        site.clock.forward(0.3 * HOUR)
        assert not await browser.is_in()
        await browser.log_in()
        site.clock.forward(2 * HOUR)
        assert not await browser.is_in()
        assert sittings(site) == 0


async def test_a_request_a_second_writes_once_a_minute(site: House) -> None:
    browser, seen = await site.owner(), set()
    for _ in range(121):
        site.clock.forward(1)
        assert await browser.is_in()
        seen.add(site.running.ledger.read(lambda session: session.exec(select(Sitting)).one().seen_at))
    assert len(seen) == 3


@pytest.mark.parametrize("jump_s", [-400 * 24 * HOUR, -13 * HOUR, 400 * 24 * HOUR])
async def test_a_clock_that_jumps_ends_sittings_but_locks_nobody_out(site: House, jump_s: float) -> None:
    browser = await site.owner()
    for _ in range(12):
        assert (await site.outside().log_in(password="wrong again and again")).status in (401, 429)
    site.clock.forward(jump_s)
    assert not await browser.is_in()
    assert (await browser.log_in()).status == 303
    site.clock.forward(-jump_s)
    assert not await browser.is_in()
    site.clock.forward(HOUR)
    assert (await browser.log_in()).status == 303
    assert await browser.is_in()


async def test_a_clock_that_is_set_a_little_disturbs_nobody(site: House) -> None:
    browser = await site.owner()
    site.clock.forward(-100)
    assert await browser.is_in()


async def test_a_cookie_in_another_browser_ends_the_sitting_and_is_noted(site: House) -> None:
    browser = await site.owner()
    thief = site.outside(FIREFOX)
    thief.cookie = browser.cookie
    assert not await thief.is_in()
    assert not await browser.is_in()
    assert site.acts()[-1] == ("ann", "stolen_session")
    assert sittings(site) == 0


async def test_another_password_ends_the_other_sittings_and_needs_the_old_one(site: House) -> None:
    here, there = await site.owner(), site.outside(FIREFOX)
    await there.log_in()
    new = "another fine password"
    assert (await here.press("/account", "/password", old="not the one", password=new)).status == 401
    assert await there.is_in()
    assert (await here.press("/account", "/password", old=PASSWORD, password=new)).status == 200
    assert await here.is_in()
    assert not await there.is_in()
    assert (await there.log_in()).status == 401
    assert (await there.log_in(password=new)).status == 303
    assert ("ann", "change_password") in site.acts()


async def test_a_person_ends_a_sitting_of_another_browser_but_nobody_elses(site: House) -> None:
    owner = await site.owner()
    member, other = await site.member(Role.VIEWER, "bob"), site.outside(FIREFOX)
    await other.log_in("bob")
    page = (await member.get("/account")).text
    (number,) = re.findall(r'action="/account/sittings/end">.*?name="id" value="(\d+)"', page)
    await owner.press("/account", "/account/sittings/end", id=number)
    assert await other.is_in()
    await member.press("/account", "/account/sittings/end", id=number)
    assert not await other.is_in()
    assert await member.is_in()


async def test_a_hash_of_other_costs_is_made_anew_at_the_next_log_in(site: House) -> None:
    browser = await site.owner()
    cheap = await Passwords(memory_kib=64, rounds=1).hashed(PASSWORD)

    def put(session: Session) -> None:
        session.exec(select(Person)).one().password_hash = cheap

    site.running.ledger.write(put)
    assert (await browser.log_in()).status == 303
    kept = site.running.ledger.read(lambda session: session.exec(select(Person)).one().password_hash)
    assert kept != cheap
    assert (await browser.log_in()).status == 303


async def test_wrong_names_and_passwords_are_told_apart_by_nothing(site: House) -> None:
    await site.owner()
    wrong = [await site.outside().log_in(name, "no such password") for name in ("ann", "nobody")]
    first, second = (answer.text.replace("nobody", "ann") for answer in wrong)
    assert [answer.status for answer in wrong] == [401, 401]
    assert first == second


async def test_failures_make_an_address_wait_and_the_wait_grows(site: House) -> None:
    await site.owner()
    got = [await site.outside().log_in(f"name {n}", "no such password") for n in range(11)]
    assert [answer.status for answer in got] == [401] * 10 + [429]
    assert (got[-1].headers["Retry-After"], "Wait 2 s" in got[-1].text) == ("2", True)
    assert (await site.outside().log_in()).status == 429
    site.clock.forward(2)
    assert (await site.outside().log_in()).status == 303


async def test_a_name_waits_a_minute_at_most_and_not_where_it_has_been(tmp_path: Path) -> None:
    async with house(tmp_path, trusted_proxies=["127.0.0.1"]) as site:
        owner = await site.owner()
        strangers = [
            await site.outside(**{"X-Forwarded-For": f"192.0.2.{n}"}).log_in(password="no such password")
            for n in range(1, 40)
        ]
        assert [answer.status for answer in strangers[:6]] == [401] * 5 + [429]
        assert (await owner.log_in()).status == 303
        elsewhere = site.outside(**{"X-Forwarded-For": "198.51.100.9"})
        assert (await elsewhere.log_in()).status == 429
        site.clock.forward(60)
        assert (await elsewhere.log_in()).status == 303


async def test_a_flood_at_the_same_moment_gets_no_more_tries(ledger: Ledger) -> None:
    async def begin() -> bool:
        return isinstance(await ledger.awrite(tries.begin, "ann", "192.0.2.1", now=START), tries.Try)

    assert sum(await asyncio.gather(*(begin() for _ in range(20)))) == 5


async def test_failures_are_counted_across_restarts(tmp_path: Path) -> None:
    for number in range(2):
        async with house(tmp_path) as site:
            got = [await site.outside().log_in("ann", "no such password") for _ in range(5)]
            assert [answer.status for answer in got] == [429 if number else 401] * 5


async def test_an_owner_who_is_made_to_wait_comes_in_by_a_link_of_the_terminal(site: House) -> None:
    browser = await site.owner()
    for number in range(12):
        await site.outside().log_in(f"name {number}", "no such password")

    def link(session: Session) -> str:
        return links.for_password(session, access.known_person(session, "ann"), by="root", now=site.clock())

    secret = site.running.ledger.write(link)
    renewed = await browser.post("/renew", code=secret, password="another fine password")
    assert renewed.status == 303
    assert await browser.is_in()


async def test_links_that_are_none_are_throttled_and_good_ones_are_not(site: House) -> None:
    await site.owner()
    got = [await site.outside().start("made-up") for _ in range(11)]
    assert [answer.status for answer in got] == [410] * 10 + [429]
    good = site.running.ledger.write(links.invite, Role.VIEWER, by="ann", now=site.clock())
    assert (await site.outside().start(good, "bob")).status == 303


async def test_a_disabled_person_does_not_come_in(site: House) -> None:
    await site.owner()
    bob = await site.member(Role.REVIEWER, "bob")
    me = (await bob.get("/account")).status

    def disable(session: Session) -> None:
        access.disable(session, access.known_person(session, "bob"), now=site.clock())

    site.running.ledger.write(disable)
    assert (me, await bob.is_in(), (await bob.log_in("bob")).status) == (200, False, 401)


@pytest.mark.parametrize(
    "body", [b"name=\xff\xfe&password=%ff", b"\x00" * 100, b"name=" + b"x" * 300_000, b"{", b""]
)
async def test_bad_forms_get_one_clear_answer(site: House, body: bytes) -> None:
    kinds = ["application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=nonsense"]
    for kind in [*kinds, "multipart/form-data; boundary=x", "multipart/form-data"]:
        headers = {"Origin": site.outside().url, "Content-Type": kind}
        got = await site.outside().ask("POST", "/login", headers=headers, data=body)
        assert 400 <= got.status < 500, (kind, got.text)


def everything_in(folder: Path) -> str:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file()).decode("latin-1")


async def test_no_secret_is_written_down_anywhere(
    site: House, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    browser = await site.owner()
    invited = await browser.press("/people", "/people/invite", role="viewer")
    link = invited.secret.rpartition("#")[2]
    token = (await browser.press("/account", "/account/tokens", name="bot", role="viewer", days="")).secret
    await browser.log_in(password="a wrong password")
    cookie = browser.cookie.partition("=")[2]
    pages = "".join([(await browser.get(path)).text for path in ("/", "/people", "/account", "/audit")])
    stored = await asyncio.to_thread(everything_in, tmp_path)
    said = "".join(capfd.readouterr()) + caplog.text
    for secret in (PASSWORD, "a wrong password", link, token, cookie):
        assert secret
        assert secret not in pages + stored + said


async def test_a_name_from_a_stranger_is_text_on_the_audit_page(site: House) -> None:
    browser = await site.owner()
    await site.outside().log_in("<script>alert(1)</script>\u202e", "no such password")
    text = (await browser.get("/audit")).text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\u202e" in text


def test_an_owner_is_made_by_nobody_else_when_the_clock_goes_back(ledger: Ledger) -> None:
    clock = FakeClock()
    clock.forward(timedelta(days=400).total_seconds())
    secret = ledger.write(managing.first_link, caller(), now=clock()) or ""
    with pytest.raises(access.AccessRefused, match="used, has ended"):
        ledger.write(links.use_for_person, secret, name="ann", password_hash="x", now=START)


def test_every_try_is_one_line_of_the_audit(ledger: Ledger) -> None:
    begun = ledger.write(tries.begin, "ann", "192.0.2.1", now=START)
    assert isinstance(begun, tries.Try)
    ledger.write(tries.succeed, begun.entry_id)
    assert ledger.read(lambda session: [row.act for row in session.exec(select(AuditEntry))]) == ["log_in"]
