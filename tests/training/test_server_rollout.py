"""Rollouts by a server: what is asked of it, what is left on it and on the disk, and what a failure means."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.settings import GeneratorSettings, Settings
from bot.training_settings import LoraSettings, TrainingSettings
from tests.conftest import require_module
from tests.fake_thread import in_thread
from tests.fakes import FakeOpenAI

require_module("torch")
require_module("peft")

from tests.training.conftest import make_prompt  # noqa: E402
from training.cast import Cast  # noqa: E402
from training.errors import NoServer  # noqa: E402
from training.models import load_base  # noqa: E402
from training.server_rollout import ServerSampler, rollouts_by  # noqa: E402

PROMPTS = [make_prompt(number) for number in range(3)]


@pytest.fixture
def fakes() -> Iterator[list[FakeOpenAI]]:
    """Two servers of one model."""
    servers = [FakeOpenAI(hidden=32), FakeOpenAI(hidden=32)]
    with in_thread(*servers):
        yield servers


@pytest.fixture(scope="module")
def cast(tiny_base: str) -> Cast:
    made = Cast(load_base(tiny_base, TrainingSettings(device="cpu")))
    made.add("policy", LoraSettings(rank=4, alpha=8), train=True)
    return made


def sampler_of(cast: Cast, fakes: list[FakeOpenAI], voices: Path, **changes: Any) -> ServerSampler:
    first, *more = [fake.url for fake in fakes]
    servers = GeneratorSettings.model_validate(
        {"kind": "vllm", "base_url": first, "more_servers": more, "model": "base", **changes}
    )
    return ServerSampler(cast, "policy", servers=servers, voices=voices, max_new_tokens=8, temperature=0.7)


def asked(fake: FakeOpenAI, path: str) -> list[dict[str, Any]]:
    return [body for called, body in fake.calls if called == path]


def test_each_prompt_has_its_reply_as_token_ids(cast: Cast, fakes: list[FakeOpenAI], tmp_path: Path) -> None:
    samples = sampler_of(cast, fakes, tmp_path).sample(PROMPTS, seed=1)
    assert [one.prompt for one in samples] == PROMPTS
    assert [one.reply_ids for one in samples] == [(7, 8, 9, cast.base.eos_id)] * 3
    assert [(one.ended, one.logprobs) for one in samples] == [(True, None)] * 3
    sent = {tuple(body["prompt"]) for fake in fakes for body in asked(fake, "/v1/completions")}
    assert sent == {tuple(cast.base.prompt_ids(prompt.messages)) for prompt in PROMPTS}


def test_the_servers_share_the_prompts_and_no_two_have_one_seed(
    cast: Cast, fakes: list[FakeOpenAI], tmp_path: Path
) -> None:
    sampler_of(cast, fakes, tmp_path).sample(PROMPTS, seed=1)
    bodies = [asked(fake, "/v1/completions") for fake in fakes]
    assert [len(one) for one in bodies] == [2, 1]
    assert len({body["seed"] for one in bodies for body in one}) == 3


def test_nothing_of_the_models_own_recommendations_changes_the_words(
    cast: Cast, fakes: list[FakeOpenAI], tmp_path: Path
) -> None:
    sampler_of(cast, fakes, tmp_path).sample(PROMPTS[:1], seed=1)
    (body,) = asked(fakes[0], "/v1/completions")
    assert (body["temperature"], body["top_p"], body["top_k"], body["repetition_penalty"]) == (0.7, 1, 0, 1)


def test_the_policy_has_a_name_by_its_weights_and_is_gone_afterwards(
    cast: Cast, fakes: list[FakeOpenAI], tmp_path: Path
) -> None:
    sampler = sampler_of(cast, fakes, tmp_path)
    sampler.sample(PROMPTS, seed=1)
    cast.parameters("policy")[0].data.add_(0.1)
    sampler.sample(PROMPTS, seed=2)
    first, second = [body["lora_name"] for body in asked(fakes[0], "/v1/load_lora_adapter")]
    assert first != second
    assert [body["lora_name"] for body in asked(fakes[0], "/v1/unload_lora_adapter")] == [first, second]
    assert [fake.voices for fake in fakes] == [{}, {}]
    assert list(tmp_path.iterdir()) == []


def test_servers_that_see_the_folder_elsewhere_are_told_where(
    cast: Cast, fakes: list[FakeOpenAI], tmp_path: Path
) -> None:
    voices, there = tmp_path / "voices", tmp_path / "there"
    there.symlink_to(voices)
    sampler_of(cast, fakes, voices, voices_dir=str(there)).sample(PROMPTS, seed=1)
    (body,) = asked(fakes[0], "/v1/load_lora_adapter")
    assert Path(body["lora_path"]).parent == there


def test_what_a_killed_run_left_is_cleared_and_voices_are_not(
    cast: Cast, fakes: list[FakeOpenAI], tmp_path: Path
) -> None:
    for name in ("rollout-0-0123456789abcdef", "mia-1"):
        fakes[0].voices[name] = str(tmp_path / name)
        (tmp_path / name).mkdir()
    sampler_of(cast, fakes, tmp_path).sample(PROMPTS, seed=1)
    assert list(fakes[0].voices) == ["mia-1"]
    assert [folder.name for folder in tmp_path.iterdir()] == ["mia-1"]


@pytest.mark.parametrize("fault", ["500", "other_json", "disconnect", "401"])
def test_a_server_that_fails_is_one_line_and_leaves_no_folder(
    cast: Cast, fakes: list[FakeOpenAI], tmp_path: Path, fault: Any
) -> None:
    sampler = sampler_of(cast, fakes, tmp_path)
    sampler.sample(PROMPTS, seed=1)
    fakes[1].fault = fault
    with pytest.raises(NoServer, match="the next start goes on") as said:
        sampler.sample(PROMPTS, seed=2)
    assert "\n" not in str(said.value)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_gives_no_token_ids_is_told_to_be_too_old(
    cast: Cast, fakes: list[FakeOpenAI], tmp_path: Path
) -> None:
    for fake in fakes:
        fake.is_old = True
    with pytest.raises(NoServer, match="no older than"):
        sampler_of(cast, fakes, tmp_path).sample(PROMPTS, seed=1)


def test_without_a_server_the_settings_are_named() -> None:
    with pytest.raises(NoServer, match=r"needs generator\.base_url"):
        rollouts_by(Settings())
