"""The reward model as TRL's PPOTrainer takes it: a sequence classifier of transformers with one label."""

from typing import Any

import torch
from peft import PeftConfig, PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification


def classifier(base: str, reward: str, pad_id: int, *, learns: bool) -> Any:
    """Of the folders of a base and of a role with a head. What `learns` keeps its LoRA and may be trained, as the value
    model; else the LoRA is added to the weights.
    """
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1, dtype=torch.float32)
    model.config.pad_token_id = pad_id
    config = PeftConfig.from_pretrained(reward)
    config.task_type = None  # its own says that the model writes
    adapted = PeftModel.from_pretrained(model, reward, is_trainable=learns, config=config)
    found: Any = adapted.get_base_model() if learns else adapted.merge_and_unload()
    found.score.weight.data = load_file(f"{reward}/head.safetensors")["weight"]
    for name, one in found.named_parameters():
        one.requires_grad_(learns and ("lora_" in name or name.startswith("score")))
    return found.eval()
