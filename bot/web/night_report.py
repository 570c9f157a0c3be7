"""What a night measured, as the pages print it. Nothing in a report is trusted: what has another shape is left out."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from bot.plain import excerpt, plain
from bot.web import charts
from bot.web.charts import Chart, Plot, Series
from bot.web.night_files import Row, is_finite

NAME_CHARS: Final = 200
TEXT_CHARS: Final = 2_000
MOST_GUARDS: Final = 40
MOST_SAMPLES: Final = 12
MOST_POINTS: Final = 40

Words = Mapping[str, str]


def number(value: Any, digits: int = 3) -> str:
    """A dash for what is no number."""
    known = isinstance(value, int | float) and not isinstance(value, bool) and is_finite(value)
    return f"{value:.{digits}g}" if known else "–"


def taste(figures: Mapping[str, Any], words: Words) -> list[tuple[str, str]]:
    return []


def guard_rows(report: Mapping[str, Any], words: Words) -> list[dict[str, Any]]:
    return []


def sample_rows(report: Mapping[str, Any]) -> list[dict[str, str]]:
    return []


def curve_charts(curves: Sequence[Row], words: Words) -> list[Chart]:
    return []
