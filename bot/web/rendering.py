"""The templates, and turning them into answers."""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import jinja2
from aiohttp import web
from markupsafe import Markup

from bot.plain import excerpt
from bot.settings import Language
from bot.web.navigation import nav
from bot.web.routes import visitor_of
from bot.web.words import WORDS, choose_language

NOTICE_CHARS: Final = 300
TEMPLATES: Final = Path(__file__).parent / "templates"

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # With `no-referrer` a form is sent with `Origin: null`, which tells nothing of where it comes from.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Of every answer."""
LANGUAGE_COOKIE: Final = "lang"
_A_YEAR_S: Final = 365 * 86_400


def environment() -> jinja2.Environment:
    """Everything that a template prints is escaped, and nothing may be missing."""
    loader = jinja2.FileSystemLoader(TEMPLATES)
    return jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)


class Renderer:
    """Turns templates into pages, in the reader's language and with what every page shows."""

    def __init__(self, default: Language) -> None:
        self._default = default
        self._templates = environment()

    def language(self, request: web.Request) -> Language:
        """`?lang=`, else what was chosen before, else the browser's, else `settings.language`."""
        asked = request.query.get("lang") or request.cookies.get(LANGUAGE_COOKIE)
        return choose_language(asked, request.headers.get("Accept-Language", ""), self._default)

    def text(self, template: str, context: Mapping[str, Any]) -> str:
        """A part of a page; `context` is all that it gets."""
        return self._templates.get_template(template).render(context)

    def page(
        self, request: web.Request, template: str, context: Mapping[str, Any], status: int = 200
    ) -> web.Response:
        """A whole page: `context` beside `words`, `language`, `visitor`, `nav` and `here`."""
        language = self.language(request)
        response = html(self.text(template, {**self._frame(request, language), **context}), status)
        if request.query.get("lang"):
            response.set_cookie(LANGUAGE_COOKIE, language, max_age=_A_YEAR_S, samesite="Lax", httponly=True)
        return response

    def notice(self, request: web.Request, line: str, status: int) -> web.Response:
        """A page that says one thing."""
        return self.page(request, "notice.html", {"notice": excerpt(line, NOTICE_CHARS)}, status)

    def _frame(self, request: web.Request, language: Language) -> dict[str, Any]:
        visitor = visitor_of(request)
        kept = [(name, value) for name, value in request.query.items() if name != "lang"]
        return {
            "words": WORDS[language],
            "language": language,
            "visitor": visitor,
            "nav": nav(visitor, request.path, language),
            # Where a link to the same page in the other language leads, but for the language itself.
            "here": f"{request.path}?{urlencode(kept)}{'&' if kept else ''}",
        }


def html(text: str, status: int = 200) -> web.Response:
    """`text` as a page."""
    # A lone surrogate in a comment has no UTF-8 form.
    return web.Response(
        body=text.encode("utf-8", "replace"), status=status, content_type="text/html", charset="utf-8"
    )


def digest_file(context: Mapping[str, Any]) -> str:
    """A digest as one HTML file that loads nothing and runs nothing; `context` is that of `digest_context`."""
    style = (TEMPLATES / "pages.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    # Our own style sheet; escaped it would not be the one that the policy names.
    given = {"style": Markup(style), "style_hash": f"sha256-{digest}"}  # noqa: S704
    return environment().get_template("digest_file.html").render({**context, **given})
