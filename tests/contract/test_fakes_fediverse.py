"""The fakes of Bluesky and Mastodon refuse what the real platforms refuse."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from tests.builders import FakeClock
from tests.contract.harnesses import new_session
from tests.platforms import bluesky, mastodon
from tests.platforms.bluesky import GATES, POSTS, Network, iso, parent_of
from tests.platforms.mastodon import Instance, rendered

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
RKEY = "3kaaaaaaaaa2b"


class Client:
    """Sends whatever it is told to."""

    def __init__(self, url: str, http: aiohttp.ClientSession, token: str = "") -> None:
        self.url, self.http, self.token = url, http, token

    async def call(self, verb: str, path: str, **more: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= more.pop("headers", {})
        async with self.http.request(verb, self.url + path, headers=headers, **more) as answer:
            return answer.status, await answer.json()


@pytest.fixture
async def sky() -> AsyncIterator[tuple[Client, Network, FakeClock]]:
    clock = FakeClock(NOON)
    network = Network(clock=clock)
    network.add_person("Creator")
    async with bluesky.running(network) as url, new_session() as http:
        client = Client(url, http)
        body = {"identifier": network.me.handle, "password": network.password}
        _, session = await client.call("POST", "/xrpc/com.atproto.server.createSession", json=body)
        client.token = session["accessJwt"]
        yield client, network, clock


@pytest.fixture
async def toot() -> AsyncIterator[tuple[Client, Instance, FakeClock]]:
    clock = FakeClock(NOON)
    instance = Instance(clock=clock)
    instance.add_account("Creator")
    async with mastodon.running(instance) as url, new_session() as http:
        yield Client(url, http, instance.token), instance, clock


Sky = tuple[Client, Network, FakeClock]
Toot = tuple[Client, Instance, FakeClock]


def record(**changes: Any) -> dict[str, Any]:
    return {"$type": POSTS, "text": "hello", "createdAt": iso(NOON), **changes}


def put(network: Network, value: dict[str, Any], rkey: str = RKEY, **more: Any) -> dict[str, Any]:
    return {"repo": network.me.did, "collection": POSTS, "rkey": rkey, "record": value, **more}


PUT = "/xrpc/com.atproto.repo.putRecord"
LISTED = "/xrpc/app.bsky.notification.listNotifications"


@pytest.mark.parametrize(("value", "rkey", "words"), [
    (record(text="x" * 301), RKEY, "grapheme"),
    (record(text="e" + "\u0301" * 1600), RKEY, "3000"),
    (record(createdAt="yesterday"), RKEY, "datetime"),
    (record(reply={"root": {"uri": "at://x/y/z"}, "parent": {}}), RKEY, "strongRef"),
    (record(unknown=1), RKEY, "record"),
    (record(), "UPPER-case-key", "TID"),
    (record(text="你好", facets=[{"index": {"byteStart": 0, "byteEnd": 2}, "features": []}]), RKEY, "cuts"),
    (record(facets=[{"index": {"byteStart": 0, "byteEnd": 99}, "features": []}]), RKEY, "range"),
    (record(facets=[{"index": {"byteStart": 0, "byteEnd": 2}, "features": [{"$type": "x"}]}]), RKEY, "feature"),
])  # fmt: skip
async def test_a_record_that_the_lexicon_forbids_is_refused(
    sky: Sky, value: dict[str, Any], rkey: str, words: str
) -> None:
    client, network, _ = sky
    status, said = await client.call("POST", PUT, json=put(network, value, rkey))
    assert (status, said["error"]) == (400, "InvalidRequest")
    assert words in said["message"]


async def test_the_same_record_put_twice_is_one_commit_and_another_needs_the_right_version(sky: Sky) -> None:
    client, network, _ = sky
    _, first = await client.call("POST", PUT, json=put(network, record(), swapRecord=None))
    commits = network.commits
    _, again = await client.call("POST", PUT, json=put(network, record(), swapRecord=None))
    assert (again["cid"], network.commits) == (first["cid"], commits)
    changed = record(text="changed")
    status, said = await client.call("POST", PUT, json=put(network, changed, swapRecord=None))
    assert (status, said["error"]) == (400, "InvalidSwap")
    status, _ = await client.call("POST", PUT, json=put(network, changed, swapRecord=first["cid"]))
    assert status == 200


async def test_tokens_expire_and_refresh_tokens_are_used_once(sky: Sky) -> None:
    client, network, clock = sky
    clock.forward(network.token_s)
    assert (await client.call("GET", LISTED))[1]["error"] == "ExpiredToken"
    client.token = "made-up"
    assert (await client.call("GET", LISTED))[1]["error"] == "InvalidToken"
    client.token = ""
    assert (await client.call("GET", LISTED))[0] == 401
    [client.token] = network.refresh
    path = "/xrpc/com.atproto.server.refreshSession"
    assert (await client.call("POST", path, json={}))[0] == 400
    bare = {"skip_auto_headers": ["Content-Type"]}
    assert (await client.call("POST", path, **bare))[0] == 200
    assert (await client.call("POST", path, **bare))[1]["error"] == "ExpiredToken"


@pytest.mark.parametrize("path", [
    f"{LISTED}?limit=101", f"{LISTED}?reason=reply", "/xrpc/app.bsky.feed.getPosts",
    "/xrpc/app.bsky.feed.getAuthorFeed?actor=did:plc:nobody", "/xrpc/app.bsky.feed.getPosts?uris=https://x",
    "/xrpc/com.atproto.identity.resolveHandle?handle=nobody.example.org",
])  # fmt: skip
async def test_a_wrong_parameter_is_a_bad_request(sky: Sky, path: str) -> None:
    client, _, _ = sky
    status, said = await client.call("GET", path)
    assert (status, said["error"]) == (400, "InvalidRequest")


async def test_notifications_run_from_new_to_old_in_pages_and_reach_five_levels_up(sky: Sky) -> None:
    client, network, clock = sky
    fan = network.add_person("Fan")
    above = network.post(network.me, "post")
    for number in range(7):
        clock.forward(1)
        above = network.post(fan, f"level {number}", above.uri)
    path, texts = f"{LISTED}?reasons=reply&limit=2", []
    while True:
        _, page = await client.call("GET", path)
        texts += [row["record"]["text"] for row in page["notifications"]]
        if "cursor" not in page:
            break
        path = f"{LISTED}?reasons=reply&limit=2&cursor={page['cursor']}"
    assert texts == [f"level {number}" for number in range(4, -1, -1)]
    assert parent_of(above) is not None


async def test_a_threadgate_belongs_to_its_post(sky: Sky) -> None:
    client, network, _ = sky
    value = {"$type": GATES, "post": f"at://{network.me.did}/{POSTS}/other", "createdAt": iso(NOON)}
    body = {**put(network, value), "collection": GATES}
    assert "record key" in (await client.call("POST", PUT, json=body))[1]["message"]


async def test_an_unknown_method_is_not_implemented(sky: Sky) -> None:
    client, _, _ = sky
    assert (await client.call("GET", "/xrpc/app.bsky.feed.getEverything"))[0] == 501


# --- Mastodon ---


async def post(client: Client, key: str = "", **form: str) -> tuple[int, Any]:
    headers = {"Idempotency-Key": key} if key else {}
    return await client.call("POST", "/api/v1/statuses", data=form, headers=headers)


@pytest.mark.parametrize(("form", "status", "words"), [
    ({"status": " ", "visibility": "public"}, 422, "blank"),
    ({"status": "x" * 501, "visibility": "public"}, 422, "character limit"),
    ({"status": "x", "visibility": "everybody"}, 422, "visibility"),
    ({"status": "x", "visibility": "public", "in_reply_to_id": "1"}, 404, "does not appear to exist"),
    ({"status": "x", "visibility": "public", "in_reply_to": "1"}, 422, "unpermitted"),
])  # fmt: skip
async def test_a_status_that_the_server_does_not_take_is_refused(
    toot: Toot, form: dict[str, str], status: int, words: str
) -> None:
    client, _, _ = toot
    answered, said = await post(client, **form)
    assert answered == status
    assert words in said["error"]


async def test_a_key_is_good_for_an_hour(toot: Toot) -> None:
    client, instance, clock = toot
    ids = []
    for wait in (0, 3599, 3600):
        clock.now = NOON + timedelta(seconds=wait)
        ids.append((await post(client, "key", status="x", visibility="public"))[1]["id"])
    assert ids[0] == ids[1] != ids[2]
    assert len(instance.statuses) == 2


async def test_pages_go_forward_from_min_id_and_back_from_max_id(toot: Toot) -> None:
    client, instance, _ = toot
    fan = instance.add_account("Fan")
    for number in range(5):
        instance.post(fan, f"@{instance.me.acct} {number}")
    ids = [one.id for one in instance.notifications]
    for query, expected in [
        ("limit=2", [4, 3]),
        (f"min_id={ids[0]}&limit=2", [2, 1]),
        (f"since_id={ids[0]}&limit=2", [4, 3]),
        (f"max_id={ids[2]}", [1, 0]),
        (f"min_id={ids[4]}", []),
    ]:
        _, rows = await client.call("GET", f"/api/v1/notifications?types[]=mention&{query}")
        assert [row["id"] for row in rows] == [ids[number] for number in expected]
    assert (await client.call("GET", "/api/v1/notifications?limit=81"))[0] == 422
    assert (await client.call("GET", "/api/v1/notifications?typ[]=mention"))[0] == 422


async def test_tokens_scopes_and_limits_are_held_to(toot: Toot) -> None:
    client, instance, clock = toot
    instance.scopes = ("write:statuses",)
    status, said = await client.call("GET", "/api/v1/notifications")
    assert (status, said["error"]) == (403, "This action is outside the authorized scopes")
    assert (await client.call("GET", "/api/v1/apps/verify_credentials"))[0] == 200
    instance.limited_until = clock.now + timedelta(seconds=5)
    assert (await client.call("GET", "/api/v2/instance"))[0] == 429
    instance.limited_until, client.token = None, "wrong"
    assert (await client.call("GET", "/api/v2/instance"))[0] == 401


def test_a_status_is_shown_as_html() -> None:
    instance = Instance(clock=lambda: NOON)
    me = instance.add_account("Creator")
    status = instance.post(me, f"@{me.acct} 1 < 2\nhttps://example.org/a\n\nbye @nobody")
    shown = rendered(status)
    assert shown.startswith('<p><span class="h-card"><a href="https://example.social/@person1"')
    assert ' 1 &lt; 2<br /><a href="https://example.org/a"' in shown
    assert shown.endswith("</p><p>bye @nobody</p>")


def test_answers_of_a_deleted_status_answer_nothing() -> None:
    instance = Instance(clock=lambda: NOON)
    me = instance.add_account("Creator")
    first = instance.post(me, "first")
    second = instance.post(me, "second", first.id)
    instance.remove(first.id)
    assert (second.parent, instance.descendants(second)) == (None, [])
