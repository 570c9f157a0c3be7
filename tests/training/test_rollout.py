"""Replies as the policy draws them, and their log-probabilities."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

from bot.training_settings import TrainingSettings  # noqa: E402
from tests.training.conftest import build_tokenizer, make_prompt  # noqa: E402
from tests.training.roles import PROMPTS  # noqa: E402
from training.cast import Cast  # noqa: E402
from training.episodes import by_length, episodes, logprobs_of, values_of  # noqa: E402
from training.errors import BadBase, BadData  # noqa: E402
from training.logprobs import language_head, token_logprobs  # noqa: E402
from training.merged import merged  # noqa: E402
from training.models import as_base, load_base  # noqa: E402
from training.prefix import common  # noqa: E402
from training.rollout import LocalSampler, NotANumber  # noqa: E402
from training.samples import Sample  # noqa: E402

TEMPERATURE = 0.7


@pytest.fixture
def cast(tiny_settings: TrainingSettings) -> Cast:
    """With a policy that is far from the base."""
    return with_policy(Cast(load_base(tiny_settings.base, tiny_settings)), tiny_settings)


@pytest.fixture
def encoder_decoder(tiny_settings: TrainingSettings) -> Cast:
    from transformers import T5Config, T5ForConditionalGeneration

    tokenizer = build_tokenizer()
    config = T5Config(
        vocab_size=len(tokenizer), d_model=32, d_kv=16, d_ff=64, num_layers=2, num_heads=2, dropout_rate=0.1,
        pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    torch.manual_seed(0)
    base = as_base(T5ForConditionalGeneration(config), tokenizer, "t5", tiny_settings)
    return with_policy(Cast(base), tiny_settings)


def with_policy(cast: Cast, settings: TrainingSettings) -> Cast:
    cast.add("policy", settings.lora, train=True)
    torch.manual_seed(2)
    for one in cast.parameters("policy"):
        one.data.normal_(0.0, 0.2)
    return cast


def sampled(cast: Cast, *, seed: int = 3, longest: int = 8, count: int = 8) -> list[Sample]:
    sampler = LocalSampler(cast, "policy", max_new_tokens=longest, temperature=TEMPERATURE)
    return sampler.sample([make_prompt(number, "en") for number in range(count)], seed)


def one_by_one(cast: Cast, sample: Sample) -> Any:
    """Its log-probabilities by the plainest way there is."""
    ids = torch.tensor([[*sample.prompt_ids, *sample.reply_ids]])
    logits = cast.logits("policy", input_ids=ids)[0, len(sample.prompt_ids) - 1 : -1] / TEMPERATURE
    return logits.log_softmax(-1).gather(1, torch.tensor(sample.reply_ids)[:, None])[:, 0]


def test_the_log_probabilities_of_a_rollout_are_those_of_a_plain_forward_pass(cast: Cast) -> None:
    for sample in sampled(cast, count=12):
        assert list(sample.logprobs or ()) == pytest.approx(one_by_one(cast, sample).tolist(), abs=1e-4)


@pytest.mark.parametrize("share", [True, False])
def test_padding_and_the_common_beginning_change_neither_values_nor_gradients(
    cast: Cast, share: bool
) -> None:
    samples = sampled(cast)
    batch = episodes(cast.base, samples, share=share)
    assert (batch.prefix is not None) == share
    weights = torch.randn(len(batch.tokens), generator=torch.Generator().manual_seed(4))

    ours = logprobs_of(cast, "policy", language_head(cast.base), batch, TEMPERATURE)
    (ours * weights).sum().backward()
    gradients = [one.grad.clone() for one in cast.parameters("policy")]
    cast.base.model.zero_grad()
    theirs = torch.cat([one_by_one(cast, sample) for sample in samples])
    (theirs * weights).sum().backward()

    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    for ours, one in zip(gradients, cast.parameters("policy"), strict=True):
        torch.testing.assert_close(ours, one.grad, atol=1e-3, rtol=1e-3)


def test_a_value_is_what_the_critic_says_before_the_token(
    cast: Cast, tiny_settings: TrainingSettings
) -> None:
    cast.add("critic", tiny_settings.lora, head=True, train=True)
    cast.heads["critic"].weight.data.normal_()
    samples = sampled(cast)
    batch = episodes(cast.base, samples)

    found = batch.rectangle(values_of(cast, "critic", batch))

    for row, sample in zip(found, samples, strict=True):
        whole = cast.values("critic", input_ids=torch.tensor([[*sample.prompt_ids, *sample.reply_ids]]))[0]
        torch.testing.assert_close(
            row[: len(sample.reply_ids)], whole[len(sample.prompt_ids) - 1 : -1], atol=1e-4, rtol=1e-4
        )


def test_an_encoder_decoder_writes_and_scores_the_same_way(encoder_decoder: Cast) -> None:
    samples = sampled(encoder_decoder, longest=5)
    batch = episodes(encoder_decoder.base, samples)

    found = logprobs_of(encoder_decoder, "policy", language_head(encoder_decoder.base), batch, TEMPERATURE)

    said = torch.tensor([one for sample in samples for one in sample.logprobs or ()])
    torch.testing.assert_close(found, said, atol=1e-4, rtol=1e-4)


def test_the_seed_decides_what_is_written(cast: Cast) -> None:
    assert sampled(cast, seed=5) == sampled(cast, seed=5)
    assert sampled(cast, seed=5) != sampled(cast, seed=6)


def test_a_reply_ends_with_the_end_of_text_or_at_the_limit(cast: Cast) -> None:
    eos = cast.base.eos_id
    samples = sampled(cast, longest=40, count=60)

    assert {one.ended for one in samples} == {True, False}
    for one in samples:
        assert one.ended == (one.reply_ids[-1] == eos)
        assert eos not in one.reply_ids[:-1]
        assert one.ended or len(one.reply_ids) == 40


def test_every_word_has_the_chance_that_the_model_gives_it(cast: Cast) -> None:
    prompt = make_prompt(0)
    sampler = LocalSampler(cast, "policy", max_new_tokens=1, temperature=1.0)
    ids = torch.tensor([cast.base.prompt_ids(prompt.messages)])
    chances = cast.logits("policy", input_ids=ids)[0, -1].softmax(-1)

    drawn_ids = [one.reply_ids[0] for one in sampler.sample([prompt] * 2000, 7)]

    counts = torch.bincount(torch.tensor(drawn_ids), minlength=len(chances)) / 2000
    assert float((counts - chances.detach()).abs().sum()) / 2 < 0.25


def test_a_prompt_that_leaves_no_room_for_a_reply_is_refused(cast: Cast) -> None:
    long = replace(PROMPTS[0], messages=({"role": "user", "content": "words " * 600},))

    with pytest.raises(BadData, match="leaves no room for a reply of 8"):
        LocalSampler(cast, "policy", max_new_tokens=8, temperature=1.0).sample([long], 0)


def test_probabilities_that_are_no_numbers_are_not_drawn_from(cast: Cast) -> None:
    cast.parameters("policy")[0].data.fill_(float("nan"))

    with pytest.raises(NotANumber):
        sampled(cast)


def test_merging_leaves_the_base_bit_for_bit_and_the_adapters_learning(cast: Cast) -> None:
    before = {name: one.clone() for name, one in cast.base.model.named_parameters()}
    ids = torch.tensor([[5, 6, 7]])
    apart = cast.logits("policy", input_ids=ids)

    with merged(cast, "policy") as model:
        torch.testing.assert_close(model(input_ids=ids).logits, apart, atol=1e-4, rtol=1e-4)
    with pytest.raises(ZeroDivisionError), merged(cast, "policy"):
        raise ZeroDivisionError

    assert all(torch.equal(one, before[name]) for name, one in cast.base.model.named_parameters())
    assert all(one.requires_grad for one in cast.parameters("policy"))
    assert torch.equal(cast.logits("policy", input_ids=ids), apart)


@given(
    st.lists(
        st.tuples(st.sampled_from(["policy", "other", None]), st.sampled_from(["whole", "fails"])),
        max_size=12,
    )
)
@hypothesis_settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_was_merged_and_failed_the_base_is_the_same_to_the_bit(
    cast: Cast, tiny_settings: TrainingSettings, steps: list[tuple[str | None, str]]
) -> None:
    if "other" not in cast.peft.peft_config:
        cast.add("other", tiny_settings.lora)
    ids = torch.tensor([[5, 6, 7]])
    roles = (None, "policy", "other")
    before = {name: one.clone() for name, one in cast.base.model.state_dict().items()}
    said = [cast.logits(role, input_ids=ids) for role in roles]
    for role, end in steps:
        with suppress(ZeroDivisionError), merged(cast, role) as model:
            model(input_ids=ids)
            if end == "fails":
                raise ZeroDivisionError
    after = cast.base.model.state_dict()
    assert all(torch.equal(one, after[name]) for name, one in before.items())
    for role, one in zip(roles, said, strict=True):
        assert torch.equal(cast.logits(role, input_ids=ids), one)


def test_a_common_beginning_leaves_every_prompt_a_token() -> None:
    long = tuple(range(20))

    assert common([long, (*long, 1), (*long, 2)]) == 19
    assert common([(*long, 1), (*long, 2)]) == 20
    assert common([(*long[:9], 50), (*long[:9], 51), (*long[:8], 60)]) == 8
    assert common([long[:7], long]) == 0
    assert common([long]) == 0


def test_rows_of_about_one_length_are_together_and_none_is_lost() -> None:
    samples = [Sample(PROMPTS[0], (1,) * size, (2,), "", True) for size in (5, 1, 4, 2, 3)]

    assert list(by_length(samples, 2)) == [[1, 3], [4, 2], [0]]


def test_the_log_probabilities_of_many_tokens_are_made_a_piece_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    states, words = torch.randn(7, 4, requires_grad=True), torch.randn(11, 4)
    tokens = torch.randint(11, (7,))
    pieces: list[int] = []

    def head(some: Any) -> Any:
        pieces.append(len(some))
        return some @ words.T

    monkeypatch.setattr("training.logprobs.PIECE", 3 * 11)
    found = token_logprobs(head, states, tokens, 0.5)
    found.square().sum().backward()
    ours, states.grad = states.grad, None
    plain = (states @ words.T / 0.5).log_softmax(-1).gather(1, tokens[:, None])[:, 0]
    plain.square().sum().backward()

    torch.testing.assert_close(found, plain)
    torch.testing.assert_close(ours, states.grad)
    assert pieces[1:] == [3, 3, 1]


def test_a_model_that_does_something_unknown_with_its_logits_is_refused(cast: Cast) -> None:
    def scaled(module: Any, inputs: Any, output: Any) -> Any:
        output.logits = output.logits * 3
        return output

    hook = cast.base.model.register_forward_hook(scaled)
    with pytest.raises(BadBase, match=r"method = .rloo"):
        language_head(cast.base)
    hook.remove()
