"""What the tests of the training share: a base model small enough to train in seconds, and rows to train it on."""

import gc
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from bot.prompt import Message
from bot.training_settings import TrainingSettings
from training.rows import Pair, Prompt, Supervised, write_rows

NEEDED = ("torch", "transformers", "peft", "trl", "datasets")
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""As Qwen's, without its tools."""
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
QUESTIONS = {
    "en": [
        "When is the next video?",
        "Which lens do you use?",
        "Is the recipe free?",
        "How long does it take?",
    ],
    "zh": ["下一个视频什么时候出？", "你用什么镜头？", "食谱免费吗？", "要多长时间？"],
}
GOOD = {
    "en": ["On Friday.", "A 35mm lens.", "Yes, it is free.", "Ten minutes."],
    "zh": ["星期五。", "35毫米镜头。", "是的，免费。", "十分钟。"],
}
BAD = {
    "en": ["Dear friend, thanks for asking!", "Great question, dear friend!"],
    "zh": ["亲爱的朋友，谢谢提问！", "好问题，亲爱的朋友！"],
}
SYSTEM = {"en": "Answer in one sentence.", "zh": "用一句话回答。"}


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Models this small lose more to waiting for each other's threads than they gain."""
    if importlib.util.find_spec("torch") is not None:
        import torch

        torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Folder of a Qwen3-style chat model with random weights: 2 layers, hidden 32, about 400 tokens."""
    for name in NEEDED:
        pytest.importorskip(name)
    folder = str(build_base(tmp_path_factory.mktemp("tiny-base")))
    gc.freeze()  # trainers collect garbage as they begin, through all that these libraries hold
    return folder


@pytest.fixture
def tiny_settings(tiny_base: str) -> TrainingSettings:
    return small_settings(tiny_base)


@pytest.fixture
def supervised_file(tmp_path: Path) -> Path:
    """Sixteen short replies, half of them Chinese."""
    return rows_file(tmp_path / "sft.jsonl", supervised_rows(16))


@pytest.fixture
def pairs_file(tmp_path: Path) -> Path:
    """Sixteen pairs, a short answer before a greeting, half of them Chinese."""
    return rows_file(tmp_path / "pairs.jsonl", pair_rows(16))


def build_base(folder: Path, *, seed: int = 0, hidden: int = 32, layers: int = 2, **changes: Any) -> Path:
    """Write a Qwen3-style model and its tokenizer into `folder`; `changes` are fields of its configuration."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    from training.models import quiet

    tokenizer = build_tokenizer()
    config = Qwen3Config(
        **{
            "vocab_size": len(tokenizer),
            "hidden_size": hidden,
            "intermediate_size": 2 * hidden,
            "num_hidden_layers": layers,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "head_dim": hidden // 2,
            "max_position_embeddings": 512,
            "tie_word_embeddings": True,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            "bos_token_id": None,
            **changes,
        }
    )
    torch.manual_seed(seed)
    with quiet():
        Qwen3ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def build_tokenizer(*, template: str | None = TEMPLATE, vocabulary: int = 400) -> Any:
    """Bytes joined to the commonest pairs of the texts above; pad is `<|endoftext|>`, a turn ends with `<|im_end|>`."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [text for part in (QUESTIONS, GOOD, BAD) for language in part.values() for text in language]
    tokenizer.train_from_iterator([*texts, *SYSTEM.values(), "system\nuser\nassistant\n"] * 4, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>"],
        chat_template=template,
        model_max_length=512,
    )


def small_settings(base: str, **changes: Any) -> TrainingSettings:
    """Settings under which a tiny model trains in a second; `changes` replace fields or whole parts."""
    return TrainingSettings.model_validate(
        {
            "base": base,
            "device": "cpu",
            "trackers": [],
            "lora": {"rank": 4, "alpha": 8},
            "sft": {"learning_rate": 1e-2, "epochs": 1.0, "batch": 4, "micro_batch": 4},
            "reward": {"learning_rate": 1e-2, "epochs": 1.0, "batch": 4, "micro_batch": 4},
            "ppo": {"batches": 2, "batch": 4, "micro_batch": 4, "max_new_tokens": 8, "learning_rate": 1e-3},
            **changes,
        }
    )


def make_prompt(number: int, language: str | None = None, **extra: Any) -> Prompt:
    """The `number`-th question; English and Chinese take turns unless `language` says which."""
    language = language or ("en", "zh")[number % 2]
    questions = QUESTIONS[language]
    messages: tuple[Message, ...] = (
        {"role": "system", "content": SYSTEM[language]},
        {"role": "user", "content": f"{questions[number // 2 % len(questions)]} ({number})"},
    )
    return Prompt(messages, {"language": language, "kind": "edit", "comment": number, **extra})


def supervised_rows(count: int, *, first: int = 0) -> list[Supervised]:
    rows = []
    for number in range(first, first + count):
        prompt = make_prompt(number)
        rows.append(Supervised(prompt, _one_of(GOOD[prompt.extra["language"]], number)))
    return rows


def pair_rows(count: int, *, first: int = 0) -> list[Pair]:
    """A person with one taste: answers, and no greetings."""
    rows = []
    for number in range(first, first + count):
        prompt = make_prompt(number)
        language = prompt.extra["language"]
        rows.append(Pair(prompt, _one_of(GOOD[language], number), _one_of(BAD[language], number)))
    return rows


def rows_file(file: Path, rows: list[Supervised] | list[Pair]) -> Path:
    write_rows(file, rows)
    return file


def json_of(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def _one_of(texts: list[str], number: int) -> str:
    return texts[number // 2 % len(texts)]
