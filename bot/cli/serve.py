"""`run` and `demo`: the service, until it is asked to stop."""

import asyncio
import gc
import shutil
import signal
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any, get_args

import typer

from bot.bootstrap import ALL_ROLES, WORK, Role, Running, assemble, utc_now
from bot.cli.errors import Misuse
from bot.cli.people import site_address
from bot.cli.shell import Shell, caller, print_json, shell_of
from bot.demo import SITE_PORT, Stage, demo_settings, settled, stage
from bot.models import State
from bot.plain import excerpt
from bot.reasons import explain
from bot.settings import Settings
from bot.store import cases, channels, managing
from bot.store.cases import Item
from bot.store.stats import Counts
from bot.web.people import link_address
from bot.web.server import require_free
from bot.web.starting import START
from bot.web.words import state_word

app = typer.Typer()


@app.command()
def run(
    context: typer.Context,
    role: Annotated[
        list[str] | None, typer.Option(help="poll, respond, send or web; repeat it; default: all of them.")
    ] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port of the pages; 0: any.")] = None,
) -> None:
    """Run the service on the channels that were added."""
    shell = shell_of(context)
    roles = _roles(role)
    settings = _with_port(shell.settings, port)
    shell.log(None)
    asyncio.run(_run(shell, settings, roles))


async def _run(shell: Shell, settings: Settings, roles: frozenset[Role]) -> None:
    stop = stop_on_signals()
    async with assemble(settings, roles=roles, night_options=shell.options) as running:
        if running.page is not None:
            shell.tell("status_page", url=running.page)
            await tell_first_link(shell, running, running.page)
        if not await running.ledger.aread(channels.every):
            shell.warn("no_channels")
        _spare_the_collector()
        await running.service.run(stop)
    shell.warn("stopped")


def _spare_the_collector() -> None:
    """Take what a start has loaded out of the collector's sight.

    Modules, tables and routes live as long as the process. Each full pass of the collector would walk through all of
    them, 185,000 objects in 100 ms, in which no page is answered (`next_ms` of `make bench-review`).
    """
    gc.collect()
    gc.freeze()


async def tell_first_link(shell: Shell, running: Running, page: str) -> None:
    """While nobody could log in as owner, the way in; the links of earlier starts end."""
    secret = await running.ledger.awrite(managing.first_link, caller(), now=utc_now())
    if secret is not None:
        url = link_address(site_address(running.settings, page), START, secret)
        shell.tell("first_link", url=url)


@app.command()
def demo(
    context: typer.Context,
    *,
    once: Annotated[
        bool, typer.Option("--once", help="Answer the bundled comments, report, and leave.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --once: the counts as JSON.")] = False,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port of the pages; 0: any.")] = None,
    site_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the sandbox site; 0: any.")
    ] = SITE_PORT,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what earlier demos left.")] = False,
    deadline: Annotated[float, typer.Option(min=0.0, help="With --once: seconds to finish in.")] = 120.0,
) -> None:
    """Try everything on a small site of our own, with bundled documents and comments."""
    shell = shell_of(context)
    if as_json and not once:
        raise Misuse("--json needs --once; without it the demo runs until you stop it")
    if once:
        _demo_once(shell, as_json, deadline)
        return
    settings = demo_settings(shell.settings, shell.settings.data_dir / "demo", port)
    require_free("127.0.0.1", site_port, "--site-port N")
    require_free(settings.web.host, settings.web.port, "--port N")
    if fresh and settings.data_dir.exists():
        shutil.rmtree(settings.data_dir)
    shell.log(None)
    asyncio.run(_demo(shell, settings, site_port))


async def _demo(shell: Shell, settings: Settings, site_port: int) -> None:
    stop = stop_on_signals()
    async with stage(settings, site_port=site_port, roles=ALL_ROLES) as ready:
        shell.tell("sandbox_site", url=ready.site.url + "/")
        if ready.running.page is not None:
            shell.tell("status_page", url=ready.running.page)
            await tell_first_link(shell, ready.running, ready.running.page)
        shell.tell("demo_hint")
        _spare_the_collector()
        await ready.running.service.run(stop)
    shell.warn("stopped")


def _demo_once(shell: Shell, as_json: bool, deadline_s: float) -> None:
    began = perf_counter()
    shell.log("warning")
    with tempfile.TemporaryDirectory(prefix="rejoinder-demo-") as folder:
        settings = demo_settings(shell.settings, Path(folder), None)
        counts, items = asyncio.run(_answer_all(settings, deadline_s))
    report = once_report(counts, perf_counter() - began)
    if as_json:
        print_json(report)
    else:
        _print_once(shell, report, items)


async def _answer_all(settings: Settings, deadline_s: float) -> tuple[Counts, list[Item]]:
    async with stage(settings, site_port=0, roles=WORK) as ready:
        stop = asyncio.Event()
        serving = asyncio.create_task(ready.running.service.run(stop))
        try:
            return await _watch(ready, deadline_s)
        finally:
            stop.set()
            await serving


async def _watch(ready: Stage, deadline_s: float) -> tuple[Counts, list[Item]]:
    counts = await settled(ready.running, comments=ready.comments, deadline_s=deadline_s)
    items = await ready.running.ledger.aread(cases.following, after=0, limit=1000)
    return counts, items


def once_report(counts: Counts, seconds: float) -> dict[str, Any]:
    """The counts of a finished demo; the parts add up to `comments`."""
    ends = (State.SENT, State.REVIEW, State.SKIPPED, State.FAILED)
    parts = {state.value: counts[state] for state in ends}
    return {"comments": counts.comments, **parts, "seconds": round(seconds, 2)}


def _print_once(shell: Shell, report: dict[str, Any], items: list[Item]) -> None:
    rows = [
        (
            excerpt(item.comment.text, 60),
            state_word(State(item.comment.state), shell.language),
            explain(item.comment.reason, shell.language),
            item.reply.text if item.reply is not None else "",
        )
        for item in items
    ]
    shell.table(("comment", "decision", "reason", "reply"), rows)
    shell.tell("once_summary", **report)


def stop_on_signals() -> asyncio.Event:
    """An event that SIGINT or SIGTERM sets; a second signal leaves at once. The ledger is safe either way."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def leave() -> None:
        stop.set()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, leave)
    return stop


def _roles(given: list[str] | None) -> frozenset[Role]:
    known: dict[str, Role] = {role: role for role in get_args(Role)}
    wrong = [name for name in given or [] if name not in known]
    if wrong:
        raise Misuse(f"--role {wrong[0]!r} is not known; use {', '.join(known)}")
    return frozenset(known[name] for name in given) if given else ALL_ROLES


def _with_port(settings: Settings, port: int | None) -> Settings:
    if port is None:
        return settings
    return settings.model_copy(update={"web": settings.web.model_copy(update={"port": port})})
