"""Where the parts of a chart stand. Pure: figures in, places out; `chart.html` draws them as SVG, with a table beside.

Everything is in the chart's own units, `WIDTH` × `HEIGHT`, which are about a phone's pixels, so that the words stay
readable there. Colour is never alone: bars have patterns and totals, lines have dashes and marks.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 360
HEIGHT: Final = 180
LEFT, RIGHT, TOP, BOTTOM = 40, 6, 16, 22
_MOST_LABELS: Final = 7
_LINE: Final = 4
"""Steps of the scale, about."""
_DURATIONS: Final = (1, 10, 60, 600, 3_600, 21_600, 86_400, 604_800, 2_592_000)
"""Seconds that a scale of durations names: 1 s, 10 s, 1 min, 10 min, 1 h, 6 h, 1 d, 7 d, 30 d."""

Tell = Callable[[float], str]
"""A figure in words."""


@dataclass(frozen=True, slots=True)
class Series:
    """Figures of one kind, one for each label; None where there is none."""

    key: str
    """Small letters: names its colour, pattern and mark in the style sheet."""
    name: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Tick:
    """A step of the scale, or a label under it."""

    place: float
    text: str


@dataclass(frozen=True, slots=True)
class Bar:
    key: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Dot:
    key: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Line:
    key: str
    path: str
    """What SVG's `d` takes; a gap where a figure is missing."""


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart, and the table that says the same."""

    key: str
    title: str
    says: str
    """The chart in a sentence, for who does not see it."""
    names: tuple[tuple[str, str], ...]
    """Key and name of each series."""
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    """The table: label, and each series' figure in words."""
    labels: tuple[Tick, ...] = ()
    steps: tuple[Tick, ...] = ()
    bars: tuple[Bar, ...] = ()
    totals: tuple[tuple[float, float, str], ...] = ()
    """x, y and text of what stands over a bar."""
    lines: tuple[Line, ...] = ()
    dots: tuple[Dot, ...] = ()
    empty: bool = False
    """There is nothing to draw."""


def bars(key: str, title: str, says: str, labels: Sequence[str], series: Sequence[Series], tell: Tell) -> Chart:
    """Bars of one label on top of one another, the first series at the bottom."""
    totals = [sum(one.values[place] or 0 for one in series) for place in range(len(labels))]
    most = max(totals, default=0)
    if most <= 0:
        return _empty(key, title, says, labels, series, tell)
    top, steps = _linear(most)
    slot = _slot(len(labels))
    drawn: list[Bar] = []
    for place in range(len(labels)):
        below = 0.0
        for one in series:
            value = one.values[place] or 0
            if value:
                y = _y((below + value) / top)
                height = round(_y(below / top) - y, 2)
                drawn.append(Bar(one.key, round(_x(place, slot) - slot * 0.36, 2), y, round(slot * 0.72, 2), height))
            below += value
    shown = _every(len(labels))
    over = tuple(
        (round(_x(place, slot), 2), round(_y(total / top) - 3, 2), tell(total))
        for place, total in enumerate(totals)
        if total and shown == 1
    )
    return Chart(
        key, title, says, _names(series), _rows(labels, series, tell), _labels(labels, slot),
        tuple(Tick(_y(step / top), tell(step)) for step in steps), bars=tuple(drawn), totals=over,
    )  # fmt: skip


def shares(key: str, title: str, says: str, labels: Sequence[str], series: Sequence[Series], tell: Tell) -> Chart:
    """Lines of figures from 0 to 1."""
    steps = (0, 0.25, 0.5, 0.75, 1)
    return _lines(key, title, says, labels, series, tell, steps, lambda value: value)


def durations(
    key: str, title: str, says: str, labels: Sequence[str], series: Sequence[Series], tell: Tell
) -> Chart:
    """Lines of seconds, each step of the scale several times the one before."""
    known = [value for one in series for value in one.values if value is not None]
    top = next((step for step in _DURATIONS if step >= max(known, default=0)), _DURATIONS[-1])
    steps = [step for step in _DURATIONS if step <= max(top, 10)]

    def height(value: float) -> float:
        return min(max(math.log(max(value, 1)) / math.log(steps[-1]), 0), 1)

    return _lines(key, title, says, labels, series, tell, steps, height)


def _lines(
    key: str,
    title: str,
    says: str,
    labels: Sequence[str],
    series: Sequence[Series],
    tell: Tell,
    steps: Sequence[float],
    height: Callable[[float], float],
) -> Chart:
    """`height`: from a figure to 0 (the bottom) to 1 (the top)."""
    if all(value is None for one in series for value in one.values):
        return _empty(key, title, says, labels, series, tell)
    slot = _slot(len(labels))
    dots = [
        [None if value is None else Dot(one.key, round(_x(place, slot), 2), _y(height(value)))
         for place, value in enumerate(one.values)]
        for one in series
    ]  # fmt: skip
    return Chart(
        key, title, says, _names(series), _rows(labels, series, tell), _labels(labels, slot),
        tuple(Tick(_y(height(step)), tell(step)) for step in steps),
        lines=tuple(Line(one.key, path(row)) for one, row in zip(series, dots, strict=True)),
        dots=tuple(dot for row in dots for dot in row if dot is not None),
    )  # fmt: skip


def path(dots: Sequence[Dot | None]) -> str:
    """A line through the dots, broken where one is missing."""
    pieces, begun = [], False
    for dot in dots:
        if dot is not None:
            pieces.append(f"{'L' if begun else 'M'}{dot.x:g} {dot.y:g}")
        begun = dot is not None
    return " ".join(pieces)


def _linear(most: float) -> tuple[float, list[float]]:
    """The end of a scale that holds `most`, and its steps: 1, 2 or 5 times a power of ten, whole numbers."""
    rough = max(most / _LINE, 1)
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    number = math.ceil(most / step)
    return number * step, [place * step for place in range(number + 1)]


def _slot(labels: int) -> float:
    return (WIDTH - LEFT - RIGHT) / max(labels, 1)


def _x(place: int, slot: float) -> float:
    return LEFT + slot * (place + 0.5)


def _y(part: float) -> float:
    return round(HEIGHT - BOTTOM - part * (HEIGHT - BOTTOM - TOP), 2)


def _every(labels: int) -> int:
    """Of so many labels, each how-manieth has room."""
    return -(-labels // _MOST_LABELS)


def _labels(labels: Sequence[str], slot: float) -> tuple[Tick, ...]:
    every, last = _every(len(labels)), len(labels) - 1
    # Counted from the end, so that the last day always has its name.
    return tuple(
        Tick(round(_x(place, slot), 2), text)
        for place, text in enumerate(labels)
        if (last - place) % every == 0
    )


def _names(series: Sequence[Series]) -> tuple[tuple[str, str], ...]:
    return tuple((one.key, one.name) for one in series)


def _rows(
    labels: Sequence[str], series: Sequence[Series], tell: Tell
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    def cell(value: float | None) -> str:
        return "–" if value is None else tell(value)

    return tuple((label, tuple(cell(one.values[place]) for one in series)) for place, label in enumerate(labels))


def _empty(
    key: str, title: str, says: str, labels: Sequence[str], series: Sequence[Series], tell: Tell
) -> Chart:
    return Chart(key, title, says, _names(series), _rows(labels, series, tell), empty=True)
