"""`people`: who may use the pages and the API, and who did what."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any, TypeVar

import typer
from sqlmodel import Session

from bot.access.visitor import Visitor
from bot.bootstrap import open_ledger, utc_now
from bot.cli.errors import Failure
from bot.cli.shell import Shell, caller, parse_since, print_json, shell_of
from bot.models import ApiToken, Person, Role
from bot.plain import plain
from bot.settings import Settings
from bot.store import access, audit, managing, tokens
from bot.store.audit import Deed, Which
from bot.web.audit import act_word, deed_json
from bot.web.people import Act, link_address
from bot.web.starting import RENEW, START

app = typer.Typer(help="Who may log in, their roles, links and tokens.", add_completion=False)
T = TypeVar("T")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Whom, by the name used to log in.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]
RoleName = Annotated[Role, typer.Option("--role", help="What may be done with it.")]


@app.command("list")
def list_people(context: typer.Context, as_json: AsJson = False) -> None:
    """Everybody who may log in."""
    shell = shell_of(context)
    with open_ledger(shell.settings) as ledger:
        found = ledger.read(access.people)
    if as_json:
        print_json([person_json(person) for person in found])
    elif found:
        rows = [(one.name, one.role, shell.say(_state(one)), f"{one.created_at:%Y-%m-%d}") for one in found]
        shell.table(("name", "role", "state", "people_since"), rows)
    else:
        shell.tell("people_none")


@app.command()
def invite(context: typer.Context, *, role: RoleName = Role.REVIEWER, as_json: AsJson = False) -> None:
    """Print a link that makes one person with a role; it works once, within 7 days."""
    shell = shell_of(context)
    secret = _write(shell, lambda session, who, now: managing.invite(session, who, role, now=now))
    _print_link(shell, START, secret, as_json)


@app.command()
def link(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Whose password; nobody: the first owner's link.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Print a link for a new password; without NAME the one that makes the first owner. It works once, for a day."""
    shell = shell_of(context)
    if name is not None:
        _print_link(shell, RENEW, _to_person(shell, name, managing.password_link), as_json)
        return
    secret = _write(shell, lambda session, who, now: managing.first_link(session, who, now=now))
    if secret is None:
        raise Failure("there is an owner already; name whose password is lost: rejoinder people link NAME")
    _print_link(shell, START, secret, as_json)


@app.command()
def role(
    context: typer.Context,
    name: Name,
    new: Annotated[Role, typer.Argument(metavar="ROLE", help="owner, reviewer or viewer.")],
) -> None:
    """Change what somebody may do."""
    shell = shell_of(context)

    def act(session: Session, who: Visitor, person: Person, *, now: datetime) -> None:
        managing.change_role(session, who, person, role=new, now=now)

    _to_person(shell, name, act)
    shell.tell("people_role", name=name, role=new)


@app.command()
def disable(context: typer.Context, name: Name) -> None:
    """Let somebody in no more; ends log-ins and links, and stops tokens."""
    shell = shell_of(context)
    _to_person(shell, name, managing.disable)
    shell.tell("people_disabled", name=name)


@app.command()
def enable(context: typer.Context, name: Name) -> None:
    """Let somebody in again."""
    shell = shell_of(context)
    _to_person(shell, name, managing.enable)
    shell.tell("people_enabled", name=name)


@app.command()
def token(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the token is for.")],
    *,
    whose: Annotated[str, typer.Option("--for", metavar="PERSON", help="In whose name it acts.")],
    role: RoleName = Role.VIEWER,
    days: Annotated[
        int | None, typer.Option(min=1, max=3650, help="Ends after so many; default: never.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print a new token for a program; it is shown this once."""
    shell = shell_of(context)

    def act(session: Session, who: Visitor, person: Person, *, now: datetime) -> str:
        ends_at = now + timedelta(days=days) if days is not None else None
        return managing.add_token(
            session, who, person.id or 0, name=name.strip(), role=role, ends_at=ends_at, now=now
        )

    secret = _to_person(shell, whose, act)
    if as_json:
        print_json({"token": secret})
    else:
        typer.echo(secret)
        shell.warn("people_token_once")


@app.command("tokens")
def list_tokens(context: typer.Context, as_json: AsJson = False) -> None:
    """Every token that was not revoked."""
    shell = shell_of(context)
    with open_ledger(shell.settings) as ledger:
        found = ledger.read(tokens.listed)
    if as_json:
        print_json([token_json(token, person) for token, person in found])
    elif found:
        rows = [
            (one.id, one.name, person.name, one.role, _day(one.seen_at), _day(one.ends_at))
            for one, person in found
        ]
        shell.table(("id", "name", "people_person", "role", "people_used", "people_ends"), rows)
    else:
        shell.tell("people_no_tokens")


@app.command()
def revoke(
    context: typer.Context,
    number: Annotated[
        int, typer.Argument(min=1, max=2**63 - 1, metavar="ID", help="As 'people tokens' shows it.")
    ],
) -> None:
    """End a token for ever."""
    shell = shell_of(context)
    name = _write(shell, lambda session, who, now: managing.revoke_token(session, who, number, now=now))
    shell.tell("people_revoked", id=number, name=name)


@app.command("audit")
def show_audit(
    context: typer.Context,
    *,
    person: Annotated[str, typer.Option(help="What one person did only.")] = "",
    act: Annotated[str, typer.Option(help="One kind of act only, such as log_in.")] = "",
    since: Annotated[str | None, typer.Option(help="Since a date, a time, or 24h, 7d, 2w.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Who did what, newest first."""
    shell = shell_of(context)
    start = parse_since(since, utc_now()) if since is not None else None
    with open_ledger(shell.settings) as ledger:
        found = ledger.read(audit.deeds, Which(person, act, start), limit=limit)
    if as_json:
        print_json([deed_json(deed) for deed in found])
    else:
        headings = ("people_when", "people_person", "people_act", "people_subject", "people_from")
        shell.table(headings, [_audit_row(deed, shell) for deed in found])


def site_address(settings: Settings, page: str | None = None) -> str:
    """Where people open the pages. `page`: where this process serves them."""
    if settings.web.public_url:
        return settings.web.public_url
    host = settings.web.host
    return page or f"http://{f'[{host}]' if ':' in host else host}:{settings.web.port}"


def person_json(person: Person) -> dict[str, Any]:
    shown = ("id", "name", "role", "created_at", "disabled_at")
    return {name: getattr(person, name) for name in shown}


def token_json(token: ApiToken, person: Person) -> dict[str, Any]:
    shown = ("id", "name", "role", "created_at", "seen_at", "ends_at")
    return {**{name: getattr(token, name) for name in shown}, "person": person.name}


def _write(shell: Shell, act: Callable[[Session, Visitor, datetime], T]) -> T:
    with open_ledger(shell.settings) as ledger:
        return ledger.write(act, caller(), utc_now())


def _to_person(shell: Shell, name: str, act: Act[T]) -> T:
    return _write(
        shell, lambda session, who, now: act(session, who, access.known_person(session, name), now=now)
    )


def _print_link(shell: Shell, page: str, secret: str, as_json: bool) -> None:
    address = link_address(site_address(shell.settings), page, secret)
    if as_json:
        print_json({"url": address})
    else:
        typer.echo(address)
        shell.warn("people_link_once")


def _state(person: Person) -> str:
    return "people_active" if person.disabled_at is None else "people_is_disabled"


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment is not None else ""


def _audit_row(deed: Deed, shell: Shell) -> tuple[object, ...]:
    detail = ", ".join(f"{key}: {value}" for key, value in deed.detail.items())
    when = f"{deed.at:%Y-%m-%d %H:%M:%S}"
    subject = plain(f"{deed.subject} {detail}".strip(), one_line=True)
    return when, deed.actor, act_word(deed.act, shell.language), subject, f"{deed.via} {deed.address}".strip()
