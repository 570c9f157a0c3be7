"""What a night measured, as the pages print it. Nothing in a report is trusted: what has another shape is left out."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from bot.plain import excerpt, plain
from bot.web import charts
from bot.web.charts import Chart, Plot, Series

TEXT_CHARS: Final = 2_000
MOST_SAMPLES: Final = 12
MOST_GUARDS: Final = 40
BOUND_CHARS: Final = 40
MOST_POINTS: Final = 40
MEASURED: Final = (
    "judge", "agreement", "ranking", "support", "probes", "banned", "leaked", "empty", "ended", "length",
)  # fmt: skip
"""Members of a report that hold a figure of both voices; the guards of the gate have the same names."""
ALONE: Final = {"variety": "variety", "kl": "kl", "accuracy": "judge_accuracy"}
"""Guards that look at one figure, and the report's member that holds it."""
PARTS: Final = frozenset(
    {"agreement", "ranking", "support", "probes", "banned", "leaked", "empty", "ended", "accuracy"}
)
"""Parts of 1, told in per cent."""
CURVES: Final[Sequence[tuple[str, Sequence[str]]]] = (
    ("reward", ("score",)),
    ("kl", ("kl",)),
    ("length", ("length",)),
    ("parts", ("eos_rate", "distinct")),
    ("losses", ("policy_loss", "value_loss")),
)
"""The charts, and the columns of `curves.jsonl` that each draws."""
_NUMBER: Final = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
_LOOKS: Final = ("rate", "change")
"""How the first and the second line of a chart look; see charts.css."""

Words = Mapping[str, str]


def figure_of(value: Any) -> float | None:
    """None for what is no finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Whole numbers can be larger than any float.
    return float(value) if abs(value) < 1e300 else None


def told(value: Any, part: bool = False) -> str:
    """A dash for what is no number."""
    known = figure_of(value)
    if known is None:
        return "–"
    return f"{known:.1%}" if part else f"{known:.3g}"


def evaluation_of(figures: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the night's judgement measured; empty where it did not come so far."""
    found = figures.get("evaluation")
    return found if isinstance(found, Mapping) else {}


def taste(figures: Mapping[str, Any], words: Words) -> list[tuple[str, str]]:
    """The few figures that tell how a night went."""
    measured = evaluation_of(figures)
    return [
        (words[f"nights_guard_{name}"], value)
        for name, value in (
            ("judge", _before_after(measured.get("judge"), part=False)),
            ("agreement", _before_after(measured.get("agreement"), part=True)),
            ("kl", told(measured.get("kl"))),
        )
        if value not in ("", "–")
    ]


def _before_after(measure: Any, *, part: bool) -> str:
    if not _is_measured(measure):
        return ""
    return f"{told(measure['live'], part)} → {told(measure['candidate'], part)} {_bounds(measure, part)}"


def guard_rows(
    figures: Mapping[str, Any], refusals: Iterable[Mapping[str, Any]], words: Words
) -> list[dict[str, Any]]:
    """Each thing that the gate looked at, before and after, what it has to be, and whether it refused because of it."""
    measured, tripped = evaluation_of(figures), {str(one.get("guard", "")) for one in refusals}
    bounds = _bounds_of(measured)
    both = [
        {
            "guard": name,
            "before": told(measured[name]["live"], name in PARTS),
            "after": told(measured[name]["candidate"], name in PARTS),
            "change": _change(measured[name], name in PARTS),
        }
        for name in MEASURED
        if _is_measured(measured.get(name))
    ]
    alone = [
        {"guard": guard, "before": "", "after": told(measured[member], guard in PARTS), "change": ""}
        for guard, member in ALONE.items()
        if member in measured
    ]
    return [_guard_row(row, bounds, row["guard"] in tripped, words) for row in both + alone]


def _guard_row(
    row: Mapping[str, str], bounds: Mapping[str, str], tripped: bool, words: Words
) -> dict[str, Any]:
    guard, bound = row["guard"], bounds.get(row["guard"], "")
    return {
        **row,
        "name": words[f"nights_guard_{guard}"],
        "bound": _in_points(bound) if guard in PARTS else bound,
        "tripped": tripped,
    }


def _in_points(bound: str) -> str:
    """Of a part of 1: with a sign it bounds a difference, in percentage points, else the part itself."""

    def in_points(found: re.Match[str]) -> str:
        value = float(found[0])
        return _signed(value, True) if found[0][0] in "+-" else told(value, True)

    return _NUMBER.sub(in_points, bound)


def _bounds_of(measured: Mapping[str, Any]) -> dict[str, str]:
    """What each guard asks for, by its name."""
    found = measured.get("guards")
    rows = found if isinstance(found, list) else []
    return {
        str(row.get("guard", "")): excerpt(str(row.get("bound", "")), BOUND_CHARS)
        for row in rows[:MOST_GUARDS]
        if isinstance(row, Mapping)
    }


def _is_measured(measure: Any) -> bool:
    wanted = ("live", "candidate", "difference", "low", "high")
    return isinstance(measure, Mapping) and all(figure_of(measure.get(name)) is not None for name in wanted)


def _change(measure: Mapping[str, Any], part: bool) -> str:
    return f"{_signed(measure['difference'], part)} {_bounds(measure, part)}"


def _bounds(measure: Mapping[str, Any], part: bool) -> str:
    """Of the difference, which lies between them."""
    return f"[{_signed(measure['low'], part)}, {_signed(measure['high'], part)}]"


def _signed(value: float, part: bool) -> str:
    return f"{100 * value:+.1f}" if part else f"{value:+.3g}"


def sample_rows(report: Mapping[str, Any]) -> list[dict[str, str]]:
    """What both wrote to the same comments, and what a person wrote."""
    found = report.get("samples")
    rows = found if isinstance(found, list) else []
    names = {"comment": "comment", "before": "live", "after": "candidate", "human": "human"}
    return [
        {name: _text(row.get(member)) for name, member in names.items()}
        for row in rows[:MOST_SAMPLES]
        if isinstance(row, Mapping)
    ]


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else ""
    return plain(text if len(text) <= TEXT_CHARS else text[:TEXT_CHARS] + "…")


def curve_charts(report: Mapping[str, Any], words: Words) -> list[Chart]:
    """The charts for which there are figures; of a long training every few batches."""
    found = report.get("curves")
    rows = [row for row in found if isinstance(row, Mapping)] if isinstance(found, list) else []
    every = -(-len(rows) // MOST_POINTS) or 1
    # Counted from the end: where it came to is what matters.
    kept = [(number, row) for number, row in enumerate(rows, 1) if (len(rows) - number) % every == 0]
    drawn = (_chart(key, names, kept, words) for key, names in CURVES)
    return [chart for chart in drawn if not chart.empty]


def _chart(
    key: str, names: Sequence[str], rows: Sequence[tuple[int, Mapping[str, Any]]], words: Words
) -> Chart:
    part = key == "parts"
    series = [
        Series(look, words[f"nights_curve_{name}"], [figure_of(row.get(name)) for _, row in rows])
        for look, name in zip(_LOOKS, names, strict=False)
    ]
    says = " ".join(
        words["nights_says_curve"].format(
            name=one.name, first=told(known[0], part), last=told(known[-1], part)
        )
        for one in series
        if (known := [value for value in one.values if value is not None])
    )
    labels = [str(number) for number, _ in rows]
    tell: Callable[[float], str] = (lambda value: told(value, True)) if part else told
    plot = Plot(f"night-{key}", words[f"nights_chart_{key}"], says, labels, series, tell)
    return charts.shares(plot) if part else charts.measures(plot)
