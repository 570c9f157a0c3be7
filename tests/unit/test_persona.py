"""Personas: presets, what an owner changes, which channel speaks as whom."""

from pathlib import Path

import pytest

from bot.building.persona import make_persona, make_personas
from bot.cli.channel_options import checked_rules
from bot.cli.errors import Misuse
from bot.doctor.channels import persona_findings
from bot.extractive import ExtractiveGenerator
from bot.generator import GenerationRequest
from bot.models import Channel
from bot.persona import PRESETS, Example, Persona, shorten, wrap
from bot.prompt import rules_text, system_text
from bot.settings import PersonaSettings, Settings, SettingsError, load
from knowledge.base import Passage, ScoredPassage
from tests.builders import START

QUOTE = "Rest the beans for ten days."
PASSAGE = ScoredPassage(Passage(1, 1, "a.md", "A", "", None, 0, QUOTE, "en"), 1.0, 0.9, QUOTE)


def channel(persona: str | None) -> Channel:
    rules = {} if persona is None else {"persona": persona}
    return Channel(
        name="shop", platform="sandbox", rules=rules, created_at=START, answer_since=START, next_poll_at=START,
        next_send_at=START,
    )  # fmt: skip


def test_concise_is_short_and_ends_with_thanks_in_both_languages() -> None:
    concise = PRESETS["concise"]
    assert concise.max_sentences == 3
    assert wrap(concise, "Ten days.", "en", 100) == "Ten days. Thanks for asking!"
    assert wrap(concise, "十天。", "zh", 100) == "十天。谢谢提问！"
    assert "Say that you don't know" in system_text(concise)


def test_expert_signs_with_its_name_and_matches_the_comments_length() -> None:
    expert = make_persona(PersonaSettings(preset="expert", name="Ada"))
    assert wrap(expert, "Ten days.", "en", 100) == "Ten days. —Ada"
    assert wrap(expert, "十天。", "zh", 100) == "十天。——Ada"
    assert "Match the length to the comment" in system_text(expert)
    assert "Match the length" not in system_text(Persona())


def test_without_a_name_a_signature_that_asks_for_one_is_left_out() -> None:
    assert wrap(PRESETS["expert"], "Ten days.", "en", 100) == "Ten days."


def test_closing_words_stand_in_front_of_the_signature() -> None:
    persona = Persona(greetings={}, closings={"en": "Happy roasting!"}, signatures={"en": "— Ada"})
    assert wrap(persona, "Ten days.", "en", 100) == "Ten days. Happy roasting! — Ada"
    assert wrap(persona, "Ten days.", "en", 20) == "Ten days."


async def test_the_extractive_generator_speaks_as_the_preset_too() -> None:
    request = GenerationRequest("how long?", "en", passages=(PASSAGE,), persona=PRESETS["concise"])
    [completion] = await ExtractiveGenerator().generate(request)
    assert completion.text == "Rest the beans for ten days. Thanks for asking!"


def test_what_is_left_out_is_as_in_the_preset_or_the_default() -> None:
    assert make_persona(PersonaSettings()) == Persona()
    concise = make_persona(PersonaSettings(preset="concise", max_sentences=1, closings={"en": "Bye!"}))
    assert (concise.max_sentences, concise.tone) == (1, PRESETS["concise"].tone)
    assert concise.closings == {"en": "Bye!", "zh": "谢谢提问！"}


def test_a_named_persona_stands_on_the_default_one_and_goes_before_a_preset() -> None:
    settings = Settings(
        persona=PersonaSettings(name="Ada", tone="Dry.", do=["Be kind."]),
        personas={
            "shop": PersonaSettings(tone="Warm.", dont=["Never mention prices."]),
            "expert": PersonaSettings(),
        },
    )
    made = make_personas(settings)
    assert set(made) == {"concise", "expert", "shop"}
    shop = made["shop"]
    assert (shop.name, shop.tone, shop.do, shop.dont) == (
        "Ada",
        "Warm.",
        ("Be kind.",),
        ("Never mention prices.",),
    )
    assert made["expert"].tone == "Dry."
    assert made["concise"].name == "Ada"


def test_the_system_text_holds_do_dont_and_examples_and_the_leak_check_sees_no_example() -> None:
    persona = Persona(do=("Be kind.",), dont=("Shout.",), examples=(Example("So good!", "Cheers, mate!"),))
    text = system_text(persona)
    for part in ("- Do: Be kind.", "- Don't: Shout.", "Comment: So good!", "Reply: Cheers, mate!"):
        assert part in text
    assert text.startswith(rules_text(persona))
    assert "Cheers" not in rules_text(persona)


def test_a_persona_without_documents_is_told_nothing_about_passages() -> None:
    text = system_text(Persona(tone="Dry.", grounded=False))
    assert "passages" not in text
    assert "Tone: Dry." in text


def test_a_channel_may_only_ask_for_a_persona_that_there_is() -> None:
    personas = make_personas(Settings())
    rules = checked_rules({}, None, None, None, None, persona="concise", personas=personas)
    assert rules["persona"] == "concise"
    assert checked_rules(rules, ["question"], None, None, None, personas=personas)["persona"] == "concise"
    assert "persona" not in checked_rules(rules, None, None, None, None, persona="", personas=personas)
    with pytest.raises(Misuse, match="no persona 'pirate'; known: concise, expert"):
        checked_rules({}, None, None, None, None, persona="pirate", personas=personas)


def test_the_doctor_warns_of_a_persona_that_is_no_more() -> None:
    known = [channel(None), channel("expert")]
    assert list(persona_findings(Settings(), known)) == []
    [finding] = persona_findings(Settings(), [channel("pirate")])
    assert (finding.level, finding.part) == ("warning", "channel shop")
    for language in ("en", "zh"):
        assert "pirate" in finding.message(language)
        assert "rejoinder channels rules shop --persona" in finding.message(language)


def test_personas_are_read_from_the_settings_file(tmp_path: Path) -> None:
    file = tmp_path / "rejoinder.toml"
    file.write_text(
        '[personas.shop]\npreset = "concise"\nexamples = [{ comment = "Hi", reply = "Hello!" }]\n',
        encoding="utf-8",
    )
    shop = make_personas(load(file))["shop"]
    assert (shop.max_sentences, shop.examples) == (3, (Example("Hi", "Hello!"),))
    file.write_text('[personas.shop]\npreset = "pirate"\n', encoding="utf-8")
    with pytest.raises(SettingsError, match=r"personas\.shop\.preset"):
        load(file)


@pytest.mark.parametrize("most", [20, 30, 33, 100])
def test_what_is_cut_ends_within_no_emoji(most: int) -> None:
    family, flag = "\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL}", "\U0001f1e8\U0001f1f3"
    for one in (family, flag, "e\u0301\u0323"):
        found = shorten(one * 300, most)
        assert len(found) <= most
        assert found.removesuffix("…") == one * (len(found) // len(one))
    assert len(shorten("e" + "\u0301" * 500, most)) == most
