"""Fine-tuning: the model learns to write what a person stood behind. TRL's SFTTrainer on a LoRA adapter.

1. each row becomes prompt ids + reply ids; only the reply is in the loss
2. rows are drawn by their weights (`training.fitting.drawn`)
3. the adapter of the parent voice, or a new one, learns them
4. the loss on held-out rows, before and after, says what it was worth
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import torch
from peft import PeftModel, get_peft_model
from transformers import DataCollatorForSeq2Seq, Trainer, TrainingArguments, set_seed
from trl import SFTConfig, SFTTrainer
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from bot.training_settings import TrainingSettings
from training.errors import BadData
from training.fitting import Unheard, Watch, arguments, drawn, learn, matrices_only, plain_errors
from training.folders import made
from training.models import Base, load_base, lora_config, quiet
from training.rows import Supervised, read_supervised
from training.run import Run

METRICS = "metrics.json"
IGNORED = -100
"""The label of a token that is not in the loss."""


@quiet()
def fine_tune(
    source: str,
    rows: Path,
    held: Path,
    out: Path,
    *,
    start: Path | None,
    settings: TrainingSettings,
    run: Run,
    work: Path,
) -> dict[str, Any]:
    """Write the adapter and metrics.json into `out`, and return the metrics; checkpoints go to `work`.

    `start`: the adapter to begin with; None: a new one. Raises BadBase, BadData, Diverged, NoRoom, OutOfBudget,
    OSError.
    """
    work = work / out.name
    base = load_base(source, settings)
    taught, left_out = encoded(base, read_supervised(rows))
    if not taught:
        raise BadData(
            f"{rows}: no row is short enough for {source}, which reads {base.max_tokens} tokens at a time"
        )
    measured, held_left_out = encoded(base, read_supervised(held) if held.exists() else [])
    order = drawn([row["weight"] for row in taught], settings.sft.epochs, run.seed)
    set_seed(run.seed)
    model = _adapted(base, start, settings)
    trainer = _trainer(
        base, model, [taught[number] for number in order], settings=settings, run=run, work=work
    )
    watch = Watch(run, "fine-tuning")
    before = _loss(trainer, measured)
    learn(trainer, watch, work)
    metrics = {
        "rows": len(taught),
        "rows_learned": len(order),
        "left_out": left_out,
        "held_rows": len(measured),
        "held_left_out": held_left_out,
        "loss_before": before,
        "loss_after": _loss(trainer, measured),
        "steps": trainer.state.global_step,
        "batch": trainer.args.train_batch_size
        * trainer.args.gradient_accumulation_steps
        * trainer.args.world_size,
        "started_from": "" if start is None else start.name,
    }
    if trainer.is_world_process_zero():
        _write(model, metrics, out)
    trainer.accelerator.wait_for_everyone()
    return metrics


def encoded(base: Base, rows: Sequence[Supervised]) -> tuple[list[dict[str, Any]], int]:
    """`input_ids`, `labels` and `weight` of each row that the model can read whole, and how many others there are."""
    found = []
    for row in rows:
        prompt, reply = base.prompt_ids(row.prompt.messages), base.reply_ids(row.completion)
        if len(prompt) + len(reply) > base.max_tokens:
            continue
        if base.kind == "seq2seq":
            found.append({"input_ids": prompt, "labels": reply, "weight": row.weight})
        else:
            labels = [IGNORED] * len(prompt) + reply
            found.append({"input_ids": prompt + reply, "labels": labels, "weight": row.weight})
    return found, len(rows) - len(found)


class _Tuner(Unheard, SFTTrainer):
    """TRL's, for decoders."""


class _Seq2SeqTuner(Unheard, Trainer):
    """TRL has none for encoder-decoders, whose labels are the reply alone."""


def _adapted(base: Base, start: Path | None, settings: TrainingSettings) -> Any:
    if start is None:
        return matrices_only(get_peft_model(base.model, lora_config(base, settings.lora)))
    return matrices_only(PeftModel.from_pretrained(base.model, start, is_trainable=True))


def _trainer(
    base: Base, model: Any, rows: list[dict[str, Any]], *, settings: TrainingSettings, run: Run, work: Path
) -> Any:
    how = arguments(settings.sft, settings, run, work, len(rows))
    if base.kind == "seq2seq":
        return _Seq2SeqTuner(
            model,
            TrainingArguments(**how),
            data_collator=DataCollatorForSeq2Seq(
                base.tokenizer, model=base.model, label_pad_token_id=IGNORED
            ),
            train_dataset=_dataset(rows),
        )
    config = SFTConfig(
        **how,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},  # the labels are here already
    )
    return _Tuner(
        model,
        config,
        data_collator=DataCollatorForLanguageModeling(pad_token_id=base.pad_id),
        train_dataset=_dataset(rows),
        processing_class=base.tokenizer,
    )


def _dataset(rows: list[dict[str, Any]]) -> Any:
    return datasets.Dataset.from_list([{name: row[name] for name in ("input_ids", "labels")} for row in rows])


def _loss(trainer: Any, rows: list[dict[str, Any]]) -> float | None:
    """Nats per token of the replies, each batch counted as its rows."""
    if not rows:
        return None
    with torch.no_grad():
        return float(trainer.evaluate(_dataset(rows))["eval_loss"])


def _write(model: Any, metrics: dict[str, Any], out: Path) -> None:
    with made(out) as part, plain_errors():
        model.save_pretrained(part)
        (part / METRICS).write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
