"""The channels: how they are, and what they may do by themselves.

    GET  /channels                 every channel
    GET  /channels/{id}            one, with its rules and what other thresholds would have sent
    POST /channels/{id}/pause      and /resume
    POST /channels/{id}/shadow     `on` is 1 or 0
    POST /channels/{id}/rules      the form; `act=preview` changes nothing

Options of the adapter are not shown but for the names of the secrets that they refer to.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final

from aiohttp import web

from adapters.base import Clock
from bot.models import Channel, Role
from bot.persona import PRESETS
from bot.planning import PollShare
from bot.settings import ChannelRulesSettings, Settings
from bot.store import channel_acts, channels, dashboard
from bot.store.ledger import Ledger
from bot.store.outlook import outlook
from bot.web import channel_form
from bot.web.channel_form import Typed
from bot.web.channels_view import channel_context, list_context
from bot.web.forms import form_of, row_number
from bot.web.glance import KEPT_S, Kept
from bot.web.problems import Problem
from bot.web.rendering import Renderer
from bot.web.routes import Route, known_visitor
from bot.web.words import WORDS

LOOKED_BACK: Final = timedelta(days=7)
"""Whose drafts the preview counts."""


class ChannelPages:
    """Handlers. `on_change` is called when a channel was changed."""

    def __init__(
        self,
        *,
        render: Renderer,
        ledger: Ledger,
        settings: Settings,
        clock: Clock,
        on_change: Callable[[], None],
    ) -> None:
        self._render = render
        self._ledger = ledger
        self._settings = settings
        self._clock = clock
        self._on_change = on_change
        self._waiting = Kept(partial(ledger.aread, dashboard.waiting), KEPT_S)
        self._polls = PollShare(settings.service.poll_share, settings.service.metered_poll_s)
        self._personas = sorted({*PRESETS, *settings.personas})

    def routes(self) -> Sequence[Route]:
        return [
            Route("GET", "/channels", self.all),
            Route("GET", "/channels/{id}", self.one),
            Route("POST", "/channels/{id}/pause", self.pause, Role.OWNER),
            Route("POST", "/channels/{id}/resume", self.resume, Role.OWNER),
            Route("POST", "/channels/{id}/shadow", self.shadow, Role.OWNER),
            Route("POST", "/channels/{id}/rules", self.rules, Role.OWNER),
        ]

    async def all(self, request: web.Request) -> web.StreamResponse:
        found = await self._ledger.aread(channels.every)
        context = list_context(
            found, await self._waiting.get(), self._settings.service, self._render.language(request), self._clock()
        )  # fmt: skip
        return self._render.page(request, "channels.html", context)

    async def one(self, request: web.Request) -> web.StreamResponse:
        channel = await self._channel(request)
        rules = ChannelRulesSettings.model_validate(channel.rules)
        notice = "ch_saved" if "saved" in request.query else ""
        return await self._page(
            request, channel, Typed(channel_form.shown(rules), channel.rules), notice=notice
        )

    async def pause(self, request: web.Request) -> web.StreamResponse:
        return await self._change(request, channel_acts.pause, paused=True)

    async def resume(self, request: web.Request) -> web.StreamResponse:
        return await self._change(request, channel_acts.pause, paused=False)

    async def shadow(self, request: web.Request) -> web.StreamResponse:
        wanted = (await form_of(request)).get("on")
        if wanted not in ("0", "1"):
            raise Problem(422, "shadow", "the field 'on' must be 1 or 0; use the page's button")
        return await self._change(request, channel_acts.set_shadow, on=wanted == "1")

    async def rules(self, request: web.Request) -> web.StreamResponse:
        channel, form = await self._channel(request), await form_of(request)
        fields = {name: [str(value) for value in form.getall(name)] for name in form}
        found = channel_form.typed(fields, channel.rules, self._personas)
        if found.rules is None or form.get("act") == "preview":
            status = 422 if found.rules is None else 200
            return await self._page(request, channel, found, status, notice="ch_only_preview")
        return await self._change(request, channel_acts.set_rules, rules=found.rules)

    async def _channel(self, request: web.Request) -> Channel:
        number = row_number(request.match_info["id"])
        channel = await self._ledger.aread(channels.with_id, number) if number is not None else None
        if channel is None:
            raise Problem(404, "no_channel", "there is no such channel; /channels lists those that there are")
        return channel

    async def _change(self, request: web.Request, work: Any, **what: Any) -> web.StreamResponse:
        """Do `work`, with its line in the audit, in one transaction; then show the channel."""
        channel = await self._channel(request)
        await self._ledger.awrite(work, known_visitor(request), channel.name, now=self._clock(), **what)
        self._waiting.forget()
        self._on_change()
        raise web.HTTPSeeOther(f"/channels/{channel.id}?saved")

    async def _page(
        self, request: web.Request, channel: Channel, form: Typed, status: int = 200, *, notice: str = ""
    ) -> web.Response:
        now = self._clock()
        drafts = await self._ledger.aread(
            dashboard.drafted, channel_id=channel.id or 0, since=now - LOOKED_BACK
        )
        ahead = await self._ledger.aread(outlook, channel, now=now, polls=self._polls)
        language = self._render.language(request)
        context = channel_context(
            channel,
            form,
            drafts,
            waiting=(await self._waiting.get()).get(channel.id or 0, {}),
            settings=self._settings,
            personas=self._personas,
            language=language,
            now=now,
            ahead=ahead,
        )
        context["notice"] = WORDS[language][notice] if notice else ""
        return self._render.page(request, "channel.html", context, status)
