"""What a person does to a channel, with the note of it in the same transaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlmodel import Session

from bot.access.visitor import Visitor
from bot.models import Channel
from bot.store import channels
from bot.store.audit import note


def add(session: Session, who: Visitor, name: str, platform: str, *, now: datetime) -> None:
    """Note that a channel was added."""
    note(session, who, "add_channel", name, now=now, detail={"platform": platform})


def connect(
    session: Session, who: Visitor, name: str, options: Mapping[str, Any], *, now: datetime
) -> Channel:
    """As `channels.connected`. Raises NoSuchChannel."""
    channel = channels.connected(session, name, options, now=now)
    note(session, who, "connect_channel", name, now=now)
    return channel


def rotate_key(session: Session, who: Visitor, *, now: datetime) -> None:
    """Note that all credentials were sealed anew."""
    note(session, who, "rotate_key", "", now=now)


def pause(session: Session, who: Visitor, name: str, *, paused: bool, now: datetime) -> Channel:
    """As `channels.pause`. Raises NoSuchChannel."""
    channel = channels.pause(session, name, paused=paused, now=now)
    note(session, who, "pause_channel" if paused else "resume_channel", name, now=now)
    return channel


def set_shadow(session: Session, who: Visitor, name: str, *, on: bool, now: datetime) -> int:
    """As `channels.set_shadow`. Raises NoSuchChannel."""
    held = channels.set_shadow(session, name, on=on, now=now)
    note(session, who, "shadow_on" if on else "shadow_off", name, now=now)
    return held


def set_rules(
    session: Session, who: Visitor, name: str, rules: Mapping[str, Any], *, now: datetime
) -> Channel:
    """As `channels.set_rules`; the note says what each rule was and is. Raises NoSuchChannel."""
    channel = channels.named(session, name)
    detail = channels.changed_rules(channel.rules, rules)
    channels.set_rules(session, name, rules, now=now)
    note(session, who, "change_rules", name, now=now, detail=detail)
    return channel
