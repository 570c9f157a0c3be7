"""The voices: which there are, how they did, and which one answers.

GET  /voices
GET  /voices/{name}
POST /voices/{name}/promote   `share` (such as 10%; empty: all comments)
POST /voices/{name}/retire
POST /voices/rollback         `live`: the voice to go back from
POST /voices/try              `question`, `first`, `second`
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeVar

from aiohttp import web
from sqlmodel import Session

from adapters.base import Clock
from bot.answer import Answerer
from bot.generator import GeneratorError, VoiceRef
from bot.models import Role, Voice, VoiceStatus
from bot.plain import excerpt
from bot.settings import Language, Settings
from bot.store import voice_acts, voice_case, voices
from bot.store.ledger import Ledger
from bot.store.voices import ChangeRefused, NoSuchVoice
from bot.voices.canary import share_of
from bot.voices.keeper import VoiceServers, voice_ref
from bot.voices.registering import load_everywhere
from bot.voices.trial import BASE, Side, side_of, voice_to_try
from bot.web.forms import form_of, lines_of, text_of
from bot.web.guard import Busy, Turns
from bot.web.nights import NIGHTS
from bot.web.problems import Problem
from bot.web.refusing import refusal
from bot.web.rendering import Renderer
from bot.web.routes import Route, known_visitor
from bot.web.trial import Asked
from bot.web.voices_view import DETAIL_CHARS, case_context, event_row, line_row, side_row, size_of
from bot.web.words import WORDS

EVENTS: Final = 30
T = TypeVar("T")


class VoicePages:
    """Handlers. `servers` is None where no model server is set up; `on_change` is called when another voice answers."""

    def __init__(
        self,
        *,
        render: Renderer,
        ledger: Ledger,
        servers: VoiceServers | None,
        answerer: Answerer,
        settings: Settings,
        works: bool,
        clock: Clock,
        on_change: Callable[[], None],
    ) -> None:
        self._render = render
        self._ledger = ledger
        self._servers = servers
        self._answerer = answerer
        self._settings = settings
        self._works = works
        self._clock = clock
        self._on_change = on_change
        self._turns = Turns()

    def routes(self) -> Sequence[Route]:
        one = r"/voices/{name:[a-z0-9][a-z0-9._-]*}"
        return [
            Route("GET", "/voices", self.index),
            Route("GET", one, self.show),
            Route("POST", "/voices/rollback", self.rollback, Role.OWNER),
            Route("POST", "/voices/try", self.try_voices, Role.REVIEWER),
            Route("POST", f"{one}/promote", self.promote, Role.OWNER),
            Route("POST", f"{one}/retire", self.retire, Role.OWNER),
        ]

    async def index(self, request: web.Request) -> web.StreamResponse:
        return await self._list(request)

    async def show(self, request: web.Request) -> web.StreamResponse:
        return await self._case(request, request.match_info["name"])

    async def promote(self, request: web.Request) -> web.StreamResponse:
        name, language = request.match_info["name"], self._render.language(request)
        share = share_given(text_of(await form_of(request), "share"), language)
        if self._servers is None:
            raise refusal(language, 409, "no_server", "voices_no_server")
        voice = await self._asked(request, self._ledger.aread(voices.named, name))
        away = await load_everywhere(self._servers, self._ref(voice)) if voice.path else []
        await self._change(request, partial(voice_acts.promote, name=name, share=share))
        if away:
            why = excerpt("; ".join(away), DETAIL_CHARS)
            return await self._case(request, name, notice=WORDS[language]["voices_not_at"].format(why=why))
        raise web.HTTPSeeOther(f"/voices/{name}")

    async def retire(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        await self._change(request, partial(voice_acts.retire, name=name))
        raise web.HTTPSeeOther(f"/voices/{name}")

    async def rollback(self, request: web.Request) -> web.StreamResponse:
        live = text_of(await form_of(request), "live")
        await self._change(request, partial(voice_acts.roll_back_from, live=live))
        raise web.HTTPSeeOther("/voices")

    async def _change(self, request: web.Request, act: Callable[..., object]) -> None:
        """`act` takes a session, and what is given here."""
        visitor, now = known_visitor(request), self._clock()

        def work(session: Session) -> None:
            act(session, visitor, now=now)

        await self._asked(request, self._ledger.awrite(work))
        self._on_change()

    async def _asked(self, request: web.Request, asked: Any) -> Any:
        """What the registry answers. Raises Problem where it refuses."""
        try:
            return await asked
        except NoSuchVoice as error:
            raise Problem(404, "no_such_voice", str(error)) from error
        except ChangeRefused as error:
            raise Problem(409, "refused", str(error)) from error

    async def try_voices(self, request: web.Request) -> web.StreamResponse:
        form, language = await form_of(request), self._render.language(request)
        if self._servers is None:
            raise refusal(language, 409, "no_server", "voices_no_server")
        asked = Asked(lines_of(form, "question"))
        names = [text_of(form, "first") or BASE, text_of(form, "second") or BASE]
        if wrong := asked.wrong(language):
            return await self._list(request, asked=asked, names=names, notice=wrong, status=400)
        refs = [
            await self._asked(request, self._ledger.aread(voice_to_try, name, self._settings.data_dir))
            for name in names
        ]
        try:
            with self._turns.turn():
                sides = await asyncio.gather(*(self._side(asked, ref) for ref in refs))
        except Busy as error:
            raise refusal(language, 429, "busy", "busy") from error
        rows = [side_row(name, side, language) for name, side in zip(names, sides, strict=True)]
        return await self._list(request, asked=asked, names=names, sides=rows)

    async def _side(self, asked: Asked, voice: VoiceRef | None) -> Side:
        """One that cannot be loaded does not keep the other from answering."""
        try:
            if voice is not None and self._servers is not None:
                await load_everywhere(self._servers, voice)
        except GeneratorError as error:
            return Side("", "error", str(error), (), 0.0)
        return await side_of(replace(asked.as_question, voice=voice), self._answerer)

    async def _list(
        self,
        request: web.Request,
        *,
        asked: Asked | None = None,
        names: Sequence[str] = (),
        sides: Sequence[dict[str, Any]] = (),
        notice: str = "",
        status: int = 200,
    ) -> web.StreamResponse:
        words, visitor = WORDS[self._render.language(request)], known_visitor(request)
        found = await self._ledger.aread(voice_case.lines)
        events = await self._ledger.aread(voice_case.latest_events, EVENTS)
        triable = [BASE, *(line.voice.name for line in reversed(found) if line.voice.path)]
        given = {
            "lines": [line_row(line, words) for line in found],
            "sizes": await self._sizes([line.voice for line in found], words),
            "events": [event_row(voice, event, words) for voice, event in events],
            "triable": triable,
            "asked": asked or Asked(),
            "names": names or (BASE, triable[:2][-1]),
            "sides": sides,
            "notice": notice,
            "elsewhere": "" if self._works else words["voices_here"].format(host=socket.gethostname()),
            "has_server": self._servers is not None,
            "tries": self._servers is not None and visitor.may(Role.REVIEWER),
        }
        return self._render.page(request, "voices.html", given, status)

    async def _sizes(self, found: Sequence[Voice], words: Any) -> dict[str, str]:
        sizes = await asyncio.to_thread(size_of, self._settings.data_dir, found)
        return {
            name: words["voices_megabytes"].format(number=f"{size / 1e6:.1f}") for name, size in sizes.items()
        }

    async def _case(self, request: web.Request, name: str, notice: str = "") -> web.StreamResponse:
        case = await self._asked(request, self._ledger.aread(voice_case.case_of, name))
        back = await self._ledger.aread(_way_back, case.voice)
        sizes = await asyncio.to_thread(size_of, self._settings.data_dir, [case.voice])
        context = case_context(case, sizes.get(name), back, self._render.language(request))
        visitor = known_visitor(request)
        frame = {
            "owns": visitor.may(Role.OWNER),
            "sees_nights": visitor.may(NIGHTS),
            "notice": notice,
            "has_server": self._servers is not None,
        }
        return self._render.page(request, "voice.html", context | frame)

    def _ref(self, voice: Voice) -> VoiceRef:
        return voice_ref(voice, self._settings.data_dir)


def share_given(text: str, language: Language) -> float | None:
    """The share in a form's field; None where it is empty. Raises Problem for what is none."""
    if not text.strip():
        return None
    try:
        return share_of(text)
    except ValueError as error:
        shown = excerpt(text, 40)
        raise refusal(language, 400, "bad_share", "voices_bad_share", share=shown) from error


def _way_back(session: Session, voice: Voice) -> Voice | None:
    """What a rollback from `voice` would bring; None: the base model, or nothing where it is not live."""
    if voice.status != VoiceStatus.LIVE:
        return None
    found = voices.registry(session)
    return next(
        (one for one in found.voices if one.id in found.ways_back and one.channel_id == voice.channel_id),
        None,
    )
