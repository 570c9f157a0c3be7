"""TRL's RLOO behind the signature of PPO."""

from collections.abc import Sequence
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from tests.training.conftest import json_of, small_settings  # noqa: E402
from tests.training.roles import PROMPTS, Ends, Wanted, adapters, lively_base, weights_of  # noqa: E402
from training.errors import BadData, Diverged, OutOfBudget  # noqa: E402
from training.models import load_base  # noqa: E402
from training.rloo import improve  # noqa: E402
from training.run import Quiet, Run  # noqa: E402
from training.samples import Sample, Scorer  # noqa: E402


class Seen(Wanted):
    def __init__(self) -> None:
        super().__init__()
        self.samples: list[Sample] = []

    def score(self, samples: Sequence[Sample]) -> list[float]:
        self.samples += samples
        return super().score(samples)


def improved(
    base: str, folder: Path, scorer: Scorer, run: Run | None = None, **changes: object
) -> dict[str, object]:
    start, reward = adapters(small_settings(base), folder)
    ppo = small_settings(base).ppo.model_dump() | {"batch": 8, "micro_batch": 4, "epochs": 1} | changes
    settings = small_settings(base, ppo=ppo)
    return improve(
        base, start, reward, PROMPTS, folder / "out", settings=settings, run=run or Quiet(),
        work=folder / "work", extra=(scorer,),
    )  # fmt: skip


def test_two_batches_change_the_adapter_and_are_written_down(tiny_base: str, tmp_path: Path) -> None:
    seen = Seen()

    metrics = improved(tiny_base, tmp_path, seen)

    base = load_base(tiny_base, small_settings(tiny_base))
    assert metrics == json_of(tmp_path / "out" / "metrics.json")
    assert (metrics["method"], metrics["batches"], metrics["stopped"]) == ("rloo", 2, "")
    assert weights_of(tmp_path / "out") != weights_of(tmp_path / "start")
    assert len(seen.samples) == 16
    for one in seen.samples:
        assert one.prompt_ids == tuple(base.prompt_ids(one.prompt.messages))
        assert one.ended == (one.reply_ids[-1] == base.eos_id)


def test_kl_over_the_limit_leaves_nothing_when_there_is_nothing_before(tmp_path: Path) -> None:
    base = lively_base(tmp_path / "lively")

    with pytest.raises(Diverged, match="learning_rate"):
        improved(base, tmp_path, Wanted(), batches=4, learning_rate=2.0, kl_stop=0.5)

    assert not (tmp_path / "out").exists()


def test_a_run_out_of_budget_goes_on_where_it_was(tiny_base: str, tmp_path: Path) -> None:
    with pytest.raises(OutOfBudget):
        improved(tiny_base, tmp_path, Wanted(), Ends(2), batches=3)
    scorer = Wanted()

    metrics = improved(tiny_base, tmp_path, scorer, batches=3)

    assert len(scorer.means) == 1
    assert metrics["stopped"] == ""


def test_a_batch_that_is_no_multiple_of_the_replies_to_a_prompt_is_refused(
    tiny_base: str, tmp_path: Path
) -> None:
    with pytest.raises(BadData, match="no multiple"):
        improved(tiny_base, tmp_path, Wanted(), samples_per_prompt=3)
