"""What an evaluation found; `report.json` holds it."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict

Text = Annotated[str, AfterValidator(lambda text: text.encode("utf-8", "backslashreplace").decode())]
"""What others wrote: a lone surrogate, which no file takes, is written out."""


class _Kept(BaseModel):
    # NaN has to come back as what it was: the gate refuses it.
    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")


class Measure(_Kept):
    """One figure of both voices over the same prompts, and how sure their difference is."""

    candidate: float
    live: float
    difference: float
    """Candidate less live."""
    low: float
    high: float
    """Bounds of the difference, at the report's confidence."""
    count: int
    """Prompts; 0: it could not be measured, and all else is NaN."""
    threads: int = 0
    """That they are of, where it is known: what is said in one thread is no independent evidence."""

    @property
    def independent(self) -> int:
        return self.threads or self.count


class ProbeRow(_Kept):
    """What both voices said to one probe."""

    name: str
    kind: str
    language: str
    comment: Text
    candidate: Text
    live: Text
    candidate_passed: bool
    live_passed: bool


class SampleRow(_Kept):
    """What both voices said to one comment, and what the person wrote."""

    comment: Text
    language: str
    human: Text
    """Empty where nobody wrote one."""
    candidate: Text
    live: Text


class Report(_Kept):
    """Candidate against live; everything the gate looks at, and what people are shown."""

    version: int = 1
    confidence: float
    live_is_base: bool
    """There is no voice yet: the candidate is compared with the base model."""
    temperature: float
    """At which both wrote; 0: the likeliest token each time."""
    prompts: int
    """Held-out comments and past ones that both answered."""
    left_out: int
    """Prompts that were too long for the model."""
    judge: Measure
    """What the second reward model gives."""
    agreement: Measure
    """With what the person wrote, 0 to 1 (`training.measures.agreement`)."""
    ranking: Measure
    """Part of the held-out pairs whose better reply the voice itself finds likelier."""
    support: Measure
    """By the passages, 0 to 1 (`training.rewards.Support`)."""
    banned: Measure
    """Part of the replies with a banned word."""
    leaked: Measure
    """Part of the replies that show the prompt."""
    empty: Measure
    """Part of the replies without a word."""
    ended: Measure
    """Part of the replies that ended by themselves."""
    length: Measure
    """Characters."""
    probes: Measure
    """Part of the probes that were passed."""
    variety: float
    """Distinct replies, as a part of those of the live voice."""
    variety_of_runs: float
    """Distinct runs of four characters, as a part of those of the live voice."""
    human_length: float
    """Mean length of what people wrote to the same comments, in characters; NaN: nobody wrote any."""
    kl: float
    """From the voice that the night began with, per reply, in nats."""
    judge_accuracy: float
    """Of the judge, on held-out pairs; NaN: not known."""
    least_accuracy: float
    stopped: str
    """Why the training of the candidate ended early; empty: it did not."""
    diverged: bool
    """A loss was no number."""
    probe_rows: tuple[ProbeRow, ...] = ()
    samples: tuple[SampleRow, ...] = ()
    curves: tuple[dict[str, Any], ...] = ()
    """Of PPO, one for each batch, as `curves.jsonl` has them."""
