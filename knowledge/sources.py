"""Works out what to ingest: files and addresses by name, folders with everything in them."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from knowledge.loaders import SUFFIXES


@dataclass(slots=True)
class Plan:
    """What to ingest; each source once, in order."""

    sources: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    """Folders that were looked through."""
    ignored: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    """Source and message."""


def is_address(source: str) -> bool:
    """Whether `source` is written as a web address (or another kind of address), not as a path."""
    return "://" in source[:20]


def canonical(source: str) -> str:
    """The one spelling under which the library knows a source: an absolute path, an address without fragment."""
    if not is_address(source):
        return os.path.abspath(os.path.expanduser(source))
    try:
        parts = urlsplit(source.strip())
    except ValueError:
        return source.strip()  # fetching it says what is wrong
    return urlunsplit((parts.scheme.lower(), parts.netloc.lower(), parts.path or "/", parts.query, ""))


def plan(given: Sequence[str], own_folder: Path) -> Plan:
    """Expand what the user named. `own_folder`, the library itself, is never part of it."""
    made = Plan()
    for source in dict.fromkeys(canonical(one) for one in given):
        if is_address(source) or Path(source).is_file():
            made.sources.append(source)
        elif Path(source).is_dir():
            made.folders.append(source)
            _add_folder(made, source, str(own_folder))
        else:
            made.failed.append((source, "does not exist; check the name, or remove it from the library"))
    made.sources = list(dict.fromkeys(filter(partial(_has_usable_name, made), made.sources)))
    return made


def _has_usable_name(made: Plan, source: str) -> bool:
    """A name that is not UTF-8, as after unpacking an old archive, can be neither stored nor shown."""
    shown = source.encode("utf-8", "replace").decode()
    if shown != source:
        made.failed.append((shown, "has a name that is not UTF-8; rename it"))
    return shown == source


def _add_folder(made: Plan, folder: str, own_folder: str) -> None:
    def unreadable(error: OSError) -> None:
        made.failed.append(
            (str(error.filename), f"cannot be opened ({error.strerror}); check its permissions")
        )

    for place, names, files in os.walk(folder, onerror=unreadable):
        made.ignored.extend(_hidden_or_linked(place, names))
        names[:] = sorted(_kept_folders(place, names, own_folder))
        for name in sorted(files):
            path = os.path.join(place, name)
            (made.sources if _is_wanted(path) else made.ignored).append(path)


def _hidden_or_linked(place: str, names: Iterable[str]) -> Iterator[str]:
    paths = (os.path.join(place, name) for name in names)
    return (path for path in paths if os.path.islink(path) or os.path.basename(path).startswith("."))


def _kept_folders(place: str, names: Iterable[str], own_folder: str) -> Iterator[str]:
    for name in names:
        path = os.path.join(place, name)
        if not name.startswith(".") and not os.path.islink(path) and path != own_folder:
            yield name


def _is_wanted(path: str) -> bool:
    """A link is left out even within the folder: what it leads to is met there anyway, or lies outside."""
    name = os.path.basename(path)
    suffix = os.path.splitext(name)[1].lower()
    return (
        not name.startswith((".", "~$"))
        and suffix in SUFFIXES
        and os.path.isfile(path)
        and not os.path.islink(path)
    )
