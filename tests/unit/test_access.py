"""Passwords, names, waits, and what is believed of an address."""

import asyncio
from datetime import timedelta

import pytest

from bot.access import passwords as passwords_module
from bot.access.names import key, name_fault, tidy
from bot.access.passwords import MOST_WAITING, Passwords, TooBusy, password_fault
from bot.access.throttle import BY_ADDRESS, BY_NAME, Failures, bucket, wait_s
from bot.settings import WebSettings
from bot.web.gate import behind_tls
from bot.web.guard import client_address, own_path, same_origin
from tests.builders import START

GOOD = "correct horse battery"


def quick() -> Passwords:
    return Passwords(memory_kib=64, rounds=1)


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        (GOOD, ""),
        ("我家的猫喜欢喝咖啡呢", ""),
        ("short one", "access_password_short"),
        ("x1" * 501, "access_password_long"),
        ("1234567890", "access_password_known"),
        ("１２３４５６７８９０", "access_password_known"),
        ("PassWord123", "access_password_known"),
        ("aaaaaaaaaaaa", "access_password_known"),
        ("Ann Example", "access_password_known"),
    ],
)
def test_passwords_that_anybody_would_try_are_not_taken(password: str, fault: str) -> None:
    assert password_fault(password, "ann example") == fault


async def test_a_password_fits_its_hash_and_no_other() -> None:
    checker = quick()
    kept = await checker.hashed(GOOD)
    assert kept.startswith("$argon2id$")
    assert await checker.fits(GOOD, kept)
    assert not await checker.fits(GOOD + ".", kept)
    assert not await checker.fits(GOOD, None)
    assert not await checker.fits(GOOD, "no hash")
    assert await checker.hashed(GOOD) != kept


async def test_what_an_input_method_writes_wide_is_the_same_password() -> None:
    checker = quick()
    assert await checker.fits("ｐassword of mine", await checker.hashed("password of mine"))


async def test_a_hash_of_other_costs_is_outdated() -> None:
    kept = await quick().hashed(GOOD)
    assert not quick().is_outdated(kept)
    assert Passwords(memory_kib=128, rounds=1).is_outdated(kept)


async def test_a_name_that_nobody_has_costs_a_hash_too(monkeypatch: pytest.MonkeyPatch) -> None:
    checker, looked_at = quick(), []
    verify = checker._hasher.verify
    monkeypatch.setattr(
        type(checker._hasher), "verify", lambda _, kept, given: looked_at.append(kept) or verify(kept, given)
    )
    await checker.fits(GOOD, None)
    assert len(looked_at) == 1


async def test_a_flood_of_passwords_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    running, most, release = 0, 0, asyncio.Event()

    async def slow(work: object, *given: object) -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await release.wait()
        running -= 1
        return "hash"

    monkeypatch.setattr(passwords_module.asyncio, "to_thread", slow)
    checker = quick()
    waiting = [asyncio.create_task(checker.hashed(GOOD)) for _ in range(MOST_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(TooBusy):
        await checker.hashed(GOOD)
    release.set()
    assert await asyncio.gather(*waiting) == ["hash"] * MOST_WAITING
    assert most == passwords_module.AT_ONCE


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("ann", ""), ("王小明", ""), ("Ann-Marie O'Neil", ""), ("", "access_name_length"),
        ("x" * 61, "access_name_length"), ("an\u202en", "access_name_bad"), ("Policy", "access_name_bad"),
    ],
)  # fmt: skip
def test_names_that_mislead_are_not_taken(name: str, fault: str) -> None:
    assert name_fault(tidy(name)) == fault


def test_capitals_and_spaces_make_no_other_name() -> None:
    assert key("  Ann   Lee ") == key("ann lee") == key("ＡＮＮ lee")


@pytest.mark.parametrize(
    ("number", "seconds_ago", "wait"),
    [(0, 0, 0), (9, 0, 0), (10, 0, 2), (10, 2, 0), (12, 0, 8), (12, 3, 5), (500, 0, 900), (10**9, 899, 1)],
)
def test_each_failure_doubles_the_wait_up_to_the_longest(number: int, seconds_ago: int, wait: int) -> None:
    failures = Failures(number, START - timedelta(seconds=seconds_ago))
    assert wait_s(failures, BY_ADDRESS, START) == wait


def test_a_failure_of_a_clock_that_went_ahead_makes_nobody_wait_longer() -> None:
    assert wait_s(Failures(50, START + timedelta(minutes=4)), BY_NAME, START) == 60


def test_a_household_of_ipv6_is_one_address() -> None:
    assert bucket("2001:db8:1:2::1") == bucket("2001:db8:1:2:ffff::9") != bucket("2001:db8:1:3::1")
    assert bucket("192.0.2.7") == "192.0.2.7"
    assert bucket("") == ""


PROXIES = ["127.0.0.1", "10.0.0.0/8"]


@pytest.mark.parametrize(
    ("trusted", "forwarded", "peer", "address"),
    [
        ([], ["192.0.2.1"], "127.0.0.1", "127.0.0.1"),
        (PROXIES, ["192.0.2.1"], "198.51.100.1", "198.51.100.1"),
        (PROXIES, [], "127.0.0.1", "127.0.0.1"),
        (PROXIES, ["192.0.2.1"], "127.0.0.1", "192.0.2.1"),
        (PROXIES, ["6.6.6.6, 192.0.2.1"], "127.0.0.1", "192.0.2.1"),
        (PROXIES, ["6.6.6.6", "192.0.2.1, 10.1.1.1"], "127.0.0.1", "192.0.2.1"),
        (PROXIES, ["10.2.2.2, 10.1.1.1"], "127.0.0.1", "10.2.2.2"),
        (PROXIES, ["6.6.6.6, nonsense"], "127.0.0.1", "127.0.0.1"),
        (PROXIES, ["192.0.2.1:4711"], "::ffff:127.0.0.1", "192.0.2.1"),
        (PROXIES, ["[2001:db8::1]:4711"], "127.0.0.1", "2001:db8::1"),
        (PROXIES, [" ,, "], "127.0.0.1", "127.0.0.1"),
    ],
)
def test_only_trusted_proxies_say_for_whom_they_ask(
    trusted: list[str], forwarded: list[str], peer: str, address: str
) -> None:
    assert client_address(WebSettings(trusted_proxies=trusted), forwarded, peer) == address


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/digest?a=b#c", "/digest?a=b#c"), ("", "/review"), ("//evil.example", "/review"),
        ("/\\evil.example", "/review"),
        ("https://evil.example", "/review"), ("/\t/evil.example", "/review"), ("/\r\nSet-Cookie: a=b", "/review"),
        ("javascript:alert(1)", "/review"), ("review", "/review"), ("/" + "a" * 3000, "/review"),
    ],
)  # fmt: skip
def test_a_log_in_leads_to_no_other_site(text: str, path: str) -> None:
    assert own_path(text) == path


def test_a_page_behind_a_proxy_is_of_the_public_address() -> None:
    headers = {"Host": "127.0.0.1:8700", "Origin": "https://desk.example.org"}
    assert not same_origin(headers)
    assert same_origin(headers, "https://desk.example.org")
    assert not same_origin({**headers, "Origin": "https://evil.example.org"}, "https://desk.example.org")
    assert not same_origin({"Origin": "chrome-extension://x"}, "")


@pytest.mark.parametrize(
    ("peer", "told", "secure"),
    [
        ("10.0.0.1", "https", True),
        ("::ffff:10.0.0.1", "https", True),
        ("10.0.0.1", "https, http", True),
        ("10.0.0.1", "http, https", False),
        ("10.0.0.2", "https", False),
        ("::ffff:10.0.0.2", "https", False),
    ],
)
def test_a_trusted_proxy_tells_whether_the_browser_speaks_tls(peer: str, told: str, secure: bool) -> None:
    settings = WebSettings(trusted_proxies=["10.0.0.1"])
    assert behind_tls(settings, {"X-Forwarded-Proto": told}, peer) == secure
