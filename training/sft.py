"""Fine-tuning: the model learns to write what a person stood behind. TRL's SFTTrainer on a LoRA adapter.

1. each row becomes prompt ids + reply ids; only the reply is in the loss
2. rows are drawn by their weights (`training.draws`)
3. the adapter of the parent voice, or a new one, learns them
4. the loss on held-out rows, before and after, says what it was worth
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import torch
from peft import PeftModel, get_peft_model
from transformers import DataCollatorForSeq2Seq, Trainer, TrainingArguments, set_seed
from trl import SFTConfig, SFTTrainer
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from bot.training_settings import TrainingSettings
from training.cast import Cast, matching
from training.draws import epochs_of
from training.errors import BadData
from training.fitting import Unheard, Watch, arguments, learn, matrices_only, plain_errors
from training.folders import made
from training.logprobs import language_head, token_logprobs
from training.models import Base, load_base, lora_config, quiet
from training.rows import Supervised, read_supervised
from training.run import Run
from training.scoring import scoring_inputs

METRICS = "metrics.json"
IGNORED = -100
"""The label of a token that is not in the loss."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A row as token ids; the reply has its end."""

    prompt: list[int]
    reply: list[int]
    weight: float


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
    order = epochs_of([row.weight for row in taught], settings.sft.epochs, run.seed)
    set_seed(run.seed)
    model = _adapted(base, start, settings)
    trainer = _trainer(
        base, model, [taught[number] for number in order], settings=settings, run=run, work=work
    )
    watch = Watch(run, "fine-tuning")
    before = reply_loss(base, measured, settings.sft.micro_batch)
    learn(trainer, watch, work)
    metrics = {
        "rows": len(taught),
        "rows_learned": len(order),
        "left_out": left_out,
        "held_rows": len(measured),
        "held_left_out": held_left_out,
        "loss_before": before,
        "loss_after": reply_loss(base, measured, settings.sft.micro_batch),
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


def encoded(base: Base, rows: Sequence[Supervised]) -> tuple[list[Encoded], int]:
    """Those that the model can read whole, and how many others there are."""
    found = [
        Encoded(base.prompt_ids(row.prompt.messages), base.reply_ids(row.completion), row.weight)
        for row in rows
    ]
    fitting = [one for one in found if len(one.prompt) + len(one.reply) <= base.max_tokens]
    return fitting, len(found) - len(fitting)


def columns(base: Base, row: Encoded) -> dict[str, list[int]]:
    """What trainers read. Only the reply and its end are in the loss."""
    if base.kind == "seq2seq":
        return {"input_ids": row.prompt, "labels": row.reply}
    return {"input_ids": row.prompt + row.reply, "labels": [IGNORED] * len(row.prompt) + row.reply}


def reply_loss(base: Base, rows: Sequence[Encoded], batch: int) -> float | None:
    """Nats per token of the replies, as the base's model with all that was added to it writes now; None of no rows.

    Not by `Trainer.evaluate`: a model that it has prepared to be evaluated is not prepared again to be trained, and
    several processes would each train their own.
    """
    if not rows:
        return None
    cast, head, total = Cast(base), language_head(base), 0.0
    base.model.eval()
    with torch.no_grad():
        for first in range(0, len(rows), batch):
            some = rows[first : first + batch]
            inputs = scoring_inputs(base, [one.prompt for one in some], [one.reply for one in some])
            states = cast.hidden(None, **inputs)
            begins = [0 if base.kind == "seq2seq" else len(one.prompt) - 1 for one in some]
            said = [states[at, begin : begin + len(some[at].reply)] for at, begin in enumerate(begins)]
            tokens = torch.tensor([token for one in some for token in one.reply], device=base.device)
            total -= float(token_logprobs(head, torch.cat(said), tokens, 1.0).sum())
    return total / sum(len(one.reply) for one in rows)


class _Tuner(Unheard, SFTTrainer):
    """TRL's, for decoders."""


class _Seq2SeqTuner(Unheard, Trainer):
    """TRL has none for encoder-decoders, whose labels are the reply alone."""


def _adapted(base: Base, start: Path | None, settings: TrainingSettings) -> Any:
    if start is None:
        return matrices_only(get_peft_model(base.model, lora_config(base, settings.lora)))
    with matching(start, base):
        return matrices_only(PeftModel.from_pretrained(base.model, start, is_trainable=True))


def _trainer(
    base: Base, model: Any, rows: list[Encoded], *, settings: TrainingSettings, run: Run, work: Path
) -> Any:
    how = arguments(settings.sft, settings, run, work, len(rows))
    dataset = datasets.Dataset.from_list([columns(base, row) for row in rows])
    if base.kind == "seq2seq":
        return _Seq2SeqTuner(
            model,
            TrainingArguments(**how),
            data_collator=DataCollatorForSeq2Seq(
                base.tokenizer, model=base.model, label_pad_token_id=IGNORED
            ),
            train_dataset=dataset,
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
        train_dataset=dataset,
        processing_class=base.tokenizer,
    )


def _write(model: Any, metrics: dict[str, Any], out: Path) -> None:
    with made(out) as part, plain_errors():
        model.save_pretrained(part)
        (part / METRICS).write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
