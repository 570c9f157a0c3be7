"""The account of memory against what a real model of the same configuration holds."""

import json
from typing import Any

import pytest

from bot.training_settings import LoraSettings, TrainingSettings
from tests.conftest import require_module

torch = require_module("torch")
transformers = require_module("transformers")
require_module("peft")

from training import memory  # noqa: E402
from training.cast import Cast  # noqa: E402
from training.dry_run import PROBE, DryRun, Held, dry_run  # noqa: E402
from training.errors import BadBase  # noqa: E402
from training.models import load_base  # noqa: E402

LORA = LoraSettings(rank=4, alpha=8)
ROLES = ("policy", "critic", "reference", "reward")


@pytest.fixture
def cast(tiny_base: str) -> Cast:
    """The real one."""
    made = Cast(load_base(tiny_base, TrainingSettings(device="cpu")))
    for role in ROLES:
        made.add(role, LORA, head=role in ("critic", "reward"), train=role in ("policy", "critic"))
    return made


@pytest.fixture
def dry(tiny_base: str) -> DryRun:
    return dry_run(transformers.AutoConfig.from_pretrained(tiny_base), LORA, torch.float32)


def test_the_dry_run_has_as_many_parameters_as_the_model(cast: Cast, dry: DryRun) -> None:
    of_roles = {role: sum(one.numel() for one in cast.parameters(role)) for role in ROLES}
    base = [one for name, one in cast.base.model.named_parameters() if "lora_" not in name]
    assert dry.roles == of_roles
    assert dry.sizes.parameters == sum(one.numel() for one in base)
    assert dry.sizes.adapter == of_roles["policy"]


def test_the_dry_run_gives_the_shapes_that_the_roles_give(cast: Cast, dry: DryRun) -> None:
    ids = torch.zeros(1, PROBE, dtype=torch.long)
    assert dry.shapes["policy"] == tuple(cast.logits("policy", input_ids=ids).shape)
    assert dry.shapes["critic"] == tuple(cast.values("critic", input_ids=ids).shape)


def test_the_cache_is_as_large_as_the_real_one(cast: Cast, dry: DryRun) -> None:
    ids = torch.zeros(3, 11, dtype=torch.long)
    with cast.playing("policy") as model, torch.no_grad():
        layers = model(input_ids=ids, use_cache=True).past_key_values.layers
    held = sum(layer.keys.nbytes + layer.values.nbytes for layer in layers)
    assert dry.sizes.cached * dry.sizes.number * ids.numel() == held


def test_what_passes_hold_is_told_with_at_most_half_too_much(cast: Cast, dry: DryRun) -> None:
    rows, tokens = 3, 64
    ids, model = torch.randint(5, 50, (rows, tokens)), cast.base.model
    with torch.no_grad(), Held(model) as passing:
        cast.hidden("policy", input_ids=ids)
    for one in cast.parameters("policy"):
        one.grad = torch.zeros_like(one)
    with Held(model) as kept:
        cast.hidden("policy", input_ids=ids).sum().backward()
    # The dry run's attention is the plain one, whose squares weigh most in a model as narrow as this.
    assert 0.95 < dry.sizes.passing * rows * tokens / passing.most < 1.5
    assert 0.95 < dry.sizes.kept * rows * tokens / kept.most < 1.5


def test_checkpointing_holds_less_where_there_are_layers_to_forget() -> None:
    config = memory.seven_b()
    config.num_hidden_layers = 4
    sizes = dry_run(config, LORA).sizes
    assert sizes.passing < sizes.checkpointed < sizes.kept / 2


def test_seven_b_with_all_roles_fits_a_gpu_of_24_gb_in_four_bits_only() -> None:
    settings = memory.for_one_gpu()
    sizes = dry_run(memory.seven_b(), settings.lora).sizes
    whole = settings.model_copy(update={"load_4bit": False, "gradient_checkpointing": False})
    assert sizes.parameters == 7_615_616_512
    assert memory.peak(memory.account(sizes, settings, 1024)) < 20e9
    assert memory.peak(memory.account(sizes, whole, 1024)) > 24e9


def test_the_peak_has_the_larger_of_what_is_held_by_turns() -> None:
    items = [memory.Item("a", 5), memory.Item("b", 3, "rollout"), memory.Item("c", 2, "update")]
    assert memory.peak(items) == 8


def test_the_command_prints_a_table_and_json(tiny_base: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert memory.main(["--base", tiny_base, "--prompt", "64", "--gb", "2"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert "fits 2 GB" in printed[-2]
    assert json.loads(printed[-1])["fits"] is True


@pytest.mark.parametrize("base", ["/nowhere", "encoder-decoder"])
def test_a_base_that_is_none_gets_one_line(
    base: str, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    if base == "encoder-decoder":
        transformers.T5Config(d_model=8).save_pretrained(tmp_path)
        base = str(tmp_path)
    assert memory.main(["--base", base]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert base in said


def test_an_encoder_decoder_has_no_account() -> None:
    with pytest.raises(BadBase, match="decoder-only"):
        dry_run(transformers.T5Config(d_model=8), LORA)
