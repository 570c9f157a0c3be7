"""Where the lines of a chart stand. Pure: figures in, places out; `report.html` draws them as SVG."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

WIDTH: Final = 320
HEIGHT: Final = 130
LEFT, RIGHT, TOP, BOTTOM = 46, 8, 10, 22
CHARTS: Final[Sequence[tuple[str, Sequence[str]]]] = (
    ("reward", ("score",)),
    ("kl", ("kl",)),
    ("length", ("length",)),
    ("parts", ("eos_rate", "distinct")),
    ("losses", ("policy_loss", "value_loss")),
)
"""The charts, and the columns of `curves.jsonl` that each draws."""


@dataclass(frozen=True, slots=True)
class Line:
    name: str
    path: str
    """What SVG's `d` takes; a gap where a figure is missing."""
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class Plot:
    key: str
    lines: tuple[Line, ...]
    low: float
    high: float
    batches: int


def plots(rows: Sequence[Mapping[str, Any]]) -> list[Plot]:
    """The charts for which there are figures."""
    drawn = (_plot(key, names, rows) for key, names in CHARTS)
    return [one for one in drawn if one is not None]


def _plot(key: str, names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Plot | None:
    series = {name: [_figure(row.get(name)) for row in rows] for name in names}
    known = {name: [one for one in values if one is not None] for name, values in series.items()}
    every = [one for values in known.values() for one in values]
    if not every:
        return None
    low, high = min(every), max(every)
    lines = tuple(
        Line(name, _path(series[name], low, high), known[name][0], known[name][-1])
        for name in names
        if known[name]
    )
    return Plot(key, lines, low, high, len(rows))


def _figure(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    return float(value) if is_number else None


def _path(values: Sequence[float | None], low: float, high: float) -> str:
    across, span = max(len(values) - 1, 1), high - low
    pen, pieces = "M", []
    for place, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        x = LEFT + (WIDTH - LEFT - RIGHT) * place / across
        share = (value - low) / span if span else 0.5
        y = TOP + (HEIGHT - TOP - BOTTOM) * (1 - share)
        # A point alone is a line of no length, which round caps show.
        pieces.append(f"{pen}{x:.1f} {y:.1f}" + (f"L{x:.1f} {y:.1f}" if pen == "M" else ""))
        pen = "L"
    return "".join(pieces)
