"""Replies written by the vLLM servers that also serve the voices, in place of the model in this process.

The policy changes with every batch. Each time it is saved into a folder of its own and loaded under a name of its own,
made from its contents: a server caches what it has computed by the name, and would go on with the old weights under an
old one. Both are gone before the batch is learned from.
"""

import asyncio
import os
import shutil
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.generator import GeneratorError
from bot.serving.member import path_there
from bot.serving.server import ModelServer
from bot.settings import GeneratorSettings, Settings, resolve
from bot.voices.files import FOLDER, digest_of
from training.cast import Cast
from training.errors import NoServer
from training.models import Base
from training.rollout import Sampler, prompt_ids
from training.rows import Prompt
from training.samples import Sample

DEADLINE_S = 600.0
"""For one reply: it may wait until the server is done with comments."""
AS_THE_MODEL_SAYS = {
    "top_p": 1.0,
    "top_k": 0,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
}
"""Without these a server takes what the model's generation_config.json recommends, and PPO would learn from replies
that its policy does not write."""


def rollouts_by(settings: Settings) -> Callable[[Cast, str], Sampler]:
    """Makes the sampler for a role of a cast, as `training.ppo.improve` wants it. Raises NoServer."""
    if not settings.generator.servers:
        raise NoServer(
            "training.ppo.rollouts = 'server' needs generator.base_url, and generator.kind = 'vllm'"
        )

    def sampler(cast: Cast, role: str) -> Sampler:
        return ServerSampler(
            cast,
            role,
            servers=settings.generator,
            voices=settings.data_dir.absolute() / FOLDER,
            max_new_tokens=settings.training.ppo.max_new_tokens,
            temperature=settings.training.ppo.temperature,
        )

    return sampler


@dataclass
class ServerSampler:
    """`training.rollout.Sampler` by HTTP. The log-probabilities are not taken over: a server that computes in other
    numbers means other ones, and the first step would look as if the policy had moved.
    """

    cast: Cast
    role: str
    servers: GeneratorSettings
    voices: Path
    """Where the servers find voices; see `generator.voices_dir`."""
    max_new_tokens: int
    temperature: float
    _prefix: str = field(default_factory=lambda: f"rollout-{os.environ.get('RANK', '0')}-")
    """Several training processes have names of their own."""
    _cleared: bool = False

    def sample(self, prompts: Sequence[Prompt], seed: int) -> list[Sample]:
        """Raises NoServer, BadData, OSError."""
        base = self.cast.base
        asked = [(prompt, prompt_ids(base, prompt, self.max_new_tokens)) for prompt in prompts]
        try:
            replies = asyncio.run(self._written([ids for _, ids in asked], seed))
        except GeneratorError as error:
            raise NoServer(f"the rollouts stopped: {error}; the next start goes on") from error
        return [_sample(base, *one, reply) for one, reply in zip(asked, replies, strict=True)]

    async def _written(self, prompts: Sequence[Sequence[int]], seed: int) -> list[list[int]]:
        key = resolve(self.servers.api_key)
        servers = [
            ModelServer(base_url=url, api_key=key, deadline_s=DEADLINE_S) for url in self.servers.servers
        ]
        try:
            if not self._cleared:
                await self._clear(servers)
            return await self._by_the_policy(servers, prompts, seed)
        finally:
            await _all(server.aclose() for server in servers)

    async def _by_the_policy(
        self, servers: Sequence[ModelServer], prompts: Sequence[Sequence[int]], seed: int
    ) -> list[list[int]]:
        folder = self._saved()
        try:
            await _all(server.load_voice(folder.name, self._path(folder)) for server in servers)
            limits = [asyncio.Semaphore(self.servers.concurrency) for _ in servers]

            async def write(at: int) -> list[int]:
                place = at % len(servers)
                async with limits[place]:
                    # One seed for all would give the same reply to every copy of a prompt.
                    options = self._options() | {"seed": _seed(seed, at)}
                    return await servers[place].complete(prompts[at], model=folder.name, **options)

            return await _all(write(at) for at in range(len(prompts)))
        finally:
            await self._forget(servers, folder)

    def _options(self) -> dict[str, Any]:
        longest = {"max_tokens": self.max_new_tokens, "temperature": self.temperature}
        return AS_THE_MODEL_SAYS | longest | {"stop_token_ids": [self.cast.base.eos_id]}

    def _saved(self) -> Path:
        part = self.voices / f".{self._prefix}part"
        shutil.rmtree(part, ignore_errors=True)
        self.cast.save(self.role, part)
        for file in part.iterdir():
            file.chmod(0o444)
        folder = self.voices / f"{self._prefix}{digest_of(part)[:16]}"
        shutil.rmtree(folder, ignore_errors=True)
        part.chmod(0o755)
        return part.rename(folder)

    def _path(self, folder: Path) -> str:
        return path_there(str(folder), str(self.voices), self.servers.voices_dir)

    async def _forget(self, servers: Sequence[ModelServer], folder: Path) -> None:
        """The folder last: a server may read it until it has forgotten the name."""
        for server in servers:
            with suppress(
                GeneratorError
            ):  # one that is away has forgotten it; else the next start unloads it
                await server.unload_voice(folder.name)
        shutil.rmtree(folder, ignore_errors=True)

    async def _clear(self, servers: Sequence[ModelServer]) -> None:
        """What a run that was killed has left."""
        for server in servers:
            for entry in await server.models():
                if entry.name.startswith(self._prefix):
                    await server.unload_voice(entry.name)
        for folder in self.voices.glob(f"{self._prefix}*"):
            shutil.rmtree(folder)
        self.voices.mkdir(parents=True, exist_ok=True)
        self._cleared = True


async def _all(asked: Iterable[Coroutine[Any, Any, Any]]) -> list[Any]:
    """As asyncio.gather, but when one fails no other goes on. Raises what the first one did."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in asked]
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from failed
    return [task.result() for task in tasks]


def _seed(seed: int, at: int) -> int:
    return (seed * 1_000_003 + at) % (1 << 62)


def _sample(base: Base, prompt: Prompt, asked: tuple[int, ...], reply: Sequence[int]) -> Sample:
    return Sample(prompt, asked, tuple(reply), base.text_of(reply), reply[-1] == base.eos_id)
