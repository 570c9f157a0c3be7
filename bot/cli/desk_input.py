"""What a terminal sends, as keys: characters, and names such as `down`, `enter`, `esc`. Pure."""

import codecs
import re
from typing import Final

from bot.cli.desk_keys import PASTED

_NAMED: Final = {
    "\r": "enter",
    "\n": "enter",
    "\x7f": "backspace",
    "\x08": "backspace",
    "\x15": "clear",
    "\x04": "eof",
    "\x0c": "redraw",
    "\x1b": "esc",
}
_SEQUENCES: Final = {
    "A": "up", "B": "down", "C": "right", "D": "left", "H": "home", "F": "end", "5~": "pageup", "6~": "pagedown",
}  # fmt: skip
_PASTE_BEGINS, _PASTE_ENDS = "\x1b[200~", "\x1b[201~"
_SEQUENCE: Final = re.compile(r"\x1b[\[O](\d*(?:;\d+)*[A-Za-z~])")
DECIDING: Final = frozenset("as")
REPEAT_S: Final = 0.3
"""Keyboards repeat a key within a tenth of a second; who has read the next comment takes longer."""
MOST_CHARS: Final = 100_000
"""Of a paste whose end never comes."""


class Held:
    """Tells a key that is held down, or bounces, from one that is pressed again: a terminal sends the same for both."""

    def __init__(self) -> None:
        self._key, self._at = "", -REPEAT_S

    def repeats(self, key: str, now: float) -> bool:
        """Whether `key`, at `now` seconds, decides and came by itself."""
        held = key in DECIDING and key == self._key and now - self._at < REPEAT_S
        self._key, self._at = key, now
        return held


class Keys:
    """Turns what is read, piece by piece, into keys; a piece may end in the middle of one."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("ignore")
        self._waiting = ""

    @property
    def unfinished(self) -> bool:
        """Whether more may belong to what was read last, as after the key Escape, which begins every sequence too."""
        return bool(self._waiting)

    def feed(self, data: bytes) -> list[str]:
        """The keys that are complete now."""
        self._waiting += self._decoder.decode(data)
        found = []
        while self._waiting:
            key, length = _first(self._waiting)
            if not length:
                break
            self._waiting = self._waiting[length:]
            found += [key] if key else []
        return found

    def finish(self) -> list[str]:
        """Nothing more came: an Escape was the key. A paste has an end of its own, and is waited for."""
        if self._waiting.startswith(_PASTE_BEGINS):
            return []
        left, self._waiting = self._waiting, ""
        return ["esc"] if left == "\x1b" else []

    def clear(self) -> None:
        """Forget what was typed ahead."""
        self._waiting = ""


def _first(text: str) -> tuple[str, int]:
    """(key, how much of `text` it takes); length 0: more is to come; an empty key means nothing."""
    if text.startswith(_PASTE_BEGINS):
        return _pasted(text)
    if text[0] != "\x1b":
        return _NAMED.get(text[0], text[0] if text[0].isprintable() else ""), 1
    if found := _SEQUENCE.match(text):
        return _SEQUENCES.get(found[1], ""), found.end()
    if re.fullmatch(r"\x1b(?:[\[O][\d;]*)?", text):
        return "", 0
    # With Alt held down.
    return "", 2


def _pasted(text: str) -> tuple[str, int]:
    end = text.find(_PASTE_ENDS)
    if end < 0:
        return ("", 0) if len(text) < MOST_CHARS else ("", len(text))
    return PASTED + text[len(_PASTE_BEGINS) : end], end + len(_PASTE_ENDS)
