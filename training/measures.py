"""What is measured of replies, beside rewards. The upper half is pure; the lower asks a cast."""

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from training.cast import Cast
from training.samples import Sample

_LONGEST_RUN, _RECALL = 6, 2.0


def agreement(reply: str, human: str) -> float:
    """How much of two texts is the same, 0 to 1: F-score of the runs of 1 to 6 characters, white space left out.

    Runs of characters need no words, so that Chinese counts like English. chrF, Popović 2015, aclanthology.org/W15-3049:
    recall counts twice, what a text is too short for is left out.
    """
    ours, theirs = "".join(reply.casefold().split()), "".join(human.casefold().split())
    if not ours or not theirs:
        return float(ours == theirs)
    longest = min(_LONGEST_RUN, max(len(ours), len(theirs)))
    pairs = [(_runs(ours, size), _runs(theirs, size)) for size in range(1, longest + 1)]
    precision = _average([_shared(a, b) / max(a.total(), 1) for a, b in pairs])
    recall = _average([_shared(a, b) / max(b.total(), 1) for a, b in pairs])
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


@torch.no_grad()
def divergence(cast: Cast, role: str | None, reference: str | None, sample: Sample) -> float:
    """KL(role ‖ reference) over the whole vocabulary at each token of the reply, summed: never negative, in nats.

    Exact at the places that the reply passes, where log π/π_ref of the tokens drawn would be an estimate.
    """
    ours = log_shares(cast, role, sample.prompt_ids, sample.reply_ids)
    theirs = log_shares(cast, reference, sample.prompt_ids, sample.reply_ids)
    return float((ours.exp() * (ours - theirs)).sum())


@torch.no_grad()
def likelihood(cast: Cast, role: str | None, prompt_ids: Sequence[int], reply_ids: Sequence[int]) -> float:
    """Mean log-probability of a token of the reply: a sum would call every longer text the worse one."""
    shares = log_shares(cast, role, prompt_ids, reply_ids)
    tokens = torch.tensor(reply_ids, device=shares.device).unsqueeze(1)
    return float(shares.gather(1, tokens).mean())


def log_shares(
    cast: Cast, role: str | None, prompt_ids: Sequence[int], reply_ids: Sequence[int]
) -> Tensor:
    """Log-probabilities of the whole vocabulary in front of each token of the reply: [R, vocabulary], float32."""
    base, count = cast.base, len(reply_ids)
    if base.kind == "seq2seq":
        start = base.model.config.decoder_start_token_id
        logits = cast.logits(
            role,
            input_ids=_row(prompt_ids, base.device),
            decoder_input_ids=_row([base.pad_id if start is None else start, *reply_ids[:-1]], base.device),
        )[0]
    else:
        # Of what is too long, the prompt's beginning goes first.
        ids = [*prompt_ids, *reply_ids][-base.max_tokens :]
        logits = cast.logits(role, input_ids=_row(ids, base.device), logits_to_keep=count + 1)[0, :-1]
    return logits[-count:].float().log_softmax(-1)


def _row(ids: Sequence[int], device: torch.device) -> Tensor:
    return torch.tensor([list(ids)], device=device)
