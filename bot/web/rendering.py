"""The templates, and turning them into answers."""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import jinja2
from aiohttp import web
from markupsafe import Markup

TEMPLATES: Final = Path(__file__).parent / "templates"

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action {forms}; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": _POLICY.format(forms="'none'"),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
FORM_HEADERS: Final = {
    "Content-Security-Policy": _POLICY.format(forms="'self'"),
    # With `no-referrer` a form is sent with `Origin: null`, which tells nothing of where it comes from.
    "Referrer-Policy": "same-origin",
}
"""Over `HEADERS`, on pages with forms."""


def environment() -> jinja2.Environment:
    """Everything that a template prints is escaped, and nothing may be missing."""
    loader = jinja2.FileSystemLoader(TEMPLATES)
    return jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)


def html(text: str, status: int = 200, *, forms: bool = False) -> web.Response:
    """`text` as a page; `forms` lets it send forms to where it comes from."""
    # A lone surrogate in a comment has no UTF-8 form.
    body = text.encode("utf-8", "replace")
    headers = FORM_HEADERS if forms else None
    return web.Response(body=body, status=status, content_type="text/html", charset="utf-8", headers=headers)


def digest_file(context: Mapping[str, Any]) -> str:
    """A digest as one HTML file that loads nothing and runs nothing; `context` is that of `digest_context`."""
    style = "".join((TEMPLATES / name).read_text("utf-8") for name in ("status.css", "pages.css"))
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    # Our own style sheets; escaped they would not be the ones that the policy names.
    given = {"style": Markup(style), "style_hash": f"sha256-{digest}"}  # noqa: S704
    return environment().get_template("digest_file.html").render({**context, **given})
