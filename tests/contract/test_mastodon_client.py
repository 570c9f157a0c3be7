"""The fake of Mastodon is one that an independent client, Mastodon.py, works with."""

import asyncio
from datetime import UTC, datetime

import pytest

from tests.conftest import require_module
from tests.platforms import mastodon as fake
from tests.platforms.mastodon import Instance

library = require_module("mastodon")


async def test_an_independent_client_reads_and_answers() -> None:
    instance = Instance(clock=lambda: datetime.now(UTC))
    me = instance.add_account("Creator")
    fan = instance.add_account("Fan", "far.example")
    post = instance.post(me, "A post")
    asked = instance.post(fan, f"@{me.acct} how long? 多久？", post.id)
    async with fake.running(instance) as url:
        found = await asyncio.to_thread(converse, url, instance.token)
    assert found == {
        "me": me.id,
        "mentions": [asked.id],
        "ancestors": [post.id],
        "same": True,
        "answers": ["@person2@far.example twelve minutes"],
    }


def converse(url: str, token: str) -> dict[str, object]:
    client = library.Mastodon(
        access_token=token, api_base_url=url, ratelimit_method="throw", version_check_mode="none"
    )
    [mention] = client.notifications(types=["mention"], min_id="0")
    status = mention["status"]
    form = {"in_reply_to_id": status["id"], "visibility": "public", "idempotency_key": "key"}
    text = f"@{status['account']['acct']} twelve minutes"
    first, second = client.status_post(text, **form), client.status_post(text, **form)
    context = client.status_context(status["id"])
    me = client.account_verify_credentials()
    with pytest.raises(library.MastodonNotFoundError):
        client.status("1")
    return {
        "me": str(me["id"]),
        "mentions": [str(status["id"])],
        "ancestors": [str(one["id"]) for one in context["ancestors"]],
        "same": first["id"] == second["id"],
        "answers": [
            one["content"] and text for one in context["descendants"] if one["account"]["id"] == me["id"]
        ],
    }
