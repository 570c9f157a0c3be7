"""What the pages read from forms and addresses, and how they refuse."""

from collections.abc import Callable
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from aiohttp import web
from multidict import MultiDictProxy
from sqlmodel import Session

from bot.access.visitor import Visitor
from bot.models import Role
from bot.store.access import AccessRefused
from bot.store.ledger import Ledger
from bot.web.problems import Problem
from bot.web.routes import known_visitor

P = ParamSpec("P")
T = TypeVar("T")
Form = MultiDictProxy[str | bytes | bytearray | web.FileField]
MAX_ID: Final = 2**63 - 1


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


def text_of(form: Any, name: str) -> str:
    """A field of a form, without NULs, which PostgreSQL takes in no text; empty where it is missing, or where a file
    stands in its place.
    """
    value = form.get(name, "")
    return value.replace("\0", "") if isinstance(value, str) else ""


def lines_of(form: Any, name: str) -> str:
    """The same, of a field of several lines: browsers send line breaks as CRLF."""
    return text_of(form, name).replace("\r\n", "\n")


def row_number(text: str) -> int | None:
    """The number of a row; None for what is none."""
    known = text.isascii() and text.isdigit() and len(text) < 20
    return int(text) if known and 0 < int(text) <= MAX_ID else None


def number_of(text: str) -> int:
    """Raises Problem where `text` is no number of a row."""
    number = row_number(text)
    if number is None:
        raise Problem(404, "number", "there is nothing with this number; reload the page")
    return number


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
