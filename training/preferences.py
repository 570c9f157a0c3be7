"""What verdicts are worth: which texts are the same, who contradicts whom, what nobody may learn from. Pure.

A text is known by its `shape`, so that texts that differ in white space, punctuation, case or width only are one. An
opinion prefers one text to another under one prompt; to approve a reply is to prefer it to nothing, to reject it is to
prefer nothing to it. So that one rule finds all contradictions: opinions that go round in a circle.
"""

import hashlib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final, Literal

from bot.persona import is_cjk
from bot.training_settings import DataSettings
from bot.triage import fold, injection_sign
from training.errors import TooLittle

NOTHING: Final = ""
"""Stands for no reply at all, as the worse of an approval and the better of a rejection."""
COPIED, COPIED_CJK = 12, 6
"""Letters and digits in a row that a reply shares with a commenter's words, from which on they are copied."""

Harm = Literal["too_long", "echo", "steering"]
Doubt = Literal["duplicate", "near_duplicate", "changed_mind", "contradicted", "cycle"]

_SIGN = r"[\s!\"#%&'()*,\-./:;?@\[\\\]_{}¡§¶·¿\u2010-\u2027\u2030-\u205e\u3000-\u303f]+"
_SIGNS = re.compile(rf"(?<!\d){_SIGN}|{_SIGN}(?!\d)")
_MARKS = re.compile(r"\[(?:\d+|unknown)\]")


@dataclass(frozen=True, slots=True)
class Opinion:
    """One verdict's word on two texts to one prompt."""

    number: int
    at: str
    """Sorts as the moments do."""
    verdict: int
    comment: int
    reviewer: str
    better: str
    worse: str
    key: str
    """The same for the same texts under the same prompt, to the letter but for white space."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is left of all opinions that say the same."""

    first: Opinion
    """The oldest: by its thread it stays on one side from night to night."""
    at: str
    """When it was last said."""
    reviewers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Settled:
    kept: list[Kept]
    left_out: dict[Doubt, list[Opinion]]


def settled(opinions: Sequence[Opinion]) -> Settled:
    """Of all opinions on one prompt, oldest first, those that agree with all others.

    Where one reviewer thinks differently later, the later counts. What several contradict each other in is left out,
    and so are circles (A over B, B over C, C over A) with what leads from one circle to another.
    """
    left_out: dict[Doubt, list[Opinion]] = defaultdict(list)
    last = {(one.reviewer, _matter(one)): one.better for one in opinions}
    firm: list[Opinion] = []
    for one in opinions:
        (firm if last[one.reviewer, _matter(one)] == one.better else left_out["changed_mind"]).append(one)
    edges = {(one.better, one.worse) for one in firm}
    circular = _circular(edges)
    same: dict[tuple[str, str], list[Opinion]] = defaultdict(list)
    for one in firm:
        edge = (one.better, one.worse)
        if edge in circular:
            left_out["contradicted" if edge[::-1] in edges else "cycle"].append(one)
        else:
            same[edge].append(one)
    for first, *others in same.values():
        for other in others:
            left_out["duplicate" if other.key == first.key else "near_duplicate"].append(other)
    kept = [Kept(all_[0], all_[-1].at, frozenset(one.reviewer for one in all_)) for all_ in same.values()]
    return Settled(kept, dict(left_out))


def _matter(opinion: Opinion) -> tuple[str, str]:
    better, worse = opinion.better, opinion.worse
    return (better, worse) if better < worse else (worse, better)


def _circular(edges: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """What is left when all texts that nothing is better than, or nothing worse, have been taken away in turn."""
    left = set(edges)
    out, into = Counter(a for a, _ in left), Counter(b for _, b in left)
    touching: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for edge in left:
        for text in edge:
            touching[text].append(edge)
    ends = [text for text in touching if not (out[text] and into[text])]
    while ends:
        for edge in touching.pop(ends.pop(), ()):
            if edge in left:
                left.remove(edge)
                out[edge[0]] -= 1
                into[edge[1]] -= 1
                ends += [text for text in edge if text in touching and not (out[text] and into[text])]
    return left


def harm(replies: Iterable[str], fans: Sequence[str], max_chars: int) -> Harm | None:
    """Why nobody may learn from these replies, as good or as bad ones; `fans` is what commenters had written."""
    for reply in replies:
        if len(reply) > max_chars:
            return "too_long"
        if any(copies(reply, said) for said in fans):
            return "echo"
        if injection_sign(reply) and any(map(injection_sign, fans)):
            return "steering"
    return None


def copies(reply: str, said: str) -> bool:
    """Whether most of the reply is a commenter's words."""
    text = shape(_MARKS.sub("", reply))
    run = COPIED_CJK if any(map(is_cjk, text)) else COPIED
    whole, runs = _runs(said, run)
    if not text or text == whole:
        return bool(text)
    copied = bytearray(len(text))
    for start in range(len(text) - run + 1):
        if text[start : start + run] in runs:
            copied[start : start + run] = b"\1" * run
    return sum(copied) * 2 > len(text)


@lru_cache(maxsize=32)
def _runs(said: str, run: int) -> tuple[str, frozenset[str]]:
    whole = shape(said)
    return whole, frozenset(whole[start : start + run] for start in range(len(whole) - run + 1))


@lru_cache(maxsize=256)
def shape(text: str) -> str:
    """Letters, digits and symbols in one form, in a row; a sign between two digits stays ("1.5" is not "15")."""
    return _SIGNS.sub("", fold(text))


def quick_shape(text: str) -> str:
    """A `shape` for what is long, such as a prompt: it sees through no disguise."""
    return _SIGNS.sub("", unicodedata.normalize("NFKC", text).casefold())


def edge_of(better: str, worse: str) -> tuple[str, str]:
    """By what the two texts are known; where their shapes are one, the difference is in what shapes leave out."""
    known = (_known(shape(better)), _known(shape(worse)))
    return (
        known if known[0] != known[1] else (_known(" ".join(better.split())), _known(" ".join(worse.split())))
    )


def _known(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:24] if text else NOTHING


def age_weight(at: datetime, now: datetime, half_life_days: float) -> float:
    days = max((now - at).total_seconds(), 0.0) / 86_400
    return float(0.5 ** (days / half_life_days))


def agreement(agreeing: int, against: int) -> float:
    """What a preference counts that `agreeing` reviewers have and `against` the opposite, on comments that ask the
    same: 1 for a reviewer alone, up to 2 where all agree, 2/3 where two differ. Twice the share of those who agree,
    with one more counted against them."""
    return 2 * agreeing / (agreeing + against + 1)


def enough(have: Mapping[str, int], new: int, settings: DataSettings) -> None:
    """`have`: rows by file. Raises TooLittle with all that is missing."""
    rows = have["sft.jsonl"] + have["sft-held.jsonl"]
    halves = have["pairs.jsonl"], have["pairs-judge.jsonl"], have["pairs-held.jsonl"]
    wanted = [
        ("new verdicts", new, settings.min_new, "min_new"),
        ("replies to imitate", rows, settings.min_rows, "min_rows"),
        ("preference pairs", sum(halves), settings.min_pairs, "min_pairs"),
    ]
    missing = [
        f"{found} {what} of {least} (training.data.{key}), {least - found} missing"
        for what, found, least, key in wanted
        if found < least
    ]
    if not missing and 0 in (*halves, have["sft.jsonl"]):
        missing = [
            f"the {sum(halves)} pairs and {rows} replies come from too few threads to be divided in training, "
            f"judge and held-out ({', '.join(map(str, halves))} pairs)"
        ]
    if missing:
        raise TooLittle(
            f"too little to learn from: {'; '.join(missing)}; judge more drafts on the review page"
        )
