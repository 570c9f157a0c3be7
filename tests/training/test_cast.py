"""Roles on one base: each plays by itself, whatever the others learn."""

from pathlib import Path
from typing import Any

import pytest

from bot.training_settings import TrainingSettings
from tests.conftest import require_module
from tests.training.conftest import build_base, small_settings
from training.errors import BadData

torch = require_module("torch")
require_module("trl")

from safetensors.torch import load_file, save_file  # noqa: E402

from training.cast import HEAD, Cast, padded  # noqa: E402
from training.models import load_base, quiet  # noqa: E402

ROWS = ([5, 6, 7, 8], [9, 10])


@pytest.fixture
def cast(tiny_base: str, tiny_settings: TrainingSettings) -> Cast:
    """A policy and a critic that learn, and a reference."""
    torch.manual_seed(0)
    found = Cast(load_base(tiny_base, tiny_settings))
    for role in ("policy", "reference", "critic"):
        found.add(role, tiny_settings.lora, head=role == "critic", train=role != "reference")
        shake(found, role)
    return found


def shake(cast: Cast, role: str) -> None:
    """New adapters change nothing; this one shall."""
    with torch.no_grad():
        for one in cast.parameters(role):
            one.add_(torch.randn_like(one) * 0.1)


def inputs(cast: Cast, *, left: bool = False) -> dict[str, Any]:
    ids, mask = padded(ROWS, cast.base.pad_id, left=left, device=cast.base.device)
    return {"input_ids": ids, "attention_mask": mask}


def learn(cast: Cast, role: str) -> None:
    step = torch.optim.SGD(cast.parameters(role), 0.1)
    cast.logits(role, **inputs(cast)).logsumexp(-1).sum().backward()
    step.step()


def test_the_reference_is_the_same_to_the_bit_after_the_policy_has_learned(cast: Cast) -> None:
    reference, base = (cast.logits(role, **inputs(cast)).detach() for role in ("reference", None))
    policy = cast.logits("policy", **inputs(cast)).detach()
    learn(cast, "policy")
    assert torch.equal(cast.logits("reference", **inputs(cast)), reference)
    assert torch.equal(cast.logits(None, **inputs(cast)), base)
    assert not torch.equal(cast.logits("policy", **inputs(cast)), policy)


def test_playing_the_bare_base_freezes_and_thaws_nobody(cast: Cast) -> None:
    before = {role: [one.requires_grad for one in cast.parameters(role)] for role in ("policy", "reference")}
    cast.logits(None, **inputs(cast))
    cast.logits("reference", **inputs(cast))
    assert before == {role: [one.requires_grad for one in cast.parameters(role)] for role in before}
    assert all(before["policy"])
    assert not any(before["reference"])


def test_a_role_that_plays_inside_another_hands_back_to_it(cast: Cast) -> None:
    policy = cast.logits("policy", **inputs(cast))
    with cast.playing("policy") as model:
        cast.logits("reference", **inputs(cast))
        cast.logits(None, **inputs(cast))
        assert torch.equal(model(**inputs(cast)).logits, policy)


def test_a_role_hands_back_even_when_it_fails(cast: Cast) -> None:
    policy = cast.logits("policy", **inputs(cast))
    with cast.playing("policy") as model:
        with pytest.raises(ZeroDivisionError), cast.playing("reference"):
            raise ZeroDivisionError
        assert torch.equal(model(**inputs(cast)).logits, policy)


def test_an_unknown_role_plays_the_bare_base(cast: Cast) -> None:
    assert torch.equal(cast.logits("nobody", **inputs(cast)), cast.logits(None, **inputs(cast)))


def test_a_cast_without_adapters_plays_the_base(tiny_base: str, tiny_settings: TrainingSettings) -> None:
    alone = Cast(load_base(tiny_base, tiny_settings))
    with alone.playing(None) as model:
        assert model is alone.base.model


def test_with_checkpoints_the_backward_pass_is_the_same(cast: Cast) -> None:
    def gradients() -> list[Any]:
        cast.logits("policy", **inputs(cast)).logsumexp(-1).sum().backward()
        found = [one.grad.clone() for one in cast.parameters("policy")]
        for one in cast.parameters("policy"):
            one.grad = None
        return found

    plain = gradients()
    with quiet():
        cast.base.model.gradient_checkpointing_enable({"use_reentrant": False})
    cast.base.model.train()
    assert all(torch.allclose(one, other) for one, other in zip(gradients(), plain, strict=True))


def test_padding_on_either_side_changes_no_value(cast: Cast) -> None:
    alone = cast.values("critic", input_ids=torch.tensor([ROWS[1]]))[0]
    right = cast.values("critic", **inputs(cast))[1, :2]
    left_inputs = inputs(cast, left=True)
    positions = (left_inputs["attention_mask"].cumsum(-1) - 1).clamp(min=0)
    left = cast.values("critic", **left_inputs, position_ids=positions)[1, 2:]
    torch.testing.assert_close(right, alone, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(left, alone, atol=1e-5, rtol=1e-5)


def test_the_head_computes_in_float32_on_a_bfloat16_base(
    tiny_base: str, tiny_settings: TrainingSettings
) -> None:
    settings = tiny_settings.model_copy(update={"precision": "bfloat16"})
    cast = Cast(load_base(tiny_base, settings))
    cast.add("critic", settings.lora, head=True, train=True)
    assert cast.base.model.dtype == torch.bfloat16
    assert cast.heads["critic"].weight.dtype == torch.float32
    assert cast.values("critic", **inputs(cast)).dtype == torch.float32


def test_a_new_critic_says_zero(tiny_base: str, tiny_settings: TrainingSettings) -> None:
    cast = Cast(load_base(tiny_base, tiny_settings))
    cast.add("critic", tiny_settings.lora, head=True)
    assert not cast.values("critic", **inputs(cast)).any()


def test_what_is_saved_plays_the_same_when_it_is_loaded(
    cast: Cast, tiny_base: str, tiny_settings: TrainingSettings, tmp_path: Path
) -> None:
    for role in ("policy", "critic"):
        cast.save(role, tmp_path / role)
    again = Cast(load_base(tiny_base, tiny_settings))
    again.add("critic", tiny_settings.lora, folder=tmp_path / "critic", head=True)
    again.add("voice", tiny_settings.lora, folder=tmp_path / "policy")
    assert torch.equal(again.logits("voice", **inputs(cast)), cast.logits("policy", **inputs(cast)))
    assert torch.equal(again.values("critic", **inputs(cast)), cast.values("critic", **inputs(cast)))
    assert {one.name for one in (tmp_path / "policy").iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
    }
    assert set(load_file(tmp_path / "critic" / HEAD)) == {"weight", "bias"}
    names = load_file(tmp_path / "policy" / "adapter_model.safetensors")
    assert all(name.startswith("base_model.model.model.layers.") for name in names)


def test_an_adapter_of_another_base_is_refused(
    cast: Cast, tiny_settings: TrainingSettings, tmp_path: Path
) -> None:
    cast.save("policy", tmp_path / "voice")
    other = Cast(load_base(str(build_base(tmp_path / "other", hidden=16)), tiny_settings))
    with pytest.raises(BadData, match=r"does not fit .*other"):
        other.add("policy", tiny_settings.lora, folder=tmp_path / "voice")


def test_a_damaged_adapter_is_refused(cast: Cast, tiny_settings: TrainingSettings, tmp_path: Path) -> None:
    cast.save("policy", tmp_path / "voice")
    file = tmp_path / "voice" / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(BadData, match="is damaged"):
        cast.add("again", tiny_settings.lora, folder=tmp_path / "voice")


def test_an_adapter_with_whole_modules_is_refused(
    cast: Cast, tiny_settings: TrainingSettings, tmp_path: Path
) -> None:
    cast.save("policy", tmp_path / "voice")
    config = tmp_path / "voice" / "adapter_config.json"
    config.write_text(config.read_text().replace('"modules_to_save": null', '"modules_to_save": ["lm_head"]'))
    with pytest.raises(BadData, match="vLLM could not serve it"):
        cast.add("again", tiny_settings.lora, folder=tmp_path / "voice")


def test_a_head_of_another_width_is_refused(
    cast: Cast, tiny_settings: TrainingSettings, tmp_path: Path
) -> None:
    cast.save("critic", tmp_path / "critic")
    save_file({"weight": torch.zeros(1, 5)}, tmp_path / "critic" / HEAD)
    with pytest.raises(BadData, match=HEAD):
        cast.add("again", tiny_settings.lora, folder=tmp_path / "critic", head=True)


def test_padded_rows_stand_where_they_should() -> None:
    ids, mask = padded([[5, 6, 7], [8]], 0, left=True, device=torch.device("cpu"))
    assert ids.tolist() == [[5, 6, 7], [0, 0, 8]]
    assert mask.tolist() == [[1, 1, 1], [0, 0, 1]]


def test_a_new_role_plays_without_its_dropout(tiny_base: str) -> None:
    settings = small_settings(tiny_base, lora={"rank": 4, "alpha": 8, "dropout": 0.5})
    cast = Cast(load_base(tiny_base, settings))
    cast.add("one", settings.lora, train=True)
    for one in cast.parameters("one"):
        one.data.normal_(0.0, 0.1)
    ids = torch.tensor([[5, 6, 7]])
    assert torch.equal(cast.logits("one", input_ids=ids), cast.logits("one", input_ids=ids))
