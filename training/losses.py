"""The mathematics of PPO on replies, without a model: tensors in, tensors out.

A batch is a rectangle [B, T] of reply tokens; `mask` [B, T] is true where there is one. An episode begins at column 0
and ends with its last token, which may be the end of text or the last one that was allowed. Row b may be of any
length up to T, also 0.

Sources: Schulman et al. 2017 (PPO, arXiv 1707.06347), Schulman et al. 2015 (GAE, 1506.02438), Ziegler et al. 2019
(KL penalty and controller, 1909.08593), Huang et al. 2024 (the details, 2403.17031).
"""

from typing import NamedTuple

import torch
from torch import Tensor


def masked_sum(values: Tensor, mask: Tensor) -> Tensor:
    """[B, T] → scalar. What is masked away may be NaN or infinite."""
    return torch.where(mask, values, 0.0).sum()


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """[B, T] → scalar; 0 where nothing is left."""
    return masked_sum(values, mask) / mask.sum().clamp(min=1)


def masked_var(values: Tensor, mask: Tensor) -> Tensor:
    """[B, T] → scalar, with Bessel's correction; 0 for fewer than two values."""
    squares = masked_sum((values - masked_mean(values, mask)) ** 2, mask)
    return squares / (mask.sum() - 1).clamp(min=1)


def whitened(values: Tensor, mask: Tensor) -> Tensor:
    """[B, T] → [B, T] of mean 0 and variance 1 over the mask, 0 outside."""
    scaled = (values - masked_mean(values, mask)) * torch.rsqrt(masked_var(values, mask) + 1e-8)
    return torch.where(mask, scaled, 0.0)


def kl_k1(logprobs: Tensor, ref_logprobs: Tensor, mask: Tensor) -> Tensor:
    """log π(a|s) - log π_ref(a|s), [B, T]: the estimate that the reward is charged with; a term may be negative."""
    return torch.where(mask, logprobs - ref_logprobs, 0.0)


def kl_k3(logprobs: Tensor, ref_logprobs: Tensor, mask: Tensor) -> Tensor:
    """(r - 1) - log r with r = π_ref/π, [B, T]: never negative and of less variance, to report (joschu.net/blog)."""
    log_r = torch.where(mask, ref_logprobs - logprobs, 0.0)
    return torch.expm1(log_r) - log_r


def penalized(scores: Tensor, ended: Tensor, missing_eos_penalty: float) -> Tensor:
    """[B] scores, less the penalty where the reply did not end by itself (`ended` [B], bool)."""
    return scores - missing_eos_penalty * (~ended).to(scores.dtype)


def token_rewards(scores: Tensor, kl: Tensor, mask: Tensor, kl_coef: float) -> Tensor:
    """[B], [B, T], [B, T] → [B, T]: the KL penalty at each token, and the score at the last one.

    TRL gives the score one token later, at a place that is padding, where there is room for it.
    """
    rewards = torch.where(mask, -kl_coef * kl, 0.0)
    lengths = mask.sum(1)
    rows = torch.nonzero(lengths).squeeze(1)
    rewards[rows, lengths[rows] - 1] += scores[rows].to(rewards.dtype)
    return rewards


def advantages(rewards: Tensor, values: Tensor, mask: Tensor, gamma: float, lam: float) -> Tensor:
    """Generalized advantage estimation, [B, T]; after the last token the value is 0.

    δ_t = r_t + γ V_{t+1} - V_t,   A_t = δ_t + γ λ A_{t+1}.   The returns are A + V.
    """
    rewards, values = torch.where(mask, rewards, 0.0), torch.where(mask, values, 0.0)
    found = torch.zeros_like(rewards)
    following = ahead = torch.zeros_like(rewards[:, 0])
    for t in range(rewards.shape[1] - 1, -1, -1):
        delta = rewards[:, t] + gamma * ahead - values[:, t]
        following = delta + gamma * lam * following
        found[:, t] = following
        ahead = values[:, t]
    return found


class Loss(NamedTuple):
    loss: Tensor
    """Scalar: the sum over tokens, to be divided by the tokens of the minibatch."""
    clipped: Tensor
    """Tokens that the clip held back: a number, without gradient."""


def policy_loss(logprobs: Tensor, old_logprobs: Tensor, gains: Tensor, mask: Tensor, clip: float) -> Loss:
    """max(-A ρ, -A clip(ρ, 1-ε, 1+ε)) with ρ = π/π_old and A = `gains`; all [B, T]."""
    ratio = torch.exp(torch.where(mask, logprobs - old_logprobs, 0.0))
    free, held = -gains * ratio, -gains * ratio.clamp(1.0 - clip, 1.0 + clip)
    return Loss(masked_sum(torch.maximum(free, held), mask), masked_sum((held > free).float(), mask).detach())


def value_loss(values: Tensor, old_values: Tensor, returns: Tensor, mask: Tensor, clip: float) -> Loss:
    """½ max((V - R)², (clip(V, V_old-ε, V_old+ε) - R)²); all [B, T]."""
    near = torch.maximum(torch.minimum(values, old_values + clip), old_values - clip)
    free, held = (values - returns) ** 2, (near - returns) ** 2
    worst = 0.5 * torch.maximum(free, held)
    return Loss(masked_sum(worst, mask), masked_sum((held > free).float(), mask).detach())


def entropy(logprobs: Tensor, mask: Tensor) -> Tensor:
    """[B, T] → scalar: nats per token, estimated from the tokens that were drawn."""
    return masked_mean(-logprobs, mask)


def adapted(kl_coef: float, kl: float, target: float, gain: float = 0.1) -> float:
    """The coefficient for the next batch: the proportional controller of Ziegler et al., section 2.2; their K_β is
    `gain`."""
    error = min(max(kl / target - 1.0, -0.2), 0.2)
    return kl_coef * (1.0 + gain * error)
