"""Subtitles (SRT, WebVTT) as what was said: whole sentences in paragraphs, each with the time it starts at."""

import html
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from knowledge.records import Loaded, Section, join_lines
from knowledge.splitter import sentence_spans, width

PARAGRAPH = 600
"""Width of a paragraph, in Latin characters; about a passage, so that its time is near what it says."""
_STAMP = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{2})(?:[.,]\d{1,3})?"
_TIMING = re.compile(rf"\s*{_STAMP}\s*-->\s*{_STAMP}(?:\s|$)")
_LOOK = 30
"""Lines at the start of a file among which subtitles have a timing."""
_MARKUP = re.compile(r"<[^<>]*>|\{\\[^{}]*\}")
_SOUND = re.compile(r"[\[(（【][^\[\]()（）【】]{1,40}[\])）】]|[♪♫]")
_SPEAKER = re.compile(r"^(?:[-–]\s+)?(?:(?:>>|&gt;&gt;)\s*(?:[^\s:：]{1,20}(?:\s[^\s:：]{1,20})?[:：])?)?\s*")
_NO_CUES = ("NOTE", "STYLE", "REGION")
"""What begins with these, behind a blank line, says nothing that anybody said."""


@dataclass(frozen=True, slots=True)
class Cue:
    """What stands on the screen at one time."""

    start: int
    """Seconds."""
    end: int
    lines: tuple[str, ...]


def is_transcript(text: str) -> bool:
    """Whether `text` is SRT or WebVTT."""
    lines = text[:20_000].split("\n", _LOOK)[:_LOOK]
    return text.startswith("WEBVTT") or any(_TIMING.match(line) for line in lines)


def load_transcript(text: str, title: str) -> Loaded:
    """One section a paragraph of at most about `PARAGRAPH`, with the time of its first words."""
    said, starts = _joined(_without_repeats(_cues(text.split("\n"))))
    sections = tuple(
        Section((), (said[first:last],), time=clock(_time_at(starts, first)))
        for first, last in _paragraphs(said, starts)
    )
    return Loaded(title, sections)


def clock(seconds: int) -> str:
    """`754` -> `12:34`, `3723` -> `1:02:03`."""
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def seconds_of(hours: str | None, minutes: str, seconds: str) -> int:
    """What a time stamp's parts come to, however absurd."""
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)


def _cues(lines: Iterable[str]) -> Iterator[Cue]:
    """All cues. A blank line within one, as automatic captions have it, ends nothing: the next timing does."""
    times: tuple[int, int] | None = None
    held: list[str] = []
    skipping = False
    for line in lines:
        timing = _TIMING.match(line)
        blank = not line.strip()
        if timing is not None:
            if times is not None:
                yield Cue(*times, _cleaned(_without_name(held)))
            times = seconds_of(*timing.groups()[:3]), seconds_of(*timing.groups()[3:])
            held = []
        elif line.startswith(_NO_CUES) and held and not held[-1]:
            skipping = True
        elif blank or not skipping:
            held.append(line.strip())
        skipping = skipping and not blank and timing is None
    if times is not None:
        yield Cue(*times, _cleaned(held))


def _without_name(lines: list[str]) -> list[str]:
    """Above a timing stands the number or name of its cue; it is not the text of the one before."""
    if lines and lines[-1] and (lines[-1].isdigit() or (len(lines) > 1 and not lines[-2])):
        return lines[:-1]
    return lines


def _cleaned(lines: Iterable[str]) -> tuple[str, ...]:
    """Without markup, positions, speakers and sounds."""
    plain = (html.unescape(_SPEAKER.sub("", _MARKUP.sub("", line).strip())) for line in lines)
    return tuple(line for line in (" ".join(_SOUND.sub(" ", one).split()) for one in plain) if line)


def _without_repeats(cues: Iterable[Cue]) -> Iterator[tuple[int, str]]:
    """Start and text of each cue, without what automatic captions say again while they roll or grow."""
    before = Cue(0, -1, ())
    for cue in cues:
        lines = cue.lines
        if cue.start <= before.end:
            again = _overlap(before.lines, lines)
            lines = _grown(before.lines, lines) if not again else lines[again:]
        if lines:
            yield cue.start, join_lines(lines)
        before = cue if cue.lines else Cue(cue.start, cue.end, before.lines)


def _overlap(before: Sequence[str], lines: Sequence[str]) -> int:
    """How many of the first `lines` are the last ones of `before`."""
    most = min(len(before), len(lines))
    return next((size for size in range(most, 0, -1) if before[-size:] == lines[:size]), 0)


def _grown(before: Sequence[str], lines: tuple[str, ...]) -> tuple[str, ...]:
    """`lines` without what the one line of `before` said, where it has only become longer."""
    if len(before) == 1 and lines and lines[0].startswith(before[0]):
        rest = lines[0][len(before[0]) :]
        if not (rest[:1].isalnum() and rest[:1].isascii()):
            return (rest.strip(), *lines[1:])
    return lines


def _joined(said: Iterable[tuple[int, str]]) -> tuple[str, list[tuple[int, int]]]:
    """All that was said as one text, and where in it each cue starts, with its seconds."""
    pieces: list[str] = []
    starts: list[tuple[int, int]] = []
    length, last = 0, ""
    for start, text in said:
        piece = join_lines([last, text])[len(last) :]
        starts.append((length + len(piece) - len(text), start))
        pieces.append(piece)
        length += len(piece)
        last = text[-1:]
    return "".join(pieces), starts


def _time_at(starts: Sequence[tuple[int, int]], position: int) -> int:
    return starts[max(0, bisect_right(starts, position, key=lambda one: one[0]) - 1)][1]


def _paragraphs(said: str, starts: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Spans of whole sentences; captions without full stops are cut between cues."""
    first = last = 0
    for start, end in _units(said, starts):
        if last > first and width(said[first:end]) > PARAGRAPH:
            yield first, last
            first = start
        last = end
    if last > first:
        yield first, last


def _units(said: str, starts: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Sentences, and the cues of those that are too long by themselves."""
    cue = 0
    for start, end in sentence_spans(said):
        cuts = [start]
        while cue < len(starts) and starts[cue][0] < end:
            if starts[cue][0] > start:
                cuts.append(starts[cue][0])
            cue += 1
        if end - start <= PARAGRAPH and width(said[start:end]) <= PARAGRAPH:
            yield start, end
        else:
            yield from (
                (first, first + len(said[first:last].rstrip())) for first, last in pairwise([*cuts, end])
            )
