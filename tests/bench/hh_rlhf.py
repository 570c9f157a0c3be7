"""What a tiny preference model learns of real preferences: the harmlessness pairs of Anthropic's hh-rlhf.

    python -m tests.bench.hh_rlhf [--data ../shared/eval] [--base FOLDER] [--seeds 0 1 2]

The file is divided here: of each conversation, told by its first turn, all pairs are on one side. Without --base the
model is a random Qwen3-style one with a tokenizer of the training side, so about chance is what to expect; how often
the longer or the shorter reply is the chosen one is printed beside it. The last line is JSON.
"""

import argparse
import gzip
import hashlib
import json
import re
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from bot.prompt import Message
from bot.training_settings import TrainingSettings
from training.models import quiet
from training.reward import train_reward
from training.rows import Pair, Prompt, write_rows
from training.run import Quiet

FILE = "hh-rlhf/harmless-pairs.jsonl.gz"
HELD_OUT = 0.2
ROLES = {"Human": "user", "Assistant": "assistant"}
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_TURN = re.compile(r"\n\n(Human|Assistant): ?")


def turns(text: str) -> list[Message]:
    parts = _TURN.split(text)[1:]
    return [
        {"role": ROLES[who], "content": said.strip()}
        for who, said in zip(parts[::2], parts[1::2], strict=True)
    ]


def read(file: Path) -> tuple[list[Pair], int]:
    """The pairs, and how many others have no common prompt or an empty reply."""
    found, other = [], 0
    with gzip.open(file, "rt", encoding="utf-8") as opened:
        for number, line in enumerate(opened):
            row = json.loads(line)
            chosen, rejected = turns(row["chosen"]), turns(row["rejected"])
            replies = chosen[-1]["content"], rejected[-1]["content"]
            if chosen[:-1] != rejected[:-1] or not all(replies) or replies[0] == replies[1]:
                other += 1
                continue
            extra = {"comment": chosen[0]["content"], "kind": "harmless", "language": "en", "row": number}
            found.append(Pair(Prompt(tuple(chosen[:-1]), extra), *replies))
    return found, other


def is_held(pair: Pair) -> bool:
    digest = hashlib.sha256(str(pair.prompt.extra["comment"]).encode()).digest()
    return int.from_bytes(digest[:4]) < HELD_OUT * 2**32


def build_base(folder: Path, pairs: Sequence[Pair], seed: int) -> str:
    """A random model of 0.8M parameters, two thirds of them embeddings; its tokenizer knows the training side only."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=4096,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((text for pair in pairs for text in (pair.chosen, pair.rejected)), trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=TEMPLATE,
    )
    torch.manual_seed(seed)
    config = Qwen3Config(
        vocab_size=len(fast),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        eos_token_id=fast.eos_token_id,
        pad_token_id=fast.pad_token_id,
        bos_token_id=None,
    )
    Qwen3ForCausalLM(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return str(folder)


def measure(pairs: Sequence[Pair], base: str, seed: int, rate: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="rejoinder-bench-") as name, quiet():
        folder = Path(name)
        taught, held = ([one for one in pairs if is_held(one) == side] for side in (False, True))
        write_rows(folder / "pairs.jsonl", taught)
        write_rows(folder / "held.jsonl", held)
        source = base or build_base(folder / "base", taught, seed)
        settings = TrainingSettings.model_validate(
            {
                "base": source,
                "trackers": [],
                "reward": {"learning_rate": rate, "epochs": 1.0, "batch": 16, "micro_batch": 8},
            }
        )
        return train_reward(
            source,
            folder / "pairs.jsonl",
            folder / "held.jsonl",
            folder / "reward",
            settings=settings,
            run=Quiet(seed),
            work=folder / "work",
        )


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    torch.set_num_threads(options.threads)
    pairs, other = read(options.data / FILE)
    held = [pair for pair in pairs if is_held(pair)]
    longer = statistics.fmean(
        (len(one.chosen) > len(one.rejected)) + (len(one.chosen) == len(one.rejected)) / 2 for one in held
    )
    print(f"{len(pairs)} pairs, {len(held)} of them held out; {other} left out without a common prompt")
    print(f"the longer reply is the chosen one in {longer:.3f} of the held-out pairs")
    found = []
    for seed in options.seeds:
        began = time.monotonic()
        one = measure(pairs, options.base, seed, options.rate)
        found.append(one)
        print(
            f"seed {seed}: accuracy {one['accuracy']:.3f} ({one['accuracy_low']:.3f}..{one['accuracy_high']:.3f}) "
            f"on {one['held_pairs']} pairs, train {one['train_accuracy']:.3f} on {one['pairs']}, "
            f"{one['left_out']}+{one['held_left_out']} too long, Brier {one['brier']:.3f}, "
            f"calibration error {one['calibration_error']:.3f}, {time.monotonic() - began:.0f} s",
            flush=True,
        )
    print(json.dumps(_summary(found, longer)))


def _summary(found: Sequence[dict[str, Any]], longer: float) -> dict[str, Any]:
    names = ("accuracy", "accuracy_low", "accuracy_high", "train_accuracy", "brier", "calibration_error")
    medians = {f"hh_{name}": round(statistics.median(one[name] for one in found), 4) for name in names}
    counts = {name: found[0][name] for name in ("pairs", "held_pairs", "left_out", "held_left_out")}
    return {**medians, "hh_longer": round(longer, 4), "seeds": len(found), **counts}


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/eval"), help="the folder above hh-rlhf")
    parser.add_argument("--base", default="", help="folder of a chat model; default: a tiny random one")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rate", type=float, default=1e-3, help="learning rate")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
