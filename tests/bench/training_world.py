"""What both sides of `make bench-training` learn on, and how both are measured: the demo's shop, in files.

The base is the demo's tiny model, trained from scratch; the reward model learns which of two replies the demo's hidden
taste likes better. Both sides begin with the same LoRA, which changes nothing yet.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import fmean

import torch

from bot.training_settings import TrainingSettings
from training.cast import Cast
from training.demo.base import base_folder
from training.demo.shop import Ask, asks
from training.demo.styles import indifferent
from training.demo.tastes import taste
from training.models import load_base
from training.reward import train_reward
from training.rollout import LocalSampler
from training.rows import Pair, Prompt, write_rows
from training.run import Quiet
from training.samples import Sample

PROMPTS, PAIRS, HELD = 640, 1200, 300
MAX_NEW_TOKENS = 48
SETTINGS = TrainingSettings.model_validate(
    {
        "device": "cpu",
        "trackers": [],
        "lora": {"rank": 16, "alpha": 32},
        "reward": {"learning_rate": 1e-3, "epochs": 1.0, "batch": 16, "micro_batch": 16},
    }
)


@dataclass(frozen=True)
class World:
    """All of one seed. `accuracy` is the reward model's, on pairs that it has not seen."""

    base: Path
    start: Path
    reward: Path
    prompts: Path
    held: list[Ask]
    accuracy: float


@dataclass(frozen=True)
class Measured:
    taste: float
    kl: float
    """Per sequence, from the start."""
    ended: float


def build(folder: Path, seed: int) -> World:
    """What of it is in `folder` already is taken from there."""
    folder.mkdir(parents=True, exist_ok=True)
    base = base_folder(folder, seed=seed)
    start, prompts = folder / "start", folder / "prompts.jsonl"
    random = Random(f"bench {seed}")
    learned, held = asks(PROMPTS, random), asks(HELD, random)
    if not prompts.exists():
        torch.manual_seed(seed)
        cast = Cast(load_base(str(base), SETTINGS))
        cast.add("start", SETTINGS.lora)
        cast.save("start", start)
        lines = [{"prompt": ask.messages(), "ids": cast.base.prompt_ids(ask.messages())} for ask in learned]
        prompts.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    accuracy = _reward(folder, base, seed, random)
    return World(base, start, folder / "reward", prompts, held, accuracy)


def _reward(folder: Path, base: Path, seed: int, random: Random) -> float:
    if not (folder / "reward").exists():
        for name, count in (("pairs", PAIRS), ("pairs-held", HELD)):
            write_rows(folder / f"{name}.jsonl", [pair(ask, random) for ask in asks(count, random)])
        train_reward(
            str(base),
            folder / "pairs.jsonl",
            folder / "pairs-held.jsonl",
            folder / "reward",
            settings=SETTINGS,
            run=Quiet(seed),
            work=folder / "work",
        )
    metrics = json.loads((folder / "reward" / "metrics.json").read_text("utf-8"))
    return float(metrics["accuracy"])


def pair(ask: Ask, random: Random) -> Pair:
    """Two replies in no manner in particular, of which the taste tells the better."""
    while True:
        one, other = indifferent(ask, random), indifferent(ask, random)
        better = taste(ask, one) - taste(ask, other)
        if better:
            chosen, rejected = (one, other) if better > 0 else (other, one)
            return Pair(Prompt(tuple(ask.messages())), chosen, rejected)


def measure(world: World, adapter: Path, seed: int) -> Measured:
    """Replies to the held prompts, one each, sampled as they are in the training."""
    cast = Cast(load_base(str(world.base), SETTINGS))
    cast.add("start", SETTINGS.lora, folder=world.start)
    cast.add("trained", SETTINGS.lora, folder=adapter)
    sampler = LocalSampler(cast, "trained", max_new_tokens=MAX_NEW_TOKENS, temperature=1.0)
    samples = sampler.sample([Prompt(tuple(ask.messages())) for ask in world.held], seed)
    tastes = [taste(ask, one.text, one.ended) for ask, one in zip(world.held, samples, strict=True)]
    return Measured(
        fmean(tastes), fmean(kl(cast, one) for one in samples), fmean(one.ended for one in samples)
    )


@torch.no_grad()
def kl(cast: Cast, sample: Sample) -> float:
    """KL of the two distributions at every token of the reply, summed: on average that of the sequences, with less
    noise than the log-ratio of what was drawn."""
    ids = torch.tensor([[*sample.prompt_ids, *sample.reply_ids]])[:, :-1]
    count = len(sample.reply_ids)
    trained, start = (
        cast.logits(role, input_ids=ids, logits_to_keep=count)[0].log_softmax(-1)
        for role in ("trained", "start")
    )
    return float((trained.exp() * (trained - start)).sum())
