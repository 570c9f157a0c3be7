"""What `make bench-training` compares is comparable: both sides have one reward, and one measure."""

from pathlib import Path

import pytest

from bot.training_settings import LoraSettings, TrainingSettings
from tests.conftest import require_module

torch = require_module("torch")
require_module("trl")

from tests.bench.training_classifier import classifier  # noqa: E402
from tests.bench.training_world import kl_of  # noqa: E402
from tests.training.conftest import make_prompt  # noqa: E402
from training.cast import Cast  # noqa: E402
from training.models import load_base, quiet  # noqa: E402
from training.rewards import Preference  # noqa: E402
from training.samples import Sample  # noqa: E402

LORA = LoraSettings(rank=4, alpha=8)


@pytest.fixture
def cast(tiny_base: str) -> Cast:
    """With a reward model that is no zero, and a policy that is not the start."""
    made = Cast(load_base(tiny_base, TrainingSettings(device="cpu")))
    made.add("reward", LORA, head=True)
    made.add("start", LORA)
    made.add("trained", LORA)
    torch.manual_seed(0)
    for one in (*made.parameters("reward"), *made.parameters("trained")):
        one.data.normal_(std=0.1)
    made.heads["reward"].bias.data.zero_()  # training.reward writes none
    return made


def sample(cast: Cast, *reply: int) -> Sample:
    prompt = make_prompt(0)
    ids = tuple(cast.base.prompt_ids(prompt.messages))
    return Sample(prompt, ids, reply, "", ended=True)


@pytest.mark.parametrize("learns", [True, False])
def test_the_peers_reward_model_gives_what_ours_gives(
    cast: Cast, tiny_base: str, tmp_path: Path, learns: bool
) -> None:
    cast.save("reward", tmp_path / "reward")
    told = [sample(cast, 9, 8, 7), sample(cast, 30)]
    with quiet():
        theirs = classifier(tiny_base, str(tmp_path / "reward"), cast.base.pad_id, learns=learns)
    with torch.no_grad():
        scores = [float(theirs(torch.tensor([[*one.prompt_ids, *one.reply_ids]])).logits) for one in told]
    assert scores == pytest.approx(Preference(cast, "reward").score(told), abs=1e-5)
    assert any(one.requires_grad for one in theirs.parameters()) == learns


def test_kl_is_nothing_from_the_start_to_itself_and_the_sum_over_tokens_else(cast: Cast) -> None:
    one, longer = sample(cast, 9), sample(cast, 9, 30)
    assert kl_of(cast, "start", "start", longer) == pytest.approx(0, abs=1e-6)
    ids = torch.tensor([[*longer.prompt_ids, 9]])
    with torch.no_grad():
        p, q = (cast.logits(role, input_ids=ids)[0, -1].softmax(-1) for role in ("trained", "start"))
    second = float((p * (p / q).log()).sum())
    assert second > 0
    assert kl_of(cast, "trained", "start", longer) == pytest.approx(
        kl_of(cast, "trained", "start", one) + second, rel=1e-3
    )
