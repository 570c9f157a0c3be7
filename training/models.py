"""The base model and its tokenizer; all that differs between kinds of models stands here.

A base is held once, whatever the roles that play on it (`training.cast`). Prompts and replies become token ids here
and nowhere else, so that fine-tuning, rewards, PPO and the vLLM server see the same ids.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from bot.prompt import Message, without_system
from bot.training_settings import TrainingSettings
from training.errors import BadBase

Kind = Literal["causal", "seq2seq"]


@dataclass(frozen=True, slots=True)
class Base:
    """A pretrained model, frozen."""

    model: Any
    """`PreTrainedModel` with a language-model head."""
    tokenizer: Any
    kind: Kind
    source: str
    pad_id: int
    """Never the end of text, and in no text."""
    eos_id: int
    """Ends a turn."""
    max_tokens: int
    """Prompt and reply together."""
    hidden: int
    """Width of the hidden states."""

    @property
    def device(self) -> torch.device:
        return next(iter(self.model.parameters())).device

    def prompt_ids(self, messages: Sequence[Message]) -> list[int]:
        """What the vLLM server makes of the messages; without a chat template, their plain text."""
        if not self.tokenizer.chat_template:
            text = "\n".join(str(one["content"]) for one in messages)
            return list(self.tokenizer(text, add_special_tokens=True)["input_ids"])
        ids = self._templated(list(messages))
        return list(ids if isinstance(ids, list) else ids["input_ids"])

    def reply_ids(self, text: str) -> list[int]:
        """A whole reply, with its end."""
        return [*self.tokenizer(text, add_special_tokens=False)["input_ids"], self.eos_id]

    def text_of(self, reply_ids: Sequence[int]) -> str:
        return str(self.tokenizer.decode(list(reply_ids), skip_special_tokens=True)).strip()

    def _templated(self, messages: list[Message]) -> Any:
        try:
            return self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=True)
        except Exception as error:
            # Templates refuse roles with jinja2's TemplateError; serving does the same (bot.serving).
            if type(error).__name__ != "TemplateError" or messages[0]["role"] != "system":
                raise
            return self.tokenizer.apply_chat_template(
                without_system(messages), add_generation_prompt=True, tokenize=True
            )


def load_base(source: str, settings: TrainingSettings) -> Base:
    """From a folder, or from a hub where one is reached. Nothing of the model's own code is run. Raises BadBase."""
    if not source:
        raise BadBase("training.base is not set; give the folder of the model that generator.model serves")
    try:
        config = AutoConfig.from_pretrained(source)
        tokenizer = AutoTokenizer.from_pretrained(source)
        kind: Kind = "seq2seq" if config.is_encoder_decoder else "causal"
        auto = AutoModelForSeq2SeqLM if kind == "seq2seq" else AutoModelForCausalLM
        model = auto.from_pretrained(source, **_how(settings))
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        why = " ".join(str(error).split())[:300]
        raise BadBase(f"{source} cannot be loaded as a language model ({why}); see training.base") from error
    return as_base(model, tokenizer, source, settings)


def as_base(model: Any, tokenizer: Any, source: str, settings: TrainingSettings) -> Base:
    """Raises BadBase."""
    eos = _eos(model, tokenizer, source)
    rows = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > rows:
        raise BadBase(
            f"{source}: the tokenizer knows {len(tokenizer)} tokens, the model {rows}; the two belong to different "
            "models, put the model's own tokenizer beside it"
        )
    pad = _pad(model, tokenizer, eos)
    model.config.pad_token_id = pad
    model.requires_grad_(False)
    model.eval()
    if not settings.load_4bit:
        model.to(device_of(settings))
    config = model.config
    kind: Kind = "seq2seq" if config.is_encoder_decoder else "causal"
    longest = (
        getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None) or 1 << 20
    )
    return Base(model, tokenizer, kind, source, pad, eos, int(longest), int(config.hidden_size))


def device_of(settings: TrainingSettings) -> torch.device:
    if settings.device != "auto":
        return torch.device(settings.device)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def dtype_of(settings: TrainingSettings) -> torch.dtype:
    if settings.precision != "auto":
        return torch.float32 if settings.precision == "float32" else torch.bfloat16
    return torch.bfloat16 if device_of(settings).type == "cuda" else torch.float32


def tokenizer_hash(tokenizer: Any) -> str:
    """SHA-256 in hexadecimal over what decides which ids a prompt becomes."""
    whole = [sorted(tokenizer.get_vocab().items()), tokenizer.chat_template, tokenizer.eos_token]
    return hashlib.sha256(repr(whole).encode("utf-8", "backslashreplace")).hexdigest()


def is_local(source: str) -> bool:
    return Path(source).is_dir()


def _how(settings: TrainingSettings) -> dict[str, Any]:
    how: dict[str, Any] = {"dtype": dtype_of(settings)}
    if settings.load_4bit:
        how["quantization_config"] = transformers.BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
        how["device_map"] = {"": 0}
    return how


def _eos(model: Any, tokenizer: Any, source: str) -> int:
    """Chat models end a turn with a token of their own, which the generation settings name first."""
    if tokenizer.eos_token_id is not None:
        return int(tokenizer.eos_token_id)
    named: Any = model.generation_config.eos_token_id if model.generation_config is not None else None
    if isinstance(named, list):
        named = named[0] if named else None
    if named is None:
        raise BadBase(
            f"{source} has no end-of-text token, so it could never end a reply; set eos_token in tokenizer_config.json"
        )
    return int(named)


def _pad(model: Any, tokenizer: Any, eos: int) -> int:
    """Where padding is the end of text, the end of a reply is masked away with it, and rewards shift."""
    if tokenizer.pad_token_id is not None and tokenizer.pad_token_id != eos:
        return int(tokenizer.pad_token_id)
    rows = int(model.get_input_embeddings().weight.shape[0])
    if rows > len(tokenizer):
        return rows - 1  # rows that only round the matrix up stand for no token
    model.resize_token_embeddings(rows + 1, mean_resizing=False)
    return rows
