"""How well the preference model knows what Mira likes.

A night measures it by verdicts. Among those are slips of hers, and drafts that she likes equally, of which she takes
one: nobody can foresee that. Here only those held-out pairs count in which she does like one reply more, by her written
tastes.
"""

from collections.abc import Iterable
from pathlib import Path

from bot.prompt import prompt_hash
from bot.training_settings import TrainingSettings
from training.cast import Cast
from training.demo.shop import Ask
from training.demo.tastes import taste
from training.models import load_base
from training.rewards import Preference
from training.rows import Pair, read_pairs
from training.samples import Sample

BATCH = 64
_ROLE = "reward"


def agreement(
    base: Path, reward: Path, pairs: Path, asked: Iterable[Ask], settings: TrainingSettings
) -> float:
    """Part of the pairs in `pairs`, a file of the night's snapshot, in which the model in `reward` likes better what
    she does; nan where she likes all equally. `asked`: every comment that they may be of. Raises BadBase, BadData.
    """
    of = {prompt_hash(one.messages()): one for one in asked}
    told = [
        (pair, taste(ask, pair.chosen) - taste(ask, pair.rejected))
        for pair in read_pairs(pairs)
        if (ask := of.get(prompt_hash(pair.prompt.messages))) is not None
    ]
    told = [(pair, better) for pair, better in told if better]
    found = _margins(base, reward, [pair for pair, _ in told], settings)
    right = [margin * better > 0 for margin, (_, better) in zip(found, told, strict=True)]
    return sum(right) / len(right) if right else float("nan")


def _margins(base: Path, reward: Path, pairs: list[Pair], settings: TrainingSettings) -> list[float]:
    cast = Cast(load_base(str(base), settings))
    cast.add(_ROLE, settings.lora, folder=reward, head=True)
    scorer = Preference(cast, _ROLE, batch=BATCH)
    chosen = scorer.score([_sample(cast, pair, pair.chosen) for pair in pairs])
    rejected = scorer.score([_sample(cast, pair, pair.rejected) for pair in pairs])
    return [one - other for one, other in zip(chosen, rejected, strict=True)]


def _sample(cast: Cast, pair: Pair, text: str) -> Sample:
    base = cast.base
    prompt, reply = base.prompt_ids(pair.prompt.messages), base.reply_ids(text)
    return Sample(pair.prompt, tuple(prompt), tuple(reply), text, ended=True)
