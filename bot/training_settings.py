"""Settings of the night: `[training]` in rejoinder.toml. The defaults suit a model of 7B; a tiny one wants others."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger
from pydantic import AfterValidator, Field, model_validator

from bot.section import Section
from bot.tools.settings import checked_zone

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
"""As crontab counts them, from 0; APScheduler counts from Monday, and takes names for what they are."""


def trigger_of(line: str, time_zone: str) -> CronTrigger:
    """When `line`, in crontab's form, is due on the clocks of `time_zone`. Raises ValueError."""
    fields = line.split()
    if len(fields) == 5:
        fields[4] = _weekdays(fields[4])
    return CronTrigger.from_crontab(" ".join(fields), timezone=ZoneInfo(time_zone))


def _weekdays(field: str) -> str:
    if field == "*":
        return field
    found = {day for part in field.split(",") for day in _span(part)}
    return ",".join(_DAYS[day] for day in sorted(found))


def _span(part: str) -> Iterator[int]:
    span, _, step = part.partition("/")
    first, dash, last = ("0", "-", "6") if span == "*" else span.partition("-")
    begin, end = _day(first), _day(last if dash else first)
    return (day % 7 for day in range(begin, end + 1 if end >= begin else end + 8, int(step or 1)))


def _day(word: str) -> int:
    """0 to 7; 0 and 7 are Sunday."""
    if word.lower() in _DAYS:
        return _DAYS.index(word.lower())
    if word not in tuple("01234567"):
        raise ValueError(f"{word!r} is no day of the week")
    return int(word)


def _cron(text: str) -> str:
    if text:
        try:
            due = trigger_of(text, "UTC").get_next_fire_time(None, datetime.now(UTC))
        except ValueError as error:
            raise ValueError(
                f"{text!r} is no crontab line ({error}); write '0 3 * * *' for every day at 3"
            ) from error
        if due is None:
            raise ValueError(f"{text!r} is never due; write '0 3 * * *' for every day at 3")
    return text


class DataSettings(Section):
    """What of the verdicts is learned from."""

    min_rows: int = Field(default=50, ge=1)
    """Replies to imitate, without which a night is skipped."""
    min_pairs: int = Field(default=50, ge=1)
    min_new: int = Field(default=20, ge=0)
    """Verdicts since the last night that trained, without which a night is skipped."""
    held_out: float = Field(default=0.2, gt=0, le=0.5)
    """Part of the threads, the newest, that nothing is trained on."""
    half_life_days: float = Field(default=90.0, gt=0)
    """A verdict of that age counts half."""
    most_of_reviewer: float = Field(default=0.7, gt=0, le=1)
    """Largest part of all weight that one reviewer's verdicts may have, where there are several reviewers."""
    most_of_thread: float = Field(default=0.05, gt=0, le=1)
    most_of_channel: float = Field(default=0.5, gt=0, le=1)
    """The same for a channel, where there are several."""
    max_reply_chars: int = Field(default=4000, ge=1)
    """Rows with a longer reply are left out."""
    max_rows: int = Field(default=20_000, ge=1)
    """Of each file: the steps hold them in memory. Of more, those that weigh least are left out."""


class LoraSettings(Section):
    rank: int = Field(default=16, ge=1, le=512)
    alpha: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)


class SftSettings(Section):
    learning_rate: float = Field(default=1e-4, gt=0)
    epochs: float = Field(default=2.0, gt=0)
    batch: int = Field(default=16, ge=1)
    """Rows a step, over all devices."""
    micro_batch: int = Field(default=4, ge=1)
    """Rows at a time on one device."""


class RewardSettings(Section):
    """Training of the preference model."""

    learning_rate: float = Field(default=1e-4, gt=0)
    epochs: float = Field(default=1.0, gt=0)
    batch: int = Field(default=16, ge=1)
    micro_batch: int = Field(default=4, ge=1)
    min_accuracy: float = Field(default=0.6, ge=0.5, le=1)
    """On held-out pairs; below it the night ends without PPO, as there is nothing to follow."""


class RewardPart(Section):
    """One part of what PPO is rewarded for. The reward is the sum of weight times score over the parts."""

    kind: Literal["preference", "classifier", "support", "length", "signature", "banned"]
    """`preference`: the model trained on the pairs. `classifier`: a Hugging Face text-classification model.
    `support`: the part of the reply that the passages carry. `length`: 0, falling below as the reply leaves
    `shortest`..`longest`. `signature`, `banned`: -1 where the reply holds a greeting or signature, or a banned word."""
    weight: float = 1.0
    model: str = ""
    """Folder of a `classifier`."""
    label: str = ""
    """Which of its labels is the score, as a probability."""
    shortest: int = Field(default=1, ge=0)
    """Characters."""
    longest: int = Field(default=400, ge=1)

    @model_validator(mode="after")
    def _classifier_is_named(self) -> "RewardPart":
        if (self.kind == "classifier") != bool(self.model and self.label):
            raise ValueError(
                "kind = 'classifier' needs model, its folder, and label; the other kinds have neither"
            )
        return self


class PpoSettings(Section):
    """The paper's names: Schulman et al., https://arxiv.org/abs/1707.06347; Ziegler et al., arXiv 1909.08593."""

    method: Literal["ppo", "rloo"] = "ppo"
    learning_rate: float = Field(default=1e-5, gt=0)
    batches: int = Field(default=50, ge=1)
    batch: int = Field(default=32, ge=1)
    """Episodes a batch, over all devices."""
    micro_batch: int = Field(default=8, ge=1)
    """Episodes at a time on one device."""
    minibatches: int = Field(default=1, ge=1)
    """Optimizer steps an epoch."""
    epochs: int = Field(default=2, ge=1)
    """Passes over one batch."""
    kl_coef: float = Field(default=0.05, ge=0)
    kl_adaptive: bool = False
    kl_target: float = Field(default=6.0, gt=0)
    """KL per sequence that an adaptive coefficient aims at."""
    kl_gain: float = Field(default=0.1, gt=0, le=1)
    """How fast it does: a batch changes the coefficient by at most a fifth of this. A run of few batches needs more."""
    kl_stop: float = Field(default=20.0, gt=0)
    """KL per sequence over which training stops and the last step under it is kept."""
    gamma: float = Field(default=1.0, gt=0, le=1)
    lam: float = Field(default=0.95, ge=0, le=1)
    clip: float = Field(default=0.2, gt=0)
    clip_value: float = Field(default=0.2, gt=0)
    value_coef: float = Field(default=0.1, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    temperature: float = Field(default=1.0, gt=0)
    max_new_tokens: int = Field(default=256, ge=1)
    missing_eos_penalty: float = Field(default=1.0, ge=0)
    samples_per_prompt: int = Field(default=4, ge=2)
    """Of `rloo` only: replies to one prompt, each the baseline of the others."""
    checkpoint_every: int = Field(default=5, ge=1)
    """Batches."""
    rollouts: Literal["local", "server"] = "local"
    """Who writes the replies: the model here, or the vLLM server of `generator`."""


class GateSettings(Section):
    """What a candidate must show before it may answer anybody."""

    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    """Of the bootstrap intervals."""
    prompts: int = Field(default=200, ge=2)
    """Held-out prompts that live and candidate both answer."""
    max_kl: float = Field(default=12.0, gt=0)
    """From the voice that the night began with, per sequence."""
    max_drop: float = Field(default=0.02, ge=0)
    """How much worse a guard that is a rate may become."""
    min_eos: float = Field(default=0.9, ge=0, le=1)
    min_variety: float = Field(default=0.9, ge=0)
    """Distinct replies, as a part of those of the live voice."""
    max_length_change: float = Field(default=0.5, gt=0)
    """Of the mean length, as a part of that of the live voice."""


class TrainingSettings(Section):
    base: str = ""
    """Folder or name of the model that `generator.model` serves, in Hugging Face's format."""
    cron: Annotated[str, AfterValidator(_cron)] = ""
    """When the service starts a night, as a crontab line such as '0 3 * * *'; empty: never by itself."""
    time_zone: Annotated[str, AfterValidator(checked_zone)] = "UTC"
    channels: list[str] = []
    """Channels that have a voice of their own, one night each; empty: one voice for all channels."""
    hours: float = Field(default=6.0, gt=0)
    """A night that takes longer is stopped; the next start goes on with it."""
    memory_gb: float = Field(default=0.0, ge=0)
    """Most memory, of the device that trains; 0: no limit."""
    keep: int = Field(default=5, ge=1)
    """How many nights keep their files; of the older ones the report stays. Voices that answer are always kept."""
    canary: bool = True
    """A voice that passes answers `voices.canary_share` of the comments first, and goes live when a later night begins
    and people have judged `voices.canary_least` of its replies, no worse than the others; false: live at once."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    load_4bit: bool = False
    """Hold the base model in 4 bits (bitsandbytes, CUDA only)."""
    gradient_checkpointing: bool = False
    seed: int = 0
    trackers: list[Literal["tensorboard", "wandb"]] = ["tensorboard"]
    sleep_server: bool = False
    """Put the vLLM servers to sleep while a night uses the same GPU, and wake them after it."""
    data: DataSettings = DataSettings()
    lora: LoraSettings = LoraSettings()
    sft: SftSettings = SftSettings()
    reward: RewardSettings = RewardSettings()
    rewards: list[RewardPart] = []
    """What PPO is rewarded for, one `[[training.rewards]]` for each part; empty: what the preference model says."""
    ppo: PpoSettings = PpoSettings()
    gate: GateSettings = GateSettings()
