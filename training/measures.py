"""What is measured of replies, beside rewards. The upper half is pure; the lower asks a cast."""

from collections import Counter
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from training.cast import Cast, padded
from training.rewards import fitting
from training.samples import Sample
from training.scoring import scoring_inputs

_LONGEST_RUN, _RECALL = 6, 2.0
_ROWS, _MOST = 32, 1 << 26
"""Replies, and logits (256 MB in float32), at a time."""


def agreement(reply: str, human: str) -> float:
    """How much of two texts is the same, 0 to 1: F-score of the runs of 1 to 6 characters, white space left out.

    Runs of characters need no words, so that Chinese counts like English. chrF, Popović 2015, W15-3049 of the ACL
    anthology: recall counts twice, and runs longer than the shorter text are left out.
    """
    ours, theirs = "".join(reply.casefold().split()), "".join(human.casefold().split())
    if not ours or not theirs:
        return float(ours == theirs)
    longest = min(_LONGEST_RUN, len(ours), len(theirs))
    pairs = [(_runs(ours, size), _runs(theirs, size)) for size in range(1, longest + 1)]
    precision = _average([_shared(a, b) / a.total() for a, b in pairs])
    recall = _average([_shared(a, b) / b.total() for a, b in pairs])
    weight = _RECALL**2
    whole = weight * precision + recall
    return (1 + weight) * precision * recall / whole if whole else 0.0


def distinct(texts: Sequence[str]) -> float:
    """Part of the texts that stands there for the first time, 0 to 1."""
    return len({" ".join(text.split()) for text in texts}) / len(texts) if texts else 0.0


def distinct_runs(texts: Sequence[str], size: int = 4) -> float:
    """The same of all runs of `size` characters in all texts."""
    runs: Counter[str] = Counter()
    for text in texts:
        runs += _runs("".join(text.split()), size)
    return len(runs) / runs.total() if runs else 0.0


def _runs(text: str, size: int) -> Counter[str]:
    return Counter(text[start : start + size] for start in range(len(text) - size + 1))


def _shared(one: Counter[str], other: Counter[str]) -> int:
    return (one & other).total()


def _average(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def divergences(
    cast: Cast, role: str | None, reference: str | None, samples: Sequence[Sample]
) -> list[float]:
    """KL(role ‖ reference) over the whole vocabulary at each token, summed over a reply: nats, never negative.

    Exact at the places that the replies pass, where log π/π_ref of the tokens drawn would be an estimate.
    """
    both = zip(_log_shares(cast, role, samples), _log_shares(cast, reference, samples), strict=True)
    return [float((ours.exp() * (ours - theirs)).sum()) for ours, theirs in both]


def likelihoods(cast: Cast, role: str | None, samples: Sequence[Sample]) -> list[float]:
    """Mean log-probability of each reply's tokens: a sum would call every longer reply the worse one."""
    return [
        float(shares.gather(1, torch.tensor(one.reply_ids, device=shares.device).unsqueeze(1)).mean())
        for one, shares in zip(samples, _log_shares(cast, role, samples), strict=True)
    ]


def _log_shares(cast: Cast, role: str | None, samples: Sequence[Sample]) -> Iterator[Tensor]:
    """Log-probabilities in front of each token of each reply: [R, vocabulary], float32."""
    longest = max((len(one.reply_ids) for one in samples), default=1)
    rows = min(_ROWS, max(1, _MOST // (longest * len(cast.base.tokenizer))))
    for start in range(0, len(samples), rows):
        some = samples[start : start + rows]
        with torch.no_grad():
            logits = _logits(cast, role, some)
        for one, said in zip(some, logits, strict=True):
            yield said[: len(one.reply_ids)].float().log_softmax(-1)


def _logits(cast: Cast, role: str | None, samples: Sequence[Sample]) -> list[Tensor]:
    """[R or more, vocabulary] each, the reply's first token first."""
    base, counts = cast.base, [len(one.reply_ids) for one in samples]
    if base.kind == "seq2seq":
        begun = [one.reply_ids[:-1] for one in samples]
        return list(cast.logits(role, **scoring_inputs(base, [one.prompt_ids for one in samples], begun)))
    whole = [(*fitting(one, base), *one.reply_ids) for one in samples]
    ids, mask = padded(whole, base.pad_id, left=True, device=base.device)
    places = (mask.cumsum(1) - 1).clamp(min=0)
    kept = max(counts) + 1
    logits = cast.logits(role, input_ids=ids, attention_mask=mask, position_ids=places, logits_to_keep=kept)
    return [row[kept - 1 - count : kept - 1] for row, count in zip(logits, counts, strict=True)]
