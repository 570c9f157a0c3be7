"""What a prompt gives up so that it fits, and how often the server is asked."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.generator import GenerationRequest, GeneratorMisconfigured, ThreadTurn
from bot.prompt import Message
from bot.serving.fitting import LEAST_SEEN, TEMPLATE_TOKENS, Density, fit, size, smaller
from knowledge.base import Passage, ScoredPassage


def found(number: int) -> ScoredPassage:
    text = f"Passage {number}. " + "A bag of beans costs twelve dollars. " * 20
    return ScoredPassage(Passage(number, 1, "d.md", "Shop", "", None, 0, text, "en"), 1.0, 0.9, text)


REQUEST = GenerationRequest(
    comment="How much is a bag of the beans that you showed, with shipping? " * 8,
    language="en",
    post_title="Roasting",
    post_text="My first batch. " * 20,
    thread=(ThreadTurn("fan", "oldest"), ThreadTurn("us", "newest")),
    passages=(found(1), found(2), found(3)),
)
BARE = GenerationRequest(comment="How much?", language="en")


class Tokenizer:
    """One token for `bytes_a_token` bytes."""

    def __init__(self, bytes_a_token: float) -> None:
        self.asked = 0
        self._bytes = bytes_a_token

    async def __call__(self, messages: Sequence[Message]) -> int:
        self.asked += 1
        return int(sum(len(message["content"].encode()) for message in messages) / self._bytes)


def test_passages_go_before_the_thread_the_thread_before_the_post_the_post_before_the_comment() -> None:
    seen, made = [], smaller(REQUEST)
    while made is not None:
        seen.append((len(made.passages), len(made.thread), bool(made.post_text), len(made.comment)))
        last, made = made, smaller(made)
    whole = len(REQUEST.comment)
    assert seen[:6] == [(2, 2, True, whole), (1, 2, True, whole), (0, 2, True, whole), (0, 1, True, whole),
                        (0, 0, True, whole), (0, 0, False, whole)]  # fmt: skip
    assert last.comment.endswith("…")


def test_the_last_passage_and_the_oldest_turn_go_first() -> None:
    shorter = smaller(REQUEST)
    assert shorter is not None
    assert shorter.passages == REQUEST.passages[:2]
    bare = smaller(GenerationRequest(comment="?", language="en", thread=REQUEST.thread))
    assert bare is not None
    assert [turn.text for turn in bare.thread] == ["newest"]


async def test_a_prompt_with_fewer_bytes_than_there_are_tokens_is_not_counted() -> None:
    count = Tokenizer(4)
    assert await fit(BARE, 100_000, 400, count, Density()) is BARE
    assert count.asked == 0


async def test_a_prompt_that_fits_by_the_servers_count_stays_whole() -> None:
    count = Tokenizer(4)
    assert (
        await fit(REQUEST, size(REQUEST) // 4 + 400 + TEMPLATE_TOKENS + 1, 400, count, Density()) is REQUEST
    )
    assert count.asked == 1


@settings(max_examples=30)
@given(bytes_a_token=st.floats(1.0, 6.0), context=st.integers(2600, 8000))
async def test_what_is_fitted_leaves_the_reply_its_room_after_a_few_counts(
    bytes_a_token: float, context: int
) -> None:
    count = Tokenizer(bytes_a_token)
    made = await fit(REQUEST, context, 400, count, Density())
    assert size(made) / bytes_a_token <= context - 400 - TEMPLATE_TOKENS + 1
    assert count.asked <= 4


async def test_a_context_too_small_for_the_rules_is_told_in_one_line() -> None:
    with pytest.raises(GeneratorMisconfigured, match="--max-model-len") as caught:
        await fit(REQUEST, 300, 100, Tokenizer(4), Density())
    assert "\n" not in str(caught.value)
    with pytest.raises(GeneratorMisconfigured, match="max_tokens"):
        await fit(BARE, 300, 400, Tokenizer(4), Density())


async def test_where_nobody_can_count_the_prompt_stays_whole() -> None:
    async def unknown(messages: Sequence[Message]) -> None:
        return None

    assert await fit(REQUEST, 1000, 100, unknown, Density()) is REQUEST


async def test_after_some_prompts_the_like_of_them_are_not_counted() -> None:
    count, density = Tokenizer(4), Density()
    context = size(REQUEST) // 2 + 400
    for _ in range(LEAST_SEEN):
        assert await fit(REQUEST, context, 400, count, density) is REQUEST
    assert await fit(REQUEST, context, 400, count, density) is REQUEST
    assert count.asked == LEAST_SEEN
    density.forget()
    await fit(REQUEST, context, 400, count, density)
    assert count.asked == LEAST_SEEN + 1


def test_a_byte_of_chinese_may_be_a_token_however_english_was_counted() -> None:
    density = Density()
    for _ in range(LEAST_SEEN):
        density.note([{"role": "user", "content": "a" * 4000}], 1000)
        density.note([{"role": "user", "content": "豆" * 400}], 1200)
    assert density.bound([{"role": "user", "content": "a" * 400}]) == 125
    assert density.bound([{"role": "user", "content": "豆" * 400}]) == 1200
