"""The page that tries a reply out, by the path that the service takes. Nothing is stored or sent.

GET  /try
POST /try   `question`, `title`, `documents`; the page with the answer, or with `Accept: application/x-ndjson` one
            JSON object a line: {"piece": …} as the reply is written, at the end {"html": …} or {"error": …}
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, get_args

from aiohttp import web

from bot import pictures
from bot.answer import Answerer
from bot.generator import GeneratorError, OnText
from bot.intents import Intent
from bot.models import Role
from bot.plain import excerpt, plain
from bot.policy import ChannelRules
from bot.question import Answer, Bare, Question
from bot.reasons import explain
from bot.settings import Language
from bot.store.ledger import LedgerError
from bot.voices.keeper import NO_CHANNEL, VoiceOf
from bot.web.evidence import aside, evidence_context, writer_line
from bot.web.forms import form_of, lines_of, text_of
from bot.web.guard import Busy, Turns
from bot.web.rendering import NOTICE_CHARS, Renderer
from bot.web.routes import Route
from bot.web.words import WORDS
from knowledge.base import ScoredPassage
from knowledge.language import detect
from knowledge.store import LibraryError

STREAM: Final = "application/x-ndjson"
QUESTION_CHARS, TITLE_CHARS, QUOTE_CHARS = 10_000, 300, 600
_LOOK_S: Final = 1.0
"""How often to look whether the reader still waits, while nothing is written."""
_EVERY_INTENT: Final[frozenset[str]] = frozenset(get_args(Intent))

Made = Answer | Bare


@dataclass(frozen=True, slots=True)
class Asked:
    """What the form holds."""

    question: str = ""
    title: str = ""
    documents: bool = True

    def wrong(self, language: Language) -> str:
        """What is wrong with it, in one line; empty where nothing is."""
        words = WORDS[language]
        if not self.question.strip():
            return words["question_empty"]
        if len(self.question) > QUESTION_CHARS:
            return words["question_long"].format(number=len(self.question), limit=QUESTION_CHARS)
        return ""

    @property
    def as_question(self) -> Question:
        """On a channel whose owner has opened every kind of comment, as in `rejoinder ask`."""
        return Question(
            text=self.question,
            language=detect(self.question),
            post_title=self.title[:TITLE_CHARS],
            rules=ChannelRules(send_intents=_EVERY_INTENT),
        )


class TrialPages:
    """Handlers."""

    def __init__(
        self,
        *,
        render: Renderer,
        answerer: Answerer,
        voice_of: VoiceOf,
        has_model: bool,
    ) -> None:
        self._render = render
        self._answerer = answerer
        self._voice_of = voice_of
        self._has_model = has_model
        self._turns = Turns()

    def routes(self) -> Sequence[Route]:
        return [
            Route("GET", "/try", self.form, Role.REVIEWER),
            Route("POST", "/try", self.answer, Role.REVIEWER),
        ]

    async def form(self, request: web.Request) -> web.StreamResponse:
        """`?question=` is written into the form."""
        return self._page(request, Asked(text_of(request.query, "question")[:QUESTION_CHARS]))

    async def answer(self, request: web.Request) -> web.StreamResponse:
        form = await form_of(request)
        language = self._render.language(request)
        # Without a model there is no such choice, and so no such field.
        documents = not self._has_model or "documents" in form
        asked = Asked(lines_of(form, "question"), lines_of(form, "title"), documents)
        stream = request.headers.get("Accept", "") == STREAM
        wrong = asked.wrong(language)
        if wrong:
            return self._refused(request, asked, wrong, 400, stream=stream)
        try:
            with self._turns.turn():
                if stream:
                    return await self._streamed(request, asked, language)
                return self._page(request, asked, await self._made(asked))
        except Busy:
            return self._refused(request, asked, WORDS[language]["busy"], 429, stream=stream)
        except (GeneratorError, LedgerError, LibraryError) as error:
            return self._refused(request, asked, str(error), 503, stream=stream)

    async def _made(self, asked: Asked, on_text: OnText | None = None) -> Made:
        """Raises GeneratorError, LedgerError, LibraryError."""
        question = replace(asked.as_question, voice=await self._voice_of(asked.question, NO_CHANNEL))
        if asked.documents:
            return await self._answerer.answer(question, on_text)
        return await self._answerer.without_documents(question, on_text)

    async def _streamed(self, request: web.Request, asked: Asked, language: Language) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": STREAM})
        await response.prepare(request)
        pieces: asyncio.Queue[str | None] = asyncio.Queue()
        answering = asyncio.create_task(self._made(asked, pieces.put_nowait))
        answering.add_done_callback(lambda _: pieces.put_nowait(None))
        try:
            while (piece := await _next(pieces, request)) is not None:
                await response.write(_line(piece=plain(piece)))
            await response.write(await self._last(answering, language))
            await response.write_eof()
        finally:
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)
        return response

    async def _last(self, answering: "asyncio.Task[Made]", language: Language) -> bytes:
        try:
            context = trial_context(await answering, language)
        except (GeneratorError, LedgerError, LibraryError) as error:
            return _line(error=excerpt(str(error), NOTICE_CHARS))
        return _line(html=self._render.text("try_result.html", context))

    def _refused(
        self, request: web.Request, asked: Asked, line: str, status: int, *, stream: bool
    ) -> web.StreamResponse:
        if stream:
            return web.Response(
                body=_line(error=excerpt(line, NOTICE_CHARS)), status=status, content_type=STREAM
            )
        return self._page(request, asked, notice=excerpt(line, NOTICE_CHARS), status=status)

    def _page(
        self,
        request: web.Request,
        asked: Asked,
        made: Made | None = None,
        *,
        notice: str = "",
        status: int = 200,
    ) -> web.StreamResponse:
        context = {
            "asked": asked,
            "has_model": self._has_model,
            "notice": notice,
            "answered": made is not None,
            **(trial_context(made, self._render.language(request)) if made is not None else {}),
        }
        return self._render.page(request, "try.html", context, status)


def trial_context(made: Made, language: Language) -> dict[str, Any]:
    """What `try_result.html` prints."""
    words, parts = WORDS[language], _bare(language) if isinstance(made, Bare) else _answer(made, language)
    best = made.completion if isinstance(made, Bare) else made.best
    return {
        "words": words,
        "took": words["took"].format(seconds=f"{made.seconds:.1f}"),
        "reply": plain(best.text) if best is not None else "",
        "writer": writer_line(best.model, best.voice, language) if best is not None else "",
        "given": evidence_context(
            findings=[finding.entry() for finding in made.findings],
            steps=[asdict(step) for step in best.steps] if best is not None else (),
            pictures=() if isinstance(made, Bare) else pictures.evidence(made.pictures),
            ranking=() if isinstance(made, Bare) else made.ranking,
            texts=() if isinstance(made, Bare) else [one.text for one in made.candidates],
            language=language,
        ),
        **parts,
    }


def _answer(answer: Answer, language: Language) -> dict[str, Any]:
    words, decision = WORDS[language], answer.decision
    used = answer.best.citations if answer.best is not None else ()
    return {
        "action": decision.action,
        "action_word": words[decision.action],
        "reason": explain(decision.reason.value, language),
        "aside": aside(decision.reason, decision.detail, language, findings=bool(answer.findings)),
        "checks_word": words["checks"],
        "passages": [
            _passage(number, scored, number - 1 in used, words)
            for number, scored in enumerate(answer.passages, 1)
        ],
    }


def _bare(language: Language) -> dict[str, Any]:
    words = WORDS[language]
    return {
        "action": "bare",
        "action_word": words["bare"],
        "reason": words["bare_why"],
        "aside": "",
        "checks_word": words["bare_checks"],
        "passages": None,
    }


def _passage(number: int, scored: ScoredPassage, cited: bool, words: Any) -> dict[str, Any]:
    passage = scored.passage
    return {
        "number": number,
        "place": excerpt(" › ".join(part for part in (passage.title, passage.heading) if part), TITLE_CHARS),
        "source": excerpt(passage.source, TITLE_CHARS),
        "support": words["support"].format(support=f"{scored.support:.2f}"),
        "quote": excerpt(scored.quote or passage.text, QUOTE_CHARS),
        "cited": cited,
    }


async def _next(pieces: "asyncio.Queue[str | None]", request: web.Request) -> str | None:
    """The next piece. Raises ConnectionResetError when the reader has gone away meanwhile."""
    while True:
        try:
            async with asyncio.timeout(_LOOK_S):
                return await pieces.get()
        except TimeoutError:
            if request.transport is None:
                raise ConnectionResetError("the reader went away") from None


def _line(**value: str) -> bytes:
    return json.dumps(value).encode() + b"\n"
