"""By what a night knows that it still is the same: settings, base model, code. What differs is never mixed."""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import bot
from bot.training_settings import TrainingSettings

BESIDE_IT = frozenset(
    {
        "base",
        "cron",
        "time_zone",
        "channels",
        "hours",
        "memory_gb",
        "keep",
        "canary",
        "trackers",
        "sleep_server",
    }
)
"""Settings that change when and where a night runs and what comes after it, but not what it learns."""
SMALL = 16 << 20
"""Files up to this size are compared whole, larger ones by their size: weights come with a new configuration."""


def marks(settings: TrainingSettings, *, dry: bool) -> dict[str, str]:
    """Each part with its mark."""
    learns = settings.model_dump(mode="json", exclude=set(BESIDE_IT))
    return {
        "settings": hash_of(learns),
        "base model": base_mark(settings.base),
        "code": code_version(),
        "way": "dry run" if dry else "night",
    }


def changed(before: Mapping[str, Any], now: Mapping[str, str]) -> list[str]:
    """Names of the parts that are no longer as they were."""
    return [name for name, mark in now.items() if before.get(name) != mark]


def base_mark(source: str) -> str:
    """Of a folder, over the configuration and the tokenizer; of a name, the name."""
    folder = Path(source)
    if not source or not folder.is_dir():
        return source
    files = sorted(one for one in folder.iterdir() if one.is_file())
    return hash_of([[one.name, one.stat().st_size, _content(one)] for one in files])


@cache
def code_version() -> str:
    """The release, and a mark of the code that trains."""
    whole = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        whole.update(file.name.encode() + b"\0" + file.read_bytes())
    for name in ("prompt.py", "feedback.py", "feedback_rows.py", "replay.py"):
        whole.update((Path(bot.__file__).parent / name).read_bytes())
    return f"{_release()}+{whole.hexdigest()[:8]}"


def _release() -> str:
    try:
        return version("rejoinder")
    except PackageNotFoundError:  # run from a copy of the source
        return "0"


def _content(file: Path) -> str:
    if file.stat().st_size > SMALL:
        return ""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def hash_of(value: Any) -> str:
    whole = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(whole.encode("utf-8", "backslashreplace")).hexdigest()[:16]
