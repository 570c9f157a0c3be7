"""Whether a canary is rejected more often than the voice it is to follow."""

from dataclasses import dataclass
from math import exp, fsum, lgamma


@dataclass(frozen=True, slots=True)
class Tally:
    """What people decided about one voice's drafts, each draft counted once."""

    approved: int = 0
    edited: int = 0
    rejected: int = 0

    @property
    def total(self) -> int:
        return self.approved + self.edited + self.rejected

    @property
    def reject_rate(self) -> float:
        """0 to 1; 0 while nothing was decided."""
        return self.rejected / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True)
class CanaryRules:
    """`sure`: 0.5 to 1; see `bot.settings.VoicesSettings`."""

    sure: float = 0.99
    least: int = 20


@dataclass(frozen=True, slots=True)
class CanaryVerdict:
    """`reason`: figures for a person, in English; empty while the canary is kept."""

    returned: bool
    reason: str = ""


def share_of(text: str) -> float:
    """The part of the comments that a person means by `10%` or `0.1`, over 0 and under 1. Raises ValueError."""
    number = text.strip()
    share = float(number.removesuffix("%")) / (100 if number.endswith("%") else 1)
    if not 0 < share < 1:
        raise ValueError(f"{share} is no part of the comments")
    return share


def canary_verdict(canary: Tally, live: Tally, rules: CanaryRules) -> CanaryVerdict:
    """`returned` when `rejected_by_chance` is at most 1 - `rules.sure`, from `rules.least` verdicts on.

    Looking again after each verdict finds a difference by chance more often than one look would: a good canary that
    is taken back costs a new promotion, a bad one that stays costs readers.
    """
    if canary.total < rules.least:
        return CanaryVerdict(False)
    chance = rejected_by_chance(canary, live)
    if chance > 1 - rules.sure:
        return CanaryVerdict(False)
    return CanaryVerdict(
        True,
        f"rejected {canary.rejected} of {canary.total} ({canary.reject_rate:.0%}), the live voice "
        f"{live.rejected} of {live.total} ({live.reject_rate:.0%}); by chance {chance:.2%}",
    )


def rejected_by_chance(canary: Tally, live: Tally) -> float:
    """The probability, 0 to 1, of at least so many rejections of the canary if both were equally good.

    Fisher's exact test, one-sided: the rejections fall on all drafts alike, so that the canary's share of them is
    hypergeometric. 1 where there is nothing to compare with.
    """
    drafts, rejected = canary.total + live.total, canary.rejected + live.rejected
    all_ways = _log_comb(drafts, canary.total)
    return fsum(
        exp(_log_comb(rejected, k) + _log_comb(drafts - rejected, canary.total - k) - all_ways)
        for k in range(
            max(canary.rejected, canary.total - drafts + rejected), min(rejected, canary.total) + 1
        )
    )


def _log_comb(n: int, k: int) -> float:
    # By logarithms: the numbers themselves have thousands of digits.
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
