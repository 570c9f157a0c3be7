"""The data set that ships, and what the real retriever, generator and policy make of it."""

from collections import Counter
from pathlib import Path

from bot import samples
from bot.checks import CheckFacts, check
from bot.extractive import ExtractiveGenerator
from bot.generator import GenerationRequest
from bot.intents import classify
from bot.persona import Persona
from bot.policy import (
    ChannelRules,
    CommentFacts,
    Decision,
    DraftFacts,
    Thresholds,
    decide,
    draft_support,
    triage,
)
from bot.prompt import system_text
from knowledge.base import Retriever
from knowledge.ingest import Library
from knowledge.language import detect

PERSONA = Persona()
RULES = ChannelRules(send_intents=frozenset({"question"}))


def test_documents_and_comments_are_half_english_half_chinese(tmp_path: Path) -> None:
    documents = samples.copy_documents(tmp_path / "docs")
    assert Counter(detect(path.read_text(encoding="utf-8")) for path in documents) == {"en": 3, "zh": 3}
    assert {path.suffix for path in documents} == {".md", ".txt", ".html"}
    languages = Counter("zh" if comment.id.startswith("z") else "en" for comment in samples.comments())
    assert languages["en"] == languages["zh"] == 20


def test_copying_again_keeps_what_its_owner_changed(tmp_path: Path) -> None:
    first = samples.copy_documents(tmp_path)[0]
    first.write_text("mine", encoding="utf-8")
    assert first in samples.copy_documents(tmp_path)
    assert first.read_text(encoding="utf-8") == "mine"


def test_every_comment_stands_under_a_post_and_after_what_it_answers() -> None:
    posts = {post.id for post in samples.posts()}
    seen = set[str]()
    for comment in samples.comments():
        assert comment.post in posts
        assert comment.reply_to is None or comment.reply_to in seen
        assert comment.id not in seen
        seen.add(comment.id)


def test_every_kind_of_end_is_expected_of_some_comment_in_each_language() -> None:
    ends = {(comment.id[0], comment.expect) for comment in samples.comments()}
    assert ends == {(language, end) for language in "cz" for end in ("send", "review", "skip")}


async def test_every_sample_comment_ends_as_labelled(tmp_path: Path) -> None:
    library = Library(tmp_path / "library")
    await library.ingest([str(path) for path in samples.copy_documents(tmp_path / "docs")])
    answered = {comment.reply_to for comment in samples.comments() if comment.is_own}
    decisions = {
        comment.id: await _decide(comment, library.retriever(), answered) for comment in samples.comments()
    }
    library.close()
    wrong = {
        comment.id: decisions[comment.id]
        for comment in samples.comments()
        if decisions[comment.id].action != comment.expect
    }
    assert wrong == {}


async def _decide(
    comment: samples.SampleComment, retriever: Retriever, answered: set[str | None]
) -> Decision:
    language = detect(comment.text)
    early = triage(CommentFacts(comment.text, language, comment.is_own, comment.id in answered))
    if early:
        return early
    passages = tuple(retriever.retrieve(comment.text))
    request = GenerationRequest(comment.text, language, passages=passages, persona=PERSONA, max_chars=500)
    [draft] = await ExtractiveGenerator().generate(request)
    findings = check(
        draft.text,
        CheckFacts(
            comment=comment.text,
            language=language,
            sources=tuple(scored.passage.text for scored in passages),
            max_chars=500,
            fixed=(PERSONA.greeting_in(language), PERSONA.signature_in(language)),
            instructions=system_text(PERSONA),
        ),
    )
    facts = DraftFacts(draft.answered, draft_support(draft, passages), classify(comment.text), findings)
    return decide(facts, Thresholds(), RULES)
