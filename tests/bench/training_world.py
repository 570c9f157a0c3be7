"""What both sides of `make bench-training` learn on, and how both are measured: the demo's shop, in files.

The base is the demo's tiny model, trained from scratch; the reward model learns from what the simulated creator
decided about its drafts. Both sides begin with the same LoRA, which changes nothing yet.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import torch

from training.cast import Cast
from training.demo import world as demo
from training.demo.settings import TRAINING
from training.models import load_base
from training.reward import train_reward
from training.rows import write_rows
from training.run import Quiet
from training.samples import Sample

COMMENTS, HELD = 400, 256
SETTINGS = TRAINING
"""The demo's own."""


@dataclass(frozen=True)
class World:
    """Files of one seed, and the world that they come from."""

    base: Path
    start: Path
    """An adapter that changes nothing."""
    reward: Path
    prompts: Path
    """As `tests.bench.training_job.Job` wants them."""
    shop: demo.World
    accuracy: float
    """Of the reward model, on pairs that it has not seen."""


@dataclass(frozen=True)
class Measured:
    taste: float
    kl: float
    """Per sequence, from the start."""
    ended: float
    distinct: float


def build(folder: Path, seed: int) -> World:
    """The base and the reward model are trained where `folder` has none of this seed yet."""
    folder = folder / str(seed)
    folder.mkdir(parents=True, exist_ok=True)
    shop = demo.world(folder, seed=seed, comments=COMMENTS, held=HELD)
    start, prompts = folder / "start", folder / "prompts.jsonl"
    torch.manual_seed(seed)
    cast = Cast(load_base(str(shop.base), SETTINGS))
    cast.add("start", SETTINGS.lora)
    cast.save("start", start)
    lines = [{"prompt": one.messages, "ids": cast.base.prompt_ids(one.messages)} for one in shop.train]
    prompts.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return World(shop.base, start, folder / "reward", prompts, shop, _reward(folder, shop))


def _reward(folder: Path, shop: demo.World) -> float:
    out = folder / "reward"
    if not out.exists():
        write_rows(folder / "pairs.jsonl", shop.pairs)
        write_rows(folder / "pairs-held.jsonl", shop.pairs_held)
        train_reward(
            str(shop.base),
            folder / "pairs.jsonl",
            folder / "pairs-held.jsonl",
            out,
            settings=SETTINGS,
            run=Quiet(shop.seed),
            work=folder / "work",
        )
    return float(json.loads((out / "metrics.json").read_text("utf-8"))["accuracy"])


def measure(world: World, adapter: Path) -> Measured:
    """One reply to each held prompt, sampled as they are in the training."""
    shop = world.shop
    samples = demo.written(world.base, shop.held, seed=shop.seed, voice=adapter)
    tastes = [shop.taste(one.prompt, one.text, one.ended) for one in samples]
    return Measured(
        fmean(tastes),
        kl(world, adapter, samples),
        fmean(one.ended for one in samples),
        len({one.text for one in samples}) / len(samples),
    )


@torch.no_grad()
def kl(world: World, adapter: Path, samples: Sequence[Sample]) -> float:
    """KL of the two distributions at every token, summed over the reply: on average that of the sequences, with less
    noise than the log-ratio of what was drawn.
    """
    cast = Cast(load_base(str(world.base), SETTINGS))
    cast.add("start", SETTINGS.lora, folder=world.start)
    cast.add("trained", SETTINGS.lora, folder=adapter)
    return fmean(_kl(cast, one) for one in samples)


def _kl(cast: Cast, sample: Sample) -> float:
    ids = torch.tensor([[*sample.prompt_ids, *sample.reply_ids]])[:, :-1]
    count = len(sample.reply_ids)
    trained, start = (
        cast.logits(role, input_ids=ids, logits_to_keep=count)[0].log_softmax(-1)
        for role in ("trained", "start")
    )
    return float((trained.exp() * (trained - start)).sum())
