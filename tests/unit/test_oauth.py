"""OAuth's pure parts, and what a platform can answer to a code or a device."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters.connecting import DOUYIN, KNOWN, YOUTUBE, OAuth
from adapters.errors import Transient
from adapters.http import Http
from adapters.youtube_options import YouTubeOptions
from bot.oauth.client import (
    Attempt,
    Client,
    NotConnected,
    OtherAttempt,
    authorize_address,
    challenge,
    client_of,
    exchange,
    parse_granted,
    parse_redirect,
    refused,
)
from bot.oauth.device import Code, ask_for_code, await_consent, parse_code
from bot.oauth.loopback import open_loopback
from tests import oauth_platform
from tests.builders import START, FakeClock
from tests.oauth_platform import CLIENT_ID, CLIENT_SECRET, Orchard, OrchardAdapter, follow

SECRETS = (CLIENT_SECRET, "the-code", "device-secret")


@pytest.fixture
def orchard() -> Iterator[Orchard]:
    with oauth_platform.running() as orchard:
        yield orchard


def client(orchard: Orchard) -> Client:
    oauth = OrchardAdapter.connect.oauth
    assert oauth is not None
    return client_of(oauth, {"base_url": orchard.url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET})


def test_the_challenge_is_that_of_the_rfc() -> None:
    """The example in appendix B of RFC 7636."""
    assert (
        challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
        == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    )


def test_no_two_attempts_share_what_only_their_answer_knows() -> None:
    one, other = Attempt("http://127.0.0.1:1/"), Attempt("http://127.0.0.1:1/")
    assert one.state != other.state
    assert one.verifier != other.verifier
    assert min(len(one.state), len(one.verifier)) >= 43
    assert one.verifier not in repr(one)
    assert CLIENT_SECRET not in repr(Client(YOUTUBE, "a", CLIENT_SECRET, "", "", ""))


def test_youtubes_address_asks_for_a_refresh_token_with_pkce() -> None:
    asked = client_of(YOUTUBE, {"client_id": "id", "token_url": "https://oauth2.googleapis.com/token"})
    address = urlsplit(authorize_address(asked, Attempt("http://127.0.0.1:7/callback")))
    query = dict(parse_qsl(address.query))
    assert address.hostname == "accounts.google.com"
    assert query["scope"] == "https://www.googleapis.com/auth/youtube.force-ssl"
    assert (query["access_type"], query["prompt"], query["code_challenge_method"]) == (
        "offline",
        "consent",
        "S256",
    )
    assert asked.token_url == "https://oauth2.googleapis.com/token"


def test_douyins_address_names_the_client_key_and_separates_scopes_by_commas() -> None:
    asked = client_of(
        DOUYIN, {"client_key": "ck", "client_secret": "cs", "base_url": "https://open.douyin.com"}
    )
    address = urlsplit(authorize_address(asked, Attempt("https://desk.example.org/")))
    query = dict(parse_qsl(address.query))
    assert (address.path, query["client_key"]) == ("/platform/oauth/connect/", "ck")
    assert query["scope"] == "item.comment,renew_refresh_token"
    assert "code_challenge" not in query
    assert asked.form == {"client_key": "ck", "client_secret": "cs"}
    assert asked.token_url == "https://open.douyin.com/oauth/access_token/"


@pytest.mark.parametrize("oauth", [YOUTUBE, DOUYIN])
def test_no_secret_goes_to_an_address_that_others_can_read_along(oauth: OAuth) -> None:
    options = {"token_url": "http://example.org/token"}
    with pytest.raises(NotConnected, match="give an https address"):
        client_of(oauth, options | {"base_url": "http://example.org"})
    with pytest.raises(ValidationError, match="https"):
        YouTubeOptions.model_validate({"client_id": "a", "client_secret": "b", **options})


def test_douyins_answer_fills_in_the_account_and_the_lives_of_the_tokens() -> None:
    data = {
        "data": {
            "access_token": "act.1", "expires_in": 1_296_000, "refresh_token": "rft.1", "error_code": 0,
            "refresh_expires_in": 2_592_000, "open_id": "o-1", "scope": "item.comment", "description": "",
        },
        "message": "success",
    }  # fmt: skip
    granted = parse_granted(DOUYIN, data, START)
    assert granted.fields == {"open_id": "o-1"}
    assert granted.tokens["expires_at"] == (START + timedelta(seconds=1_295_940)).isoformat()
    assert granted.tokens["refresh_ends"] == str(int(START.timestamp()) + 2_592_000)
    assert granted.missing(DOUYIN.scopes) == []
    assert granted.missing(DOUYIN.more_scopes) == ["renew_refresh_token"]
    assert "act.1" not in repr(granted)


@pytest.mark.parametrize("key", KNOWN)
def test_what_a_platform_needs_is_told_in_both_languages(key: str) -> None:
    english, chinese = KNOWN[key].needs
    assert english.isascii()
    assert any("\u4e00" <= char <= "\u9fff" for char in chinese)


@pytest.mark.parametrize(
    "query", [{}, {"code": "c"}, {"code": "c", "state": "guessed"}, {"error": "access_denied", "state": "é"}]
)
def test_an_answer_without_our_state_belongs_to_nobody(query: dict[str, str]) -> None:
    with pytest.raises(OtherAttempt):
        parse_redirect(query, Attempt("http://127.0.0.1:1/"))


def test_an_answer_whose_state_is_broken_text_belongs_to_nobody() -> None:
    with pytest.raises(OtherAttempt):
        parse_redirect({"state": "\ud800", "code": "c"}, Attempt("http://127.0.0.1:1/"))


@pytest.mark.parametrize("token", ["\ud800", "a\nb", "令牌"])
def test_a_refresh_token_that_cannot_travel_is_not_kept(token: str) -> None:
    told = {"access_token": "a", "refresh_token": token, "scope": "read \ud800"}
    assert parse_granted(YOUTUBE, told, START).tokens == {"access_token": "a", "scope": "read \ufffd"}


def test_a_refusal_repeats_none_of_our_secrets() -> None:
    told = str(refused("invalid", f"code the-code of {CLIENT_SECRET}", "the-code", CLIENT_SECRET, ""))
    assert "the-code" not in told
    assert CLIENT_SECRET not in told


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["access_token", "refresh_token", "expires_in", "refresh_expires_in", "scope", "data", "open_id",
                 "device_code", "user_code", "verification_uri", "interval", "error_code"]
            )
            | st.text(max_size=3),
            inner,
            max_size=6,
        ),
    )
)  # fmt: skip
@pytest.mark.parametrize("oauth", [YOUTUBE, DOUYIN])
def test_whatever_a_platform_answers_is_read_or_refused(oauth: OAuth, data: object) -> None:
    for parse in (lambda: parse_granted(oauth, data, START), lambda: parse_code(data)):
        with suppress(NotConnected):
            parse()


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        ((400, {"error": "invalid_grant", "error_description": "no"}), "(invalid_grant: no)"),
        ((401, {"error": "invalid_client"}), "does not know the application (401)"),
        ((403, "no"), "(status 403)"),
        ((200, {"access_token": ""}), "holds no access token"),
        ((200, ["?"]), "holds no access token"),
        ((200, None), "holds no access token"),
        ((200, {"access_token": "a\nb"}), "holds no access token"),
    ],
)
async def test_a_code_that_brings_no_token_is_refused_in_one_line(
    orchard: Orchard, answer: tuple[int, object], line: str
) -> None:
    orchard.token_error = answer
    async with aiohttp.ClientSession() as session:
        http = Http(session, f"{orchard.url}/token", clock=FakeClock())
        with pytest.raises(NotConnected) as told:
            await exchange(http, client(orchard), Attempt("http://127.0.0.1:1/"), "the-code", START)
    assert line in str(told.value)
    assert not [secret for secret in SECRETS if secret in str(told.value)]


async def test_a_platform_that_fails_is_no_refusal(orchard: Orchard) -> None:
    orchard.token_error = (503, {})
    async with aiohttp.ClientSession() as session:
        http = Http(session, f"{orchard.url}/token", clock=FakeClock())
        with pytest.raises(Transient):
            await exchange(http, client(orchard), Attempt("http://127.0.0.1:1/"), "the-code", START)


async def test_a_code_is_worth_nothing_without_its_verifier(orchard: Orchard) -> None:
    """What a listener on the way could do with a code that it saw."""
    mine, thief = Attempt("http://127.0.0.1:1/"), Attempt("http://127.0.0.1:1/")
    asked = dict(parse_qsl(urlsplit(authorize_address(client(orchard), mine)).query))
    code = parse_redirect(dict(parse_qsl(urlsplit(orchard.decide(asked)).query)), mine)
    async with aiohttp.ClientSession() as session:
        http = Http(session, f"{orchard.url}/token", clock=FakeClock())
        with pytest.raises(NotConnected, match="invalid_grant"):
            await exchange(http, client(orchard), thief, code, START)


async def _device(orchard: Orchard, clock: FakeClock, waits: list[float]) -> None:
    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        clock.forward(seconds)

    async with aiohttp.ClientSession() as session:
        code = await ask_for_code(Http(session, f"{orchard.url}/device", clock=clock), client(orchard))
        tokens = Http(session, f"{orchard.url}/token", clock=clock)
        granted = await await_consent(tokens, client(orchard), code, clock=clock, sleep=sleep)
        assert granted.tokens["access_token"] == orchard.access


async def test_a_device_asks_at_the_platforms_pace(orchard: Orchard) -> None:
    orchard.device_answers = [
        (400, {"error": "authorization_pending"}),
        (400, {"error": "slow_down"}),
        (428, {"error": "authorization_pending"}),
        (500, {}),
    ]
    waits: list[float] = []
    await _device(orchard, FakeClock(), waits)
    assert waits == [0.05, 0.05, 5.05, 5.05, 10.1]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        ("expired_token", "was not typed in before it ended"),
        ("access_denied", "did not consent"),
        ("invalid_grant", "(invalid_grant)"),
    ],
)
async def test_a_device_that_is_refused_is_told_why(orchard: Orchard, error: str, line: str) -> None:
    orchard.device_answers = [(400, {"error": error})]
    with pytest.raises(NotConnected, match=line.replace("(", r"\(").replace(")", r"\)")):
        await _device(orchard, FakeClock(), [])


async def test_a_code_that_nobody_types_in_ends(orchard: Orchard) -> None:
    orchard.device_answers = [(400, {"error": "slow_down"})] * 100
    waits: list[float] = []
    with pytest.raises(NotConnected, match="was not typed in before it ended"):
        await _device(orchard, FakeClock(), waits)
    assert sum(waits) < 600


@pytest.mark.parametrize("data", [{}, {"device_code": "d", "user_code": 7, "verification_uri": "u"}, None])
def test_an_answer_without_a_code_to_type_is_refused(data: object) -> None:
    with pytest.raises(NotConnected, match="connect with a browser"):
        parse_code(data)


def test_lives_that_cannot_be_are_replaced() -> None:
    given = {
        "device_code": "device-secret",
        "user_code": "u",
        "verification_uri": "a",
        "expires_in": -1,
        "interval": "x",
    }
    code = parse_code(given)
    assert code == Code("device-secret", "u", "a", 1800.0, 5.0)
    assert "device-secret" not in repr(code)


async def test_the_loopback_takes_one_answer_and_turns_strangers_away() -> None:
    async with open_loopback() as loopback:
        address, state = loopback.attempt.redirect_uri, loopback.attempt.state

        async def opens(query: str) -> tuple[int, str]:
            return await asyncio.to_thread(follow, f"{address}?{query}")

        assert address.startswith("http://127.0.0.1:")
        assert (await opens("code=stolen&state=guessed"))[0] == 400
        status, page = await opens(f"code=right&state={state}")
        assert status == 200
        assert "right" not in page
        assert "回到终端" in page
        await opens(f"code=late&state={state}")
        assert await loopback.code(5) == "right"


async def test_a_port_that_is_taken_is_one_line() -> None:
    async with open_loopback() as first:
        port = urlsplit(first.attempt.redirect_uri).port or 0
        with pytest.raises(NotConnected, match=f"port {port} on 127.0.0.1 is taken"):
            async with open_loopback(port):
                raise AssertionError("two on one port")


async def test_waiting_for_consent_ends() -> None:
    async with open_loopback() as loopback:
        with pytest.raises(NotConnected, match="nobody consented within"):
            await loopback.code(0.01)
