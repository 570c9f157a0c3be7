"""The preference model on a tiny base: what it learns, what it says, and what `Cast` makes of it."""

from pathlib import Path
from typing import Any

import pytest

from bot.training_settings import TrainingSettings
from tests.conftest import require_module
from tests.training.conftest import json_of, make_prompt, pair_rows, rows_file, small_settings
from tests.training.test_models import chinese_gpt2, encoder_decoder, without_pad
from tests.training.test_sft import Stops, Told, poisoned, small_files
from training.draws import drawn
from training.errors import BadData, Diverged, NoRoom, OutOfBudget
from training.rows import Pair
from training.run import Quiet, Run

torch = require_module("torch")
require_module("trl")

from peft import get_peft_model  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from training import reward  # noqa: E402
from training.cast import HEAD, Cast, padded  # noqa: E402
from training.models import Base, load_base, lora_config, quiet  # noqa: E402
from training.paired import after_prompts, encoded, pair_inputs, shares  # noqa: E402
from training.reward import train_reward  # noqa: E402

FILES = ("adapter_config.json", "adapter_model.safetensors", HEAD, "metrics.json")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with pairs and held-out pairs."""
    rows_file(tmp_path / "pairs.jsonl", pair_rows(32))
    rows_file(tmp_path / "pairs-held.jsonl", pair_rows(12, first=32))
    return tmp_path


def train(
    files: Path, settings: TrainingSettings, run: Run | None = None, out: str = "reward"
) -> dict[str, Any]:
    return train_reward(
        settings.base,
        files / "pairs.jsonl",
        files / "pairs-held.jsonl",
        files / out,
        settings=settings,
        run=run or Quiet(1),
        work=files / "work",
    )


def tensors(folder: Path) -> dict[str, Any]:
    return {**load_file(folder / FILES[1]), **load_file(folder / HEAD)}


def same(one: Path, other: Path) -> bool:
    ours, theirs = tensors(one), tensors(other)
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def said(cast: Cast, prompts: list[list[int]], replies: list[list[int]]) -> list[float]:
    """The value at the last token of each reply, all of them in one batch."""
    base = cast.base
    if base.kind == "seq2seq":
        ids, mask = padded(prompts, base.pad_id, left=False, device=base.device)
        rows = [[base.model.config.decoder_start_token_id, *one] for one in replies]
        reply_ids, reply_mask = padded(rows, base.pad_id, left=False, device=base.device)
        values = cast.values(
            "reward",
            input_ids=ids,
            attention_mask=mask,
            decoder_input_ids=reply_ids,
            decoder_attention_mask=reply_mask,
        )
        return [values[row, reply_mask[row].sum() - 1].item() for row in range(len(rows))]
    rows = [prompt + reply for prompt, reply in zip(prompts, replies, strict=True)]
    ids, mask = padded(rows, base.pad_id, left=False, device=base.device)
    values = cast.values("reward", input_ids=ids, attention_mask=mask)
    return [values[row, mask[row].sum() - 1].item() for row in range(len(rows))]


def loaded(files: Path, settings: TrainingSettings) -> Cast:
    cast = Cast(load_base(settings.base, settings))
    cast.add("reward", settings.lora, folder=files / "reward", head=True)
    return cast


def test_a_taste_is_learned_and_the_figures_say_how_well(
    files: Path, tiny_settings: TrainingSettings
) -> None:
    metrics = train(files, tiny_settings)
    assert metrics == json_of(files / "reward" / "metrics.json")
    assert metrics["accuracy"] >= 0.9
    assert metrics["accuracy_low"] <= metrics["accuracy"] <= metrics["accuracy_high"]
    assert metrics["mean_margin"] > 0
    assert (metrics["pairs"], metrics["held_pairs"], metrics["left_out"], metrics["steps"]) == (32, 12, 0, 8)
    assert {part: one["pairs"] for part, one in metrics["by_language"].items()} == {"en": 6, "zh": 6}
    assert {part: one["pairs"] for part, one in metrics["by_kind"].items()} == {"edit": 12}
    assert {one.name for one in (files / "reward").iterdir()} == set(FILES)


def test_where_nothing_can_be_learned_the_accuracy_says_so(
    files: Path, tiny_settings: TrainingSettings
) -> None:
    """Held-out pairs that are judged one way and the other."""
    pairs = pair_rows(6, first=32)
    turned = [Pair(one.prompt, one.rejected, one.chosen) for one in pairs]
    rows_file(files / "pairs-held.jsonl", [*pairs, *turned])
    metrics = train(files, tiny_settings)
    assert metrics["train_accuracy"] >= 0.9
    assert metrics["accuracy"] == 0.5
    assert metrics["mean_margin"] == pytest.approx(0.0, abs=1e-6)


def tell_by_trainer(
    monkeypatch: pytest.MonkeyPatch, files: Path, settings: TrainingSettings
) -> list[tuple[list[int], list[int], float]]:
    """Prompt, reply and score of what the trained model itself said of the held-out pairs."""
    told: list[tuple[list[int], list[int], float]] = []
    plain = reward.scores

    def listening(base: Any, model: Any, pairs: Any, settings: Any) -> list[tuple[float, float]]:
        found = plain(base, model, pairs, settings)
        for pair, (chosen, rejected) in zip(pairs, found, strict=True):
            told.append((pair.prompt, pair.chosen, chosen))
            told.append((pair.prompt, pair.rejected, rejected))
        return found

    monkeypatch.setattr(reward, "scores", listening)
    train(files, settings)
    return told


@pytest.mark.parametrize("base", ["qwen3", "no pad", "gpt2", "t5"])
def test_the_loaded_role_says_what_the_trainer_said(
    monkeypatch: pytest.MonkeyPatch, files: Path, tiny_base: str, tmp_path: Path, base: str
) -> None:
    made = {
        "qwen3": lambda to: Path(tiny_base),
        "no pad": lambda to: without_pad(tiny_base, to),
        "gpt2": chinese_gpt2,
        "t5": encoder_decoder,
    }
    settings = small_settings(str(made[base](tmp_path / "base")))
    if base == "gpt2":
        for name in ("pairs.jsonl", "pairs-held.jsonl"):
            rows_file(files / name, [one for one in pair_rows(32) if one.prompt.extra["language"] == "zh"])
    told = tell_by_trainer(monkeypatch, files, settings)
    prompts, replies, scores = map(list, zip(*told, strict=True))
    assert len(set(scores)) > 2
    assert said(loaded(files, settings), prompts, replies) == pytest.approx(scores, abs=1e-4)


def test_what_is_written_is_a_role_that_vllm_could_load(files: Path, tiny_settings: TrainingSettings) -> None:
    train(files, tiny_settings)
    config = json_of(files / "reward" / "adapter_config.json")
    assert (config["task_type"], config["modules_to_save"]) == ("CAUSAL_LM", None)
    names = load_file(files / "reward" / FILES[1])
    assert all(name.startswith("base_model.model.model.layers.") and "lora_" in name for name in names)
    assert {name: one.shape for name, one in load_file(files / "reward" / HEAD).items()} == {
        "weight": (1, 32)
    }


def test_the_same_text_scores_the_same_with_and_without_padding(
    files: Path, tiny_base: str, tmp_path: Path
) -> None:
    """Also where the tokenizer pads with the end of text, which the score is read from."""
    settings = small_settings(str(without_pad(tiny_base, tmp_path / "base")))
    train(files, settings)
    cast = loaded(files, settings)
    base = cast.base
    prompt = base.prompt_ids(make_prompt(0).messages)
    replies = [base.reply_ids(text) for text in ("Yes.", "No, and here is a far longer reply. " * 3)]
    alone = [said(cast, [prompt], [one])[0] for one in replies]
    assert said(cast, [prompt, prompt], replies) == pytest.approx(alone, abs=1e-5)
    assert alone[0] != pytest.approx(said(cast, [prompt], [replies[0][:-1]])[0], abs=1e-3)


def test_both_replies_end_with_the_end_of_text_once(tiny_base: str, tiny_settings: TrainingSettings) -> None:
    base, (pair,) = load_base(tiny_base, tiny_settings), pair_rows(1)
    ((found,), left_out) = encoded(base, [pair])
    assert left_out == 0
    assert found.prompt == base.prompt_ids(pair.prompt.messages)
    for ids, text in ((found.chosen, pair.chosen), (found.rejected, pair.rejected)):
        assert ids.count(base.eos_id) == 1
        assert ids[-1] == base.eos_id
        assert base.text_of(ids) == text


def test_the_trainer_gets_the_ids_as_they_are(
    monkeypatch: pytest.MonkeyPatch, files: Path, tiny_settings: TrainingSettings
) -> None:
    seen: list[tuple[list[int], list[int]]] = []
    plain = reward._Collator.__call__

    def listening(self: Any, rows: list[dict[str, Any]]) -> Any:
        seen.extend((row["chosen_ids"], row["rejected_ids"]) for row in rows)
        return plain(self, rows)

    monkeypatch.setattr(reward._Collator, "__call__", listening)
    train(files, tiny_settings)
    pairs, _ = encoded(load_base(tiny_settings.base, tiny_settings), pair_rows(32))
    assert sorted(seen) == sorted((one.chosen, one.rejected) for one in pairs)


def judged(base: Base, model: Any, pairs: list[Any], *, shared: bool) -> tuple[Any, dict[str, Any]]:
    """Scores, and the gradients of the loss."""
    replies = [one.chosen for one in pairs] + [one.rejected for one in pairs]
    inputs = pair_inputs(base, [one.prompt for one in pairs], replies, shared=shared)
    scores = model(**after_prompts(model, inputs)).logits.squeeze(-1)
    model.zero_grad()
    chosen, rejected = scores.chunk(2)
    torch.nn.functional.softplus(rejected - chosen).mean().backward()
    return scores, {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}


@pytest.mark.parametrize("kind", ["qwen3", "gpt2"])
def test_a_prompt_read_once_for_both_replies_changes_neither_scores_nor_gradients(
    tiny_base: str, tmp_path: Path, kind: str
) -> None:
    settings = small_settings(tiny_base if kind == "qwen3" else str(chinese_gpt2(tmp_path / "base")))
    base = load_base(settings.base, settings, scoring=True)
    torch.manual_seed(0)
    with quiet():
        model = get_peft_model(base.model, lora_config(base, settings.lora, "SEQ_CLS")).eval()
    for name, one in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(one, std=0.1)
    longer = Pair(make_prompt(90), "咖啡 " * 9, "不知道")
    pairs, _ = encoded(base, [*pair_rows(4), longer])
    assert len({len(one.prompt) for one in pairs}) > 1
    assert shares(base, settings)
    (apart, ours), (whole, plain) = (judged(base, model, pairs, shared=shared) for shared in (True, False))
    torch.testing.assert_close(apart, whole, atol=1e-5, rtol=1e-4)
    assert ours.keys() == plain.keys()
    assert any(one.abs().max() > 1e-3 for one in plain.values())
    for name, one in ours.items():
        torch.testing.assert_close(one, plain[name], atol=1e-5, rtol=1e-3, msg=name)


def test_prompts_stay_with_their_replies_where_they_cannot_be_read_apart(
    tiny_base: str, tmp_path: Path
) -> None:
    plain, turned = (small_settings(tiny_base), small_settings(str(encoder_decoder(tmp_path / "t5"))))
    frugal = plain.model_copy(update={"gradient_checkpointing": True})
    windowed = load_base(tiny_base, plain)
    windowed.model.config.sliding_window = 16
    assert not shares(load_base(tiny_base, frugal), frugal)
    assert not shares(load_base(turned.base, turned), turned)
    assert not shares(windowed, plain)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    files: Path, tiny_settings: TrainingSettings
) -> None:
    first, second = (train(files, tiny_settings, Quiet(1), out) for out in ("one", "two"))
    train(files, tiny_settings, Quiet(2), "other")
    assert same(files / "one", files / "two")
    assert first == second
    assert not same(files / "one", files / "other")


def test_pairs_count_by_their_weight(files: Path, tiny_settings: TrainingSettings) -> None:
    """Pairs of no weight say the opposite, and are not heard."""
    pairs = pair_rows(32)
    turned = [Pair(one.prompt, one.rejected, one.chosen, 0.0) for one in pairs]
    rows_file(files / "pairs.jsonl", [*pairs, *turned])
    assert train(files, tiny_settings)["accuracy"] >= 0.9


def test_pairs_too_long_for_the_model_are_left_out_and_counted(
    files: Path, tiny_settings: TrainingSettings
) -> None:
    long = Pair(make_prompt(50), "long " * 20_000, "short")
    rows_file(files / "pairs.jsonl", [*pair_rows(8), long])
    metrics = train(files, tiny_settings)
    assert (metrics["pairs"], metrics["left_out"]) == (8, 1)


@pytest.mark.parametrize("file", ["pairs.jsonl", "pairs-held.jsonl"])
def test_without_a_pair_to_learn_or_to_measure_there_is_no_model(
    files: Path, tiny_settings: TrainingSettings, file: str
) -> None:
    rows_file(files / file, [Pair(make_prompt(50), "long " * 20_000, "short")])
    with pytest.raises(BadData, match=rf"{file}: no pair is short enough"):
        train(files, tiny_settings)


def test_out_of_budget_stops_and_the_next_start_goes_on_to_the_same_weights(
    files: Path, tiny_settings: TrainingSettings, capfd: pytest.CaptureFixture[str]
) -> None:
    metrics = train(files, tiny_settings, out="undisturbed")
    with pytest.raises(OutOfBudget, match="no time"):
        train(files, tiny_settings, Stops(5, OutOfBudget("no time")))
    assert not (files / "reward").exists()
    run = Told()
    assert train(files, tiny_settings, run) == metrics
    assert [done for done, _, _ in run.figures] == [6, 7, 8]
    assert {"loss", "accuracy", "margin"} <= run.figures[0][2].keys()
    assert same(files / "reward", files / "undisturbed")
    assert capfd.readouterr() == ("", "")


def test_with_gradient_checkpoints_the_role_is_the_same(files: Path, tiny_settings: TrainingSettings) -> None:
    train(files, tiny_settings)
    train(files, tiny_settings.model_copy(update={"gradient_checkpointing": True}), out="other")
    ours, theirs = tensors(files / "reward"), tensors(files / "other")
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-5) for name in ours)


def test_in_bfloat16_the_head_is_learned_in_float32(files: Path, tiny_settings: TrainingSettings) -> None:
    settings = tiny_settings.model_copy(update={"precision": "bfloat16"})
    train(files, settings)
    head = load_file(files / "reward" / HEAD)["weight"]
    assert not torch.equal(head, head.bfloat16().float())


def test_reward_and_judge_keep_their_checkpoints_apart(files: Path, tiny_settings: TrainingSettings) -> None:
    with pytest.raises(OutOfBudget):
        train(files, tiny_settings, Stops(5, OutOfBudget("no time")))
    run = Told()
    train(files, tiny_settings, run, "judge")
    assert run.figures[0][0] == 1


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_weights(files: Path, tmp_path: Path) -> None:
    pairs = pair_rows(8)
    bad = drawn([1.0] * 8, 8, 1)[-1]
    pairs[bad] = Pair(pairs[bad].prompt, "~", "No.")
    rows_file(files / "pairs.jsonl", pairs)
    settings = small_settings(
        poisoned(tmp_path / "base"),
        reward={"batch": 2, "micro_batch": 2, "epochs": 1.0, "learning_rate": 1e-3},
    )
    with pytest.raises(Diverged, match=r"the loss of step 4 is no number; the weights of step 3 are kept"):
        train(files, settings)
    assert not (files / "reward").exists()
    kept = load_file(files / "work" / "reward" / "last-good" / FILES[1])
    assert all(one.isfinite().all() for one in kept.values())


def test_a_full_disk_leaves_nothing_behind_and_is_gone_on_from(
    files: Path, tiny_settings: TrainingSettings
) -> None:
    with small_files(4_000), pytest.raises(NoRoom, match="disk is full; make room, then start again"):
        train(files, tiny_settings)
    assert not (files / "reward").exists()
    assert train(files, tiny_settings)["steps"] == 8
