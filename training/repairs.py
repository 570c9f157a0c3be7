"""What is put right in a base model before it is used: its end of text, its padding, a head that it lacks."""

from typing import Any

import torch
from transformers.modeling_outputs import SequenceClassifierOutput

from training.errors import BadBase

PAD = "<|rejoinder_pad|>"
"""Stands for padding where the tokenizer has nothing else for it; `bot.prompt` lets no text hold it."""


def eos_of(model: Any, tokenizer: Any, source: str) -> int:
    """Chat models end a turn with a token of their own, which the generation settings name first; Chinese GPT-2 models
    have BERT's [SEP], while their configuration names a token of the English model that they do not have.
    """
    rows = model.get_input_embeddings().weight.shape[0]
    generation = getattr(model, "generation_config", None)
    named: Any = generation.eos_token_id if generation is not None else model.config.eos_token_id
    for found in (
        tokenizer.eos_token_id,
        *(named if isinstance(named, list) else [named]),
        tokenizer.sep_token_id,
    ):
        if found is not None and found < rows:
            return int(found)
    raise BadBase(
        f"{source} has no end-of-text token, so it could never end a reply; set eos_token in tokenizer_config.json"
    )


def pad_of(model: Any, tokenizer: Any, eos: int) -> int:
    """Where padding is the end of text, the end of a reply is masked away with it, and rewards shift."""
    if tokenizer.pad_token_id is not None and tokenizer.pad_token_id != eos:
        return int(tokenizer.pad_token_id)
    tokenizer.add_special_tokens({"pad_token": PAD})
    pad = int(tokenizer.pad_token_id)
    rows = int(model.get_input_embeddings().weight.shape[0])
    if pad >= rows:  # else one of the rows that only round the matrix up
        model.resize_token_embeddings(pad + 1, mean_resizing=False)
    if getattr(model, "generation_config", None) is not None:
        model.generation_config.pad_token_id = pad
        model.generation_config.suppress_tokens = [pad]
    return pad


def add_score(model: Any) -> None:
    """What transformers' own classifiers on encoder-decoders lack: a plain linear head on the reply's last token."""

    class Scored(type(model)):  # type: ignore[misc]
        def forward(self, decoder_attention_mask: Any = None, **inputs: Any) -> SequenceClassifierOutput:
            inputs |= {"output_hidden_states": True, "use_cache": False, "return_dict": True}
            said = super().forward(decoder_attention_mask=decoder_attention_mask, **inputs)
            rows = torch.arange(len(decoder_attention_mask), device=decoder_attention_mask.device)
            states = said.decoder_hidden_states[-1][rows, decoder_attention_mask.sum(1) - 1]
            return SequenceClassifierOutput(logits=self.score(states))

    model.score = torch.nn.Linear(
        model.config.hidden_size, 1, bias=False, dtype=model.dtype, device=model.device
    )
    torch.nn.init.normal_(model.score.weight, std=0.02)
    model.config.num_labels = 1
    model.__class__ = Scored


class _Exact(torch.nn.Linear):
    """In float32 whatever comes in: steps of a small learning rate are lost in bfloat16's eight bits."""

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        with torch.autocast(states.device.type, enabled=False):
            return super().forward(states.float())


def exact_score(model: Any) -> None:
    """PEFT holds adapters in float32, but a head in what the base is in."""
    if type(model.score) is torch.nn.Linear:
        model.score.float().__class__ = _Exact
