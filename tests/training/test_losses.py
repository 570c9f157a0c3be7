"""The mathematics of PPO beside plain loops, on cases made by hand, and beside TRL 1.12 on the same numbers."""

import math
from collections.abc import Sequence

import pytest

torch = pytest.importorskip("torch")

from tests.training import trl112_formulas as trl  # noqa: E402
from training import losses  # noqa: E402

GAMMA, LAM, CLIP, KL = 0.9, 0.8, 0.2, 0.1
LENGTHS = (3, 1, 5, 0)
"""A reply, one that ended at once, one that filled the space and never ended, and none at all."""
WIDTH = 5
MASK = torch.arange(WIDTH) < torch.tensor(LENGTHS)[:, None]


def numbers(seed: int, scale: float = 1.0) -> torch.Tensor:
    return torch.randn(len(LENGTHS), WIDTH, generator=torch.Generator().manual_seed(seed)) * scale


def rows(values: torch.Tensor) -> list[list[float]]:
    """Without what is masked away."""
    return [row[:length] for row, length in zip(values.tolist(), LENGTHS, strict=True)]


def poisoned(values: torch.Tensor) -> torch.Tensor:
    """What is masked away must not matter, whatever it is."""
    return torch.where(MASK, values, math.nan)


def close(found: torch.Tensor, expected: Sequence[Sequence[float]]) -> None:
    for got, want in zip(rows(found), expected, strict=True):
        assert got == pytest.approx(want, abs=1e-5)
    assert not found[~MASK].any()


def test_means_and_variances_are_those_of_the_tokens_that_are_there() -> None:
    values = numbers(1)
    flat = [one for row in rows(values) for one in row]
    mean = sum(flat) / len(flat)
    variance = sum((one - mean) ** 2 for one in flat) / (len(flat) - 1)

    assert float(losses.masked_mean(poisoned(values), MASK)) == pytest.approx(mean, abs=1e-6)
    assert float(losses.masked_var(poisoned(values), MASK)) == pytest.approx(variance, abs=1e-6)
    close(
        losses.whitened(poisoned(values), MASK),
        [[(one - mean) / math.sqrt(variance + 1e-8) for one in row] for row in rows(values)],
    )


@pytest.mark.parametrize("count", [0, 1])
def test_whitening_next_to_nothing_gives_zeros(count: int) -> None:
    mask = torch.arange(4)[None] < count

    assert torch.equal(losses.whitened(torch.ones(1, 4), mask), torch.zeros(1, 4))


def test_kl_is_estimated_token_by_token() -> None:
    logprobs, ref = numbers(2), numbers(3)
    pairs = [list(zip(a, b, strict=True)) for a, b in zip(rows(logprobs), rows(ref), strict=True)]

    close(losses.kl_k1(poisoned(logprobs), ref, MASK), [[p - q for p, q in row] for row in pairs])
    close(
        losses.kl_k3(poisoned(logprobs), ref, MASK),
        [[math.exp(q - p) - 1 - (q - p) for p, q in row] for row in pairs],
    )


def test_both_estimates_of_kl_have_the_same_mean() -> None:
    generator = torch.Generator().manual_seed(4)
    policy, reference = torch.tensor([0.5, 0.3, 0.2]).log(), torch.tensor([0.3, 0.3, 0.4]).log()
    drawn = torch.multinomial(policy.exp(), 200_000, replacement=True, generator=generator)[None]
    mask = torch.ones_like(drawn, dtype=torch.bool)
    exact = float((policy.exp() * (policy - reference)).sum())

    for estimate in (losses.kl_k1, losses.kl_k3):
        assert float(estimate(policy[drawn], reference[drawn], mask).mean()) == pytest.approx(exact, abs=3e-3)


def test_a_reply_without_an_end_pays_the_penalty() -> None:
    given = losses.penalized(torch.tensor([1.0, 2.0]), torch.tensor([True, False]), 1.5)

    assert given.tolist() == [1.0, 0.5]


def test_the_score_is_given_at_the_last_token_and_kl_is_charged_at_each() -> None:
    scores, kl = torch.tensor([1.0, 2.0, 3.0, 4.0]), numbers(5)
    expected = [[-KL * one for one in row] for row in rows(kl)]
    for row, score in zip(expected, scores.tolist(), strict=True):
        if row:
            row[-1] += score

    close(losses.token_rewards(scores, poisoned(kl), MASK, KL), expected)


def gae(rewards: list[float], values: list[float]) -> list[float]:
    """As the definition has it: the sum of all later errors, discounted."""
    after = [*values, 0.0][1:]
    errors = [r + GAMMA * b - v for r, v, b in zip(rewards, values, after, strict=True)]
    return [
        sum((GAMMA * LAM) ** (later - t) * errors[later] for later in range(t, len(errors)))
        for t in range(len(errors))
    ]


def test_advantages_are_discounted_sums_of_errors_up_to_the_end_of_the_reply() -> None:
    rewards, values = numbers(6), numbers(7)

    close(
        losses.advantages(poisoned(rewards), poisoned(values), MASK, GAMMA, LAM),
        [gae(r, v) for r, v in zip(rows(rewards), rows(values), strict=True)],
    )


def test_with_lambda_and_gamma_one_an_advantage_is_what_came_after_less_what_was_expected() -> None:
    found = losses.advantages(
        torch.tensor([[0.0, 0.0, 2.0]]), torch.ones(1, 3), torch.ones(1, 3).bool(), 1.0, 1.0
    )

    assert found.tolist() == [[1.0, 1.0, 1.0]]


def test_the_policy_loss_takes_the_worse_of_the_free_and_the_clipped_step() -> None:
    new, old, gains = numbers(8, 0.3), numbers(9, 0.3), numbers(10)
    total, held = 0.0, 0
    for row in zip(rows(new), rows(old), rows(gains), strict=True):
        for p, q, gain in zip(*row, strict=True):
            ratio = math.exp(p - q)
            free, clipped = -gain * ratio, -gain * min(max(ratio, 1 - CLIP), 1 + CLIP)
            total, held = total + max(free, clipped), held + (clipped > free)

    found = losses.policy_loss(poisoned(new), old, gains, MASK, CLIP)
    assert float(found.loss) == pytest.approx(total, abs=1e-5)
    assert float(found.clipped) == held
    assert held, "the case is too tame to show the clip"


def test_the_value_loss_takes_the_worse_of_the_free_and_the_clipped_error() -> None:
    new, old, returns = numbers(11), numbers(12), numbers(13)
    total, held = 0.0, 0
    for row in zip(rows(new), rows(old), rows(returns), strict=True):
        for value, before, aim in zip(*row, strict=True):
            near = min(max(value, before - CLIP), before + CLIP)
            total += 0.5 * max((value - aim) ** 2, (near - aim) ** 2)
            held += (near - aim) ** 2 > (value - aim) ** 2

    found = losses.value_loss(poisoned(new), old, returns, MASK, CLIP)
    assert float(found.loss) == pytest.approx(total, abs=1e-5)
    assert float(found.clipped) == held
    assert held, "the case is too tame to show the clip"


def test_masked_tokens_get_no_gradient_though_they_are_no_numbers() -> None:
    new = poisoned(numbers(14)).requires_grad_()

    losses.policy_loss(new, numbers(15), numbers(16), MASK, CLIP).loss.backward()

    assert new.grad is not None
    assert new.grad.isfinite().all()
    assert not new.grad[~MASK].any()


def test_entropy_is_the_mean_surprise_of_what_was_drawn() -> None:
    logprobs = numbers(17)
    flat = [-one for row in rows(logprobs) for one in row]

    assert float(losses.entropy(poisoned(logprobs), MASK)) == pytest.approx(sum(flat) / len(flat), abs=1e-6)


@pytest.mark.parametrize(("kl", "expected"), [(6.0, 1.0), (6.6, 1.01), (60.0, 1.02), (0.0, 0.98)])
def test_the_coefficient_follows_kl_by_at_most_a_fiftieth_a_batch(kl: float, expected: float) -> None:
    assert losses.adapted(1.0, kl, 6.0) == pytest.approx(expected)
    assert losses.adapted(1.0, kl, 6.0, gain=0.5) - 1.0 == pytest.approx(5 * (expected - 1.0))


CONFIG = {
    "kl_estimator": "k1", "kl_coef": KL, "whiten_rewards": False, "gamma": 1.0, "lam": LAM,
    "cliprange": CLIP, "cliprange_value": CLIP,
}  # fmt: skip
TRL_ROWS = slice(0, 3)
"""TRL has no reply of no tokens."""


def test_log_probabilities_are_trl_s() -> None:
    trl.require()
    logits, tokens = torch.randn(3, 5, 11), torch.randint(11, (3, 5))
    from training.logprobs import token_logprobs

    ours = token_logprobs(lambda states: states, logits.flatten(0, 1), tokens.flatten(), 0.7)

    torch.testing.assert_close(ours.view(3, 5), trl.selective_log_softmax(logits / 0.7, tokens))


@pytest.mark.parametrize("gamma", [1.0, GAMMA])
def test_rewards_advantages_and_returns_are_trl_s(gamma: float) -> None:
    """TRL gives the score at the padding after a reply, where there is any. With a value there that knows the score
    (and no discount on the way), both are the same.
    """
    trl.require()
    mask, lengths = MASK[TRL_ROWS], torch.tensor(LENGTHS[TRL_ROWS])
    logprobs, ref, values = (numbers(seed)[TRL_ROWS] for seed in (18, 19, 20))
    scores = torch.tensor([1.0, -2.0, 3.0])
    padding, after = ~mask, torch.arange(WIDTH) > lengths[:, None]
    knowing = torch.where(mask, values, torch.where(after, 0.0, scores[:, None] / gamma))

    theirs = trl.advantages(
        CONFIG | {"gamma": gamma},
        logprobs=logprobs.masked_fill(padding, 1.0),
        ref_logprobs=ref.masked_fill(padding, 1.0),
        values=knowing,
        scores=torch.where(lengths < WIDTH, scores / gamma, scores),
        sequence_lengths=lengths - 1,
        sequence_lengths_p1=lengths,
        padding_mask=padding,
        padding_mask_p1=after,
        responses=torch.zeros(3, WIDTH),
    )

    kl = losses.kl_k1(logprobs, ref, mask)
    rewards = losses.token_rewards(scores, kl, mask, KL)
    ours = losses.advantages(rewards, values, mask, gamma, LAM)
    torch.testing.assert_close(kl, torch.where(mask, theirs["kl"], 0.0))
    torch.testing.assert_close(ours + values * mask, torch.where(mask, theirs["returns"], 0.0))
    torch.testing.assert_close(losses.whitened(ours, mask), theirs["advantages"])


def test_policy_and_value_losses_are_trl_s() -> None:
    trl.require()
    mask = MASK[TRL_ROWS]
    names = ("new_logprobs", "mb_logprobs", "mb_advantage", "vpred", "mb_values", "mb_return")
    given = dict(zip(names, (numbers(seed, 0.5)[TRL_ROWS] for seed in range(21, 27)), strict=True))

    theirs = trl.losses(CONFIG, **given, padding_mask=~mask, padding_mask_p1=~mask)

    new, old, gain, value, before, aim = given.values()
    policy = losses.policy_loss(new, old, gain, mask, CLIP)
    critic = losses.value_loss(value, before, aim, mask, CLIP)
    torch.testing.assert_close(policy.loss / mask.sum(), theirs["pg_loss"])
    torch.testing.assert_close(critic.loss / mask.sum(), theirs["vf_loss"])
    torch.testing.assert_close(critic.clipped / mask.sum(), theirs["vf_clipfrac"])
