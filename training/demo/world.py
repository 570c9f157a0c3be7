"""The demo's world by itself, for whoever measures trainers on it: `tests/bench/training.py` does.

    found = world(folder, seed=0)      # trains the tiny base once for each seed, then takes it from `folder`
    found.base                         # folder of the base model, in Hugging Face's format
    found.train, found.held            # prompts: to learn on, and never seen by anything
    found.sft, found.sft_held          # replies that the creator approved or wrote, as rows
    found.pairs, found.pairs_held      # her preferences between drafts of the base, as rows
    found.taste(prompt, text, ended)   # 0..1, what she likes, which no model has seen

The rows are what a night's snapshot makes of the ledger (`bot.feedback`), without its guards and weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.prompt import prompt_hash
from bot.training_settings import TrainingSettings
from training.cast import Cast
from training.demo.base import TINY, Progress, Size, base_folder
from training.demo.days import Case, decided
from training.demo.shop import Ask, asks, dice
from training.demo.tastes import taste
from training.models import load_base
from training.rollout import LocalSampler
from training.rows import Pair, Prompt, Supervised
from training.samples import Sample

DRAFTS = 4
"""To one comment."""
MAX_NEW_TOKENS = 48
HELD = 0.2


@dataclass(frozen=True, slots=True)
class World:
    """One seed's world."""

    seed: int
    base: Path
    train: list[Prompt]
    held: list[Prompt]
    sft: list[Supervised]
    sft_held: list[Supervised]
    pairs: list[Pair]
    pairs_held: list[Pair]
    asked: dict[str, Ask]
    """By the hash of their prompt."""

    def taste(self, prompt: Prompt, text: str, ended: bool = True) -> float:
        """What Mira thinks of a reply to one of these prompts: 0..1. Raises KeyError for another prompt."""
        return taste(self.asked[prompt_hash(prompt.messages)], text, ended)


def world(
    folder: Path,
    *,
    seed: int,
    comments: int = 400,
    held: int = 128,
    size: Size = TINY,
    progress: Progress = lambda done, total: None,
) -> World:
    """The world of `seed`: the base below `folder`, `comments` that the creator has judged four drafts to each of,
    and `held` prompts beside. Raises NoRoom, OSError.
    """
    base = base_folder(folder, seed=seed, size=size, progress=progress)
    random = dice(f"world {seed}")
    seen, fresh = asks(comments, random), asks(held, random)
    cases = decided(seen, drafts(base, seen, seed=seed), random)
    learned = cases[: round(len(cases) * (1 - HELD))]
    kept = cases[len(learned) :]
    return World(
        seed=seed,
        base=base,
        train=[prompt_of(one.ask) for one in learned],
        held=[prompt_of(one) for one in fresh],
        sft=_supervised(learned),
        sft_held=_supervised(kept),
        pairs=_pairs(learned),
        pairs_held=_pairs(kept),
        asked={prompt_hash(one.messages()): one for one in (*seen, *fresh)},
    )


def prompt_of(ask: Ask) -> Prompt:
    return Prompt(tuple(ask.messages()), {"language": ask.language})


def drafts(base: Path, asked: Sequence[Ask], *, seed: int, voice: Path | None = None) -> list[list[str]]:
    """What the service would show for each comment: `DRAFTS` replies of the voice, without those that do not end."""
    samples = written(base, [prompt_of(ask) for ask in asked for _ in range(DRAFTS)], seed=seed, voice=voice)
    rows = [samples[at : at + DRAFTS] for at in range(0, len(samples), DRAFTS)]
    return [[one.text for one in row if one.ended] for row in rows]


def written(base: Path, prompts: Sequence[Prompt], *, seed: int, voice: Path | None = None) -> list[Sample]:
    """One reply to each prompt, at temperature 1; `voice`: folder of the adapter, None: the base as it is."""
    settings = TrainingSettings(device="cpu")
    cast = Cast(load_base(str(base), settings))
    if voice is not None:
        cast.add("voice", settings.lora, folder=voice)
    sampler = LocalSampler(
        cast, None if voice is None else "voice", max_new_tokens=MAX_NEW_TOKENS, temperature=1.0
    )
    samples: list[Sample] = sampler.sample(prompts, seed)
    return samples


def _supervised(cases: Sequence[Case]) -> list[Supervised]:
    return [Supervised(prompt_of(one.ask), one.judgement.text) for one in cases if one.judgement.text]


def _pairs(cases: Sequence[Case]) -> list[Pair]:
    return [
        Pair(prompt_of(case.ask), better, worse)
        for case in cases
        for better, worse in compared(case)
        if better != worse
    ]


def compared(case: Case) -> list[tuple[str, str]]:
    """Better and worse, as `bot.feedback.pairs` tells them from the verdict."""
    made = case.judgement
    others = [text for place, text in enumerate(case.drafts) if place != made.chosen]
    if made.kind == "approve":
        return [(made.text, other) for other in others]
    if made.kind == "reject":
        return [(made.text, text) for text in case.drafts] if made.text else []
    middle = case.drafts[made.chosen]
    return [(made.text, text) for text in case.drafts] + [(middle, other) for other in others]
