"""How often a canary is taken back, by how often people reject it.

Run: python -m tests.bench.canary [HOW_MANY_RUNS]. In each run people decide about 1,000 drafts, a tenth of them the
canary's, by the default `canary_sure` and `canary_least`; after each verdict on a canary's draft the service looks. The
live voice is rejected in one of ten. The last line is JSON: for each rate of the canary the share of runs in which it
was taken back, and the median number of its verdicts by then.
"""

import json
import random
import sys
from statistics import median

from bot.settings import VoicesSettings
from bot.voices.canary import CanaryRules, Tally, canary_verdict

DRAFTS, LIVE_RATE = 1000, 0.1
RATES = (0.1, 0.2, 0.3)


def verdicts_until_taken_back(rate: float, settings: VoicesSettings, dice: random.Random) -> int | None:
    """How many verdicts the canary got; None: it stayed."""
    rules = CanaryRules(settings.canary_sure, settings.canary_least)
    canary, live = Tally(), Tally()
    for _ in range(DRAFTS):
        if dice.random() >= settings.canary_share:
            live = told(live, rejected=dice.random() < LIVE_RATE)
            continue
        canary = told(canary, rejected=dice.random() < rate)
        if canary_verdict(canary, live, rules).returned:
            return canary.total
    return None


def told(tally: Tally, *, rejected: bool) -> Tally:
    return Tally(approved=tally.approved + (not rejected), rejected=tally.rejected + rejected)


def measure(rate: float, runs: int) -> dict[str, float]:
    dice = random.Random(1)
    found = [verdicts_until_taken_back(rate, VoicesSettings(), dice) for _ in range(runs)]
    back = [number for number in found if number is not None]
    name = f"{rate:.0%}".rstrip("%")
    figures = {f"taken_back_at_{name}": round(len(back) / runs, 3)}
    return figures | ({f"verdicts_at_{name}": median(back)} if back else {})


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    figures: dict[str, float] = {"runs": runs}
    for rate in RATES:
        figures |= measure(rate, runs)
        print(f"  rejected in {rate:.0%}: {figures}", file=sys.stderr, flush=True)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
