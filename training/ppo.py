"""PPO on replies (Schulman et al. 2017; for language models, Ziegler et al. 2019, Stiennon et al. 2020).

Four roles on one base: the policy π_θ and the critic V_φ, which learn; the reference π_ref, which is the policy as it
began; and the reward r, from which the critic begins. A batch is

    1  roll out   y ~ π_θ(·|x) for prompts x drawn by their weight
    2  score      r(x, y), less a penalty where y does not end by itself
    3  look       log π_ref(y_t), and V_φ before each token; log π_θ(y_t) came with the rollout
    4  reward     R_t = -β (log π_θ - log π_ref) + [t is last] r;  the advantages A_t by GAE, whitened
    5  learn      epochs × minibatches of the clipped losses
    6  control    the stop on KL, β, a checkpoint

B is the number of episodes of this process, T the longest reply; tensors are [B, T] unless said otherwise.
"""

import math
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from bot.training_settings import TrainingSettings
from training import checkpoints, curves, losses
from training.activations import checkpoint, learning
from training.cast import Cast
from training.checkpoints import Progress
from training.draws import drawn
from training.episodes import by_length, episodes, logprobs_of, mask_of, values_of
from training.errors import BadData, Diverged, OutOfBudget
from training.fitting import plain_errors
from training.folders import made
from training.logprobs import language_head
from training.merged import merged
from training.models import load_base
from training.processes import Processes, anywhere
from training.reading import PLAIN, Manners
from training.rewards import composite
from training.rollout import LocalSampler, NotANumber, Sampler, Samplers, with_room
from training.rows import Prompt
from training.run import Run
from training.samples import Sample, Scorer

POLICY, REFERENCE, CRITIC, REWARD = "policy", "reference", "critic", "reward"
LOOK = 4
"""A pass that learns nothing takes so many times as many rows as one that keeps its activations."""


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
    """From the adapter in `start` to a better one in `out`, with metrics.json and curves.jsonl.

    `extra` is scored beside the settings' rewards, with weight 1. `weights` are the prompts'; without them all count
    the same. `sampler` writes the replies in place of the model here. Goes on from the checkpoint in `work` where
    there is one. Raises BadBase, BadData, Diverged, NoRoom, OutOfBudget, OSError.
    """
    if not prompts:
        raise BadData("there are no prompts to learn replies to; nothing was trained")
    processes = Processes(settings)
    if settings.ppo.batch < processes.count:
        raise BadData(
            f"training.ppo.batch, {settings.ppo.batch}, is less than the {processes.count} processes that share it"
        )
    cast = cast_of(source, start, reward, settings)
    prompts, weights, left_out = with_room(cast.base, prompts, weights, settings.ppo.max_new_tokens)
    scorer = composite(cast, REWARD, settings, manners=manners, extra=extra)
    ppo = Ppo(cast, scorer, settings, processes, seed=run.seed, sampler=sampler and sampler(cast, POLICY))
    made_with = checkpoints.fingerprint(settings, run.seed, prompts, weights, start, reward)
    now = ppo.go_on(checkpoints.load(work, made_with) or Progress(made_with, kl_coef=settings.ppo.kl_coef))
    own = settings.ppo
    order = drawn(weights or [1.0] * len(prompts), own.batches * own.batch, run.seed)
    while now.batch < own.batches and not now.stopped:
        asked = [prompts[place] for place in order[now.batch * own.batch :][: own.batch]]
        ppo.batch(now, processes.share(asked))
        if processes.first and now.batch % settings.ppo.checkpoint_every == 0 and not now.stopped:
            checkpoints.save(work, ppo.kept(now))
        try:
            processes.tell(run, now.batch, settings.ppo.batches, now.curves[-1])
        except OutOfBudget:
            if processes.first and not now.stopped:
                checkpoints.save(work, ppo.kept(now))
            raise
    metrics = ppo.finish(now) | {"left_out": left_out}
    if processes.first:
        with made(out) as folder, plain_errors():
            cast.save(POLICY, folder)
            curves.write(folder, now.curves, metrics)
    processes.wait()
    return metrics


def cast_of(source: str, start: Path, reward: Path, settings: TrainingSettings) -> Cast:
    """The four roles. Raises BadBase, BadData, OSError."""
    cast = Cast(load_base(source, settings))
    cast.add(POLICY, settings.lora, folder=start, train=True)
    cast.add(REFERENCE, settings.lora, folder=start)
    cast.add(CRITIC, settings.lora, folder=reward, head=True, train=True)
    cast.add(REWARD, settings.lora, folder=reward, head=True)
    return cast


@dataclass(frozen=True, slots=True)
class Experience:
    """What is known of a batch before anything is learned from it."""

    samples: list[Sample]
    mask: Tensor
    logprobs: Tensor
    """log π_θ as it was when it wrote."""
    values: Tensor
    gains: Tensor
    """The advantages, whitened."""
    returns: Tensor


class Ppo:
    """The six steps, on a cast of `policy`, `reference`, `critic` and `reward`."""

    def __init__(
        self,
        cast: Cast,
        scorer: Scorer,
        settings: TrainingSettings,
        processes: Processes,
        *,
        seed: int,
        sampler: Sampler | None = None,
    ) -> None:
        own = settings.ppo
        self._cast, self._scorer, self._own, self._processes, self._seed = cast, scorer, own, processes, seed
        self._head = language_head(cast.base)
        self._sampler = sampler or LocalSampler(
            cast, POLICY, max_new_tokens=own.max_new_tokens, temperature=own.temperature
        )
        self._policy, self._critic = cast.parameters(POLICY), cast.parameters(CRITIC)
        self._optimizer = torch.optim.AdamW(
            [*self._policy, *self._critic], own.learning_rate, weight_decay=0.0
        )
        self._checkpoints = settings.gradient_checkpointing
        if self._checkpoints:
            checkpoint(cast.base.model)

    def seed(self, batch: int) -> int:
        """All that is drawn in a batch follows from the run's seed and the batch's number."""
        return self._seed * 1_000_003 + batch

    def batch(self, now: Progress, prompts: Sequence[Prompt]) -> None:
        """One batch; `now` becomes what it leaves behind."""
        began = time.monotonic()
        figures: dict[str, float] = {"batch": now.batch, "kl_coef": now.kl_coef}
        try:
            samples = self.roll_out(prompts, now.batch)
            scores = self.score(samples)
            past, seen = self.look(samples, scores, now.kl_coef)
            figures |= self._processes.means({**curves.measured(samples, scores.tolist()), **seen})
            if figures["kl"] > self._own.kl_stop:
                now.stopped = "kl"
            else:
                now.good, now.good_batch = [one.detach().cpu().clone() for one in self._policy], now.batch
                figures |= self._processes.means(self.learn(past, now.batch))
                now.kl_coef = self._next_coef(now.kl_coef, figures["kl"])
                now.batch += 1
        except NotANumber:
            now.stopped = "nan"
        now.curves.append(figures | {"seconds": time.monotonic() - began})

    def roll_out(self, prompts: Sequence[Prompt], batch: int) -> list[Sample]:
        """1: one reply to each prompt. Another seed in each process."""
        seed = self.seed(batch) * self._processes.count + self._processes.rank
        try:
            samples = self._sampler.sample(prompts, seed)
        except NotANumber:
            samples = []
        self._no_nan(not samples)
        return samples

    def score(self, samples: list[Sample]) -> Tensor:
        """2: what each reply is worth, [B]."""
        order = [at for some in by_length(samples, len(samples)) for at in some]
        found = self._scorer.score([samples[at] for at in order])
        scores = torch.empty(len(samples), device=self._cast.base.device)
        scores[order] = torch.tensor(found, dtype=torch.float32, device=scores.device)
        self._no_nan(not bool(scores.isfinite().all()))
        return scores

    @torch.no_grad()
    def look(
        self, samples: list[Sample], scores: Tensor, kl_coef: float
    ) -> tuple[Experience, dict[str, float]]:
        """3 and 4: what reference and critic say of each token, and how much better than expected it was."""
        logprobs = self._drawn_with(samples)
        ref_logprobs, values = self._each(samples, REFERENCE), self._each(samples, CRITIC)
        mask = mask_of(samples, scores.device)
        kl = losses.kl_k1(logprobs, ref_logprobs, mask)
        ended = torch.tensor([one.ended for one in samples], device=scores.device)
        given = losses.penalized(scores, ended, self._own.missing_eos_penalty)
        rewards = losses.token_rewards(given, kl, mask, kl_coef)
        gains = losses.advantages(rewards, values, mask, self._own.gamma, self._own.lam)
        figures = {
            "reward": float(rewards.sum(1).mean()),
            "kl": float(kl.sum(1).mean()),
            "kl_k3": float(losses.kl_k3(logprobs, ref_logprobs, mask).sum(1).mean()),
            "entropy": float(losses.entropy(logprobs, mask)),
        }
        self._no_nan(not all(map(math.isfinite, figures.values())))
        return Experience(
            samples, mask, logprobs, values, losses.whitened(gains, mask), gains + values
        ), figures

    def learn(self, past: Experience, batch: int) -> dict[str, float]:
        """5: epochs × minibatches. A minibatch's loss is the mean over its tokens, whatever the micro-batches."""
        own, done = self._own, []
        generator = torch.Generator().manual_seed(self.seed(batch))
        for group in self._optimizer.param_groups:
            group["lr"] = own.learning_rate * (1.0 - batch / own.batches)
        for _ in range(own.epochs):
            order = torch.randperm(len(past.samples), generator=generator)
            for places in order.tensor_split(self._processes.parts(own.minibatches, own.batch)):
                done.append(self._step(past, places.tolist()))
        names = ("policy_loss", "value_loss", "clip_fraction", "value_clip_fraction")
        return dict(zip(names, torch.tensor(done).mean(0).tolist(), strict=True))

    def _step(self, past: Experience, places: list[int]) -> list[float]:
        """One step of the optimizer on the episodes at `places`."""
        samples = [past.samples[at] for at in places]
        tokens = int(past.mask[places].sum())
        sums = torch.zeros(4)
        with learning(self._cast.base.model) if self._checkpoints else nullcontext():
            for some in by_length(samples, self._own.micro_batch):
                sums += self._losses(past, [places[at] for at in some], tokens)
        self._processes.average_grads([*self._policy, *self._critic])
        # Each role by itself: the value loss may be far larger and would take the policy's step away.
        norms = [
            nn.utils.clip_grad_norm_(one, self._own.max_grad_norm) for one in (self._policy, self._critic)
        ]
        if not all(bool(norm.isfinite()) for norm in norms):
            raise NotANumber
        self._optimizer.step()
        self._optimizer.zero_grad()
        return [float(one) for one in sums / tokens]

    def _losses(self, past: Experience, places: list[int], tokens: int) -> Tensor:
        """Gradients of one micro-batch. The roles one after the other: only one's activations are held."""
        own = self._own
        samples = [past.samples[at] for at in places]
        batch = episodes(self._cast.base, samples, share=not self._checkpoints)
        mask = batch.mask
        old, value, gain, aim = (
            one[places, : mask.shape[1]] for one in (past.logprobs, past.values, past.gains, past.returns)
        )
        new = logprobs_of(self._cast, POLICY, self._head, batch, own.temperature)
        policy = losses.policy_loss(batch.rectangle(new), old, gain, mask, own.clip)
        (policy.loss / tokens).backward()
        said = batch.rectangle(values_of(self._cast, CRITIC, batch))
        critic = losses.value_loss(said, value, aim, mask, own.clip_value)
        (own.value_coef * critic.loss / tokens).backward()
        return torch.stack([policy.loss.detach(), critic.loss.detach(), policy.clipped, critic.clipped]).cpu()

    def _each(self, samples: list[Sample], role: str) -> Tensor:
        """[B, T]: the log-probability of each token, or what the critic expects before it."""
        base = self._cast.base
        found = torch.zeros(len(samples), max(len(one.reply_ids) for one in samples), device=base.device)
        with merged(self._cast, role):
            for some in by_length(samples, LOOK * self._own.micro_batch):
                batch = episodes(base, [samples[at] for at in some])
                if role == CRITIC:
                    flat = values_of(self._cast, role, batch)
                else:
                    flat = logprobs_of(self._cast, role, self._head, batch, self._own.temperature)
                found[some, : batch.mask.shape[1]] = batch.rectangle(flat)
        return found

    def _drawn_with(self, samples: list[Sample]) -> Tensor:
        """[B, T]: log π_θ of each token, as the sampler says; a server may not."""
        said = [one.logprobs for one in samples if one.logprobs is not None]
        if len(said) < len(samples):
            return self._each(samples, POLICY)
        return pad_sequence([torch.tensor(one) for one in said], batch_first=True).to(self._cast.base.device)

    def _no_nan(self, here: bool) -> None:
        if anywhere(here):
            raise NotANumber

    def _next_coef(self, kl_coef: float, kl: float) -> float:
        """6"""
        own = self._own
        return losses.adapted(kl_coef, kl, own.kl_target, own.kl_gain) if own.kl_adaptive else kl_coef

    def go_on(self, progress: Progress) -> Progress:
        """From where `progress` was saved, if it was."""
        if progress.weights:
            _put(progress.weights, [*self._policy, *self._critic])
            self._optimizer.load_state_dict(progress.optimizer)
        return progress

    def kept(self, progress: Progress) -> Progress:
        """With all that `go_on` needs."""
        progress.weights = [one.detach().cpu() for one in (*self._policy, *self._critic)]
        progress.optimizer = self._optimizer.state_dict()
        return progress

    def finish(self, progress: Progress) -> dict[str, Any]:
        """The policy becomes the one to keep. Raises Diverged where that would be the one it began with."""
        if progress.stopped:
            if not progress.good_batch:
                raise Diverged(_WHY[progress.stopped].format(self._own.kl_stop))
            _put(progress.good, self._policy)
            return _metrics(progress, progress.good_batch, progress.curves[progress.good_batch])
        return _metrics(progress, progress.batch, progress.curves[-1])


def _metrics(progress: Progress, batches: int, last: dict[str, float]) -> dict[str, Any]:
    """`batches` that the kept policy has learned from, and the figures of the last one that was measured."""
    return {"method": "ppo", **last, "stopped": progress.stopped, "batches": batches}


_WHY = {
    "kl": "PPO left the voice that it began with by more than a KL of {} after its first step; lower "
    "training.ppo.learning_rate",
    "nan": "a loss of PPO was no number before anything was learned; lower training.ppo.learning_rate, or train in "
    "float32",
}


@torch.no_grad()
def _put(values: Sequence[Tensor], parameters: Sequence[nn.Parameter]) -> None:
    for value, one in zip(values, parameters, strict=True):
        one.copy_(value)
