"""The demo's texts, tastes and simulated creator; the nights themselves are in test_demo_nights.py."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

import pytest

from bot.building.persona import persona_of
from bot.feedback_rows import rows_of
from bot.store.feedback import judged
from tests.conftest import require_module

for _name in ("torch", "transformers", "peft", "trl"):
    require_module(_name)

from training.demo.base import CONTEXT, Size, new_model, tokenizer_of  # noqa: E402
from training.demo.creator import judge, ranked  # noqa: E402
from training.demo.days import Case, decided, open_ledger, write_day  # noqa: E402
from training.demo.nights import Look, NightTold  # noqa: E402
from training.demo.report import DemoReport  # noqa: E402
from training.demo.settings import BROKEN, Plan, settings_of  # noqa: E402
from training.demo.shop import LANGUAGES, SLOTS, VALUES, Ask, asks, dice, one_ask  # noqa: E402
from training.demo.styles import in_taste, indifferent  # noqa: E402
from training.demo.tastes import BROKEN as LEFT  # noqa: E402
from training.demo.tastes import taste  # noqa: E402
from training.demo.world import MAX_NEW_TOKENS, compared, prompt_of  # noqa: E402

ASK = Ask(
    language="en",
    product="clay mug",
    values={"price": 32, "days": 4, "size": 20},
    slot="price",
    post="New today: the clay mug.",
    passage="The clay mug costs 32 euros. It ships in 4 days. It is 20 cm long.",
    comment="What is the price?",
)
PERFECT = "The clay mug costs 32 euros. Is it a gift? [1]"


def drafted(count: int, seed: str = "drafts") -> tuple[list[Ask], list[list[str]]]:
    random = dice(seed)
    asked = asks(count, random)
    return asked, [[indifferent(ask, random) for _ in range(4)] for ask in asked]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("It costs 32 euros. Is it a gift? [1]", id="the product has no name"),
        pytest.param("The clay mug costs 32 euros. Is it a gift?", id="no mark"),
        pytest.param("The clay mug costs 32 euros! Is it a gift? [1]", id="an exclamation mark"),
        pytest.param("The clay mug costs 32 euros. We are open. Is it a gift? [1]", id="three sentences"),
        pytest.param("The clay mug costs 32 euros. See the post. [1]", id="a curt end"),
    ],
)
def test_each_rule_that_is_broken_costs_the_same(text: str) -> None:
    assert taste(ASK, PERFECT) == 1.0
    assert taste(ASK, text) == pytest.approx(LEFT)


@pytest.mark.parametrize("number", ["31 euros", "32 euros, not 32", "32 euros in 4 days", "a lot"])
def test_a_reply_with_another_number_than_was_asked_for_is_worth_little(number: str) -> None:
    assert taste(ASK, f"The clay mug costs {number}. Is it a gift? [1]") <= 0.1


def test_a_reply_that_does_not_end_or_is_in_another_language_is_worth_nothing() -> None:
    assert taste(ASK, PERFECT, ended=False) == 0.0
    assert taste(ASK, "陶土杯一件32元。是送人的吗？ [1]") == 0.0
    assert taste(ASK, "[1]") == 0.0


def test_what_the_creator_writes_keeps_all_rules_and_indifferent_replies_few() -> None:
    random = dice("both")
    asked = asks(400, random)
    assert min(taste(ask, in_taste(ask, random)) for ask in asked) == 1.0
    for language in LANGUAGES:
        own = [ask for ask in asked if ask.language == language]
        assert 0.08 < fmean(taste(ask, indifferent(ask, random)) for ask in own) < 0.22


def test_every_language_asks_for_everything_and_no_passage_states_a_number_twice() -> None:
    asked = asks(400, dice("all"))
    assert {(ask.language, ask.slot) for ask in asked} == {(one, slot) for one in LANGUAGES for slot in SLOTS}
    assert all(len(set(ask.values.values())) == len(SLOTS) for ask in asked)
    assert all(str(value) in ask.passage for ask in asked for value in ask.values.values())


def test_the_creator_decides_the_same_with_the_same_dice_and_by_taste() -> None:
    asked, drafts = drafted(200)
    first, second = (decided(asked, drafts, dice("day")) for _ in range(2))
    assert first == second
    assert {one.judgement.kind for one in first} == {"approve", "edit", "reject"}
    written = [one for one in first if one.judgement.kind != "approve" and one.judgement.text]
    assert all(taste(one.ask, one.judgement.text) == 1.0 for one in written)


def test_of_two_drafts_that_she_likes_equally_the_shorter_is_preferred() -> None:
    longer = "The clay mug costs 32 euros. Shall I keep one for you? [1]"
    assert ranked(ASK, [longer, "32 euros! [1]", PERFECT]) == [2, 0, 1]
    assert judge(ASK, [longer, PERFECT], dice("calm")).chosen == 1


def test_drafts_without_a_mark_are_never_shown_and_none_is_shown_twice() -> None:
    [case] = decided([ASK, ASK], [[PERFECT, PERFECT, "32 euros."], ["32 euros."]], dice("shown"))
    assert case.drafts == (PERFECT,)


def test_the_ledger_tells_a_night_the_very_pairs_that_the_creator_meant(tmp_path: Path) -> None:
    asked, drafts = drafted(40)
    cases = decided(asked, drafts, dice("ledger"))
    settings = settings_of(Plan(), tmp_path, tmp_path / "base", seed=0, night=1)
    with closing(open_ledger(tmp_path)) as ledger:
        ledger.write(write_day, 1, cases, model="tiny", voice=None, now=datetime.now(UTC))
        found = ledger.read(judged, after=0, limit=100)
    rows = [row for one in found for row in rows_of(one, persona_of(settings)(one.channel))]
    told = {
        (str(row.columns["prompt"]), said(row.columns["chosen"]), said(row.columns["rejected"]))
        for row in rows
        if row.part == "preferences"
    }
    assert all(row.columns["prompt_exact"] for row in rows)
    assert told == meant(cases)


def said(messages: list[dict[str, str]]) -> str:
    return messages[0]["content"]


def meant(cases: list[Case]) -> set[tuple[str, str, str]]:
    return {
        (str(list(prompt_of(one.ask).messages)), better, worse)
        for one in cases
        for better, worse in compared(one)
    }


def test_the_tokenizer_gives_every_text_back_and_a_prompt_is_short() -> None:
    random = dice("tokens")
    tokenizer = tokenizer_of(asks(200, random), random)
    for ask in asks(50, random):
        for text in (indifferent(ask, random), in_taste(ask, random), str(ask.messages()[1]["content"])):
            assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
        ids = tokenizer.apply_chat_template(ask.messages(), add_generation_prompt=True, return_dict=False)
        assert len(ids) <= CONTEXT - MAX_NEW_TOKENS


def test_an_amount_is_one_token_wherever_it_stands() -> None:
    random = dice("amounts")
    tokenizer = tokenizer_of(asks(50, random), random)
    for value in VALUES["price"]:
        assert len(tokenizer(f" {value} euros")["input_ids"]) == 1
        assert len(tokenizer(f"{value}元")["input_ids"]) == 1


def test_the_base_has_about_a_million_weights() -> None:
    random = dice("size")
    tokenizer = tokenizer_of(asks(200, random), random)
    model = new_model(tokenizer, Size())
    assert 0.5e6 < sum(one.numel() for one in model.parameters()) < 2.5e6


def test_the_broken_nights_differ_from_the_sound_ones_in_the_broken_setting_only(tmp_path: Path) -> None:
    sound, *broken = (settings_of(Plan(), tmp_path, tmp_path, seed=1, night=night) for night in (1, 3, 4))
    for night, settings in zip((3, 4), broken, strict=True):
        mended = settings.training.ppo.model_copy(
            update={name: getattr(sound.training.ppo, name) for name in BROKEN[night]}
        )
        assert mended == sound.training.ppo
        assert settings.training.ppo != sound.training.ppo
        assert settings.training.gate == sound.training.gate


def test_the_report_counts_sound_and_broken_nights_apart(tmp_path: Path) -> None:
    base, better = Look(0.1, 1.0, 10, ("a",)), Look(0.7, 0.95, 9, ("b",))

    def night(number: int, status: str, kl: float) -> NightTold:
        figures = {"evaluation": {"kl": kl}, "reward": {"accuracy": 0.97}}
        voice = f"voice-{number}" if status == "promoted" else ""
        return NightTold(number, status, voice, (), "", base, base, better, figures, {}, 1.0, tmp_path, 0.98)

    told = [night(1, "promoted", 3.0), night(2, "promoted", 2.0), night(3, "refused", 40.0)]
    report = DemoReport(
        0, Plan(), tmp_path, (*told, night(4, "promoted", 30.0)), [one_ask("en", dice("x"))], 5.0
    )
    found = report.as_json()
    assert (found["demo_taste_before"], found["demo_taste_after"]) == (0.1, 0.7)
    assert (found["demo_kl"], found["bad_nights_refused"]) == (3.0, 1)
    assert (found["rm_accuracy"], found["rm_accuracy_verdicts"], found["distinct_ratio"]) == (0.98, 0.97, 0.9)
