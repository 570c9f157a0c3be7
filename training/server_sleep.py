"""Putting the vLLM servers to sleep while a night uses their GPU, and waking them.

vLLM offers it where it was started with `--enable-sleep-mode` and VLLM_SERVER_DEV_MODE=1: POST /sleep, POST /wake_up,
GET /is_sleeping (https://docs.vllm.ai/en/latest/features/sleep_mode/). Level 1 keeps the base's weights in the main
memory. It may lose what it knows of LoRA adapters without a word (vllm-project/vllm issue 53888), so that every voice
is unloaded after waking; whoever asks for it next loads it anew. The CPU build cannot sleep: with or without the flag
it says that it does, answers nobody until it is woken, and frees no memory (seen on 0.32.0).

While a server sleeps it takes requests and answers none: they run into `generator.deadline_s`, and the comments wait.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import structlog

from bot.serving.http import CONNECT_S, untold
from bot.settings import Settings, resolve
from training.errors import TrainingError

log = structlog.get_logger()

HOME = "nights"
"""Below `data_dir`: the folder of all nights."""
MARK = "asleep.json"
"""In the folder of all nights: which servers a night has put to sleep, until they are awake again."""
DRAIN_S = 120.0
"""How long requests under way may take to finish, and 100 GB of weights to move."""

AWAY = (httpx2.ConnectError, httpx2.ConnectTimeout)


class SleepRefused(TrainingError):
    """A server does not offer it, or does not wake."""


@contextmanager
def asleep(servers: Sequence[str], home: Path, *, key: str = "") -> Iterator[None]:
    """The servers (addresses ending with /v1) sleep while the block runs, and are awake after it, however it ends.

    `home`: the folder of all nights. A server that is away is left alone. Raises SleepRefused.
    """
    mark = home / MARK
    with _client(key) as client:
        there = [server for server in map(_root, servers) if _offers(client, server)]
        try:
            # Written before: who is killed between the two leaves a mark too many, which harms nothing.
            mark.write_text(json.dumps(there), encoding="utf-8")
            for server in there:
                _ask(client, server, "sleep", level="1", mode="wait")
            yield
        finally:
            wake(home, key=key)


def wake_for(settings: Settings) -> list[str]:
    """See `wake`. Raises SleepRefused, SettingsError."""
    return wake(settings.data_dir / HOME, key=resolve(settings.generator.api_key))


def wake(home: Path, *, key: str = "") -> list[str]:
    """Wake the servers that a night has put to sleep and, being killed, could not wake; returns their addresses.

    Raises SleepRefused: then the mark stays, and the next start tries again.
    """
    mark = home / MARK
    try:
        marked = [str(one) for one in json.loads(mark.read_text(encoding="utf-8"))]
    except (OSError, ValueError):
        return []
    refused: list[SleepRefused] = []
    with _client(key) as client:
        for server in marked:
            try:
                _wake(client, server)
            except SleepRefused as error:
                refused.append(error)  # the others are woken all the same
    if refused:
        raise refused[0]
    mark.unlink(missing_ok=True)
    return [untold(server) for server in marked]


def _wake(client: httpx2.Client, server: str) -> None:
    try:
        if not _sleeps(client, server):
            return
    except AWAY as error:
        # One that was ended meanwhile starts awake.
        log.warning("a server that slept cannot be reached", server=untold(server), error=str(error))
        return
    _ask(client, server, "wake_up")
    if _sleeps(client, server):
        raise SleepRefused(f"{untold(server)} does not wake; restart it")
    _forget_voices(client, server)


def _forget_voices(client: httpx2.Client, server: str) -> None:
    try:
        listed = client.get(f"{server}/v1/models").json()["data"]
        for name in (one["id"] for one in listed if one.get("parent")):
            client.post(f"{server}/v1/unload_lora_adapter", json={"lora_name": name})
    except (httpx2.HTTPError, ValueError, LookupError, TypeError, AttributeError) as error:
        log.warning("voices could not be loaded anew; restart it", server=untold(server), error=str(error))


def _offers(client: httpx2.Client, server: str) -> bool:
    """False for a server that is away: it uses no GPU. Raises SleepRefused."""
    try:
        _sleeps(client, server)
    except AWAY as error:
        log.warning("a server is away and cannot be put to sleep", server=untold(server), error=str(error))
        return False
    return True


def _sleeps(client: httpx2.Client, server: str) -> bool:
    """Raises SleepRefused; ConnectError, ConnectTimeout where nobody is there."""
    try:
        answer = client.get(f"{server}/is_sleeping")
    except AWAY:
        raise
    except httpx2.TransportError as error:
        raise SleepRefused(
            f"{untold(server)} does not answer ({error}); look at its log, restart it"
        ) from error
    told: Any = None
    if answer.status_code == 200:
        try:
            told = answer.json().get("is_sleeping")
        except (ValueError, AttributeError):
            told = None
    if not isinstance(told, bool):
        raise SleepRefused(
            f"{untold(server)} cannot be put to sleep (its /is_sleeping answered {answer.status_code}); start it with "
            "--enable-sleep-mode and VLLM_SERVER_DEV_MODE=1, or set training.sleep_server = false"
        )
    return told


def _ask(client: httpx2.Client, server: str, what: str, **options: str) -> None:
    try:
        answer = client.post(f"{server}/{what}", params=options)
    except httpx2.TransportError as error:
        raise SleepRefused(
            f"{untold(server)}/{what} did not answer ({error}); look at the server's log"
        ) from error
    if answer.status_code != 200:
        raise SleepRefused(
            f"{untold(server)}/{what} answered {answer.status_code}; start the server with --enable-sleep-mode, or set "
            "training.sleep_server = false"
        )


def _root(address: str) -> str:
    return address.rstrip("/").removesuffix("/v1")


def _client(key: str) -> httpx2.Client:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx2.Client(headers=headers, timeout=httpx2.Timeout(DRAIN_S, connect=CONNECT_S), trust_env=False)
