"""A tiny base model, trained from scratch on the shop's texts: fluent, mostly right, and indifferent to manner.

A Qwen3-style decoder with a byte-level BPE of its own, as a folder in Hugging Face's format.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from bot.prompt import FENCE_OPEN
from training.demo.shop import LANGUAGES, PRODUCTS, SLOTS, UNITS, VALUES, Ask, asks, dice, one_ask
from training.demo.styles import NAMED, UNNAMED, in_taste, indifferent
from training.folders import made

BATCH, LEARNING_RATE = 16, 3e-3
FACT = 3.0
"""What an amount counts in the loss, a word being 1: to pick the right one takes longest."""
PASSED_ON = 0.8
"""How much of what it looks at an attention layer passes on, before it has learned anything."""
REPETITIONS, ENDINGS = 0.2, 0.3
"""Part of the steps."""
VOCABULARY = 1400
CONTEXT = 128
"""Tokens. No probe of the gate has room in it, and none should: the model knows nothing but the shop."""
CONSTANT = 0.3
"""A line that this part of one language's prompts has is one token, so that a prompt is short."""
PAD, START, END = "<|pad|>", "<|im_start|>", "<|im_end|>"
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_WORDS = r" ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+"

Progress = Callable[[int, int], None]
"""Gets how many steps are done, and how many there are."""


@dataclass(frozen=True, slots=True)
class Size:
    """Of the model and of its training."""

    hidden: int = 128
    """A multiple of 32, the width of a head."""
    layers: int = 3
    steps: int = 520


TINY = Size()


def base_folder(
    folder: Path, *, seed: int, size: Size = TINY, progress: Progress = lambda done, total: None
) -> Path:
    """The folder of the base of this seed below `folder`; trained when it is not there yet. Raises NoRoom, OSError."""
    target = folder / f"base-{seed}"
    if not target.is_dir():
        tokenizer, model = train(seed=seed, size=size, progress=progress)
        with made(target) as part:
            tokenizer.save_pretrained(part)
            model.save_pretrained(part)
    return target


def train(*, seed: int, size: Size, progress: Progress) -> tuple[Any, Any]:
    """Tokenizer and model."""
    random = dice(f"base {seed}")
    tokenizer = tokenizer_of(asks(1500, random), random)
    torch.manual_seed(seed)
    model, steps = new_model(tokenizer, size), size.steps
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps, pct_start=0.1)
    heavy = torch.ones(model.config.vocab_size)
    heavy[tokenizer.convert_tokens_to_ids([*_amounts(), *_names()])] = FACT
    model.train()
    for step, (ids, labels) in enumerate(_batches(tokenizer, random, steps), start=1):
        loss = _loss(model, ids, labels, heavy)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        progress(step, steps)
    model.eval()
    return tokenizer, model


def tokenizer_of(seen: Sequence[Ask], random: Random) -> PreTrainedTokenizerFast:
    """Byte-level BPE over these comments, their prompts and replies to them."""
    prompts = [str(message["content"]) for ask in seen for message in ask.messages()]
    replies = [write(ask, random) for ask in seen for write in (indifferent, in_taste)]
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD, START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator([*prompts, *replies], trainer)
    whole = [*_constant_lines(prompts), *_amounts(), *_names()]
    raw.add_tokens([AddedToken(text, normalized=False) for text in whole])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token=PAD, eos_token=END)
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def _amounts() -> list[str]:
    """A number with its unit is one token: it is copied as one."""
    forms = [(UNITS[language][slot], slot) for language in LANGUAGES for slot in SLOTS]
    return [form.format(value=value) for form, slot in forms for value in VALUES[slot]]


def _names() -> list[str]:
    """Products, one token each for the same reason."""
    return [*(f" {name}" for name in PRODUCTS["en"]), *PRODUCTS["zh"]]


def _constant_lines(prompts: Sequence[str]) -> list[str]:
    counts = Counter(line for prompt in prompts for line in prompt.splitlines(keepends=True))
    own = len(prompts) / 2 / len(LANGUAGES)  # each comment has two messages
    return sorted(line for line, count in counts.items() if count >= CONSTANT * own and len(line) > 4)


def new_model(tokenizer: Any, size: Size = TINY) -> Any:
    """With attention that passes on what it looks at: a model this small takes thousands of steps to learn that."""
    model = Qwen3ForCausalLM(_shape(tokenizer, size))
    for layer in model.model.layers:
        turn = torch.linalg.qr(torch.randn(model.config.hidden_size, model.config.hidden_size))[0]
        layer.self_attn.v_proj.weight.data.copy_(turn)
        layer.self_attn.o_proj.weight.data.copy_(turn.T * PASSED_ON)
    return model


def _shape(tokenizer: Any, size: Size) -> Qwen3Config:
    heads = size.hidden // 32
    return Qwen3Config(
        vocab_size=-(-len(tokenizer) // 64) * 64,
        hidden_size=size.hidden,
        intermediate_size=size.hidden * 3,
        num_hidden_layers=size.layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        head_dim=32,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        initializer_range=0.05,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _batches(tokenizer: Any, random: Random, steps: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Token ids and labels, [B, T] each; labels are -100 where nothing is learned.

    First what is to be copied, then how a reply follows from its comment, then both together: at once, they would
    take ten times as many steps.
    """
    for step in range(steps):
        if step < steps * REPETITIONS:
            rows = [_repetition(tokenizer, random) for _ in range(BATCH)]
        elif step < steps * (REPETITIONS + ENDINGS):
            rows = [_ending(tokenizer, ask, indifferent(ask, random)) for ask in asks(2 * BATCH, random)]
        else:
            rows = [_row(tokenizer, ask, indifferent(ask, random)) for ask in asks(BATCH, random)]
        yield _padded(rows, tokenizer)


def _repetition(tokenizer: Any, random: Random) -> tuple[list[int], list[int]]:
    """A passage, then what it states in short, over and over: nothing but copying."""
    ask = one_ask(random.choice(LANGUAGES), random)
    said = [random.choice((NAMED, UNNAMED)) for _ in range(16)]
    slots = [random.choice(SLOTS) for _ in said]
    texts = [
        random.choice(forms[ask.language][slot]).format(product=ask.product, value=ask.values[slot])
        for forms, slot in zip(said, slots, strict=True)
    ]
    stop = ". " if ask.language == "en" else "。"
    return tokenizer(ask.passage + "\n")["input_ids"], tokenizer(stop.join(texts))["input_ids"]


def _ending(tokenizer: Any, ask: Ask, reply: str) -> tuple[list[int], list[int]]:
    """The prompt from the comment on: what is asked for is known then, and no more."""
    prompt, said = _row(tokenizer, ask, reply)
    [comment] = tokenizer(f"{FENCE_OPEN} comment\n")["input_ids"]
    return prompt[prompt.index(comment) :], said


def _padded(rows: Sequence[tuple[list[int], list[int]]], tokenizer: Any) -> tuple[Tensor, Tensor]:
    longest = max(len(prompt) + len(reply) for prompt, reply in rows)
    ids = torch.full((len(rows), longest), tokenizer.pad_token_id)
    labels = torch.full((len(rows), longest), -100)
    for number, (prompt, reply) in enumerate(rows):
        whole = len(prompt) + len(reply)
        ids[number, :whole] = torch.tensor([*prompt, *reply])
        labels[number, len(prompt) : whole] = torch.tensor(reply)
    return ids, labels


def _row(tokenizer: Any, ask: Ask, reply: str) -> tuple[list[int], list[int]]:
    prompt = tokenizer.apply_chat_template(
        ask.messages(), add_generation_prompt=True, tokenize=True, return_dict=False
    )
    return prompt, [*tokenizer(reply, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]


def _loss(model: Any, ids: Tensor, labels: Tensor, heavy: Tensor) -> Tensor:
    """`heavy`: what each token counts, [vocabulary]."""
    states = model.model(input_ids=ids).last_hidden_state[:, :-1]
    learned = labels[:, 1:] != -100
    return functional.cross_entropy(model.lm_head(states[learned]), labels[:, 1:][learned], heavy)
