"""Who sees what: held-out threads, and the two halves of the others. Pure.

Threads that share a prompt stay together, so that no prompt is on both sides. Of each channel the threads that began
last are held out, of those with pairs and of those without, so that there is enough of both on each side.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Thread:
    name: str
    channel: str
    began: str
    """Its first verdict; sorts as the moments do."""
    pairs: bool
    """Some verdict in it compared two texts."""


@dataclass(frozen=True, slots=True)
class Split:
    held: frozenset[str]
    """Names of threads."""
    since: str
    """When the first of them began; empty where nothing is held out."""
    first: Mapping[str, str] = field(default_factory=dict)
    """Of each thread, the oldest of those that share prompts with it."""

    def half(self, thread: str) -> int:
        """0 or 1; threads that share prompts are in one half."""
        return half(self.first.get(thread, thread))


def split(threads: Iterable[Thread], prompts: Iterable[tuple[str, str]], part: float) -> Split:
    """`prompts`: a prompt and a thread that it stands in. `part`: how much is held out.

    Together, threads began when the first of them did. What shares prompts with more threads than may be held out is
    trained on.
    """
    strata: dict[tuple[str, bool], list[list[Thread]]] = defaultdict(list)
    first: dict[str, str] = {}
    for group in _groups(threads, prompts):
        first |= {one.name: group[0].name for one in group}
        strata[group[0].channel, any(one.pairs for one in group)].append(group)
    held = [one for groups in strata.values() for one in _newest(groups, part)]
    if not any(one.pairs for one in held):
        held += _one([group for (_, pairs), groups in strata.items() if pairs for group in groups])
    return Split(frozenset(one.name for one in held), min((one.began for one in held), default=""), first)


def half(thread: str) -> int:
    """0 or 1, the same for a thread every night."""
    return hashlib.sha256(f"half\0{thread}".encode()).digest()[0] & 1


def _newest(groups: Sequence[list[Thread]], part: float) -> list[Thread]:
    room, held = round(part * sum(map(len, groups))), list[Thread]()
    for group in sorted(groups, key=_began, reverse=True):
        if len(held) + len(group) <= room:
            held += group
    return held


def _one(groups: Sequence[list[Thread]]) -> list[Thread]:
    """The newest, where channels have so few threads each that no part of them is a whole one."""
    return max(groups, key=_began) if len(groups) > 1 else []


def _began(group: Sequence[Thread]) -> tuple[str, str]:
    return group[0].began, group[0].name


def _groups(threads: Iterable[Thread], prompts: Iterable[tuple[str, str]]) -> list[list[Thread]]:
    """Each oldest first."""
    above: dict[str, str] = {}
    first: dict[str, str] = {}
    for prompt, thread in prompts:
        other = first.setdefault(prompt, thread)
        above[_root(above, thread)] = _root(above, other)
    groups: dict[str, list[Thread]] = defaultdict(list)
    for one in sorted(threads, key=lambda one: (one.began, one.name)):
        groups[_root(above, one.name)].append(one)
    return list(groups.values())


def _root(above: dict[str, str], thread: str) -> str:
    """Halves the way at each step, which keeps it short."""
    while (up := above.get(thread, thread)) != thread:
        above[thread] = above.get(up, up)
        thread = above[thread]
    return thread
