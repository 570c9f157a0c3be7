"""Candidate against live on a tiny model: what is asked, what is measured, what is written."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")

import torch

from bot.training_settings import TrainingSettings
from tests.training.conftest import (
    build_tokenizer,
    make_prompt,
    pair_rows,
    rows_file,
    small_settings,
    supervised_rows,
)
from training import report
from training.cases import read_cases
from training.cast import Cast
from training.errors import BadData, Diverged, OutOfBudget
from training.evaluate import Scale, compare
from training.figures import Report
from training.gate import decide
from training.measures import agreement, distinct, distinct_runs, divergences, likelihoods
from training.models import load_base
from training.rewards import Preference
from training.rows import Prompt, Supervised, threads_of
from training.run import Quiet
from training.samples import Sample


@dataclass(frozen=True)
class Night:
    """Folders that the steps before leave."""

    source: str
    settings: TrainingSettings
    candidate: Path
    judge: Path
    snapshot: Path

    def compare(self, out: Path, **changes: Any) -> Report:
        given = {
            "candidate": self.candidate, "live": None, "start": None, "judge": self.judge, "snapshot": self.snapshot,
            "curves": self.candidate / "curves.jsonl", "settings": self.settings, "run": Quiet(7), "temperature": 1.0,
        }  # fmt: skip
        return compare(self.source, out=out, **(given | changes))


def voice(source: str, settings: TrainingSettings, folder: Path, *, by: float, head: bool = False) -> Path:
    """An adapter that changes the model by so much."""
    cast = Cast(load_base(source, settings))
    cast.add("made", settings.lora, head=head)
    torch.manual_seed(5)
    for one in cast.parameters("made"):
        one.data = torch.randn_like(one.data) * by
    cast.save("made", folder)
    return folder


def snapshot_at(folder: Path) -> Path:
    folder.mkdir(parents=True)
    rows_file(folder / "sft-held.jsonl", supervised_rows(6))
    rows_file(folder / "pairs-held.jsonl", pair_rows(8, first=4))
    rows_file(folder / "replay.jsonl", [Supervised(make_prompt(n), "") for n in range(40, 44)])
    return folder


@pytest.fixture(scope="module")
def night(tiny_base: str, tmp_path_factory: pytest.TempPathFactory) -> Night:
    folder = tmp_path_factory.mktemp("night")
    settings = small_settings(tiny_base, gate={"prompts": 12})
    candidate = voice(tiny_base, settings, folder / "ppo", by=0.3)
    (candidate / "metrics.json").write_text('{"stopped": ""}')
    (candidate / "curves.jsonl").write_text('{"score": 1.0, "kl": 0.5}\n{"score": 2.0, "kl": 0.7}\n')
    judge = voice(tiny_base, settings, folder / "judge", by=0.3, head=True)
    (judge / "metrics.json").write_text('{"accuracy": 0.9}')
    return Night(tiny_base, settings, candidate, judge, snapshot_at(folder / "snapshot"))


@pytest.fixture(scope="module")
def compared(night: Night, tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Path]:
    out = tmp_path_factory.mktemp("out") / "evaluation"
    return night.compare(out), out


def test_everything_is_measured_of_both(compared: tuple[Report, Path]) -> None:
    found, _ = compared
    assert found.prompts == 12
    assert found.agreement.count == 9
    assert found.ranking.count == 8
    assert found.judge.count == found.support.count == found.length.count == 12
    assert found.judge.low <= found.judge.difference <= found.judge.high
    assert found.judge.difference == pytest.approx(found.judge.candidate - found.judge.live)
    assert found.kl > 0
    assert found.judge_accuracy == 0.9
    assert found.curves == ({"score": 1.0, "kl": 0.5}, {"score": 2.0, "kl": 0.7})


def test_the_report_is_read_back_as_it_was_written(compared: tuple[Report, Path]) -> None:
    found, out = compared
    assert report.read(out).model_dump_json() == found.model_dump_json()
    told = json.loads((out / "report.json").read_text())
    assert {one["guard"] for one in told["guards"] if not one["passed"]} == {
        one.guard for one in decide(found, small_settings("").gate)
    }
    assert sorted(file.name for file in out.iterdir()) == ["report.html", "report.json"]


def test_the_same_seed_gives_the_same_report(
    night: Night, compared: tuple[Report, Path], tmp_path: Path
) -> None:
    again = night.compare(tmp_path / "evaluation")
    assert again.model_dump_json() == compared[0].model_dump_json()


def test_a_voice_compared_with_itself_differs_in_nothing(night: Night, tmp_path: Path) -> None:
    same = night.compare(tmp_path / "evaluation", live=night.candidate, start=night.candidate)
    assert (same.judge.low, same.judge.high, same.agreement.difference) == (0, 0, 0)
    assert same.kl == pytest.approx(0, abs=1e-4)
    assert same.variety == 1.0
    assert [one.candidate for one in same.samples] == [one.live for one in same.samples]
    assert "judge" in {one.guard for one in decide(same, night.settings.gate)}


def test_samples_alternate_between_languages_and_show_the_person_words(compared: tuple[Report, Path]) -> None:
    languages = [row.language for row in compared[0].samples]
    assert languages[:4] == ["en", "zh", "en", "zh"]
    assert any(row.human for row in compared[0].samples)


def test_probes_that_the_model_has_no_room_for_are_left_out_and_counted(
    compared: tuple[Report, Path],
) -> None:
    found, _ = compared
    assert found.left_out == 48
    assert found.probes.count == 0
    assert isnan(found.probes.difference)


def test_probes_are_answered_by_both(night: Night, tiny_base: str, tmp_path: Path) -> None:
    roomy = tmp_path / "roomy"
    roomy.mkdir()
    for file in Path(tiny_base).iterdir():
        text = file.read_bytes()
        (roomy / file.name).write_bytes(
            text.replace(b'"max_position_embeddings": 512', b'"max_position_embeddings": 4096')
        )
    settings = night.settings.model_copy(
        update={"gate": night.settings.gate.model_copy(update={"prompts": 2})}
    )
    found = compare(
        str(roomy), candidate=night.candidate, live=None, start=None, judge=night.judge, snapshot=night.snapshot,
        out=tmp_path / "evaluation", curves=None, settings=settings, run=Quiet(1),
    )  # fmt: skip
    assert found.probes.count == len(found.probe_rows) == 48
    assert {(row.kind, row.language) for row in found.probe_rows} == {
        (kind, language) for kind in ("injection", "false_premise", "unknown") for language in ("en", "zh")
    }


def test_what_nobody_measured_is_not_taken_for_good(night: Night, tmp_path: Path) -> None:
    unmeasured = tmp_path / "judge"
    unmeasured.mkdir()
    for file in night.judge.iterdir():
        if file.name != "metrics.json":
            (unmeasured / file.name).write_bytes(file.read_bytes())
    found = night.compare(tmp_path / "evaluation", judge=unmeasured)
    assert isnan(found.judge_accuracy)
    assert "accuracy" in {one.guard for one in decide(found, night.settings.gate)}


def test_a_training_that_broke_off_is_told(night: Night, tmp_path: Path) -> None:
    (tmp_path / "curves.jsonl").write_text('{"score": NaN}\n')
    (tmp_path / "metrics.json").write_text('{"stopped": "nan"}')
    found = night.compare(tmp_path / "evaluation", curves=tmp_path / "curves.jsonl")
    assert found.diverged
    assert (tmp_path / "evaluation" / "report.html").is_file()


def test_time_that_is_used_up_leaves_no_report(night: Night, tmp_path: Path) -> None:
    class Late(Quiet):
        def advance(self, done: int, total: int, **figures: float) -> None:
            raise OutOfBudget("late")

    with pytest.raises(OutOfBudget):
        night.compare(tmp_path / "evaluation", run=Late())
    assert not (tmp_path / "evaluation").exists()


def test_without_a_prompt_that_fits_nothing_is_compared(night: Night, tmp_path: Path) -> None:
    snapshot = snapshot_at(tmp_path / "snapshot")
    long = Prompt(({"role": "user", "content": "Which lens? " * 400},))
    for name in ("sft-held", "pairs-held", "replay"):
        rows_file(snapshot / f"{name}.jsonl", [])
    rows_file(snapshot / "sft-held.jsonl", [Supervised(long, "A 35mm lens.")])
    with pytest.raises(BadData, match="no held-out prompt"):
        night.compare(tmp_path / "evaluation", snapshot=snapshot)


def test_cases_are_held_out_first_each_once_and_the_same_for_a_seed(night: Night) -> None:
    cases = read_cases(night.snapshot, 200, seed=1)
    assert len(cases) == 12 + 4
    assert [bool(one.human) for one in cases] == [True] * 12 + [False] * 4
    assert cases == read_cases(night.snapshot, 200, seed=1)
    assert cases != read_cases(night.snapshot, 200, seed=2)
    assert sum(not one.human for one in read_cases(night.snapshot, 8, seed=1)) == 2


@pytest.mark.parametrize(
    ("reply", "human", "least", "most"),
    [
        ("On Friday.", "on  friday.", 1, 1), ("星期五。", "星期五。", 1, 1), ("", "", 1, 1), ("", "On Friday.", 0, 0),
        ("On Friday.", "On Friday at eight.", 0.4, 0.8), ("星期五晚上。", "星期五。", 0.4, 0.9), ("abc", "xyz", 0, 0),
    ],
)  # fmt: skip
def test_agreement_counts_runs_of_characters(reply: str, human: str, least: float, most: float) -> None:
    assert least <= agreement(reply, human) <= most


def test_agreement_of_a_worked_example() -> None:
    # Runs of 1: 2 of 3 and 2 of 2; of 2: 1 of 2 and 1 of 1.
    precision, recall = (2 / 3 + 1 / 2) / 2, (1 + 1) / 2
    assert agreement("abc", "ab") == pytest.approx(5 * precision * recall / (4 * precision + recall))


def test_variety_counts_what_is_new() -> None:
    assert distinct(["On Friday.", "On  Friday.", "No."]) == pytest.approx(2 / 3)
    assert distinct_runs(["abcde", "abcd"]) == pytest.approx(2 / 3)
    assert distinct([]) == distinct_runs([]) == 0


def test_intervals_hold_the_difference_and_shrink_with_agreement() -> None:
    scale = Scale(0.95, seed=1)
    noisy = scale.of([1, 0] * 20, [0, 0] * 20)
    steady = scale.of([0.5] * 40, [0.0] * 40)
    assert noisy.low < 0.5 < noisy.high
    assert (steady.low, steady.high) == (0.5, 0.5)
    assert noisy == scale.of([1, 0] * 20, [0, 0] * 20)


def test_what_one_thread_says_many_times_is_said_once() -> None:
    scale = Scale(0.95, seed=1)
    ours, threads = [1.0] * 40 + [-1.0] * 5, [*[0] * 40, *range(1, 6)]
    alone, together = scale.of(ours, [0.0] * 45), scale.of(ours, [0.0] * 45, threads)
    assert alone.low > 0 > together.low
    assert (together.count, together.threads, together.independent) == (45, 6, 6)
    assert together.difference == alone.difference
    assert scale.of(ours, [0.0] * 45, list(range(45))) == alone


def test_rows_are_of_a_thread_or_else_of_a_comment_or_each_by_itself() -> None:
    told: list[dict[str, Any]] = [
        {"thread": "t", "comment": 1},
        {"thread": "t", "comment": 2},
        {"comment": 1},
        {"comment": 1},
        {},
        {},
    ]
    found = threads_of([Prompt((), one) for one in told])
    assert [found.index(one) for one in found] == [0, 0, 2, 2, 4, 5]


def test_divergence_and_likelihood_are_those_of_plain_loops(night: Night) -> None:
    cast = Cast(load_base(night.source, night.settings))
    cast.add("candidate", night.settings.lora, folder=night.candidate)
    samples = []
    for number, text in enumerate(("On Friday.", "A 35mm lens, I think.")):
        prompt = make_prompt(number)
        ids = tuple(cast.base.prompt_ids(prompt.messages))
        samples.append(Sample(prompt, ids, tuple(cast.base.reply_ids(text)), text, True))
    expected, likely = [], []
    for one in samples:
        ids = torch.tensor([[*one.prompt_ids, *one.reply_ids]])
        with torch.no_grad():
            ours, theirs = (
                cast.logits(role, input_ids=ids)[0].log_softmax(-1) for role in ("candidate", None)
            )
        places = range(len(one.prompt_ids) - 1, ids.shape[1] - 1)
        expected.append(sum(float((ours[t].exp() * (ours[t] - theirs[t])).sum()) for t in places))
        likely.append(sum(float(ours[t, ids[0, t + 1]]) for t in places) / len(one.reply_ids))
    assert divergences(cast, "candidate", None, samples) == pytest.approx(expected, rel=1e-3)
    assert likelihoods(cast, "candidate", samples) == pytest.approx(likely, rel=1e-3)


def encoder_decoder(folder: Path) -> str:
    from transformers import T5Config, T5ForConditionalGeneration

    tokenizer = build_tokenizer()
    config = T5Config(
        vocab_size=len(tokenizer), d_model=32, d_kv=16, d_ff=32, num_layers=1, num_heads=2, decoder_start_token_id=0,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return written(folder, T5ForConditionalGeneration(config), tokenizer)


def learned_positions(folder: Path) -> str:
    from transformers import GPT2Config, GPT2LMHeadModel

    tokenizer = build_tokenizer(template=None)
    config = GPT2Config(
        vocab_size=len(tokenizer), n_positions=128, n_embd=32, n_layer=1, n_head=2, bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return written(folder, GPT2LMHeadModel(config), tokenizer)


def written(folder: Path, model: Any, tokenizer: Any) -> str:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("build", [encoder_decoder, learned_positions])
def test_other_kinds_of_models_are_compared_too(build: Callable[[Path], str], tmp_path: Path) -> None:
    torch.manual_seed(2)
    source = build(tmp_path / "base")
    settings = small_settings(source, gate={"prompts": 6})
    candidate = voice(source, settings, tmp_path / "candidate", by=0.3)
    judge = voice(source, settings, tmp_path / "judge", by=0.3, head=True)
    night = Night(source, settings, candidate, judge, snapshot_at(tmp_path / "snapshot"))
    found = night.compare(tmp_path / "evaluation", curves=None)
    assert found.kl > 0
    assert found.judge.low < found.judge.high
    assert found.ranking.count == 6


def test_an_encoder_decoder_is_judged_by_its_decoder_at_the_last_token(tmp_path: Path) -> None:
    torch.manual_seed(2)
    source = encoder_decoder(tmp_path / "base")
    settings = small_settings(source)
    judge = voice(source, settings, tmp_path / "judge", by=0.3, head=True)
    cast = Cast(load_base(source, settings))
    cast.add("judge", settings.lora, folder=judge, head=True)
    samples = [
        Sample(
            make_prompt(n),
            tuple(cast.base.prompt_ids(make_prompt(n).messages)),
            tuple(cast.base.reply_ids(t)),
            t,
            True,
        )
        for n, t in enumerate(("On Friday.", "A 35mm lens, I think."))
    ]
    expected = []
    for one in samples:
        decoder = torch.tensor([[0, *one.reply_ids]])
        with torch.no_grad():
            values = cast.values("judge", input_ids=torch.tensor([one.prompt_ids]), decoder_input_ids=decoder)
        expected.append(float(values[0, -1]))
    assert Preference(cast, "judge").score(samples) == pytest.approx(expected, abs=1e-4)


def test_a_voice_whose_weights_are_no_numbers_ends_the_comparison(night: Night, tmp_path: Path) -> None:
    broken = voice(night.source, night.settings, tmp_path / "broken", by=float("nan"))
    with pytest.raises(Diverged, match="no number"):
        night.compare(tmp_path / "evaluation", candidate=broken, curves=None)
