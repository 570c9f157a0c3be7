"""What a night left on the disk, as far as the pages show it.

Files are bounded before they are read. One that is missing, too large or odd is told as missing: older nights keep only
their report, and a night that trains elsewhere keeps everything there.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bot.models import Night

MOST_REPORT_BYTES: Final = 4 * 1024 * 1024
MOST_PAGE_BYTES: Final = 16 * 1024 * 1024
REPORT: Final = "evaluation/report.json"
PAGE: Final = "evaluation/report.html"


@dataclass(frozen=True, slots=True)
class Left:
    """What the page about a night reads."""

    report: Mapping[str, Any]
    """Empty where there is none."""
    has_page: bool
    """Whether the report can be opened as a page."""


def left(data_dir: Path, night: Night) -> Left:
    page = _inside(data_dir, night, PAGE)
    return Left(
        _report(_read(_inside(data_dir, night, REPORT), MOST_REPORT_BYTES)),
        page is not None and _is_file(page, MOST_PAGE_BYTES),
    )


def report_page(data_dir: Path, night: Night) -> bytes | None:
    """The report as HTML; None where there is none."""
    return _read(_inside(data_dir, night, PAGE), MOST_PAGE_BYTES)


def _inside(data_dir: Path, night: Night, name: str) -> Path | None:
    """None where the night has no folder, or where the file, links followed, lies elsewhere."""
    if not night.folder:
        return None
    try:
        home = data_dir.resolve()
        found = (home / night.folder / name).resolve()
    except (OSError, ValueError, RuntimeError):  # a NUL, or links in a circle
        return None
    return found if found.is_relative_to(home) else None


def _is_file(path: Path, most: int) -> bool:
    try:
        return path.is_file() and path.stat().st_size <= most
    except OSError:
        return False


def _read(path: Path | None, most: int) -> bytes | None:
    if path is None or not _is_file(path, most):
        return None
    try:
        with path.open("rb") as file:
            found = file.read(most + 1)
    except OSError:
        return None
    return found if len(found) <= most else None


def _report(found: bytes | None) -> Mapping[str, Any]:
    try:
        told = json.loads(found) if found is not None else None
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
