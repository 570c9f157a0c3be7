"""What PPO is rewarded for: a weighted sum of parts (`[[training.rewards]]`), each a Scorer.

    reward(prompt, reply) = Σ weight · score(prompt, reply)

Only the reply is scored. The comment is part of the prompt that the preference model reads, and of nothing else.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import torch

from bot.checks import Code, Finding
from bot.checks.grounding import stated
from bot.training_settings import RewardPart, TrainingSettings
from bot.triage import is_blank
from training.cast import Cast
from training.classifier import Classifier, batches
from training.models import Base
from training.reading import PLAIN, Manners, findings, said, shows
from training.samples import Sample, Scorer
from training.scoring import scoring_inputs

UNCARRIED = frozenset(
    {
        Code.NUMBER, Code.PRICE, Code.UNIT, Code.DATE, Code.LINK, Code.EMAIL, Code.MENTION, Code.ADDRESS, Code.NAME,
        Code.UNSUPPORTED, Code.NEGATED,
    }
)  # fmt: skip
"""Findings about a statement that the sources do not make."""

_GREETING = re.compile(
    r"^\W*(?:(?:hi|hello|hey|dear|greetings|good (?:morning|afternoon|evening))\b|你好|您好|大家好|亲爱的|哈[喽啰罗])",
    re.IGNORECASE,
)
_SIGNATURE = re.compile(
    r"\b(?:(?:best|kind|warm) regards|sincerely yours|yours (?:sincerely|truly|faithfully))\b|此致|敬上"
    r"|\n\s*(?:—|–|--?)\s*[^\n.。!！?？]{1,40}$",
    re.IGNORECASE,
)


class Preference:
    """What the preference model gives the whole reply: the value of `role`'s head at the last token."""

    name = "preference"

    def __init__(self, cast: Cast, role: str, *, batch: int = 8) -> None:
        self._cast, self._role, self._batch = cast, role, batch

    def score(self, samples: Sequence[Sample]) -> list[float]:
        with torch.no_grad():
            return [value for some in batches(samples, self._batch) for value in self._values(some)]

    def _values(self, samples: Sequence[Sample]) -> list[float]:
        base = self._cast.base
        prompts = [fitting(one, base) for one in samples]
        inputs = scoring_inputs(base, prompts, [one.reply_ids for one in samples])
        values = self._cast.values(self._role, **inputs)
        read = inputs.get("decoder_attention_mask", inputs["attention_mask"])
        last = read.sum(1, keepdim=True) - 1
        return [float(value) for value in values.gather(1, last).squeeze(1)]


class Support:
    """Part of the reply's statements that passages, tools and post carry, by the service's checks: 0 to 1.

    A reply that states nothing ("I don't know", thanks) needs no support: 1. An empty one has 0.
    """

    name = "support"

    def score(self, samples: Sequence[Sample]) -> list[float]:
        return [support_of(one.text, findings(one.prompt, one.text)) for one in samples]


class Length:
    """0 within `shortest`..`longest` characters; below 0 by how much of the bound is missing or too much."""

    name = "length"

    def __init__(self, shortest: int, longest: int) -> None:
        self._shortest, self._longest = shortest, longest

    def score(self, samples: Sequence[Sample]) -> list[float]:
        return [self._of(len(said(one.text).text)) for one in samples]

    def _of(self, chars: int) -> float:
        if chars < self._shortest:
            return chars / self._shortest - 1
        return min(0.0, 1 - chars / self._longest)


class Signature:
    """-1 for a greeting or a signature: they are put around the reply, so that it would have them twice."""

    name = "signature"

    def __init__(self, manners: Manners) -> None:
        self._fixed = manners.fixed

    def score(self, samples: Sequence[Sample]) -> list[float]:
        return [-float(self._holds(said(one.text).text)) for one in samples]

    def _holds(self, text: str) -> bool:
        return (
            any(fixed in text for fixed in self._fixed)
            or _GREETING.search(text) is not None
            or _SIGNATURE.search(text) is not None
        )


class Banned:
    """-1 for a banned word, as `bot.checks` finds them."""

    name = "banned"

    def __init__(self, manners: Manners) -> None:
        self._manners = manners

    def score(self, samples: Sequence[Sample]) -> list[float]:
        return [-float(shows(findings(one.prompt, one.text, self._manners), Code.BANNED)) for one in samples]


class Composite:
    """The weighted sum. Names of parts are unique: a second part of the same name gets a number."""

    name = "reward"

    def __init__(self, parts: Sequence[tuple[float, Scorer]]) -> None:
        names = _unique([part.name for _, part in parts])
        self._parts = {name: part for name, (_, part) in zip(names, parts, strict=True)}
        self.weights: Mapping[str, float] = {
            name: weight for name, (weight, _) in zip(names, parts, strict=True)
        }

    def parts(self, samples: Sequence[Sample]) -> dict[str, list[float]]:
        """What each part gives, without its weight."""
        return {name: part.score(samples) for name, part in self._parts.items()}

    def total(self, parts: Mapping[str, Sequence[float]]) -> list[float]:
        """The rewards, of what `parts` gave."""
        rows = zip(*(parts[name] for name in self.weights), strict=True)
        return [sum(w * score for w, score in zip(self.weights.values(), row, strict=True)) for row in rows]

    def score(self, samples: Sequence[Sample]) -> list[float]:
        return self.total(self.parts(samples))


def composite(
    cast: Cast,
    role: str,
    settings: TrainingSettings,
    *,
    manners: Manners = PLAIN,
    extra: Sequence[Scorer] = (),
) -> Composite:
    """The parts of the settings, and `extra` ones of weight 1; without any, what the preference model says.

    `role` plays the preference model and has a head. Raises BadData.
    """
    wanted = settings.rewards or [RewardPart(kind="preference")]
    parts = [(part.weight, _scorer(part, cast, role, settings, manners)) for part in wanted]
    return Composite([*parts, *((1.0, one) for one in extra)])


def support_of(reply: str, found: Iterable[Finding]) -> float:
    """See `Support`. `found`: what the checks find in it."""
    text = said(reply).text
    if is_blank(text):
        return 0.0
    spans = stated(text)
    wrong = [one.span for one in found if one.code in UNCARRIED]
    carried = [span for span in spans if not any(a < span[1] and span[0] < b for a, b in wrong)]
    return len(carried) / len(spans) if spans else 1.0


def _scorer(part: RewardPart, cast: Cast, role: str, settings: TrainingSettings, manners: Manners) -> Scorer:
    batch = settings.ppo.micro_batch
    match part.kind:
        case "preference":
            return Preference(cast, role, batch=batch)
        case "classifier":
            return Classifier(part.model, part.label, cast.base.device, batch=batch)
        case "support":
            return Support()
        case "length":
            return Length(part.shortest, part.longest)
        case "signature":
            return Signature(manners)
        case "banned":
            return Banned(manners)


def _unique(names: Sequence[str]) -> list[str]:
    seen: Counter[str] = Counter()
    unique = []
    for name in names:
        seen[name] += 1
        unique.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return unique


def fitting(sample: Sample, base: Base) -> Sequence[int]:
    """The prompt, or the end of one that is too long for the model together with its reply."""
    if base.kind == "seq2seq":
        return sample.prompt_ids
    too_many = len(sample.prompt_ids) + len(sample.reply_ids) - base.max_tokens
    return sample.prompt_ids[max(too_many, 0) :]
