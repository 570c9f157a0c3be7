"""Opening hours of one day, written as 09:00-18:00. Pure."""

import re

_SPAN = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)")
DAY = 24 * 60


def checked_span(text: str) -> str:
    """`text` itself. Raises ValueError when it is no span."""
    parse_span(text)
    return text


def parse_span(text: str) -> tuple[int, int]:
    """Start and end in minutes after midnight; an end of the next day is over 1440. Raises ValueError."""
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no opening time; write it as 09:00-18:00")
    start = int(match[1]) * 60 + int(match[2])
    end = DAY if match[3] is None else int(match[3]) * 60 + int(match[4])
    if end == start:
        raise ValueError(f"{text!r} begins when it ends; write 00:00-24:00 for the whole day")
    return start, end if end > start else end + DAY
