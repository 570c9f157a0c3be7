"""Each family of decoders is asked as it wants to be: positions, windows and caches differ, the chances do not."""

from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

import transformers as hf  # noqa: E402

from tests.training.conftest import build_tokenizer, small_settings  # noqa: E402
from training.cast import Cast  # noqa: E402
from training.episodes import episodes, logprobs_of  # noqa: E402
from training.logprobs import language_head  # noqa: E402
from training.models import as_base, quiet  # noqa: E402
from training.rollout import LocalSampler  # noqa: E402
from training.rows import Prompt  # noqa: E402

TEMPERATURE = 0.7
SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
WINDOW = {"num_key_value_heads": 1, "sliding_window": 12}


def prompt(number: int) -> Prompt:
    """All begin the same, and some are far longer than others."""
    rules = "Answer in one sentence. " * 3
    return Prompt(
        (
            {"role": "system", "content": rules},
            {"role": "user", "content": "Hello there " * (1 + 5 * number)},
        )
    )


@pytest.mark.parametrize(
    ("config", "changes"),
    [
        ("MistralConfig", WINDOW),
        ("Gemma2Config", {**WINDOW, "head_dim": 16}),
        ("Gemma3TextConfig", {**WINDOW, "head_dim": 16}),
        ("GPT2Config", {}),
        ("GPTNeoXConfig", {}),
        ("OPTConfig", {"word_embed_proj_dim": 32, "ffn_dim": 64}),
        ("BloomConfig", {}),
    ],
)
def test_what_was_drawn_is_as_likely_as_in_a_pass_of_that_row_alone(
    config: str, changes: dict[str, Any]
) -> None:
    tokenizer, settings = build_tokenizer(), small_settings("")
    own = {**SMALL, **changes, "max_position_embeddings": 512, "initializer_range": 0.3, "pad_token_id": 0}
    torch.manual_seed(0)
    with quiet():
        model = hf.AutoModelForCausalLM.from_config(getattr(hf, config)(**own, vocab_size=len(tokenizer)))
    cast = Cast(as_base(model, tokenizer, config, settings))
    cast.add("policy", settings.lora)

    prompts = [prompt(number) for number in range(4)]
    samples = LocalSampler(cast, "policy", max_new_tokens=8, temperature=TEMPERATURE).sample(prompts, 1)

    with torch.no_grad():
        batch = episodes(cast.base, samples)
        flat = logprobs_of(cast, "policy", language_head(cast.base), batch, TEMPERATURE)
        for row, one in enumerate(samples):
            ids = torch.tensor([[*one.prompt_ids, *one.reply_ids]])
            said = (cast.logits("policy", input_ids=ids)[0].float() / TEMPERATURE).log_softmax(-1)
            first = len(one.prompt_ids) - 1
            alone = [float(said[first + t, token]) for t, token in enumerate(one.reply_ids)]
            assert list(one.logprobs or ()) == pytest.approx(alone, abs=2e-4)
            learned_from = batch.rectangle(flat)[row, : len(one.reply_ids)].tolist()
            assert learned_from == pytest.approx(alone, abs=2e-4)
