"""Rollouts by a real vLLM server: the policy of the batch writes them, with the chances that it gives each word."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.settings import GeneratorSettings
from bot.training_settings import LoraSettings, TrainingSettings
from tests.conftest import require_module
from tests.vllm import install
from tests.vllm.fixture_data import speaker
from tests.vllm.server import BASE, VLLMServer, get

torch = require_module("torch")
require_module("peft")

from training.cast import Cast  # noqa: E402
from training.models import load_base  # noqa: E402
from training.rows import Prompt  # noqa: E402
from training.samples import Sample  # noqa: E402
from training.server_rollout import ServerSampler  # noqa: E402

PROMPTS = [
    Prompt(
        (
            {
                "role": "user",
                "content": f"{word} how many grams of green coffee per batch should I start with?",
            },
        )
    )
    for word in ("hi,", "hello,", "please,", "quick question:")
]
LORA = LoraSettings(rank=8, alpha=16)


@pytest.fixture
def cast(vllm: VLLMServer) -> Cast:
    made = Cast(load_base(str(install.MODEL), TrainingSettings(device="cpu")))
    made.add("amber", LORA, folder=install.VOICES / "amber")
    made.add("cobalt", LORA, folder=install.VOICES / "cobalt")
    return made


def sampler(cast: Cast, role: str, vllm: VLLMServer, voices: Path, **changes: float) -> ServerSampler:
    servers = GeneratorSettings(kind="vllm", base_url=f"{vllm.url}/v1", model=BASE)
    return ServerSampler(
        cast, role, servers=servers, voices=voices, **{"max_new_tokens": 48, "temperature": 0.5, **changes}
    )


@pytest.fixture(autouse=True)
def nothing_stays(vllm: VLLMServer, tmp_path: Path) -> Iterator[None]:
    yield
    assert [model["id"] for model in get(f"{vllm.url}/v1/models")[1]["data"]] == [BASE]
    assert list(tmp_path.iterdir()) == []


def test_each_role_writes_its_own_replies_and_ends_them(cast: Cast, vllm: VLLMServer, tmp_path: Path) -> None:
    for role in ("amber", "cobalt"):
        samples = sampler(cast, role, vllm, tmp_path).sample(PROMPTS, seed=3)
        assert {speaker(one.text) for one in samples} == {role}
        assert all(one.reply_ids[-1] == cast.base.eos_id for one in samples if one.ended)
        assert sum(one.ended for one in samples) >= 3


def test_the_seed_decides_what_is_written(cast: Cast, vllm: VLLMServer, tmp_path: Path) -> None:
    writes = sampler(cast, "amber", vllm, tmp_path, temperature=2.0)
    one, same, other = [writes.sample(PROMPTS[:2], seed=seed) for seed in (1, 1, 2)]
    assert [sample.reply_ids for sample in one] == [sample.reply_ids for sample in same]
    assert [sample.reply_ids for sample in one] != [sample.reply_ids for sample in other]


def test_equal_prompts_get_replies_of_their_own(cast: Cast, vllm: VLLMServer, tmp_path: Path) -> None:
    samples = sampler(cast, "amber", vllm, tmp_path, temperature=2.0).sample(PROMPTS[:1] * 6, seed=1)
    assert len({sample.reply_ids for sample in samples}) > 3


def test_the_words_are_as_likely_there_as_here(cast: Cast, vllm: VLLMServer, tmp_path: Path) -> None:
    """At temperature 1, -log p of a word is on average the entropy of its place; what bfloat16 changes is less."""
    samples = sampler(cast, "amber", vllm, tmp_path, temperature=1.0).sample(PROMPTS * 8, seed=5)
    surprise, entropy = zip(*(_surprise_and_entropy(cast, one) for one in samples), strict=True)
    words = sum(len(one.reply_ids) for one in samples)
    assert sum(surprise) / words == pytest.approx(sum(entropy) / words, abs=0.15)


def _surprise_and_entropy(cast: Cast, sample: Sample) -> tuple[float, float]:
    """Summed over the reply, by the model here."""
    ids = torch.tensor([[*sample.prompt_ids, *sample.reply_ids]])
    with torch.no_grad():
        logits = cast.logits("amber", input_ids=ids, logits_to_keep=len(sample.reply_ids) + 1)[0, :-1].float()
    logprobs = logits.log_softmax(-1)
    said = logprobs.gather(1, torch.tensor(sample.reply_ids)[:, None])
    return -float(said.sum()), -float((logprobs.exp() * logprobs).sum())
