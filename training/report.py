"""The report of an evaluation: `report.json`, and `report.html`, which needs nothing else and runs nothing.

Samples hold what commenters and models wrote. All of it is text, escaped; the page's own policy lets nothing run or
load, whoever serves it.
"""

import json
from collections.abc import Sequence
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bot.plain import plain
from training import plots
from training.figures import Measure, ProbeRow, Report
from training.gate import Guard
from training.report_words import WORDS

JSON: Final = "report.json"
PAGE: Final = "report.html"
MOST_CHARS: Final = 2000
"""Shown of a text."""


def write(report: Report, guards: Sequence[Guard], folder: Path) -> None:
    """Both files. Raises OSError."""
    (folder / JSON).write_text(as_json(report, guards) + "\n", encoding="utf-8", newline="\n")
    (folder / PAGE).write_text(as_page(report, guards), encoding="utf-8", newline="\n")


def read(folder: Path) -> Report:
    """Raises OSError, ValueError."""
    return Report.model_validate_json((folder / JSON).read_bytes())


def as_json(report: Report, guards: Sequence[Guard]) -> str:
    """The report's fields, and `guards`: guard, passed, figure, bound, detail. NaN is the string "NaN"."""
    told = json.loads(report.model_dump_json())
    told["guards"] = [
        {name: getattr(one, name) for name in ("guard", "passed", "figure", "bound", "detail")}
        for one in guards
    ]
    return json.dumps(told, indent=1)


def as_page(report: Report, guards: Sequence[Guard]) -> str:
    """HTML in English and Chinese; which of the two is shown is chosen on the page, without a script."""
    return (
        _environment()
        .get_template(PAGE)
        .render(
            report=report,
            guards=[(one, _both(report, one.guard)) for one in guards],
            refused=[one for one in guards if not one.passed],
            plots=plots.plots(report.curves),
            size=plots,
            probes=_by_kind(report.probe_rows),
        )
    )


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["t"] = _told
    made.filters["plain"] = _shown
    made.filters["figure"] = lambda value: f"{value:.3g}"
    return made


def _told(key: str) -> Markup:
    english, chinese = WORDS[key]
    return Markup('<span class="en" lang="en">{}</span><span class="zh" lang="zh">{}</span>').format(
        english, chinese
    )


def _shown(text: str) -> str:
    """What turns the reading direction is shown, not obeyed."""
    return plain(text if len(text) <= MOST_CHARS else text[:MOST_CHARS] + "…")


def _both(report: Report, guard: str) -> tuple[str, str]:
    """Of live and candidate, where the guard compares them."""
    found: Any = getattr(report, guard, None)
    if not isinstance(found, Measure) or found.count == 0:
        return "", ""
    return f"{found.live:.3g}", f"{found.candidate:.3g}"


def _by_kind(rows: Sequence[ProbeRow]) -> list[tuple[str, str, int, int, int]]:
    """Kind, language, how many live and candidate passed, of how many."""
    found = []
    for (kind, language), group in groupby(rows, key=lambda row: (row.kind, row.language)):
        some = list(group)
        passed = sum(row.live_passed for row in some), sum(row.candidate_passed for row in some)
        found.append((kind, language, *passed, len(some)))
    return found
