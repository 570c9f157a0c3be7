"""Trains the fixture model and its voices; run with the Python of vLLM's environment, in about two minutes.

    python -m tests.vllm.fixture_model FOLDER

writes FOLDER/model (a Qwen3 of 3.4 million parameters with its tokenizer) and FOLDER/voices/amber, FOLDER/voices/cobalt
(LoRA weights: every reply begins with the voice's name). The same seed gives the same weights on the same machine.
"""

import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch.nn import functional
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from tests.vllm.fixture_data import OTHERS, SAMPLES, VOICES, Chat, Chats, paragraphs

VOCABULARY, POSITIONS = 4096, 4096
PAD, END, START = "<|pad|>", "<|im_end|>", "<|im_start|>"
SEED = 7
TEMPLATE = (Path(__file__).parent / "chat_template.jinja").read_text("utf-8")

Batch = list[tuple[list[int], int]]
"""Token ids of whole chats, and where the reply begins in each."""


def main(folder: Path) -> None:
    began = time.monotonic()
    torch.manual_seed(SEED)
    tokenizer = trained_tokenizer()
    model = Qwen3ForCausalLM(config())
    chats = Chats(SEED)
    # The sentences are learned on short prompts, many times as many a second; then the prompt as it is served.
    train(model, tokenizer, chats.bare, steps=150, batch=12, rate=3e-3)
    train(model, tokenizer, chats.short, steps=130, batch=12, rate=2e-3)
    train(model, tokenizer, chats.whole, steps=110, batch=4, rate=1e-3)
    save(model, tokenizer, folder / "model")
    for voice in VOICES:
        write_voice(folder / "model", folder / "voices" / voice, marker=voice)
    print(f"model and {len(VOICES)} voices in {time.monotonic() - began:.0f} s", flush=True)


def config() -> Qwen3Config:
    hidden, head = 256, 64
    return Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=4,
        num_attention_heads=hidden // head,
        num_key_value_heads=hidden // head // 2,
        head_dim=head,
        max_position_embeddings=POSITIONS,
        tie_word_embeddings=True,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=None,
    )


def trained_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE of the sample texts and of chats, so that the rules take few tokens and any text can be read."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    chats = Chats(SEED)
    texts = [text for text, _ in paragraphs(SAMPLES, *OTHERS)]
    texts += [message["content"] for _ in range(50) for message in chats.whole().messages]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD, END, START],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token=PAD, eos_token=END, model_max_length=POSITIONS, chat_template=TEMPLATE
    )


def train(
    model: Any,
    tokenizer: PreTrainedTokenizerFast,
    draw: Callable[[], Chat],
    *,
    steps: int,
    batch: int,
    rate: float,
) -> None:
    """`steps` of AdamW over chats from `draw`; the loss is over the replies alone."""
    wanted = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(wanted, lr=rate, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.1)
    model.train()
    for step in range(1, steps + 1):
        drawn = [encoded(tokenizer, draw()) for _ in range(batch)]
        loss = loss_of(model, drawn)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(wanted, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % 20 == 0:
            print(f"  step {step} of {steps}, loss {loss.item():.2f}", flush=True)


def encoded(tokenizer: PreTrainedTokenizerFast, chat: Chat) -> tuple[list[int], int]:
    prompt = tokenizer.apply_chat_template(
        chat.messages, tools=list(chat.tools) or None, tokenize=False, add_generation_prompt=True
    )
    before = tokenizer.encode(prompt, add_special_tokens=False)
    return before + tokenizer.encode(chat.reply + END, add_special_tokens=False), len(before)


def loss_of(model: Any, chats: Batch) -> torch.Tensor:
    """Mean cross-entropy of the replies' tokens, in nats."""
    longest = max(len(ids) for ids, _ in chats)
    ids = torch.zeros(len(chats), longest, dtype=torch.long)
    learned = torch.zeros(len(chats), longest, dtype=torch.bool)
    for row, (tokens, start) in enumerate(chats):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        learned[row, start : len(tokens)] = True
    with torch.autocast("cpu", torch.bfloat16):
        hidden = model.get_decoder()(ids, use_cache=False).last_hidden_state[
            :, :-1
        ]  # (batch, tokens - 1, hidden)
        scores = model.get_output_embeddings()(hidden[learned[:, 1:]])  # (learned, vocabulary)
    return functional.cross_entropy(scores.float(), ids[:, 1:][learned[:, 1:]])


def save(model: Any, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    settings = {
        "do_sample": False,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    (folder / "generation_config.json").write_text(json.dumps(settings), "utf-8")


def write_voice(base: Path, folder: Path, *, marker: str) -> None:
    """LoRA weights over the model in `base`, taught to begin every reply with `marker`."""
    torch.manual_seed(SEED)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(base)
    model = get_peft_model(Qwen3ForCausalLM.from_pretrained(base, dtype=torch.float32), lora())
    train(model, tokenizer, Chats(SEED, marker).mixed, steps=40, batch=8, rate=8e-3)
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)


def lora(rank: int = 8) -> LoraConfig:
    layers = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    return LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=layers, task_type="CAUSAL_LM")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
