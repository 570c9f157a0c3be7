"""The roles on one base model: policy, reference, critic, reward, judge. Each is a LoRA adapter; some have a head.

One copy of the base's weights is in memory, however many roles there are. A role that has no adapter plays the base
as it is.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from bot.training_settings import LoraSettings
from training.errors import BadData
from training.models import Base, lora_config, quiet

HEAD = "head.safetensors"
"""Beside the adapter of a role with a head: `weight` [1, hidden] and, for some, `bias` [1]."""


class Cast:
    """The base and the adapters on it. Not thread-safe: one role plays at a time."""

    def __init__(self, base: Base) -> None:
        self.base = base
        self.heads = nn.ModuleDict()
        self._peft: Any = None
        self._trained: set[str] = set()
        self._layers: list[Any] = []
        self._now: str | None = None
        self._plays = 0

    @quiet()
    def add(
        self,
        role: str,
        lora: LoraSettings,
        *,
        folder: Path | None = None,
        head: bool = False,
        train: bool = False,
    ) -> None:
        """A role with the adapter in `folder`, or with a new one that changes nothing yet; `head`: it gives one number
        per token. Raises BadData, OSError.
        """
        if folder is None:
            self._new(role, lora)
        else:
            self._load(role, folder)
        if head:
            self.heads[role] = self._head(folder)
        if train:
            self._trained.add(role)
        self._layers = [one for one in self._peft.modules() if isinstance(one, BaseTunerLayer)]
        self._set_grad()
        self._now = role
        self._switch(None)

    def parameters(self, role: str) -> list[nn.Parameter]:
        """The adapter's, then the head's."""
        mark = f".{role}."
        found = [one for name, one in self._peft.named_parameters() if "lora_" in name and mark in name]
        return [*found, *(self.heads[role].parameters() if role in self.heads else ())]

    @property
    def peft(self) -> Any:
        """The `PeftModel` around the base, once there is a role."""
        return self._peft

    @contextmanager
    def playing(self, role: str | None) -> Iterator[Any]:
        """The language model as `role` plays it; None, or a role without adapter: the bare base.

        The role stays on until the next one plays: with gradient checkpointing, the backward pass computes the
        activations again, and has to come before that.
        """
        if self._peft is None:
            yield self.base.model
            return
        outer = self._now
        self._switch(role if role in self._peft.peft_config else None)
        self._plays += 1
        try:
            yield self._peft.get_base_model()
        finally:
            self._plays -= 1
            if self._plays:
                self._switch(outer)

    def hidden(self, role: str | None, **inputs: Tensor) -> Tensor:
        """Last hidden states [B, T, hidden]; of an encoder-decoder, the decoder's."""
        with self.playing(role) as model:
            if self.base.kind == "seq2seq":
                states = model(**inputs, output_hidden_states=True).decoder_hidden_states[-1]
            else:
                states = getattr(model, model.base_model_prefix)(**inputs).last_hidden_state
        return states

    def values(self, role: str, **inputs: Tensor) -> Tensor:
        """What the head of `role` says at each token: [B, T], float32."""
        head = self.heads[role]
        states = self.hidden(role, **inputs)
        return head(states.to(head.weight.dtype)).squeeze(-1).float()

    def logits(self, role: str | None, **inputs: Any) -> Tensor:
        """[B, T, vocabulary]; `logits_to_keep=N` for the last N positions only."""
        with self.playing(role) as model:
            return model(**inputs).logits

    def save(self, role: str, folder: Path) -> None:
        """The adapter as PEFT writes it and vLLM reads it, and its head beside it. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        # Not "auto": the row that padding may have needed is no part of a voice.
        self._peft.save_pretrained(folder, selected_adapters=[role], save_embedding_layers=False)
        inner = folder / role  # PEFT puts every adapter but one called "default" into a folder of its own
        if inner.is_dir():
            for file in inner.iterdir():
                file.rename(folder / file.name)
            inner.rmdir()
        (folder / "README.md").unlink(missing_ok=True)
        if role in self.heads:
            save_file(
                {name: one.detach().cpu() for name, one in self.heads[role].state_dict().items()},
                folder / HEAD,
            )

    def _new(self, role: str, lora: LoraSettings) -> None:
        config = lora_config(self.base, lora)
        if self._peft is None:
            self._peft = get_peft_model(self.base.model, config, adapter_name=role)
        else:
            self._peft.add_adapter(role, config)
        self._peft.eval()  # new matrices come with their dropout on

    def _load(self, role: str, folder: Path) -> None:
        config = json.loads((folder / "adapter_config.json").read_bytes())
        if config.get("modules_to_save"):
            raise BadData(f"{folder} holds whole modules beside the LoRA matrices; vLLM could not serve it")
        with matching(folder, self.base):
            if self._peft is None:
                self._peft = PeftModel.from_pretrained(self.base.model, folder, adapter_name=role)
            else:
                self._peft.load_adapter(folder, adapter_name=role)

    def _head(self, folder: Path | None) -> nn.Linear:
        with matching(f"{folder}/{HEAD}", self.base):
            saved = load_file(folder / HEAD) if folder is not None else {}
            head = nn.Linear(self.base.hidden, 1, bias="bias" in saved or not saved)
            nn.init.zeros_(head.weight)
            if head.bias is not None:
                nn.init.zeros_(head.bias)
            head.load_state_dict(saved or head.state_dict())
        return head.to(self.base.device)

    def _switch(self, role: str | None) -> None:
        # PeftModel.set_adapter and disable_adapter would also freeze every other adapter, in the middle of a step.
        if role == self._now:
            return
        for layer in self._layers:
            layer._disable_adapters = role is None
            if role is not None:
                layer._active_adapter = [role]
        self._now = role

    def _set_grad(self) -> None:
        self._peft.requires_grad_(False)
        for head in self.heads.values():
            head.requires_grad_(False)
        for role in self._trained:
            for one in self.parameters(role):
                one.requires_grad_(True)


@contextmanager
def matching(what: object, base: Base) -> Iterator[None]:
    """Raises BadData for weights that are not of this base, or damaged."""
    try:
        yield
    except (RuntimeError, ValueError, SafetensorError) as error:
        why = " ".join(str(error).split())[:200]
        raise BadData(f"{what} does not fit {base.source}, or is damaged ({why})") from error


def padded(
    rows: Sequence[Sequence[int]], pad_id: int, *, left: bool, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Token ids and attention mask, both [B, longest]."""
    longest = max(map(len, rows))
    ids = torch.full((len(rows), longest), pad_id, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for number, row in enumerate(rows):
        place = slice(longest - len(row), longest) if left else slice(0, len(row))
        ids[number, place] = torch.tensor(row, dtype=torch.long)
        mask[number, place] = 1
    return ids.to(device), mask.to(device)
