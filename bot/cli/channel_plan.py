"""`channels plan`: when replies go out, and how much of a platform's budget is used."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from bot.bootstrap import utc_now
from bot.cli.shell import Shell, print_json
from bot.models import Channel
from bot.planning import PollShare
from bot.settings import ServiceSettings
from bot.store import channels
from bot.store.ledger import Ledger
from bot.store.outlook import Outlook, outlook, spent

SHOWN = 20
"""Replies that the table has."""


def share_of(service: ServiceSettings) -> PollShare:
    """What polls are to have of a budget."""
    return PollShare(service.poll_share, service.metered_poll_s)


def budget_json(ledger: Ledger, channel: Channel, service: ServiceSettings) -> dict[str, Any] | None:
    """None where the platform counts no units."""
    found = ledger.read(spent, channel, now=utc_now(), polls=share_of(service))
    return None if found is None else asdict(found)


def show_plan(shell: Shell, ledger: Ledger, name: str, now: datetime, *, as_json: bool) -> None:
    """Print the plan of the channel `name`. Raises NoSuchChannel."""
    channel = ledger.read(channels.named, name)
    found = ledger.read(outlook, channel, now=now, polls=share_of(shell.settings.service))
    if as_json:
        replies = [{"comment": number, "at": at} for number, at in found.goes.items()]
        budget = None if found.spent is None else asdict(found.spent)
        print_json({"channel": name, "ready": found.ready, "budget": budget, "replies": replies})
        return
    _tell(shell, name, found)


def _tell(shell: Shell, name: str, found: Outlook) -> None:
    if found.spent is None:
        shell.tell("plan_no_budget", name=name)
    else:
        told = {key: f"{value:,}" for key, value in asdict(found.spent).items() if isinstance(value, int)}
        shell.tell("plan_budget", **told, resets=_local(found.spent.resets_at))
    shell.tell("plan_ready", number=found.ready)
    rows = [
        (f"#{number}", shell.say("plan_never") if at is None else _local(at))
        for number, at in list(found.goes.items())[:SHOWN]
    ]
    if rows:
        shell.table(("plan_comment", "plan_at"), rows)
    if found.ready > len(rows):
        shell.tell("plan_more", number=found.ready - len(rows))


def _local(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"
