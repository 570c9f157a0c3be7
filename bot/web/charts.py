"""Where the parts of a chart stand. Pure: figures in, places out; `chart.html` draws them as SVG, with a table beside.

Everything is in the chart's own units, `WIDTH` × `HEIGHT`, which are about a phone's pixels, so that the words stay
readable there. Colour is never alone: bars have patterns and totals, lines have dashes and marks.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
class Plot:
    """What a chart is to show."""

    key: str
    """Small letters; no two charts of a page have the same."""
    title: str
    says: str
    """The chart in a sentence, for who does not see it."""
    labels: Sequence[str]
    series: Sequence[Series]
    tell: Tell


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


def bars(plot: Plot) -> Chart:
    """Bars of one label on top of one another, the first series at the bottom."""
    totals = [sum(one.values[place] or 0 for one in plot.series) for place in range(len(plot.labels))]
    if max(totals, default=0) <= 0:
        return _table(plot)
    top, steps = _linear(max(totals))
    slot = _slot(len(plot.labels))
    over = [
        (round(_x(place, slot), 2), round(_y(total / top) - 3, 2), plot.tell(total))
        for place, total in enumerate(totals)
        if total and _every(len(plot.labels)) == 1
    ]
    return replace(
        _table(plot),
        empty=False,
        labels=_labels(plot.labels, slot),
        steps=tuple(Tick(_y(step / top), plot.tell(step)) for step in steps),
        bars=tuple(bar for place in range(len(totals)) for bar in _pile(plot.series, place, slot, top)),
        totals=tuple(over),
    )


def _pile(series: Sequence[Series], place: int, slot: float, top: float) -> list[Bar]:
    """The bars over one label."""
    drawn, below = [], 0.0
    for one in series:
        value = one.values[place] or 0
        if value:
            y = _y((below + value) / top)
            left, height = round(_x(place, slot) - slot * 0.36, 2), round(_y(below / top) - y, 2)
            drawn.append(Bar(one.key, left, y, round(slot * 0.72, 2), height))
        below += value
    return drawn


def shares(plot: Plot) -> Chart:
    """Lines of figures from 0 to 1."""
    return _lines(plot, (0, 0.25, 0.5, 0.75, 1), lambda value: value)


def durations(plot: Plot) -> Chart:
    """Lines of seconds, each step of the scale several times the one before."""
    most = max((value for one in plot.series for value in one.values if value is not None), default=0)
    top = next((step for step in _DURATIONS if step >= most), _DURATIONS[-1])
    steps = [step for step in _DURATIONS if step <= max(top, 10)]

    def height(value: float) -> float:
        return min(max(math.log(max(value, 1)) / math.log(steps[-1]), 0), 1)

    return _lines(plot, steps, height)


def measures(plot: Plot) -> Chart:
    """Lines of any figures, negative ones too, on a scale that begins and ends at round numbers."""
    known = [value for one in plot.series for value in one.values if value is not None]
    steps = _round_steps(min(known, default=0), max(known, default=0))
    bottom, top = steps[0], steps[-1]
    return _lines(plot, steps, lambda value: (value - bottom) / (top - bottom))


def _lines(plot: Plot, steps: Sequence[float], height: Callable[[float], float]) -> Chart:
    """`height`: from a figure to 0 (the bottom) to 1 (the top)."""
    if all(value is None for one in plot.series for value in one.values):
        return _table(plot)
    slot = _slot(len(plot.labels))
    dots = [
        [_dot(one.key, place, value, slot, height) for place, value in enumerate(one.values)]
        for one in plot.series
    ]
    return replace(
        _table(plot),
        empty=False,
        labels=_labels(plot.labels, slot),
        steps=tuple(Tick(_y(height(step)), plot.tell(step)) for step in steps),
        lines=tuple(Line(one.key, path(row)) for one, row in zip(plot.series, dots, strict=True)),
        dots=tuple(dot for row in dots for dot in row if dot is not None),
    )


def _dot(
    key: str, place: int, value: float | None, slot: float, height: Callable[[float], float]
) -> Dot | None:
    return None if value is None else Dot(key, round(_x(place, slot), 2), _y(height(value)))


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


def _round_steps(least: float, most: float) -> list[float]:
    """At least two, 1, 2 or 5 times a power of ten apart, from at most `least` to at least `most`."""
    rough = max((most - least) / _LINE, abs(most) * 1e-6, 1e-6)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first = math.floor(least / step)
    return [place * step for place in range(first, max(math.ceil(most / step), first + 1) + 1)]


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


def _table(plot: Plot) -> Chart:
    """The chart with nothing drawn yet."""

    def cell(value: float | None) -> str:
        return "–" if value is None else plot.tell(value)

    rows = (
        (label, tuple(cell(one.values[place]) for one in plot.series)) for place, label in enumerate(plot.labels)
    )  # fmt: skip
    names = tuple((one.key, one.name) for one in plot.series)
    return Chart(plot.key, plot.title, plot.says, names, tuple(rows), empty=True)
