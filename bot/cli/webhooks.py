"""`webhooks`: who is told when a comment waits for a person or has failed."""

import asyncio
from typing import Annotated

import typer

from bot.bootstrap import open_http, open_ledger, utc_now
from bot.cli.errors import Failure, Misuse
from bot.cli.shell import print_json, shell_of
from bot.models import Webhook
from bot.notices import Notice, outgoing
from bot.notifier import Target, Undelivered, deliver, target_of
from bot.settings import WebhookSettings
from bot.store import notices

app = typer.Typer(
    help="See and try the addresses that are told when a comment needs a person.", add_completion=False
)


@app.command("list")
def list_webhooks(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False
) -> None:
    """The addresses of the settings by their names, and how the last notice went."""
    shell = shell_of(context)
    hooks = shell.settings.webhooks
    with open_ledger(shell.settings) as ledger:
        rows = {row.name: row for row in ledger.read(notices.every)}
    if as_json:
        print_json([_json(hook, rows.get(hook.name)) for hook in hooks])
    elif hooks:
        lines = [_line(hook, rows.get(hook.name), shell.say("webhook_never")) for hook in hooks]
        shell.table(("name", "webhook_format", "webhook_events", "webhook_last", "error"), lines)
    else:
        shell.warn("webhooks_none")


@app.command()
def test(context: typer.Context, name: Annotated[str, typer.Argument(help="Name of the webhook.")]) -> None:
    """Send a test notice; where notices had stopped, they go on once it has arrived."""
    shell = shell_of(context)
    found = [hook for hook in shell.settings.webhooks if hook.name == name]
    if not found:
        known = ", ".join(hook.name for hook in shell.settings.webhooks) or "none yet"
        raise Misuse(f"no webhook is called {name!r}; there are: {known}")
    target = target_of(found[0])
    try:
        asyncio.run(_send(target, shell.settings.web.public_url))
    except Undelivered as error:
        raise Failure(f"{name}: {error}; check the address and the secret") from error
    with open_ledger(shell.settings) as ledger:
        ledger.write(notices.revive, name, now=utc_now())
    shell.tell("webhook_arrived", name=name)


async def _send(target: Target, desk: str) -> None:
    request = outgoing(target.hook, Notice(0), url=target.url, secret=target.secret, desk=desk, now=utc_now())
    async with open_http() as http:
        await deliver(http, target, request)


def _json(hook: WebhookSettings, row: Webhook | None) -> dict[str, object]:
    return {
        "name": hook.name,
        "format": hook.format,
        "events": hook.events,
        "channels": hook.channels,
        "delivered_at": row.delivered_at if row is not None else None,
        "last_error": row.last_error if row is not None else None,
    }


def _line(hook: WebhookSettings, row: Webhook | None, never: str) -> tuple[str, ...]:
    when = f"{row.delivered_at:%Y-%m-%d %H:%M}" if row is not None and row.delivered_at else never
    error = row.last_error or "" if row is not None else ""
    return hook.name, hook.format, ", ".join(hook.events), when, error
