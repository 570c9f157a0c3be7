"""The base model and its tokenizer; all that differs between kinds of models stands here.

A base is held once, whatever the roles that play on it (`training.cast`). Prompts and replies become token ids here
and nowhere else, so that fine-tuning, rewards, PPO and the vLLM server see the same ids.
"""

import hashlib
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import torch
import transformers
from peft import LoraConfig
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertTokenizer,
)
from transformers.pytorch_utils import Conv1D
from transformers.utils import logging

from bot.prompt import Message, without_system
from bot.training_settings import LoraSettings, TrainingSettings
from training.errors import BadBase
from training.repairs import PAD, add_score, eos_of, exact_score, pad_of

_BROKEN = (
    OSError, ValueError, LookupError, RuntimeError, ImportError, TypeError, AttributeError, SafetensorError,
)  # fmt: skip
"""What transformers raises for files that are missing, damaged, or no model."""

_BETWEEN_HAN = re.compile(r"(?<=[\u3000-\u9fff\uff00-\uffef]) | (?=[\u3000-\u9fff\uff00-\uffef])")
"""BERT's tokenizers put a space around every Chinese character."""

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
            found = list(self.tokenizer(text, add_special_tokens=True)["input_ids"])
            # BERT's tokenizers, which Chinese GPT-2 models use, end every text.
            return found[:-1] if self.kind == "causal" and found[-1:] == [self.eos_id] else found
        ids = self._templated(list(messages))
        return list(ids if isinstance(ids, list) else ids["input_ids"])

    def reply_ids(self, text: str) -> list[int]:
        """A whole reply, with its end. What in it looks like a control token is text: it ends no turn."""
        told = self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)
        return [*told["input_ids"], self.eos_id]

    def text_of(self, reply_ids: Sequence[int]) -> str:
        text = str(self.tokenizer.decode(list(reply_ids), skip_special_tokens=True)).strip()
        return _BETWEEN_HAN.sub("", text) if isinstance(self.tokenizer, BertTokenizer) else text

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


@contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' progress bars and remarks, and its notes to the libraries that still use an older name."""
    shown, told = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"`\w*_checkpointing\w*` is deprecated", FutureWarning)
            yield
    finally:
        logging.set_verbosity(told)
        if shown:
            logging.enable_progress_bar()


@quiet()
def load_base(source: str, settings: TrainingSettings, *, scoring: bool = False) -> Base:
    """From a folder, or from a hub where one is reached. Nothing of the model's own code is run.

    `scoring`: with a head that gives one number a text in place of the language model's. Raises BadBase.
    """
    _require_device(settings)
    config, tokenizer = read_tokenizer(source)
    try:
        auto, more = _auto(config, scoring)
        model = auto.from_pretrained(source, trust_remote_code=False, **more, **_how(settings))
        if scoring and config.is_encoder_decoder:
            add_score(model)
        if scoring:
            exact_score(model)
    except _BROKEN as error:
        raise _unreadable(source, error) from error
    return as_base(model, tokenizer, source, settings)


def read_tokenizer(source: str) -> tuple[Any, Any]:
    """The configuration of the model, and its tokenizer. Raises BadBase."""
    if not source:
        raise BadBase("training.base is not set; give the folder of the model that generator.model serves")
    if source.startswith((".", "/")) and not is_local(
        source
    ):  # what a hub says of such a name leads nobody anywhere
        raise BadBase(
            f"{source} is no folder; give training.base the folder of the model, or its name on a hub"
        )
    try:
        # False, not None: that would ask at the terminal whether to run the model's code.
        config = AutoConfig.from_pretrained(source, trust_remote_code=False)
        return config, AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    except _BROKEN as error:
        raise _unreadable(source, error) from error


def _unreadable(source: str, error: Exception) -> BadBase:
    why = " ".join(str(error).split())[:300]
    return BadBase(f"{source} cannot be loaded as a language model ({why}); see training.base")


def as_base(model: Any, tokenizer: Any, source: str, settings: TrainingSettings) -> Base:
    """Raises BadBase."""
    eos = eos_of(model, tokenizer, source)
    rows = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > rows:
        raise BadBase(
            f"{source}: the tokenizer knows {len(tokenizer)} tokens, the model {rows}; the two belong to different "
            "models, put the model's own tokenizer beside it"
        )
    pad = pad_of(model, tokenizer, eos)
    model.config.pad_token_id = pad
    if not settings.load_4bit:  # bitsandbytes has put it there
        model.to(device_of(settings))
    model.requires_grad_(False)
    model.eval()
    config = model.config.get_text_config()
    kind: Kind = "seq2seq" if config.is_encoder_decoder else "causal"
    longest = (
        getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None) or 1 << 20
    )
    return Base(model, tokenizer, kind, source, pad, eos, int(longest), int(config.hidden_size))


def lora_config(base: Base, lora: LoraSettings, task: str | None = None) -> LoraConfig:
    """On all linear layers but the last; `task`: PEFT's word for what the model is for."""
    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules="all-linear",
        # GPT-2 keeps its matrices the other way round.
        fan_in_fan_out=any(isinstance(one, Conv1D) for one in base.model.modules()),
        task_type=task or ("SEQ_2_SEQ_LM" if base.kind == "seq2seq" else "CAUSAL_LM"),
    )


def device_of(settings: TrainingSettings) -> torch.device:
    """This process's own, where `accelerate launch` has started several."""
    if settings.device == "cpu" or (settings.device == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    return torch.device("cuda", _local_rank())


def dtype_of(settings: TrainingSettings) -> torch.dtype:
    if settings.precision != "auto":
        return torch.float32 if settings.precision == "float32" else torch.bfloat16
    return torch.bfloat16 if device_of(settings).type == "cuda" else torch.float32


def tokenizer_hash(tokenizer: Any) -> str:
    """SHA-256 in hexadecimal over what decides which ids a prompt becomes."""
    known = sorted(item for item in tokenizer.get_vocab().items() if item[0] != PAD)
    whole = [known, tokenizer.chat_template, tokenizer.eos_token]
    return hashlib.sha256(repr(whole).encode("utf-8", "backslashreplace")).hexdigest()


def is_local(source: str) -> bool:
    return Path(source).is_dir()


def _require_device(settings: TrainingSettings) -> None:
    if settings.device == "cuda" and not torch.cuda.is_available():
        raise BadBase("training.device is 'cuda', but this machine shows no CUDA device; set it to 'auto'")
    if settings.load_4bit and (device_of(settings).type != "cuda" or find_spec("bitsandbytes") is None):
        raise BadBase(
            "training.load_4bit needs a CUDA device and bitsandbytes; install rejoinder[train-4bit], or set it to false"
        )


def _auto(config: Any, scoring: bool) -> tuple[Any, dict[str, Any]]:
    if config.is_encoder_decoder:
        return AutoModelForSeq2SeqLM, {}
    if scoring:
        return AutoModelForSequenceClassification, {"num_labels": 1}
    return AutoModelForCausalLM, {}


def _local_rank() -> int:
    return int(os.environ.get("LOCAL_RANK", "0"))


def _how(settings: TrainingSettings) -> dict[str, Any]:
    how: dict[str, Any] = {"dtype": dtype_of(settings)}
    if settings.load_4bit:
        how["quantization_config"] = transformers.BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
        how["device_map"] = {"": _local_rank()}
    return how
