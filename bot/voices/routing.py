"""Which voice answers a comment, and which one a rollback would go to."""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import groupby

from bot.models import Voice, VoiceEvent, VoiceStatus


def way_back(voices: Iterable[Voice], events: Iterable[VoiceEvent], channel_id: int | None) -> Voice | None:
    """Which voice of the scope was live before the present one, its files still there; `events` oldest first.

    What was rolled back from is no way back: rolling back twice goes back two promotions.
    """
    there = {voice.id: voice for voice in voices if voice.channel_id == channel_id}
    line: list[int] = []
    for event in events:
        if event.voice_id not in there:
            continue
        if event.act == "promote" and event.to_status == VoiceStatus.LIVE:
            line.append(event.voice_id)
        elif event.act == "rollback" and event.from_status == VoiceStatus.LIVE:
            line.pop()
        elif event.act == "remove":
            # A voice that was live before and after the removed one has followed itself.
            left = [voice_id for voice_id in line if voice_id != event.voice_id]
            line = [voice_id for voice_id, _ in groupby(left)]
    return there[line[-2]] if len(line) > 1 else None


def voice_for(comment: str, channel_id: int, voices: Sequence[Voice]) -> Voice | None:
    """Who answers `comment` (the platform's id): the canary for its share, else the live voice; None: the base model.

    A channel's own voices go before those of all channels. The same comment goes to the same canary every time.
    """
    for scope in (channel_id, None):
        for status in (VoiceStatus.CANARY, VoiceStatus.LIVE):
            for voice in voices:
                if voice.channel_id != scope or voice.status != status:
                    continue
                if status == VoiceStatus.LIVE or _lot(comment, voice.name) < voice.share:
                    return voice
    return None


def _lot(comment: str, voice: str) -> float:
    """A number from 0 to 1 that these two always draw."""
    drawn = sha256(f"{voice}\0{comment}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(drawn[:7]) / (1 << 56)
