"""People, their links and tokens, what the audit tells, and which names and addresses the site believes."""

import csv
import io
import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.models import AuditEntry, Role, Verdict
from bot.store import audit
from bot.store.audit import Deed, Which, cursor_of
from bot.store.ledger import Ledger
from bot.web.audit import ON_PAGE
from tests.access import House, Outside, house
from tests.builders import START, Desk, comment

DAY = 24 * 3600


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as made:
        yield made


def code_of(address: str) -> str:
    return address.rpartition("#")[2]


async def bearer(site: House, token: str, path: str = "/account") -> tuple[int, str]:
    got = await site.outside(Authorization=f"Bearer {token}").get(path)
    return got.status, got.text


async def new_token(browser: Outside, role: str = "viewer", days: str = "", name: str = "bot") -> str:
    return (await browser.press("/account", "/account/tokens", name=name, role=role, days=days)).secret


async def test_who_is_invited_has_the_role_of_the_invitation(site: House) -> None:
    owner = await site.owner()
    shown = await owner.press("/people", "/people/invite", role="reviewer")
    assert shown.secret.startswith(f"{owner.url}/start#")
    assert shown.secret not in (await owner.get("/people")).text
    guest = site.outside()
    assert (await guest.start(code_of(shown.secret), "bob")).status == 303
    assert "reviewer" in (await guest.get("/account?lang=en")).text
    assert (await guest.get("/people")).status == 403


async def test_an_invitation_ends_after_a_week_or_when_it_is_taken_back(site: House) -> None:
    owner = await site.owner()
    made = [await owner.press("/people", "/people/invite", role="viewer") for _ in range(2)]
    (first, _) = re.findall(r'action="/people/invite/end">.*?name="id" value="(\d+)"', made[1].text)
    await owner.press("/people", "/people/invite/end", id=first)
    assert (await site.outside().start(code_of(made[0].secret), "bob")).status == 410
    site.clock.forward(7 * DAY)
    assert (await site.outside().start(code_of(made[1].secret), "bob")).status == 410


async def test_the_last_owner_stays_owner(site: House) -> None:
    owner = await site.owner()
    bob = await site.member(Role.OWNER, "bob")
    assert (await owner.press("/people", "/people/disable", id="2")).status == 303
    for path, form in (("/people/role", {"role": "viewer"}), ("/people/disable", {})):
        refused = await owner.press("/people", path, id="1", **form)
        assert (refused.status, "last owner" in refused.text) == (409, True)
    await owner.press("/people", "/people/enable", id="2")
    await bob.log_in("bob")
    assert (await bob.press("/people", "/people/role", id="1", role="viewer")).status == 303
    assert (await owner.get("/people")).status == 403


async def test_a_link_for_a_new_password_ends_the_sittings_and_the_links_before_it(site: House) -> None:
    owner, bob = await site.owner(), await site.member(Role.VIEWER, "bob")
    old = await owner.press("/people", "/people/link", id="2")
    new = await owner.press("/people", "/people/link", id="2")
    fresh, word = site.outside(), "another fine password"
    assert (await fresh.post("/renew", code=code_of(old.secret), password=word)).status == 410
    assert (await fresh.post("/renew", code=code_of(new.secret), password=word)).status == 303
    assert not await bob.is_in()
    assert (await fresh.post("/renew", code=code_of(new.secret), password=word)).status == 410
    assert (await bob.log_in("bob", word)).status == 303


async def test_an_owner_ends_somebodys_sittings(site: House) -> None:
    owner, bob = await site.owner(), await site.member(Role.VIEWER, "bob")
    await owner.press("/people", "/people/sittings/end", id="2")
    assert (await owner.is_in(), await bob.is_in()) == (True, False)


@pytest.mark.parametrize("number", ["", "0", "-1", "x", "9" * 30, "77"])
async def test_a_number_that_nobody_has_is_refused(site: House, number: str) -> None:
    owner = await site.owner()
    for path in ("disable", "enable", "link", "sittings/end", "tokens/revoke", "invite/end"):
        assert (await owner.press("/people", f"/people/{path}", id=number)).status in (404, 409)


async def test_a_token_acts_for_its_person_within_both_their_roles(site: House) -> None:
    owner, bob = await site.owner(), await site.member(Role.REVIEWER, "bob")
    token = await new_token(bob, "reviewer")
    assert token.startswith("rj_")
    assert token not in (await bob.get("/account")).text
    assert (await bearer(site, token, "/digest"))[0] == 200
    refused = await bearer(site, token, "/account")
    assert (refused[0], "tokens cannot do it" in refused[1]) == (403, True)
    assert (await bearer(site, token, "/try"))[0] == 200
    await owner.press("/people", "/people/role", id="2", role="viewer")
    assert (await bearer(site, token, "/try"))[0] == 403
    await owner.press("/people", "/people/disable", id="2")
    assert (await bearer(site, token, "/digest"))[0] == 401


async def test_a_token_is_never_more_than_its_person(site: House) -> None:
    await site.owner()
    bob = await site.member(Role.VIEWER, "bob")
    assert (await bob.press("/account", "/account/tokens", name="x", role="owner", days="")).status == 409
    assert (await bob.press("/account", "/account/tokens", name="x", role="king", days="")).status == 422
    assert (await bob.press("/account", "/account/tokens", name="x", role="viewer", days="-1")).status == 422
    assert (await bob.press("/account", "/account/tokens", name="", role="viewer", days="")).status == 409


async def test_a_token_ends_on_its_day_or_when_it_is_revoked(site: House) -> None:
    owner = await site.owner()
    short, long = await new_token(owner, days="2"), await new_token(owner, name="other")
    site.clock.forward(2 * DAY)
    assert [(await bearer(site, one, "/digest"))[0] for one in (short, long)] == [401, 200]
    await owner.log_in()
    await owner.press("/people", "/people/tokens/revoke", id="2")
    assert (await bearer(site, long, "/digest"))[0] == 401


async def test_nobody_revokes_anothers_token_but_an_owner(site: House) -> None:
    owner = await site.owner()
    bob, token = await site.member(Role.VIEWER, "bob"), await new_token(owner)
    assert (await bob.press("/account", "/account/tokens/revoke", id="1")).status == 409
    assert (await bearer(site, token, "/digest"))[0] == 200


async def test_wrong_tokens_are_throttled_and_right_ones_are_not(site: House) -> None:
    owner = await site.owner()
    token = await new_token(owner)
    got = [(await bearer(site, f"rj_{n}", "/digest"))[0] for n in range(21)]
    assert got == [401] * 20 + [429]
    assert (await bearer(site, token, "/digest"))[0] == 200
    assert (await owner.log_in()).status == 303


async def test_a_bad_token_is_not_mended_by_a_cookie_and_another_scheme_is_no_token(site: House) -> None:
    owner = await site.owner()
    assert (await owner.get("/digest", headers={"Authorization": "Bearer rj_no"})).status == 401
    assert (await owner.get("/digest", headers={"Authorization": "Basic YTpi"})).status == 200


@pytest.mark.parametrize(
    ("web", "host", "status"),
    [
        ({}, "evil.example", 403),
        ({}, "localhost:1", 303),
        ({"public_url": "https://desk.example.org"}, "desk.example.org", 303),
        ({"public_url": "https://desk.example.org"}, "DESK.example.org:443", 303),
        ({"public_url": "https://desk.example.org"}, "127.0.0.1:8700", 303),
        ({"public_url": "https://desk.example.org"}, "evil.example", 403),
        ({"public_url": "https://desk.example.org", "host": "0.0.0.0"}, "evil.example", 403),
        ({"public_url": "https://desk.example.org"}, "desk.example.org.evil.example", 403),
        ({"host": "0.0.0.0"}, "any.example", 303),
    ],
)
async def test_the_site_answers_to_its_own_names(tmp_path: Path, web: dict, host: str, status: int) -> None:
    async with house(tmp_path, **web) as site:
        url = (site.running.page or "").replace("0.0.0.0", "127.0.0.1")
        async with site.http.get(url, headers={"Host": host}, allow_redirects=False) as answer:
            assert answer.status == status


async def test_the_audit_names_the_address_that_a_trusted_proxy_names(tmp_path: Path) -> None:
    for trusted, address in ((["127.0.0.1"], "192.0.2.1"), ([], "127.0.0.1")):
        async with house(tmp_path / address, trusted_proxies=trusted) as site:
            await site.outside(**{"X-Forwarded-For": "6.6.6.6, 192.0.2.1"}).log_in("eve")
            (deed,) = site.running.ledger.read(audit.deeds, Which(), limit=9)
            assert (deed.actor, deed.act, deed.address) == ("eve", "log_in_failed", address)


def deed_of(ledger: Ledger, number: int, **changes: object) -> None:
    values = {"actor": "ann", "via": "page", "act": "log_in", "subject": "", "detail": {}} | changes
    entry = AuditEntry(at=START + timedelta(seconds=number // 2), **values)
    ledger.write(lambda session: session.add(entry))


def test_pages_of_the_audit_hold_every_deed_once_in_order(ledger: Ledger) -> None:
    desk = Desk(ledger)
    desk.ingest(*(comment(number) for number in range(6)))
    for number in range(1, 7):
        verdict = Verdict(
            comment_id=number, kind="skip", by="bob", at=START + timedelta(seconds=number // 2), via="page"
        )
        ledger.write(lambda session, verdict=verdict: session.add(verdict))
        deed_of(ledger, number)
    seen: list[Deed] = []
    while page := ledger.read(audit.deeds, Which(), limit=5, after=cursor_of(seen[-1]) if seen else None):
        seen += page
    assert [deed.at for deed in seen] == sorted((deed.at for deed in seen), reverse=True)
    assert len({deed.place for deed in seen}) == len(seen) == 12
    mine = ledger.read(audit.deeds, Which(actor="bob"), limit=50)
    assert {deed.act for deed in mine} == {"verdict_skip"}
    assert len(ledger.read(audit.deeds, Which(act="log_in"), limit=50)) == 6
    early = Which(since=START, until=START + timedelta(seconds=2))
    assert len(ledger.read(audit.deeds, early, limit=50)) == 6


async def test_the_audit_page_pages_and_filters(site: House) -> None:
    owner = await site.owner()
    for number in range(ON_PAGE + 5):
        deed_of(site.running.ledger, number, actor=f"p{number}", act="pause_channel")
    first = (await owner.get("/audit?act=pause_channel&lang=en")).text
    assert "p104<" in first
    assert "p3<" not in first
    (more,) = re.findall(r'href="(/audit\?[^"]*after=[^"]+)"', first)
    second = (await owner.get(more.replace("&amp;", "&"))).text
    assert "p3<" in second
    assert "p104<" not in second
    assert "p7<" in (await owner.get("/audit?person=p7")).text
    assert "p7<" not in (await owner.get("/audit?day=2031-01-01")).text
    for wrong in ("day=yesterday", "day=9999-12-31", "after=x", "after=2026-03-01 audit x"):
        assert (await owner.get(f"/audit?{wrong}")).status == 422


async def test_the_audit_leaves_as_csv_that_runs_nothing_and_as_json_lines(site: House) -> None:
    owner = await site.owner()
    nasty = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "＝1", 'a"b,c\nd']
    for number, name in enumerate(nasty):
        deed_of(site.running.ledger, number, actor=name, detail={"why": "=2"})
    got = await owner.get("/audit/export?format=csv")
    assert got.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in got.headers["Content-Disposition"]
    heading, *rows = csv.reader(io.StringIO(got.text.removeprefix("\ufeff"), newline=""))
    names = {row[1] for row in rows}
    assert heading[:2] == ["at", "actor"]
    assert names >= {f"'{name}" for name in nasty[:-1]} | {nasty[-1]}
    lines = (await owner.get("/audit/export?format=jsonl")).text.splitlines()
    assert {json.loads(line)["actor"] for line in lines} >= set(nasty)
    assert len(lines) == len(rows)
    assert (await owner.get("/audit/export?format=exe")).status == 422


async def test_an_export_of_many_lines_is_whole(site: House) -> None:
    owner = await site.owner()

    def add(session) -> None:  # type: ignore[no-untyped-def]
        session.add_all(
            AuditEntry(at=START, actor="x", via="page", act="pause_channel", subject=str(n), detail={})
            for n in range(1203)
        )

    site.running.ledger.write(add)
    lines = (await owner.get("/audit/export?format=jsonl&act=pause_channel")).text.splitlines()
    assert {json.loads(line)["subject"] for line in lines} == {str(n) for n in range(1203)}
