"""What verdicts teach: replies to imitate, and pairs of a better and a worse reply. Pure.

- An approved or edited reply is one to imitate.
- An edit: the final text is better than the draft that was edited. So are all other candidates worse than either.
- A choice among several candidates: the chosen one is better than each of the others that were shown.
- A rejection followed by a written answer: that answer is better than what was rejected.

The approval of an only candidate, a skip, and a verdict that was taken back make no pair.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from typing import Literal

from bot.models import Draft, Verdict

PairKind = Literal["edit", "choice", "reject"]
SupervisedKind = Literal["approve", "edit", "reject"]


@dataclass(frozen=True, slots=True)
class Supervised:
    """A reply that a person stood behind, as it went out; or, of kind `reject`, one that a person refused."""

    comment_id: int
    draft_id: int
    """Whose prompt it answers."""
    verdict_id: int
    at: datetime
    by: str
    kind: SupervisedKind
    text: str


@dataclass(frozen=True, slots=True)
class Pair:
    """Two replies to one prompt, of which a person preferred the first."""

    comment_id: int
    draft_id: int
    """Whose prompt both answer."""
    verdict_id: int
    """The verdict that settled it."""
    at: datetime
    by: str
    kind: PairKind
    chosen: str
    rejected: str


def counted(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Those that teach something, oldest first: about a draft, and not taken back."""
    kinds = ("approve", "edit", "reject")
    kept = [
        one for one in verdicts if one.undone_at is None and one.kind in kinds and one.draft_id is not None
    ]
    return sorted(kept, key=_order)


def supervised(verdicts: Iterable[Verdict], drafts: Mapping[int, Draft]) -> list[Supervised]:
    """One for each approval and each edit, in their order; `drafts` by id. The same text to the same draft once.

    An answer written where there was no draft is left out: no passages were kept for it, and learning it would mean
    to learn stating facts that stand nowhere.
    """
    last = {(row.draft_id, _plain(row.text)): row for row in endorsed(verdicts, drafts)}
    return sorted(last.values(), key=lambda row: (row.at, row.verdict_id))


def endorsed(verdicts: Iterable[Verdict], drafts: Mapping[int, Draft]) -> list[Supervised]:
    """Every approval and edit for itself, in their order, also where several are of the same text."""
    return [
        _thought(one, "approve" if one.kind == "approve" else "edit", one.text)
        for one in counted(verdicts)
        if one.kind != "reject" and one.text.strip() and one.draft_id in drafts
    ]


def refused(verdicts: Iterable[Verdict], drafts: Mapping[int, Draft]) -> list[Supervised]:
    """Every text that was rejected, in their order."""
    return [
        _thought(one, "reject", text)
        for one in counted(verdicts)
        if one.kind == "reject" and one.draft_id in drafts
        for text in _shown(one, drafts)
        if text.strip()
    ]


def pairs(verdicts: Iterable[Verdict], drafts: Mapping[int, Draft]) -> list[Pair]:
    """All that the verdicts on one comment, or on many, say by comparison; `drafts` by id. See `settled`."""
    return settled(compared(verdicts, drafts))


def compared(verdicts: Iterable[Verdict], drafts: Mapping[int, Draft]) -> list[Pair]:
    """Every comparison of every verdict, also those that repeat or contradict each other."""
    found: list[Pair] = []
    rejections: dict[int, list[Verdict]] = {}
    for one in counted(verdicts):
        if one.kind == "reject":
            rejections.setdefault(one.comment_id, []).append(one)
            continue
        found += _of_ranking(one, _ranking(one, drafts))
        if one.kind == "edit":
            for rejection in rejections.pop(one.comment_id, []):
                found += _over_rejected(one, rejection, drafts)
    return list(dict.fromkeys(found))


def settled(found: Iterable[Pair]) -> list[Pair]:
    """Each comparison once, oldest first; where two contradict each other, the later counts."""
    last = {(one.draft_id, matter(one.chosen, one.rejected)): one for one in sorted(found, key=_pair_order)}
    return sorted(last.values(), key=_pair_order)


def matter(chosen: str, rejected: str) -> str:
    """The same for all comparisons of these two texts, whichever is preferred: SHA-256 in hexadecimal."""
    both = sorted((_plain(chosen), _plain(rejected)))
    return hashlib.sha256("\0".join(both).encode("utf-8", "backslashreplace")).hexdigest()


def same(one: str, other: str) -> bool:
    """Whether two texts differ in white space only."""
    return _plain(one) == _plain(other)


def _order(verdict: Verdict) -> tuple[datetime, int]:
    return verdict.at, verdict.id or 0


def _pair_order(pair: Pair) -> tuple[datetime, int]:
    return pair.at, pair.verdict_id


def _plain(text: str) -> str:
    return " ".join(text.split())


def _thought(verdict: Verdict, kind: SupervisedKind, text: str) -> Supervised:
    origin = (verdict.comment_id, verdict.draft_id or 0, verdict.id or 0, verdict.at, verdict.by)
    return Supervised(*origin, kind, text)


def _shown(verdict: Verdict, drafts: Mapping[int, Draft]) -> list[str]:
    """What stood on the screen; before candidates were kept, that was the draft's text."""
    if verdict.candidates:
        return verdict.candidates
    draft = drafts.get(verdict.draft_id or 0)
    return [draft.text] if draft is not None else []


def _chosen(verdict: Verdict, shown: Sequence[str]) -> str | None:
    """The candidate that was approved or edited; None where the text was written anew."""
    if verdict.chosen is not None and 0 <= verdict.chosen < len(shown):
        return shown[verdict.chosen]
    return shown[0] if len(shown) == 1 else None


def _ranking(verdict: Verdict, drafts: Mapping[int, Draft]) -> list[list[str]]:
    """Texts in ranks, best first; within a rank nobody compared."""
    shown = _shown(verdict, drafts)
    chosen = _chosen(verdict, shown)
    best = [verdict.text] if verdict.text.strip() else []
    middle = [chosen] if chosen is not None else []
    above = {_plain(text) for text in (*best, *middle)}
    return [best, middle, [text for text in shown if _plain(text) not in above]]


def _of_ranking(verdict: Verdict, ranks: Sequence[Sequence[str]]) -> list[Pair]:
    kind: PairKind = "edit" if verdict.kind == "edit" else "choice"
    return [
        pair
        for better, worse in combinations(ranks, 2)
        for chosen in better
        for rejected in worse
        for pair in _pair(verdict, verdict.draft_id, kind, chosen, rejected)
    ]


def _over_rejected(answer: Verdict, rejection: Verdict, drafts: Mapping[int, Draft]) -> list[Pair]:
    """The pairs' prompt is the rejected draft's: that is what the worse text was written from."""
    return [
        pair
        for text in _shown(rejection, drafts)
        for pair in _pair(answer, rejection.draft_id, "reject", answer.text, text)
    ]


def _pair(verdict: Verdict, draft_id: int | None, kind: PairKind, chosen: str, rejected: str) -> list[Pair]:
    if same(chosen, rejected) or not chosen.strip() or not rejected.strip():
        return []
    origin = (verdict.comment_id, draft_id or 0, verdict.id or 0, verdict.at, verdict.by)
    return [Pair(*origin, kind, chosen, rejected)]
