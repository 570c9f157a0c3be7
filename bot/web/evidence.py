"""What a draft was made from and judged by, for the pages. Takes what the ledger keeps; see `bot.models.Draft`."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from bot.checks.findings import label, message_in
from bot.details import explain_detail, explain_look
from bot.models import Draft
from bot.plain import excerpt, plain
from bot.reasons import Reason
from bot.settings import Language
from bot.verbatim import MODEL as VERBATIM
from bot.web.words import WORDS

RESULT_CHARS: Final = 600
DETAIL_CHARS: Final = 120
ARGUMENT_CHARS: Final = 200
ADDRESS_CHARS: Final = 200
CANDIDATE_CHARS: Final = 300

_TOLD_BY_FINDINGS: Final = frozenset({Reason.CHECKS, Reason.LANGUAGE, Reason.FALSE_PREMISE})

Entries = Sequence[Mapping[str, Any]]


def evidence_context(
    *,
    findings: Entries,
    steps: Entries,
    pictures: Entries,
    ranking: Entries,
    texts: Sequence[str],
    language: Language,
) -> dict[str, Any]:
    """What `evidence.html` prints. `texts` are the candidates that `ranking` ranks, in its order."""
    words = WORDS[language]
    ranked = list(zip(ranking, texts, strict=False)) if len(texts) > 1 else []
    return {
        "findings": [plain(message_in(finding, language), one_line=True) for finding in findings],
        "steps": [_step(step, words) for step in steps],
        "pictures": [_picture(picture, words, language) for picture in pictures],
        "candidates": [_candidate(entry, text, words, language) for entry, text in ranked],
    }


def draft_evidence(draft: Draft | None, language: Language) -> dict[str, Any]:
    """Of what the ledger keeps."""
    draft = draft if draft is not None else Draft()
    return evidence_context(
        findings=draft.findings,
        steps=draft.steps,
        pictures=draft.pictures,
        ranking=draft.ranking,
        texts=draft.candidates,
        language=language,
    )


def aside(reason: str, detail: str, language: Language, *, findings: bool) -> str:
    """What follows the reason of a decision; nothing where the findings below it say the same."""
    if not detail or (findings and reason in _TOLD_BY_FINDINGS):
        return ""
    told = excerpt(explain_detail(reason, detail, language), DETAIL_CHARS)
    return WORDS[language]["aside"].format(text=told)


def writer_line(model: str, voice: str | None, language: Language) -> str:
    """Who wrote a draft; empty where no model did."""
    words = WORDS[language]
    if model == VERBATIM:
        return words["word_for_word"]
    if model in ("", "extractive"):
        return ""
    if voice is not None:
        return words["voice"].format(name=excerpt(voice, ADDRESS_CHARS))
    return words["base_model"].format(name=excerpt(model, ADDRESS_CHARS))


def _step(step: Mapping[str, Any], words: Mapping[str, str]) -> dict[str, Any]:
    return {
        "tool": excerpt(str(step["tool"]), ARGUMENT_CHARS),
        "arguments": excerpt(str(step["arguments"]), ARGUMENT_CHARS),
        "result": excerpt(str(step["result"]), RESULT_CHARS) or words["tool_nothing"],
        "failed": words["tool_failed"] if step["failed"] else "",
    }


def _picture(picture: Mapping[str, Any], words: Mapping[str, str], language: Language) -> dict[str, Any]:
    why = excerpt(explain_look(str(picture.get("why", "")), language), RESULT_CHARS)
    return {
        "of": words[f"picture_{picture['of']}"],
        "address": excerpt(str(picture["address"]), ADDRESS_CHARS),
        "seen": bool(picture["seen"]),
        "told": words["picture_seen"] if picture["seen"] else words["picture_unseen"].format(why=why),
    }


def _candidate(
    entry: Mapping[str, Any], text: str, words: Mapping[str, str], language: Language
) -> dict[str, str]:
    told = [
        words["candidate_score"].format(score=f"{entry['score']:.2f}"),
        words["support"].format(support=f"{entry['support']:.2f}"),
        words["candidate_agreement"].format(agreement=f"{entry['agreement']:.2f}"),
        *([] if entry["answered"] else [words["candidate_unanswered"]]),
        *dict.fromkeys(label(code, language) for code in entry["findings"]),
    ]
    return {"text": excerpt(text, CANDIDATE_CHARS), "told": " · ".join(told)}
