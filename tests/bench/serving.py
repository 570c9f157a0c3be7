"""`make bench-serving`: the whole service on a real vLLM server (its CPU build, with the fixture model and its voices).

The last line is one JSON object with the figures. `--quick` does a fifth of the work, to see that it works.

- throughput: the service answers `--comments` comments; then a bare client sends the same prompts with the same options
  and as many at once. Each side runs twice, in the order service, bare, bare, service, from an empty prefix cache.
- apart: the same with server and service on a core each.
- swaps: fifty new versions of two voices are loaded and promoted while the service works, every fifth promotion
  followed by a rollback; every reply must speak as the voice it was asked of.
- memory: `rejoinder run` in a process of its own with 500 comments waiting.
"""

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import structlog
from sqlalchemy import func
from sqlmodel import Session, select

from bot.bootstrap import Running, assemble, utc_now
from bot.building.model import make_generator
from bot.generator import GeneratorError, VoiceRef
from bot.models import Reply, State
from bot.settings import Settings
from bot.store import stats, voices
from bot.store.voices import NewVoice
from bot.vllm import VLLMGenerator
from bot.voices.registering import register
from tests.bench.footprint import peak_mb
from tests.bench.rig import make_ledger, start_site
from tests.vllm import install
from tests.vllm.fixture_data import ASKING, facts, speaker
from tests.vllm.server import BASE, VLLMServer, post
from tests.vllm.voices import renamed

ROOT = Path(__file__).parents[2]
AT_ONCE = 16  # the server's --max-num-seqs
DEADLINE_S = 120.0

TARGETS = {
    "throughput_ratio": ">= .95",
    "swaps": "50",
    "swap_failed": "0",
    "swap_wrong_voice": "0",
    "swap_s": "<= 1",
    "prefix_hit_rate": ">= .90",
    "rss_mb_500": "< 300",
}
"""The figures that the issue asks for; the others explain them."""

Figures = dict[str, float | int]


@dataclass
class Call:
    """One request that the service sent to the fleet."""

    messages: list[Any]
    voice: VoiceRef | None
    options: dict[str, Any]
    started: float
    text: str = ""
    error: str = ""
    cached: int = 0
    prompt: int = 0
    written: int = 0


@dataclass
class Recorder:
    """Notes every request of a fleet, and what came back."""

    calls: list[Call] = field(default_factory=list)

    def watch(self, generator: VLLMGenerator) -> None:
        ask = generator.fleet.chat

        async def chat(messages: Any, *, voice: VoiceRef | None = None, **options: Any) -> Any:
            kept = {name: value for name, value in options.items() if name not in ("on_text", "until")}
            call = Call(list(messages), voice, kept, time.monotonic())
            self.calls.append(call)
            try:
                answer = await ask(messages, voice=voice, **options)
            except GeneratorError as error:
                call.error = str(error)
                raise
            call.text = answer.choices[0].message.content or ""
            call.cached = answer.usage.prompt_tokens_details.cached_tokens or 0
            call.prompt, call.written = answer.usage.prompt_tokens, answer.usage.completion_tokens
            return answer

        generator.fleet.chat = chat  # type: ignore[method-assign]


def main() -> None:
    options = _options()
    if reason := install.missing():
        sys.exit(reason)
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    share = 5 if options.quick else 1
    figures: Figures = {}
    with tempfile.TemporaryDirectory(prefix="rejoinder-serving-") as name:
        folder = Path(name)
        server = VLLMServer(folder / "vllm.log", environment={"VLLM_SERVER_DEV_MODE": "1"})
        _say("starting vLLM ...")
        try:
            server.start()
            for part in options.only or PARTS:
                _say(f"{part} ...")
                began = time.monotonic()
                (folder / part).mkdir()
                figures |= PARTS[part](server, folder / part, share)
                _say(f"{part}: {time.monotonic() - began:.0f} s")
        finally:
            server.stop()
    _table(figures)
    print(json.dumps(figures))


def questions(count: int) -> list[str]:
    """Comments about the sample documents, as the fixture model has learned to read them; all different."""
    made: list[str] = []
    known = facts()
    for number in range(count):
        fact = known[number % len(known)]
        ways = ASKING[fact.language]
        topic = fact.sentence.rstrip(".。")
        asked = ways[number // len(known) % len(ways)].format(topic)
        again = number // (len(known) * len(ways))
        made.append(asked if not again else f"{asked} ({again})")
    return made


def throughput(server: VLLMServer, folder: Path, share: int) -> Figures:
    """Service against bare client, prefix-cache hit rate of the constant part."""
    return asyncio.run(_throughput(server, folder, 240 // share))


def apart(server: VLLMServer, folder: Path, share: int) -> Figures:
    """The same with the server on a core of its own, and the service, the bare client and the platform on another: as
    where a model has a machine of its own, nothing that the service does takes time from the server.
    """
    mine = os.sched_getaffinity(0)
    if len(mine) < 2:
        return {}
    first, second = sorted(mine)[:2]
    _keep_to(_threads_of_group(server.pid), {first})
    _keep_to([0], {second})
    try:
        found = asyncio.run(_throughput(server, folder, 240 // share))
    finally:
        _keep_to(_threads_of_group(server.pid), mine)
        _keep_to([0], mine)
    names = ("throughput_ratio", "service_replies_s", "bare_replies_s")
    return {f"{name}_apart": found[name] for name in names}


def _keep_to(threads: Iterable[int], cores: set[int]) -> None:
    for thread in threads:
        os.sched_setaffinity(thread, cores)


def _threads_of_group(leader: int) -> list[int]:
    """Every thread of every process that the server has started."""
    processes = [path for path in Path("/proc").iterdir() if path.name.isdigit()]
    members = [path for path in processes if _group_of(path) == leader]
    return [int(task.name) for path in members for task in (path / "task").iterdir()]


def _group_of(process: Path) -> int:
    try:
        return os.getpgid(int(process.name))
    except ProcessLookupError:
        return 0


async def _throughput(server: VLLMServer, folder: Path, count: int) -> Figures:
    # What the server compiles for lengths and batches that it meets for the first time is nobody's time.
    await _serve(server, folder / "warm", AT_ONCE * 3)
    first = await _serve(server, folder / "first", count)
    calls = first.recorder.calls
    bare = [await _bare(server, calls) for _ in range(2)]
    second = await _serve(server, folder / "second", count)
    ours = count * 2 / (first.seconds + second.seconds)
    theirs = len(calls) * 2 / sum(seconds for seconds, _ in bare)
    constant = _constant_tokens(server, calls)
    warmed = [call for call in calls if call.cached]
    return {
        "throughput_ratio": round(ours / theirs, 4),
        "service_replies_s": round(ours, 3),
        "bare_replies_s": round(theirs, 3),
        "service_cpu_ms": round((first.cpu_s + second.cpu_s) / count / 2 * 1000, 1),
        "service_tokens": sum(call.written for call in [*calls, *second.recorder.calls]),
        "bare_tokens": sum(tokens for _, tokens in bare),
        "model_calls": len(calls) + len(second.recorder.calls),
        "sent": first.sent + second.sent,
        "comments": count * 2,
        "constant_tokens": constant,
        "prompt_tokens_mean": round(sum(call.prompt for call in calls) / len(calls)),
        "prefix_hit_rate": round(
            sum(min(call.cached, constant) for call in warmed) / (constant * len(warmed)), 4
        ),
        "prefix_cold": len(calls) - len(warmed),
    }


@dataclass
class Served:
    seconds: float
    """From the first request to the last reply on the platform."""
    sent: int
    recorder: Recorder
    cpu_s: float
    """Of this process: the service without server and platform."""


async def _serve(server: VLLMServer, folder: Path, count: int) -> Served:
    _forget_prompts(server)
    async with _service(server, folder, questions(count), ["amber"]) as (running, recorder):
        stop, cpu = asyncio.Event(), time.process_time()
        task = asyncio.create_task(running.service.run(stop))
        found = await _until_done(running, count)
        cpu = time.process_time() - cpu
        sent_at = running.ledger.read(_last_sent)
        assert sent_at is not None, "nothing was sent"
        began = recorder.calls[0].started
        ended = time.monotonic() - (utc_now() - sent_at).total_seconds()
        stop.set()
        await task
    return Served(ended - began, found[State.SENT], recorder, cpu)


async def _bare(server: VLLMServer, calls: Sequence[Call]) -> tuple[float, int]:
    """(seconds, tokens written) for the same requests, as many at once, by nothing but an HTTP client."""
    _forget_prompts(server)
    waiting, written = list(reversed(calls)), 0
    async with aiohttp.ClientSession() as http:

        async def work() -> None:
            nonlocal written
            while waiting:
                call = waiting.pop()
                name = call.voice.served_as if call.voice is not None else BASE
                body = {"model": name, "messages": call.messages, **call.options}
                async with http.post(f"{server.url}/v1/chat/completions", json=body) as answer:
                    said = await answer.json()
                    written += said["usage"]["completion_tokens"]

        began = time.monotonic()
        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
        return time.monotonic() - began, written


def swaps(server: VLLMServer, folder: Path, share: int) -> Figures:
    """Voices change while the service works."""
    return asyncio.run(_swaps(server, folder, 50 // share))


async def _swaps(server: VLLMServer, folder: Path, count: int) -> Figures:
    async with _service(server, folder, questions(4000), ["amber"]) as (running, recorder):
        stop = asyncio.Event()
        task = asyncio.create_task(running.service.run(stop))
        await _until(lambda: sum(1 for call in recorder.calls if call.text) >= AT_ONCE)
        loads, delays, done = [], [], 0
        while done < count:
            kind = ("amber", "cobalt")[done % 2 == 0]
            loads.append(await _load(running, folder, kind, f"{kind}-{done}"))
            delays.append(await _change(running, recorder, f"{kind}-{done}"))
            done += 1
            if done % 6 == 5 and done < count:
                delays.append(await _change(running, recorder, None))
                done += 1
            _say(
                f"  {done} swaps, {len(recorder.calls)} requests, slowest {max(delay.last for delay in delays):.3f} s"
            )
        stop.set()
        await task
    answered = [call for call in recorder.calls if call.text]
    unlike = [call for call in answered if not _speaks(call)]
    for call in unlike:
        _say(f"  {call.voice.served_as if call.voice else 'base'} wrote: {call.text[:100]!r}")
    return {
        "swaps": done,
        "swap_failed": sum(1 for call in recorder.calls if call.error),
        # A reply without any marker is the fixture model's slip, not another voice's reply.
        "swap_wrong_voice": sum(1 for call in unlike if speaker(call.text) is not None),
        "swap_no_voice": sum(1 for call in unlike if speaker(call.text) is None),
        "swap_s": round(max(delay.last for delay in delays), 3),
        "swap_first_s": round(max(delay.first for delay in delays), 3),
        "swap_requests": len(answered),
        "load_s": round(sum(loads) / len(loads), 3),
    }


async def _load(running: Running, folder: Path, kind: str, name: str) -> float:
    source = renamed(install.VOICES / kind, folder / "sources" / name, name)
    generator = make_generator(running.settings)
    assert isinstance(generator, VLLMGenerator)
    began = time.monotonic()
    try:
        await register(
            source,
            NewVoice(name=name, path="", digest="", base_model="", rank=0),
            ledger=running.ledger,
            servers=generator.fleet,
            generator=generator,
            data_dir=running.settings.data_dir,
            any_base=True,
            by="bench",
            clock=utc_now,
        )
    finally:
        await generator.aclose()
    return time.monotonic() - began


@dataclass(frozen=True)
class Delay:
    """Seconds from the order to change voices."""

    last: float
    """Until the last request to the voice before was begun; 0 when none was."""
    first: float
    """Until the first request to the new voice was begun. One begins when the server is done with another."""


async def _change(running: Running, recorder: Recorder, name: str | None) -> Delay:
    """Promote `name`, or go back."""
    seen, began = len(recorder.calls), time.monotonic()
    if name is None:
        _, came = await running.ledger.awrite(voices.rollback, None, by="bench", now=utc_now())
        name = came.name if came is not None else ""
    else:
        await running.ledger.awrite(voices.promote, name, share=None, by="bench", now=utc_now())
    # Enough requests that every comment which was claimed before the change has been asked.
    asked = lambda: [call for call in recorder.calls[seen:] if call.voice and call.voice.name == name]  # noqa: E731
    await _until(lambda: len(asked()) >= AT_ONCE)
    others = [call.started for call in recorder.calls[seen:] if not call.voice or call.voice.name != name]
    return Delay(max([began, *others]) - began, asked()[0].started - began)


def _speaks(call: Call) -> bool:
    """Whether the reply begins with the word of the voice that was asked."""
    return speaker(call.text) == _kind(call)


def _kind(call: Call) -> str | None:
    return call.voice.name.partition("-")[0] if call.voice is not None else None


def memory(server: VLLMServer, folder: Path, share: int) -> Figures:
    """Most resident memory of `rejoinder run` while 500 comments wait."""
    count = 500 // share
    site = start_site(folder, count, texts=questions(count))
    settings = _settings(server, folder)
    ledger = make_ledger(settings.database_url, site, folder / "token")
    _add_documents(settings)
    process = subprocess.Popen(
        [ROOT / ".venv/bin/rejoinder", "run"],
        cwd=folder,
        env=os.environ | _environment(server, folder),
        stdout=subprocess.DEVNULL,
    )
    try:
        most, ends = 0.0, time.monotonic() + 60 / share
        waiting = 0
        while time.monotonic() < ends:
            time.sleep(0.5)
            waiting = max(waiting, ledger.read(stats.counts)[State.NEW])
            most = max(most, peak_mb(process.pid))
        drafted = count - ledger.read(stats.counts)[State.NEW]
    finally:
        process.terminate()
        process.wait(timeout=60)
        site.stop()
        ledger.close()
    return {"rss_mb_500": round(most, 1), "rss_waiting": waiting, "rss_drafted": drafted}


@asynccontextmanager
async def _service(
    server: VLLMServer, folder: Path, texts: Sequence[str], live: Sequence[str]
) -> AsyncIterator[tuple[Running, Recorder]]:
    """The whole service with the sample documents, a site of its own that holds `texts`, and a live voice."""
    os.makedirs(folder, exist_ok=True)
    site = start_site(folder, len(texts), texts=texts)
    settings = _settings(server, folder)
    make_ledger(settings.database_url, site, folder / "token").close()
    _add_documents(settings)
    generator = make_generator(settings)
    assert isinstance(generator, VLLMGenerator)
    recorder = Recorder()
    try:
        async with assemble(settings, generator=generator) as running:
            for name in live:
                await _load(running, folder, name, f"{name}-{folder.name}")
                promote = voices.promote
                await running.ledger.awrite(
                    promote, f"{name}-{folder.name}", share=None, by="bench", now=utc_now()
                )
            recorder.watch(generator)
            yield running, recorder
    finally:
        site.stop()


def _settings(server: VLLMServer, folder: Path) -> Settings:
    return Settings.model_validate(
        {
            "data_dir": folder,
            "generator": {
                "kind": "vllm",
                "base_url": f"{server.url}/v1",
                "model": BASE,
                "temperature": 0,
                "max_tokens": 96,
                "deadline_s": DEADLINE_S,
                "concurrency": AT_ONCE,
            },
            "policy": {"min_support": 0},
            "log": {"level": "error"},
            "service": {"poll_interval_s": 5, "beat_s": 0.2, "lease_s": DEADLINE_S * 2 + 60},
        }
    )


def _environment(server: VLLMServer, folder: Path) -> dict[str, str]:
    return {
        "REJOINDER__DATA_DIR": str(folder),
        "REJOINDER__WEB__PORT": "0",
        "REJOINDER__LOG__LEVEL": "error",
        "REJOINDER__GENERATOR__KIND": "vllm",
        "REJOINDER__GENERATOR__BASE_URL": f"{server.url}/v1",
        "REJOINDER__GENERATOR__MODEL": BASE,
    }


def _add_documents(settings: Settings) -> None:
    command = [ROOT / ".venv/bin/rejoinder", "ingest", ROOT / "bot/samples/docs"]
    environment = os.environ | {"REJOINDER__DATA_DIR": str(settings.data_dir)}
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)


def _last_sent(session: Session) -> datetime | None:
    return session.exec(select(func.max(Reply.sent_at))).one()


async def _until_done(running: Running, count: int) -> stats.Counts:
    while True:
        found = await running.ledger.aread(stats.counts)
        if found.comments >= count and not found.waiting:
            return found
        await asyncio.sleep(0.1)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S * 2):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def _forget_prompts(server: VLLMServer) -> None:
    status, said = post(f"{server.url}/reset_prefix_cache", {})
    if status != 200:
        raise SystemExit(f"the prefix cache was not emptied: {status} {said}")


def _constant_tokens(server: VLLMServer, calls: Sequence[Call]) -> int:
    """How many tokens all prompts begin with."""
    rows = []
    for call in calls[:: max(1, len(calls) // 20)]:
        _, said = post(f"{server.url}/tokenize", {"model": BASE, "messages": call.messages})
        rows.append(said["tokens"])
    return next(
        (at for at, column in enumerate(zip(*rows, strict=False)) if len(set(column)) > 1),
        min(map(len, rows)),
    )


PARTS: dict[str, Callable[[VLLMServer, Path, int], Figures]] = {
    "throughput": throughput,
    "apart": apart,
    "swaps": swaps,
    "memory": memory,
}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a fifth of the work")
    parser.add_argument("--only", nargs="+", choices=PARTS, help="these parts alone")
    return parser.parse_args()


def _table(figures: Figures) -> None:
    cores, (one, _, _) = os.cpu_count(), os.getloadavg()
    print(f"\n{platform.machine()}, {cores} cores, Python {platform.python_version()}, load {one:.1f}\n")
    for name, value in figures.items():
        print(f"  {name:<20} {value!s:>10}   {TARGETS.get(name, '')}")
    print()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
