"""The fakes of Bluesky and Mastodon as platforms that adapters are checked on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from adapters.base import CommentRef, MemoryVault, Vault
from adapters.bluesky import BlueskyAdapter
from adapters.bluesky_options import BlueskyOptions
from adapters.mastodon import MastodonAdapter
from adapters.mastodon_options import MastodonOptions
from adapters.sandbox_site import utc_now
from tests.contract.harnesses import new_session
from tests.platforms import bluesky as fake_bluesky
from tests.platforms import mastodon as fake_mastodon
from tests.platforms.bluesky import Network, Person
from tests.platforms.mastodon import Account, Instance


class BlueskyHarness:
    def __init__(self, url: str, network: Network, http: aiohttp.ClientSession) -> None:
        self.url = url
        self.network = network
        self.http = http
        self.vault = MemoryVault()
        self.people: dict[str, Person] = {}
        self.post = network.post(network.me, "A post about coffee\n关于咖啡")
        self.adapter = self.make()

    def make(self, vault: Vault | None = None, **options: object) -> BlueskyAdapter:
        chosen = {
            "base_url": self.url,
            "identifier": self.network.me.handle,
            "app_password": self.network.password,
            **options,
        }
        made = BlueskyOptions.model_validate(chosen)
        return BlueskyAdapter(made, http=self.http, clock=self.network.clock, vault=vault or self.vault)

    async def write(self, text: str, parent: CommentRef | None = None, name: str = "Visitor") -> None:
        person = self.people.get(name) or self.people.setdefault(name, self.network.add_person(name))
        self.network.post(person, text, parent.comment_id if parent else self.post.uri)

    async def remove(self, ref: CommentRef) -> None:
        del self.network.records[ref.comment_id]


@asynccontextmanager
async def bluesky(network: Network | None = None) -> AsyncIterator[BlueskyHarness]:
    """A network with an account and one post of it."""
    network = network or Network(clock=utc_now)
    network.add_person("Creator")
    async with fake_bluesky.running(network) as url, new_session() as http:
        yield BlueskyHarness(url, network, http)


class MastodonHarness:
    def __init__(self, url: str, instance: Instance, http: aiohttp.ClientSession) -> None:
        self.url = url
        self.instance = instance
        self.http = http
        self.people: dict[str, Account] = {}
        self.post = instance.post(instance.me, "A post about coffee\n\n关于咖啡 https://example.org/coffee")
        self.adapter = self.make()

    def make(self, vault: Vault | None = None, **options: object) -> MastodonAdapter:
        chosen = {"base_url": self.url, "access_token": self.instance.token, **options}
        made = MastodonOptions.model_validate(chosen)
        return MastodonAdapter(made, http=self.http, clock=self.instance.clock, vault=vault)

    async def write(self, text: str, parent: CommentRef | None = None, name: str = "Visitor") -> None:
        person = self.people.get(name) or self.people.setdefault(name, self.instance.add_account(name))
        above = self.instance.statuses[parent.comment_id] if parent else self.post
        # Apps begin an answer with the names of those who took part.
        names = dict.fromkeys([self.instance.me.acct, above.author.acct])
        named = "".join(f"@{acct} " for acct in names if acct != person.acct)
        self.instance.post(person, f"{named}{text}", above.id)

    async def remove(self, ref: CommentRef) -> None:
        self.instance.remove(ref.comment_id)


@asynccontextmanager
async def mastodon(instance: Instance | None = None) -> AsyncIterator[MastodonHarness]:
    """A server with an account and one status of it."""
    instance = instance or Instance(clock=utc_now)
    instance.add_account("Creator")
    async with fake_mastodon.running(instance) as url, new_session() as http:
        yield MastodonHarness(url, instance, http)
