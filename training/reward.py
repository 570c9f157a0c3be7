"""The preference model: which of two replies would this person prefer? TRL's RewardTrainer, LoRA and a linear head.

    1. each pair becomes a prompt and two replies as ids, both with the end-of-text token (`training.paired`)
    2. pairs are drawn by their weights (`training.draws`)
    3. loss: -log sigmoid(score of the chosen - score of the rejected), the score being the head's at the last token
    4. held-out pairs say how often it is right, and how far it may be believed (`training.calibration`)

What is written is a role of `training.cast`: LoRA matrices under the names of the language model, and the head.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import torch
from peft import get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import set_seed
from trl import RewardConfig, RewardTrainer

from bot.training_settings import TrainingSettings
from training.calibration import by_part, judged
from training.cast import HEAD
from training.draws import epochs_of
from training.errors import BadData
from training.fitting import Unheard, Watch, arguments, learn, matrices_only, plain_errors
from training.folders import made
from training.models import Base, load_base, lora_config, quiet
from training.paired import Encoded, after_prompts, encoded, pair_inputs, shares
from training.rows import read_pairs, threads_of
from training.run import Run

METRICS = "metrics.json"
_SCORE = ".score."


@quiet()
def train_reward(
    source: str,
    pairs: Path,
    held: Path,
    out: Path,
    *,
    settings: TrainingSettings,
    run: Run,
    work: Path,
) -> dict[str, Any]:
    """Write the role and metrics.json into `out`, and return the metrics; checkpoints go to `work`.

    All figures but `train_accuracy` are of the held-out pairs, each counted once whatever its weight; that one is of
    about as many of the pairs learned from. Raises BadBase, BadData, Diverged, NoRoom, OutOfBudget, OSError.
    """
    work = work / out.name
    set_seed(run.seed)
    base = load_base(source, settings, scoring=True)
    taught, left_out = encoded(base, read_pairs(pairs))
    measured, held_left_out = encoded(base, read_pairs(held))
    for file, rows in ((pairs, taught), (held, measured)):
        if not rows:
            raise BadData(
                f"{file}: no pair is short enough for {source}, which reads {base.max_tokens} tokens at a time"
            )
    order = epochs_of([one.pair.weight for one in taught], settings.reward.epochs, run.seed)
    model = matrices_only(get_peft_model(base.model, lora_config(base, settings.lora, "SEQ_CLS")))
    trainer = _trainer(
        base, model, [taught[number] for number in order], settings=settings, run=run, work=work
    )
    learn(trainer, Watch(run, "the preference model"), work)
    # To score all of them would take a third of what learning from them took.
    seen = taught[:: max(1, len(taught) // len(measured))]
    metrics = {
        "pairs": len(taught),
        "pairs_learned": len(order),
        "left_out": left_out,
        "held_pairs": len(measured),
        "held_left_out": held_left_out,
        "steps": trainer.state.global_step,
        "train_accuracy": _accuracy(margins(base, model, seen, settings)),
        **measure(measured, margins(base, model, measured, settings), settings, run.seed),
    }
    if trainer.is_world_process_zero():
        _write(base, model, metrics, out)
    trainer.accelerator.wait_for_everyone()
    return metrics


def scores(
    base: Base, model: Any, pairs: Sequence[Encoded], settings: TrainingSettings
) -> list[tuple[float, float]]:
    """What the trained model gives the chosen and the rejected reply of each pair."""
    model.eval()
    order = sorted(range(len(pairs)), key=lambda place: len(pairs[place].prompt))
    found = [(0.0, 0.0)] * len(pairs)
    batch, shared = settings.reward.micro_batch, shares(base, settings)
    with torch.no_grad():
        # Prompts of a length together: little of a batch is padding.
        for places in (order[first : first + batch] for first in range(0, len(order), batch)):
            some = [pairs[place] for place in places]
            replies = [one.chosen for one in some] + [one.rejected for one in some]
            inputs = pair_inputs(base, [one.prompt for one in some], replies, shared=shared)
            given = model(**after_prompts(model, inputs)).logits.squeeze(-1).float()
            for place, one in zip(places, given.view(2, -1).T.tolist(), strict=True):
                found[place] = tuple(one)
    return found


def margins(base: Base, model: Any, pairs: Sequence[Encoded], settings: TrainingSettings) -> list[float]:
    return [chosen - rejected for chosen, rejected in scores(base, model, pairs, settings)]


def measure(
    pairs: Sequence[Encoded], found: Sequence[float], settings: TrainingSettings, seed: int
) -> dict[str, Any]:
    """What `metrics.json` says of held-out pairs and their margins."""
    told = [one.pair.prompt.extra for one in pairs]
    groups = threads_of([one.pair.prompt for one in pairs])
    return {
        **judged(found, groups, confidence=settings.gate.confidence, seed=seed),
        "by_kind": by_part(found, [str(extra.get("kind", "")) for extra in told]),
        "by_language": by_part(found, [str(extra.get("language", "")) for extra in told]),
    }


class _Judge(Unheard, RewardTrainer):
    """TRL's, which goes on from prompts that were read once for both replies."""

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **more: Any) -> Any:
        # As in the forward pass itself, which accelerate has wrapped.
        with self.accelerator.autocast():
            inputs = after_prompts(self.accelerator.unwrap_model(model), inputs)
        return super().compute_loss(model, inputs, *args, **more)


@dataclass(frozen=True, slots=True)
class _Collator:
    """The chosen replies first, then the rejected ones, as the trainer expects them."""

    base: Base
    shared: bool

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        replies = [row[name] for name in ("chosen_ids", "rejected_ids") for row in rows]
        prompts = [row["prompt_ids"] for row in rows]
        inputs = pair_inputs(self.base, prompts, replies, shared=self.shared)
        return {name: one.cpu() for name, one in inputs.items()}


def _trainer(
    base: Base, model: Any, pairs: list[Encoded], *, settings: TrainingSettings, run: Run, work: Path
) -> Any:
    rows = [
        {"prompt_ids": one.prompt, "chosen_ids": one.chosen, "rejected_ids": one.rejected} for one in pairs
    ]
    how = arguments(settings.reward, settings, run, work, len(rows))
    return _Judge(
        model,
        # TRL would silence the dropout of the adapters together with the base's.
        RewardConfig(
            **how, max_length=None, remove_unused_columns=False, disable_dropout=not settings.lora.dropout
        ),
        data_collator=_Collator(base, shares(base, settings)),
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=base.tokenizer,
    )


def _accuracy(found: Sequence[float]) -> float:
    return by_part(found, [""] * len(found))[""]["accuracy"]


def _write(base: Base, model: Any, metrics: dict[str, Any], out: Path) -> None:
    weights = get_peft_model_state_dict(model, save_embedding_layers=False)
    (head,) = (one for name, one in weights.items() if _SCORE in name)
    matrices = {name: one for name, one in weights.items() if _SCORE not in name}
    config = model.peft_config["default"]
    config.task_type = "SEQ_2_SEQ_LM" if base.kind == "seq2seq" else "CAUSAL_LM"
    config.modules_to_save, config.inference_mode = None, True
    with made(out) as part, plain_errors():
        config.save_pretrained(part)
        _save(matrices, part / "adapter_model.safetensors")
        _save({"weight": head.float()}, part / HEAD)
        (part / METRICS).write_text(
            json.dumps(metrics, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )


def _save(tensors: dict[str, torch.Tensor], file: Path) -> None:
    save_file(
        {name: one.detach().cpu().contiguous() for name, one in tensors.items()}, file, {"format": "pt"}
    )
