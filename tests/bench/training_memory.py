"""Memory of both sides on a base of 150 million parameters with random numbers: what a few steps take at most, above
what the imports alone take. Each side in a process of its own.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import Qwen3Config, Qwen3ForCausalLM

from bot.training_settings import LoraSettings, TrainingSettings
from tests.bench.training_job import Job
from training.cast import Cast
from training.models import load_base

PROMPT, REPLY = 128, 32
"""Tokens."""
WORDS = 50_000


def job_of(folder: Path, threads: int) -> Job:
    """Writes the base and what belongs to it. Two batches of 8 episodes, all at a time."""
    base, start, reward = (str(folder / name) for name in ("base", "start", "reward"))
    _base(folder)
    settings = TrainingSettings(device="cpu")
    cast = Cast(load_base(base, settings))
    cast.add("start", LoraSettings())
    cast.save("start", Path(start))
    cast.save("start", Path(reward))
    save_file({"weight": torch.randn(1, cast.base.hidden) * 0.02}, folder / "reward" / "head.safetensors")
    prompts = folder / "prompts.jsonl"
    prompts.write_text("".join(json.dumps(_prompt(cast, number)) + "\n" for number in range(32)), "utf-8")
    return Job(
        base=base, start=start, reward=reward, prompts=str(prompts), out="", seed=0, batches=2, batch=8, micro_batch=8,
        look_batch=8, max_new_tokens=REPLY, learning_rate=1e-4, threads=threads,
    )  # fmt: skip


def both(job: Job, folder: Path) -> dict[str, Job]:
    return {side: replace(job, out=str(folder / side / "out")) for side in ("ours", "trl")}


def _base(folder: Path) -> None:
    tokenizer = _tokenizer()
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=768, intermediate_size=2048, num_hidden_layers=16,
        num_attention_heads=12, num_key_value_heads=12, head_dim=64, tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, bos_token_id=None,
    )  # fmt: skip
    Qwen3ForCausalLM(config).save_pretrained(folder / "base")
    tokenizer.save_pretrained(folder / "base")


def _tokenizer() -> Any:
    """One token for each number as a word."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = {"<pad>": 0, "<eos>": 1, "<unk>": 2} | {str(number): number for number in range(3, WORDS)}
    raw = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>"
    )


def _prompt(cast: Cast, number: int) -> dict[str, Any]:
    """Without a chat template, a message is its text."""
    text = " ".join(str(3 + (number * PROMPT + word) % (WORDS - 3)) for word in range(PROMPT))
    messages = [{"role": "user", "content": text}]
    return {"prompt": messages, "ids": cast.base.prompt_ids(messages)}
