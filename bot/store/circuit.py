"""Stops a channel at the first signs that its platform blocks it: replies refused, or not to be seen, in a row."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from sqlmodel import Session, select

from bot.models import Channel
from bot.settings import ChannelRulesSettings
from bot.store import channels

Sign = Literal["refusals", "unseen"]
_SAYS = {
    "refusals": "the platform refused {number} replies in a row ({detail})",
    "unseen": "{number} replies in a row are not to be seen on the platform",
}


def note(
    session: Session, channel_id: int, sign: Sign, bad: Iterable[bool], *, now: datetime, detail: str = ""
) -> bool:
    """Count what came of replies, in their order; True where that stopped the channel, for a person to look at."""
    # Not against those who only point at the channel: whoever brings comments in would wait for us, and we for them.
    locked = select(Channel).where(Channel.id == channel_id).with_for_update(key_share=True)
    channel = session.exec(locked).one()
    number = getattr(channel, sign)
    for one in bad:
        number = number + 1 if one else 0
    setattr(channel, sign, number)
    session.add(channel)
    most = ChannelRulesSettings.model_validate(channel.rules).stop_after
    if not most or number < most or channel.paused:
        return False
    said = _SAYS[sign].format(number=number, detail=detail)
    channels.restrict(
        session,
        channel_id,
        error=f"{said}; look at the account on the platform, then resume the channel",
        now=now,
    )
    return True
