"""Fine-tuning on a tiny model: what is learned, what is left when it is stopped, and how it goes on."""

import errno
import os
import resource
import signal
import socket
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.training_settings import TrainingSettings
from tests.conftest import require_module
from tests.training.conftest import (
    build_base,
    json_of,
    make_prompt,
    rows_file,
    small_settings,
    supervised_rows,
)
from tests.training.test_models import chinese_gpt2, encoder_decoder, without_pad
from training.draws import drawn
from training.errors import BadBase, BadData, Diverged, NoRoom, OutOfBudget
from training.rows import Supervised
from training.run import Quiet, Run

torch = require_module("torch")
require_module("trl")

import peft  # noqa: E402
from accelerate import PartialState  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

from training.cast import Cast  # noqa: E402
from training.models import load_base  # noqa: E402
from training.sft import IGNORED, columns, encoded, fine_tune  # noqa: E402

WEIGHTS = "adapter_model.safetensors"


class Stops(Quiet):
    """Ends the step after `steps` of it."""

    def __init__(self, steps: int, error: BaseException) -> None:
        super().__init__(seed=1)
        self._steps, self._error = steps, error

    def advance(self, done: int, total: int, **figures: float) -> None:
        if done == self._steps:
            raise self._error


class Dies(Quiet):
    def advance(self, done: int, total: int, **figures: float) -> None:
        if done == 3:
            os.kill(os.getpid(), signal.SIGKILL)


class Told(Quiet):
    def __init__(self) -> None:
        super().__init__(seed=1)
        self.figures: list[tuple[int, int, dict[str, float]]] = []

    def advance(self, done: int, total: int, **figures: float) -> None:
        self.figures.append((done, total, figures))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with rows and held-out rows."""
    rows_file(tmp_path / "sft.jsonl", supervised_rows(16))
    rows_file(tmp_path / "sft-held.jsonl", supervised_rows(6, first=16))
    return tmp_path


def tune(
    files: Path, settings: TrainingSettings, run: Run | None = None, *, out: str = "sft", **more: Any
) -> dict[str, Any]:
    known: dict[str, Any] = {"start": None, "work": files / "work", **more}
    return fine_tune(
        settings.base,
        files / "sft.jsonl",
        files / "sft-held.jsonl",
        files / out,
        settings=settings,
        run=run or Quiet(1),
        **known,
    )


def weights(folder: Path) -> dict[str, Any]:
    return dict(load_file(folder / WEIGHTS))


def same(one: Path, other: Path) -> bool:
    ours, theirs = weights(one), weights(other)
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


@contextmanager
def small_files(most: int) -> Iterator[None]:
    """No file may grow over `most` bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_held_out_loss_falls_and_the_figures_say_what_was_learned(
    files: Path, tiny_settings: TrainingSettings
) -> None:
    settings = tiny_settings.model_copy(update={"sft": tiny_settings.sft.model_copy(update={"epochs": 4.0})})
    metrics = tune(files, settings)
    assert metrics == json_of(files / "sft" / "metrics.json")
    assert metrics["loss_after"] < metrics["loss_before"] - 0.2
    assert (metrics["rows"], metrics["rows_learned"], metrics["steps"], metrics["batch"]) == (16, 64, 16, 4)
    assert (metrics["left_out"], metrics["held_rows"]) == (0, 6)
    assert {one.name for one in (files / "sft").iterdir()} == {
        "adapter_config.json",
        WEIGHTS,
        "metrics.json",
    }


def test_only_the_reply_with_its_end_is_in_the_loss(tiny_base: str, tiny_settings: TrainingSettings) -> None:
    base, (row,) = load_base(tiny_base, tiny_settings), supervised_rows(1)
    ((one,), left_out) = encoded(base, [row])
    found = columns(base, one)
    taught = [label for label in found["labels"] if label != IGNORED]
    assert taught == base.reply_ids(row.completion)
    assert taught[-1] == base.eos_id
    assert found["input_ids"] == base.prompt_ids(row.prompt.messages) + taught
    assert left_out == 0


def test_the_trainer_hears_no_more_than_the_reply(files: Path, tiny_settings: TrainingSettings) -> None:
    """The loss of the first step, and the held-out one before it, against sums by hand."""
    base = load_base(tiny_settings.base, tiny_settings)

    def by_hand(rows: list[Supervised]) -> float:
        losses, tokens = 0.0, 0
        for row in rows:
            prompt, reply = base.prompt_ids(row.prompt.messages), base.reply_ids(row.completion)
            said = base.model(torch.tensor([prompt + reply])).logits[0].log_softmax(-1).detach()
            losses -= sum(said[len(prompt) + at - 1, token].item() for at, token in enumerate(reply))
            tokens += len(reply)
        return losses / tokens

    run, rows = Told(), supervised_rows(16)
    metrics = tune(files, tiny_settings, run)
    first = [rows[number] for number in drawn([1.0] * 16, 16, 1)[:4]]
    assert run.figures[0][2]["loss"] == pytest.approx(by_hand(first), abs=1e-4)
    assert metrics["loss_before"] == pytest.approx(by_hand(supervised_rows(6, first=16)), abs=1e-4)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    files: Path, tiny_settings: TrainingSettings
) -> None:
    for name, seed in (("one", 1), ("two", 1), ("other", 2)):
        tune(files, tiny_settings, Quiet(seed), out=name)
    assert same(files / "one", files / "two")
    assert not same(files / "one", files / "other")


def test_it_begins_with_the_parents_adapter(files: Path, tiny_settings: TrainingSettings) -> None:
    first = tune(files, tiny_settings)
    second = tune(files, tiny_settings, start=files / "sft", out="next")
    assert second["loss_before"] == pytest.approx(first["loss_after"], abs=1e-4)
    assert second["loss_after"] < first["loss_after"]


def test_a_parent_of_another_base_is_refused(
    files: Path, tiny_settings: TrainingSettings, tmp_path: Path
) -> None:
    tune(files, small_settings(str(build_base(tmp_path / "wide", hidden=64))), out="parent")
    with pytest.raises(BadData, match="does not fit"):
        tune(files, tiny_settings, start=files / "parent")


def test_the_voice_answers_as_it_was_trained(files: Path, tiny_settings: TrainingSettings) -> None:
    tune(files, tiny_settings)
    cast = Cast(load_base(tiny_settings.base, tiny_settings))
    cast.add("policy", tiny_settings.lora, folder=files / "sft")
    ids = torch.tensor([cast.base.prompt_ids(make_prompt(0).messages)])
    assert not torch.equal(cast.logits("policy", input_ids=ids), cast.logits(None, input_ids=ids))


def test_rows_count_by_their_weight(files: Path, tiny_settings: TrainingSettings) -> None:
    """With all the weight on eight rows, the others may say what they like."""
    good = supervised_rows(8)
    rows = [*good, *(Supervised(one.prompt, "x" * 30, 0.0) for one in good)]
    rows_file(files / "sft.jsonl", rows)
    tune(files, tiny_settings, out="one")
    rows_file(files / "sft.jsonl", [*good, *(Supervised(one.prompt, "y" * 9, 0.0) for one in good)])
    tune(files, tiny_settings, out="other")
    assert same(files / "one", files / "other")


def test_rows_too_long_for_the_model_are_left_out_and_counted(
    files: Path, tiny_settings: TrainingSettings
) -> None:
    rows = supervised_rows(4)
    rows_file(files / "sft.jsonl", [*rows, Supervised(make_prompt(9), "long " * 20_000)])
    metrics = tune(files, tiny_settings)
    assert (metrics["rows"], metrics["left_out"]) == (4, 1)
    rows_file(files / "sft.jsonl", [Supervised(make_prompt(9), "long " * 20_000)])
    with pytest.raises(BadData, match="no row is short enough"):
        tune(files, tiny_settings, out="none")
    assert not (files / "none").exists()


def test_there_may_be_no_held_out_rows(files: Path, tiny_settings: TrainingSettings) -> None:
    (files / "sft-held.jsonl").write_text("")
    metrics = tune(files, tiny_settings)
    assert (metrics["loss_before"], metrics["loss_after"], metrics["held_rows"]) == (None, None, 0)


def test_the_run_hears_of_every_step_and_nothing_is_printed(
    files: Path, tiny_settings: TrainingSettings, capfd: pytest.CaptureFixture[str]
) -> None:
    run = Told()
    tune(files, tiny_settings, run)
    assert [(done, total) for done, total, _ in run.figures] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert {"loss", "learning_rate", "grad_norm"} <= run.figures[0][2].keys()
    assert capfd.readouterr() == ("", "")


def test_out_of_budget_stops_and_the_next_start_goes_on_to_the_same_weights(
    files: Path, tiny_settings: TrainingSettings
) -> None:
    tune(files, tiny_settings, out="undisturbed")
    with pytest.raises(OutOfBudget, match="no time"):
        tune(files, tiny_settings, Stops(2, OutOfBudget("no time")))
    assert not (files / "sft").exists()
    run = Told()
    metrics = tune(files, tiny_settings, run)
    assert [done for done, _, _ in run.figures] == [3, 4]
    assert same(files / "sft", files / "undisturbed")
    assert metrics == json_of(files / "undisturbed" / "metrics.json")


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_killed_in_the_middle_it_goes_on_to_the_same_weights(
    files: Path, tiny_settings: TrainingSettings
) -> None:
    tune(files, tiny_settings, out="undisturbed")
    child = os.fork()
    if not child:
        tune(files, tiny_settings, Dies(1))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert not (files / "sft").exists()
    run = Told()
    tune(files, tiny_settings, run)
    assert run.figures[0][0] == 3
    assert same(files / "sft", files / "undisturbed")


def test_killed_after_the_last_step_it_only_writes(files: Path, tiny_settings: TrainingSettings) -> None:
    tune(files, tiny_settings, out="undisturbed")
    with pytest.raises(OutOfBudget):
        tune(files, tiny_settings, Stops(4, OutOfBudget("no time")))
    run = Told()
    tune(files, tiny_settings, run)
    assert run.figures == []
    assert same(files / "sft", files / "undisturbed")


def poisoned(folder: Path) -> str:
    """A base on which whatever holds a `~` is no number."""
    build_base(folder, tie_word_embeddings=False)
    base = load_base(str(folder), small_settings(""))
    (token,) = base.tokenizer("~", add_special_tokens=False)["input_ids"]
    tensors = load_file(folder / "model.safetensors")
    tensors["model.embed_tokens.weight"][token] = float("nan")
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return str(folder)


@pytest.mark.parametrize("late", [True, False])
def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_weights(
    files: Path, tmp_path: Path, late: bool
) -> None:
    order = drawn([1.0] * 8, 8, 1)
    rows = supervised_rows(8)
    bad = order[-1] if late else order[0]
    rows[bad] = Supervised(rows[bad].prompt, "~")
    rows_file(files / "sft.jsonl", rows)
    rows_file(files / "sft-held.jsonl", supervised_rows(2))
    settings = small_settings(
        poisoned(tmp_path / "base"), sft={"batch": 2, "micro_batch": 2, "epochs": 1.0, "learning_rate": 1e-3}
    )
    with pytest.raises(Diverged) as stopped:
        tune(files, settings)
    assert not (files / "sft").exists()
    good = files / "work" / "sft" / "last-good"
    if late:
        assert "the loss of step 4 is no number; the weights of step 3 are kept in" in str(stopped.value)
        kept = weights(good)
        assert all(one.isfinite().all() for one in kept.values())
        assert any(one.any() for name, one in kept.items() if "lora_B" in name)
    else:
        assert "step 1 is no number, so nothing was learned" in str(stopped.value)
        assert not good.exists()


def test_a_disk_that_fills_while_the_adapter_is_saved_leaves_nothing_behind(
    files: Path, tiny_settings: TrainingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = peft.PeftModel.save_pretrained

    def full(model: Any, folder: Any, **named: Any) -> None:
        if Path(folder).name == "sft.part":
            raise OSError(errno.ENOSPC, "No space left on device")
        save(model, folder, **named)

    with monkeypatch.context() as patched:
        patched.setattr(peft.PeftModel, "save_pretrained", full)
        with pytest.raises(NoRoom, match="disk is full"):
            tune(files, tiny_settings)
    assert not (files / "sft").exists()
    assert not (files / "sft.part").exists()
    run = Told()
    tune(files, tiny_settings, run)
    assert run.figures == []


@pytest.mark.parametrize("most", [4_000, 30_000])
def test_a_disk_that_fills_while_a_checkpoint_is_saved_is_told_and_gone_on_from(
    files: Path, tiny_settings: TrainingSettings, most: int
) -> None:
    with small_files(most), pytest.raises(NoRoom, match="disk is full; make room, then start again"):
        tune(files, tiny_settings)
    assert list((files / "work" / "sft").glob("checkpoint-*")) == []
    assert tune(files, tiny_settings)["steps"] == 4


def test_with_gradient_checkpoints_the_weights_are_the_same(
    files: Path, tiny_settings: TrainingSettings
) -> None:
    tune(files, tiny_settings)
    tune(files, tiny_settings.model_copy(update={"gradient_checkpointing": True}), out="other")
    ours, theirs = weights(files / "sft"), weights(files / "other")
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-5) for name in ours)


def test_in_bfloat16_the_adapter_stays_in_float32(files: Path, tiny_settings: TrainingSettings) -> None:
    metrics = tune(files, tiny_settings.model_copy(update={"precision": "bfloat16"}))
    assert metrics["loss_after"] < metrics["loss_before"]
    assert {one.dtype for one in weights(files / "sft").values()} == {torch.float32}


def test_where_padding_had_to_be_made_the_adapter_has_no_row_for_it(
    files: Path, tiny_base: str, tmp_path: Path
) -> None:
    metrics = tune(files, small_settings(str(without_pad(tiny_base, tmp_path / "base"))))
    assert metrics["loss_after"] < metrics["loss_before"]
    assert all("lora_" in name for name in weights(files / "sft"))


def test_a_chinese_gpt2_learns(files: Path, tmp_path: Path) -> None:
    rows_file(
        files / "sft.jsonl", [one for one in supervised_rows(16) if one.prompt.extra["language"] == "zh"]
    )
    metrics = tune(files, small_settings(str(chinese_gpt2(tmp_path / "base"))))
    assert metrics["loss_after"] < metrics["loss_before"]


def test_an_encoder_decoder_learns(files: Path, tmp_path: Path) -> None:
    settings = small_settings(str(encoder_decoder(tmp_path / "base")))
    metrics = tune(files, settings)
    assert metrics["loss_after"] < metrics["loss_before"]
    cast = Cast(load_base(settings.base, settings))
    cast.add("policy", settings.lora, folder=files / "sft")


def test_no_base_no_fine_tuning(files: Path) -> None:
    with pytest.raises(BadBase, match=r"training\.base"):
        tune(files, small_settings(""))


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_two_processes_train_what_one_trains(files: Path, tiny_settings: TrainingSettings) -> None:
    """Each has half of a batch; forked, as importing it all again would take longer than the training."""
    settings = tiny_settings.model_copy(
        update={"sft": tiny_settings.sft.model_copy(update={"micro_batch": 2})}
    )
    alone = tune(files, settings, out="alone")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children = []
    for rank in range(2):
        child = os.fork()
        if not child:
            _one_of_two(rank, port, files, settings)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    assert json_of(files / "both" / "metrics.json")["loss_after"] == pytest.approx(
        alone["loss_after"], abs=1e-4
    )
    ours, theirs = weights(files / "both"), weights(files / "alone")
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-4) for name in ours)


def _one_of_two(rank: int, port: int, files: Path, settings: TrainingSettings) -> None:
    told = {
        "RANK": rank,
        "LOCAL_RANK": rank,
        "WORLD_SIZE": 2,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
    }
    os.environ.update({name: str(value) for name, value in told.items()}, OMP_NUM_THREADS="1")
    PartialState._reset_state()
    code = 1
    try:
        tune(files, settings, out="both")
        torch.distributed.destroy_process_group()
        code = 0
    finally:
        if code:
            traceback.print_exc()
        os._exit(code)
