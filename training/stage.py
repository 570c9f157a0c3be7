"""Candidate, live voice, the voice that the night began with, and the judge, on one base in memory."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.training_settings import TrainingSettings
from training.cast import Cast
from training.errors import Diverged
from training.measures import divergences, likelihoods
from training.models import load_base
from training.rewards import Preference
from training.rollout import ROWS, LocalSampler, NotANumber
from training.rows import Pair, Prompt, threads_of
from training.run import Run
from training.samples import Sample

_GREEDY = 1e-4
"""Temperature for 0: the likeliest token each time."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What both voices wrote to the same prompts, in their order."""

    candidate: Sequence[Sample]
    live: Sequence[Sample]

    @property
    def threads(self) -> list[Hashable]:
        return threads_of([one.prompt for one in self.candidate])

    def __getitem__(self, part: slice) -> "Answers":
        return Answers(self.candidate[part], self.live[part])


class Stage:
    """`live`, `start`: folders of adapters; None: the base itself. Raises BadBase, BadData, OSError."""

    def __init__(
        self,
        source: str,
        *,
        candidate: Path,
        live: Path | None,
        start: Path | None,
        judge: Path,
        settings: TrainingSettings,
    ) -> None:
        self._settings = settings
        self._cast = Cast(load_base(source, settings))
        self._add("candidate", candidate)
        self._cast.add("judge", settings.lora, folder=judge, head=True)
        self._live = self._add("live", live)
        self._start = self._live if start == live else self._add("start", start)

    def fits(self, prompt: Prompt) -> bool:
        """Whether the model has room for it and a reply."""
        return self._room(prompt) >= self._settings.ppo.max_new_tokens

    def fits_pair(self, pair: Pair) -> bool:
        longest = max(len(self._cast.base.reply_ids(text)) for text in (pair.chosen, pair.rejected))
        return self._room(pair.prompt) >= longest

    def answers(self, prompts: Sequence[Prompt], *, temperature: float, run: Run) -> Answers:
        """By the same dice for both. Raises Diverged, OutOfBudget."""
        ours, theirs = [], []
        samplers = [self._sampler(role, temperature) for role in ("candidate", self._live)]
        for first in range(0, len(prompts), ROWS):
            some, seed = prompts[first : first + ROWS], run.seed + first
            try:
                ours += samplers[0].sample(some, seed)
                theirs += samplers[1].sample(some, seed)
            except NotANumber as error:
                raise Diverged(
                    "a voice gives its words a probability that is no number; lower training.ppo.learning_rate"
                ) from error
            run.advance(first + len(some), len(prompts))
        return Answers(ours, theirs)

    def judged(self, samples: Sequence[Sample]) -> list[float]:
        return Preference(self._cast, "judge", batch=self._settings.ppo.micro_batch).score(samples)

    def drifts(self, samples: Sequence[Sample]) -> list[float]:
        """How far the candidate is from the start at each of its replies; see `divergences`."""
        return divergences(self._cast, "candidate", self._start, samples)

    def ranks(self, pairs: Sequence[Pair]) -> tuple[list[float], list[float]]:
        """Of candidate and live: 1 for each pair whose chosen reply the voice finds likelier, else 0."""
        chosen = [self._given(one.prompt, one.chosen) for one in pairs]
        rejected = [self._given(one.prompt, one.rejected) for one in pairs]
        ours, theirs = (
            [
                float(better > worse)
                for better, worse in zip(
                    likelihoods(self._cast, role, chosen),
                    likelihoods(self._cast, role, rejected),
                    strict=True,
                )
            ]
            for role in ("candidate", self._live)
        )
        return ours, theirs

    def _add(self, role: str, folder: Path | None) -> str | None:
        if folder is None:
            return None
        self._cast.add(role, self._settings.lora, folder=folder)
        return role

    def _sampler(self, role: str | None, temperature: float) -> LocalSampler:
        longest = self._settings.ppo.max_new_tokens
        return LocalSampler(self._cast, role, max_new_tokens=longest, temperature=max(temperature, _GREEDY))

    def _room(self, prompt: Prompt) -> int:
        base = self._cast.base
        return base.max_tokens - len(base.prompt_ids(prompt.messages))

    def _given(self, prompt: Prompt, text: str) -> Sample:
        base = self._cast.base
        return Sample(
            prompt, tuple(base.prompt_ids(prompt.messages)), tuple(base.reply_ids(text)), text, ended=True
        )
