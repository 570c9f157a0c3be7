"""The choice without a critic: TRL's RLOOTrainer behind the signature of `training.ppo.improve`.

Each prompt gets several replies, and the mean reward of the others is what a reply is measured by (Ahmadian et al.
2024, arXiv 2402.14740). The reward is the same, on token ids; the reference is a copy of the adapter to begin with.
"""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import torch
from torch import Tensor, nn
from trl import RLOOConfig, RLOOTrainer

from bot.training_settings import SftSettings, TrainingSettings
from training import curves
from training.cast import Cast
from training.draws import drawn
from training.errors import BadBase, BadData, Diverged
from training.fitting import Unheard, Watch, arguments, learn, plain_errors
from training.folders import made
from training.models import Base, load_base, quiet
from training.reading import PLAIN, Manners
from training.rewards import composite
from training.rollout import Samplers, prompt_ids, with_room
from training.rows import Prompt
from training.run import Run
from training.samples import Sample, Scorer

POLICY, REWARD = "default", "reward"
"""TRL trains the adapter of that name."""
SEEN = "rloo.pt"
"""In a checkpoint: the figures so far, and the last policy under the limit of KL."""


@quiet()
def improve(
    source: str,
    start: Path,
    reward: Path,
    prompts: Sequence[Prompt],
    out: Path,
    *,
    settings: TrainingSettings,
    run: Run,
    work: Path,
    extra: Sequence[Scorer] = (),
    weights: Sequence[float] | None = None,
    sampler: Samplers | None = None,
    manners: Manners = PLAIN,
) -> dict[str, Any]:
    """As `training.ppo.improve`. Raises BadBase, BadData, Diverged, NoRoom, OutOfBudget, OSError."""
    if not prompts:
        raise BadData("there are no prompts to learn replies to; nothing was trained")
    if sampler is not None:
        raise BadData("training.ppo.rollouts = 'server' goes with method = 'ppo' only; set one of the two")
    base = load_base(source, settings)
    if base.kind == "seq2seq":
        raise BadBase(
            f"{source} is an encoder-decoder, which RLOO does not train; set training.ppo.method = 'ppo'"
        )
    cast = Cast(base)
    cast.add(POLICY, settings.lora, folder=start, train=True)
    cast.add(REWARD, settings.lora, folder=reward, head=True)
    scored = Scored(cast, composite(cast, REWARD, settings, manners=manners, extra=extra), settings)
    fitting, counts, left_out = with_room(base, prompts, weights, settings.ppo.max_new_tokens)
    with cast.playing(POLICY):
        scored.prompts = _asked(fitting, counts, settings, run)
        trainer = _trainer(cast, scored, settings, run, work / out.name)
        watch = WatchKl(run, settings, cast.parameters(POLICY), scored)
        learn(trainer, watch, work / out.name)
    metrics: dict[str, Any] = watch.finish() | {"left_out": left_out}
    if trainer.is_world_process_zero():
        with made(out) as folder, plain_errors():
            cast.save(POLICY, folder)
            curves.write(folder, watch.rows, metrics)
    trainer.accelerator.wait_for_everyone()
    return metrics


class Scored:
    """The reward as TRL calls it, with the figures of the batch that it saw last."""

    __name__ = "reward"  # TRL asks for it

    def __init__(self, cast: Cast, scorer: Scorer, settings: TrainingSettings) -> None:
        self.figures: dict[str, float] = {}
        self.prompts: list[Prompt] = []
        self._cast, self._scorer, self._own = cast, scorer, settings.ppo

    def __call__(self, *, completion_ids: list[list[int]], at: list[int], **_: Any) -> list[float]:
        samples = [
            self._sample(self.prompts[place], ids) for place, ids in zip(at, completion_ids, strict=True)
        ]
        with self._cast.playing(POLICY):  # and so it plays again afterwards
            scores = self._scorer.score(samples)
        if not all(map(math.isfinite, scores)):  # TRL would take it for 0
            raise Diverged("RLOO: a reward is no number")
        self.figures = curves.measured(samples, scores)
        penalty = self._own.missing_eos_penalty
        return [score - penalty * (not one.ended) for score, one in zip(scores, samples, strict=True)]

    def _sample(self, prompt: Prompt, reply: list[int]) -> Sample:
        base = self._cast.base
        asked = prompt_ids(base, prompt, self._own.max_new_tokens)
        return Sample(prompt, asked, tuple(reply), base.text_of(reply), reply[-1] == base.eos_id)


class WatchKl(Watch):
    """Also stops on KL, and then puts the last policy under it back. What it has seen lies with each checkpoint."""

    def __init__(
        self, run: Run, settings: TrainingSettings, policy: Sequence[nn.Parameter], scored: Scored
    ) -> None:
        super().__init__(run, "RLOO")
        self.rows: list[dict[str, float]] = []
        self._own, self._policy, self._scored = settings.ppo, policy, scored
        self._before: list[Tensor] = []
        self._good: list[Tensor] = []
        self._good_step = 0
        self._why = ""

    def on_step_begin(self, args: Any, state: Any, control: Any, **known: Any) -> None:
        self._before = [one.detach().clone() for one in self._policy]

    def on_train_begin(self, args: Any, state: Any, control: Any, **known: Any) -> None:
        seen = _seen(args, state)
        if seen.is_file():
            kept = torch.load(seen, map_location=self._policy[0].device, weights_only=True)
            self.rows, self._good, self._good_step = kept["rows"], kept["good"], kept["good_step"]

    def on_save(self, args: Any, state: Any, control: Any, **known: Any) -> None:
        if state.is_world_process_zero:
            kept = {"rows": self.rows, "good": self._good, "good_step": self._good_step}
            torch.save(kept, _seen(args, state))

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **known: Any) -> None:
        if "kl" in logs:
            row = _figures(logs, len(self.rows)) | self._scored.figures | {"kl_coef": self._own.kl_coef}
            self.rows.append(row)
            if row["kl"] > self._own.kl_stop or not math.isfinite(row["kl"]):
                self._why = "kl"
                control.should_training_stop, control.should_save = True, False
            else:
                self._good, self._good_step = self._before, state.global_step - 1
        # In the middle of a batch its replies would be lost.
        if state.global_step % self._own.epochs == 0 and not self._why:
            super().on_log(args, state, control, logs, **known)

    @torch.no_grad()
    def finish(self) -> dict[str, Any]:
        """Raises Diverged where nothing is worth keeping."""
        if self._why:
            if not self._good_step:
                raise Diverged(
                    f"RLOO left the voice that it began with by more than a KL of {self._own.kl_stop} after its "
                    "first step; lower training.ppo.learning_rate"
                )
            for value, one in zip(self._good, self._policy, strict=True):
                one.copy_(value)
        last = self.rows[-2 if self._why else -1]
        batches = self._good_step // self._own.epochs if self._why else len(self.rows)
        return {"method": "rloo", "stopped": self._why, "batches": batches, **last}


class _Rloo(Unheard, RLOOTrainer):
    """TRL's, on the prompt ids that everybody else here has."""

    base: Base

    def _tokenize_prompts(self, prompts: list[Any]) -> tuple[list[list[int]], None, dict[str, Any]]:
        return [self.base.prompt_ids(prompt) for prompt in prompts], None, {}


def _seen(args: Any, state: Any) -> Path:
    return Path(args.output_dir) / f"checkpoint-{state.global_step}" / SEEN


def _figures(logs: dict[str, Any], batch: int) -> dict[str, float]:
    """TRL gives KL per token."""
    return {
        "batch": batch,
        "reward": float(logs["reward"]),
        "kl": float(logs["kl"]) * float(logs["completions/mean_length"]),
        "entropy": float(logs.get("entropy", math.nan)),
        "policy_loss": float(logs.get("loss", math.nan)),
        "clip_fraction": float(logs.get("clip_ratio/region_mean", math.nan)),
        "seconds": float(logs.get("step_time", math.nan)),
    }


def _asked(
    prompts: Sequence[Prompt], weights: Sequence[float] | None, settings: TrainingSettings, run: Run
) -> list[Prompt]:
    """In the order in which they are asked."""
    own = settings.ppo
    if own.batch % own.samples_per_prompt:
        raise BadData(
            f"training.ppo.batch, {own.batch}, is no multiple of samples_per_prompt, {own.samples_per_prompt}"
        )
    count = own.batch // own.samples_per_prompt
    order = drawn(weights or [1.0] * len(prompts), own.batches * count, run.seed)
    return [prompts[place] for place in order]


def _micro(settings: TrainingSettings) -> int:
    """Rows at a time, such that they make up a batch exactly: TRL counts replies to a prompt in whole batches."""
    own = settings.ppo
    here = max(1, own.batch // int(os.environ.get("WORLD_SIZE", "1")))
    return max(one for one in range(1, own.micro_batch + 1) if here % one == 0)


def _trainer(cast: Cast, scored: Scored, settings: TrainingSettings, run: Run, work: Path) -> Any:
    own = settings.ppo
    shape = SftSettings(learning_rate=own.learning_rate, batch=own.batch, micro_batch=_micro(settings))
    how = arguments(shape, settings, run, work, own.batches * own.batch)
    how["save_steps"] *= own.epochs
    unwanted = ("num_train_epochs", "train_sampling_strategy", "warmup_steps")
    config = RLOOConfig(
        **{name: value for name, value in how.items() if name not in unwanted},
        max_steps=own.batches * own.epochs,
        num_generations=own.samples_per_prompt,
        num_iterations=own.epochs,
        max_completion_length=own.max_new_tokens,
        temperature=own.temperature,
        top_k=0,
        # Without any, TRL does not measure how far the policy went.
        beta=max(own.kl_coef, 1e-9),
        epsilon=own.clip,
        max_grad_norm=own.max_grad_norm,
        shuffle_dataset=False,
        # What is learned from must be as likely as it was when it was written.
        disable_dropout=True,
    )
    tokenizer = cast.base.tokenizer
    if tokenizer.eos_token_id is None:  # BERT's
        tokenizer.eos_token = tokenizer.convert_ids_to_tokens(cast.base.eos_id)
    rows = [{"prompt": list(prompt.messages), "at": at} for at, prompt in enumerate(scored.prompts)]
    trainer = _Rloo(
        cast.peft,
        scored,
        config,
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=tokenizer,
    )
    trainer.base = cast.base
    return trainer
