"""What `channels` changes, each with its line in the audit, in one transaction."""

from typing import Any

from sqlmodel import Session

from bot.access.visitor import Visitor
from bot.bootstrap import utc_now
from bot.cli.shell import login
from bot.models import Role
from bot.store import channels
from bot.store.audit import note


def set_paused(session: Session, name: str, *, paused: bool) -> None:
    """Raises NoSuchChannel."""
    now = utc_now()
    channels.pause(session, name, paused=paused, now=now)
    note(session, _who(), "pause_channel" if paused else "resume_channel", name, now=now)


def switch_shadow(session: Session, name: str, *, on: bool) -> int:
    """How many ready replies went to review. Raises NoSuchChannel."""
    now = utc_now()
    held = channels.set_shadow(session, name, on=on, now=now)
    note(session, _who(), "shadow_on" if on else "shadow_off", name, now=now)
    return held


def set_rules(session: Session, name: str, rules: dict[str, Any], *, known: dict[str, Any]) -> None:
    """Raises NoSuchChannel."""
    now = utc_now()
    channels.set_rules(session, name, rules, now=now)
    note(session, _who(), "change_rules", name, now=now, detail=channels.changed_rules(known, rules))


def _who() -> Visitor:
    """Whoever types the command: the ledger is open to that person anyway."""
    return Visitor(name=login(), role=Role.OWNER, via="terminal")
