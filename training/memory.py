"""How much memory PPO takes, before any weights are loaded: an account by items, from a configuration alone.

    python -m training.memory [--base FOLDER] [--prompt 1024] [--gb 24]

What it counts is read off a dry run of the model (`training.dry_run`). Without `--base` that is one of 7B, in the
shape of Qwen2.5-7B.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from transformers import AutoConfig, Qwen2Config

from bot.training_settings import PpoSettings, TrainingSettings
from training.dry_run import Sizes, dry_run
from training.errors import BadBase
from training.logprobs import PIECE
from training.ppo import LOOK
from training.rollout import ROWS

GB = 1e9
NF4 = 0.5 + 1 / 64 + 4 / (64 * 256)
"""Bytes a weight: four bits, a scale of one byte for 64, and four bytes for 256 scales (bitsandbytes, double
quantization: https://arxiv.org/abs/2305.14314, section 3)."""
ADAPTER = 4
"""PEFT holds adapters in float32, whatever the base is in."""
TRAINED = ADAPTER + 4 + 8
"""The weight, its gradient, and AdamW's two moments."""
CONTEXT = int(0.6e9)
"""What CUDA and its libraries take before the first tensor."""
COPIES = 4
"""Of logits: as they are, in float32, their softmax, its gradient."""

Phase = Literal["always", "rollout", "update"]


@dataclass(frozen=True, slots=True)
class Item:
    name: str
    bytes: int
    phase: Phase = "always"
    """What is held in `rollout` is gone in `update`."""


def account(sizes: Sizes, settings: TrainingSettings, prompt: int) -> list[Item]:
    """What PPO holds on one device, for prompts of `prompt` tokens and replies of the full length."""
    return [
        Item("base model", _base_bytes(sizes, settings.load_4bit)),
        Item("one layer unpacked from 4 bits", sizes.number * sizes.largest if settings.load_4bit else 0),
        Item("reference and reward: adapters", 2 * ADAPTER * sizes.adapter),
        Item("policy and critic: adapters, gradients, AdamW", 2 * TRAINED * sizes.adapter),
        *_rollout(sizes, settings.ppo, prompt),
        *_update(sizes, settings, prompt),
        Item("CUDA itself", CONTEXT),
    ]


def peak(items: Sequence[Item]) -> int:
    """Bytes. Replies are written and learned from by turns."""
    held = {phase: sum(item.bytes for item in items if item.phase == phase) for phase in _PHASES}
    return held["always"] + max(held["rollout"], held["update"])


_PHASES: tuple[Phase, ...] = ("always", "rollout", "update")


def _base_bytes(sizes: Sizes, load_4bit: bool) -> int:
    if not load_4bit:
        return sizes.number * sizes.parameters
    return int(NF4 * sizes.quantized) + sizes.number * (sizes.parameters - sizes.quantized)


def _rollout(sizes: Sizes, ppo: PpoSettings, prompt: int) -> list[Item]:
    rows = min(ROWS, ppo.batch)
    cache = rows * (prompt + ppo.max_new_tokens) * sizes.cached * sizes.number
    # A step makes its layer's cache anew, a token longer, before it lets go of the old one.
    copied = cache // sizes.layers
    return [
        Item("rollout: KV cache", cache + copied, "rollout"),
        Item("rollout: reading the prompts", rows * prompt * sizes.passing, "rollout"),
        Item("rollout: logits of one token", rows * sizes.vocabulary * 4 * COPIES, "rollout"),
    ]


def _update(sizes: Sizes, settings: TrainingSettings, prompt: int) -> list[Item]:
    """The larger of the passes that look and those that learn."""
    ppo = settings.ppo
    a_token = max(LOOK * sizes.passing, sizes.checkpointed if settings.gradient_checkpointing else sizes.kept)
    tokens = ppo.micro_batch * (prompt + ppo.max_new_tokens)
    logits = min(PIECE, ppo.micro_batch * ppo.max_new_tokens * sizes.vocabulary)
    return [
        Item("update: activations and their gradients", tokens * a_token, "update"),
        Item("update: logits, a piece at a time", logits * 4 * COPIES, "update"),
    ]


def seven_b() -> Any:
    """In the shape of https://huggingface.co/Qwen/Qwen2.5-7B."""
    return Qwen2Config(
        hidden_size=3584,
        intermediate_size=18944,
        num_hidden_layers=28,
        num_attention_heads=28,
        num_key_value_heads=4,
        vocab_size=152064,
        max_position_embeddings=32768,
        tie_word_embeddings=False,
    )


def for_one_gpu() -> TrainingSettings:
    """What a GPU of 24 GB wants to be set for 7B."""
    return TrainingSettings.model_validate(
        {
            "load_4bit": True,
            "gradient_checkpointing": True,
            "precision": "bfloat16",
            "ppo": {"batch": 16, "micro_batch": 2, "max_new_tokens": 256},
        }
    )


def table(items: Sequence[Item], gb: float) -> str:
    """For people, in gigabytes (1e9 bytes)."""
    lines = [f"{item.name:<48}{item.bytes / GB:8.2f} GB  {item.phase}" for item in items]
    whole = peak(items) / GB
    fits = f"fits {gb:g} GB" if whole <= gb else f"more than {gb:g} GB"
    return "\n".join([*lines, f"{'at most at once':<48}{whole:8.2f} GB  {fits}"])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m training.memory", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--base", default="", help="folder of a model; default: the shape of Qwen2.5-7B")
    parser.add_argument("--prompt", type=int, default=1024, help="tokens of a prompt (default: 1024)")
    parser.add_argument("--gb", type=float, default=24.0, help="memory of the device (default: 24)")
    given = parser.parse_args(arguments)
    settings = for_one_gpu()
    try:
        config = AutoConfig.from_pretrained(given.base) if given.base else seven_b()
        run = dry_run(config, settings.lora)
    except (BadBase, OSError, ValueError) as error:
        sys.stderr.write(f"{given.base}: {' '.join(str(error).split())[:300]}\n")
        return 2
    items = account(run.sizes, settings, given.prompt)
    shapes = "".join(
        f"{role:<12}{run.roles[role]:>14,} parameters   gives {list(shape)}\n"
        for role, shape in run.shapes.items()
    )
    whole = {
        "parameters": run.sizes.parameters,
        "peak_bytes": peak(items),
        "fits": peak(items) <= given.gb * GB,
    }
    sys.stdout.write(f"{'base':<12}{run.sizes.parameters:>14,} parameters\n{shapes}\n")
    sys.stdout.write(f"{table(items, given.gb)}\n{json.dumps(whole)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
