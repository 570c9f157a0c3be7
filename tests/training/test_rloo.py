"""TRL's RLOO behind the signature of PPO."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from tests.training.conftest import json_of, small_settings  # noqa: E402
from tests.training.roles import PROMPTS, Broken, Ends, Wanted, adapters, lively_base, weights_of  # noqa: E402
from tests.training.test_models import chinese_gpt2  # noqa: E402
from training.errors import BadData, Diverged, OutOfBudget  # noqa: E402
from training.models import load_base  # noqa: E402
from training.rloo import improve  # noqa: E402
from training.rows import Prompt  # noqa: E402
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
    base: str, folder: Path, scorer: Scorer, run: Run | None = None, **changes: Any
) -> dict[str, Any]:
    lora, prompts = changes.pop("lora", {"rank": 4, "alpha": 8}), changes.pop("prompts", PROMPTS)
    ppo = small_settings(base).ppo.model_dump() | {"batch": 8, "micro_batch": 4, "epochs": 1} | changes
    settings = small_settings(base, ppo=ppo, lora=lora)
    start, reward = adapters(settings, folder)
    return improve(
        base, start, reward, prompts, folder / "out", settings=settings, run=run or Quiet(),
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


@pytest.mark.parametrize(("epochs", "step"), [(1, 2), (2, 4), (1, 3)])
def test_a_run_out_of_budget_goes_on_to_the_same_weights_and_figures(
    tiny_base: str, tmp_path: Path, epochs: int, step: int
) -> None:
    changes: dict[str, Any] = {"batches": 3, "epochs": epochs}
    with pytest.raises(OutOfBudget):
        improved(tiny_base, tmp_path, Wanted(), Ends(step), **changes)
    metrics = improved(tiny_base, tmp_path, Wanted(), **changes)

    whole = tmp_path / "whole"
    undisturbed = improved(tiny_base, whole, Wanted(), **changes)

    assert weights_of(tmp_path / "out") == weights_of(whole / "out")
    del metrics["seconds"], undisturbed["seconds"]
    assert metrics == undisturbed
    assert len((tmp_path / "out" / "curves.jsonl").read_text().splitlines()) == metrics["batches"] == 3


def test_kl_over_the_limit_after_a_stop_still_knows_the_last_policy_under_it(tmp_path: Path) -> None:
    base = lively_base(tmp_path / "lively")
    changes: dict[str, Any] = {"batches": 6, "learning_rate": 0.05, "kl_coef": 0.0, "kl_stop": 1e9}
    improved(base, tmp_path / "free", Wanted(), **changes)
    rows = (tmp_path / "free" / "out" / "curves.jsonl").read_text().splitlines()
    kls = [json.loads(row)["kl"] for row in rows]
    over = next(at for at in range(3, 6) if kls[at] > max(kls[:at]))
    changes["kl_stop"] = (kls[over] + max(kls[:over])) / 2

    with pytest.raises(OutOfBudget):
        improved(base, tmp_path / "cut", Wanted(), Ends(over), **changes)
    cut = improved(base, tmp_path / "cut", Wanted(), **changes)
    whole = improved(base, tmp_path / "whole", Wanted(), **changes)

    assert (cut["stopped"], cut["batches"]) == (whole["stopped"], whole["batches"]) == ("kl", over - 1)
    assert cut["kl"] == whole["kl"] == kls[over - 1]
    assert weights_of(tmp_path / "cut" / "out") == weights_of(tmp_path / "whole" / "out")


@pytest.mark.parametrize("calls", [0, 1])
def test_a_reward_that_is_no_number_is_not_taken_for_nothing(
    tiny_base: str, tmp_path: Path, calls: int
) -> None:
    with pytest.raises(Diverged, match="reward is no number"):
        improved(tiny_base, tmp_path, Broken(calls), batches=3)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("micro_batch", [3, 5, 64])
def test_any_micro_batch_makes_up_the_same_batches(tiny_base: str, tmp_path: Path, micro_batch: int) -> None:
    scorer = Seen()
    metrics = improved(tiny_base, tmp_path, scorer, micro_batch=micro_batch)
    assert (metrics["batches"], len(scorer.samples)) == (2, 16)


def test_dropout_does_not_make_the_policy_differ_from_itself(tmp_path: Path) -> None:
    base = lively_base(tmp_path / "lively")
    metrics = improved(base, tmp_path, Wanted(), batches=1, lora={"rank": 4, "alpha": 8, "dropout": 0.5})
    assert metrics["kl"] == pytest.approx(0.0, abs=1e-4)


def test_a_tokenizer_without_an_end_of_text_ends_replies_as_everywhere(tmp_path: Path) -> None:
    base = str(chinese_gpt2(tmp_path / "base"))
    assert improved(base, tmp_path, Wanted(), max_new_tokens=4)["batches"] == 2


def test_a_prompt_without_room_for_a_reply_is_left_out_and_counted(tiny_base: str, tmp_path: Path) -> None:
    endless = Prompt(({"role": "user", "content": "long " * 3000},))
    metrics = improved(tiny_base, tmp_path, Wanted(), prompts=[endless, *PROMPTS])
    assert (metrics["batches"], metrics["left_out"]) == (2, 1)


def test_a_batch_that_is_no_multiple_of_the_replies_to_a_prompt_is_refused(
    tiny_base: str, tmp_path: Path
) -> None:
    with pytest.raises(BadData, match="no multiple"):
        improved(tiny_base, tmp_path, Wanted(), samples_per_prompt=3)
