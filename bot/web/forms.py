"""What the pages about people and their access read from forms, and how they refuse."""

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from aiohttp import web
from multidict import MultiDictProxy
from sqlmodel import Session

from bot.access.visitor import Visitor
from bot.models import Role
from bot.store.access import AccessRefused
from bot.store.ledger import Ledger
from bot.web.problems import Problem
from bot.web.reading import MAX_ID, text_of
from bot.web.routes import known_visitor

P = ParamSpec("P")
T = TypeVar("T")
Form = MultiDictProxy[str | bytes | bytearray | web.FileField]


async def form_of(request: web.Request) -> Form:
    """Raises Problem where the body is no form."""
    try:
        return await request.post()
    except (ValueError, LookupError) as error:
        raise Problem(400, "form", "the form is not text in UTF-8; send it from the page") from error


def from_page(request: web.Request) -> Visitor:
    """Whoever sits there. A token gives no access to access: whoever got hold of one could make it last for ever."""
    visitor = known_visitor(request)
    if visitor.via != "page":
        raise Problem(403, "page_only", "this is for people who have logged in; tokens cannot do it")
    return visitor


def number_of(text: str) -> int:
    """Raises Problem where `text` is no number of a row."""
    known = text.isascii() and text.isdigit() and len(text) < 20
    if not known or not 0 < int(text) <= MAX_ID:
        raise Problem(404, "number", "there is nothing with this number; reload the page")
    return int(text)


def role_of(form: Form) -> Role:
    """Raises Problem where the form names none."""
    try:
        return Role(text_of(form, "role"))
    except ValueError as error:
        raise Problem(422, "role_unknown", f"choose a role: {', '.join(Role)}") from error


async def tried(
    ledger: Ledger, work: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """`work` in one transaction. Raises Problem where it is refused."""
    try:
        return await ledger.awrite(work, *args, **kwargs)
    except AccessRefused as error:
        raise Problem(409, "refused", str(error)) from error
