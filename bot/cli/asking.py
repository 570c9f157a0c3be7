"""Asking the person at the terminal for what is missing, secrets without echo."""

import getpass
import sys
from collections.abc import Collection, Mapping
from typing import Any

import typer

from adapters.base import AdapterFactory
from adapters.connecting import Connect
from adapters.registry import BadOptions, available
from bot.cli.channel_options import is_list
from bot.cli.errors import Misuse
from bot.cli.shell import Shell
from bot.connections import secret_fields
from bot.plain import plain
from bot.references import KEPT, refers


class Asker:
    """Asks on stderr, so that stdout holds results only."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self.able = sys.stdin.isatty() and sys.stderr.isatty()
        """Whether somebody sits there."""

    def tell(self, key: str, **values: object) -> None:
        if self.able:
            self._shell.warn(key, **values)

    def text(self, key: str, default: str | None = None, **values: object) -> str:
        return str(typer.prompt(plain(self._shell.say(key, **values)), default=default, err=True)).strip()

    def secret(self, key: str, **values: object) -> str:
        prompt = f"{plain(self._shell.say(key, **values))}: "
        while True:
            try:
                # It switches the echo off before it shows the prompt; typer.prompt does so afterwards.
                given = getpass.getpass(prompt).strip()
            except EOFError as error:
                raise typer.Abort from error
            if given:
                return given


def named(asker: Asker, given: str, platform: str | None) -> tuple[str, str]:
    """The channel's name and its platform. `channels add PLATFORM` asks for the name. Raises Misuse."""
    if platform is not None:
        return given, platform
    known = available()
    if given in known:
        return (asker.text("connect_name", default=given) if asker.able else given), given
    if not asker.able:
        raise Misuse(f"--platform is missing; known: {', '.join(known)}")
    while True:
        chosen = asker.text("connect_platform", known=", ".join(known))
        if chosen in known:
            return given, chosen
        asker.tell("connect_unknown", name=chosen)


def introduce(asker: Asker, shell: Shell, connect: Connect) -> None:
    """What the account needs, in the person's language."""
    needs = connect.needs[shell.language == "zh"]
    if needs:
        asker.tell("connect_needs", needs=needs)
    if connect.page:
        asker.tell("connect_page", page=connect.page)


def fill(
    asker: Asker,
    platform: str,
    factory: AdapterFactory,
    options: Mapping[str, Any],
    wanted: Collection[str],
) -> tuple[dict[str, Any], dict[str, str]]:
    """`options` with what of `wanted` is missing, and the secrets that were typed in. Raises BadOptions."""
    filled, typed, missing = dict(options), dict[str, str](), list[str]()
    secrets = secret_fields(factory)
    for name in (name for name in factory.Options.model_fields if name in wanted):
        if name in options and options[name] != KEPT:
            continue
        if not asker.able:
            missing.append(name)
        elif name in secrets:
            filled[name], typed[name] = KEPT, asker.secret("connect_secret", name=name)
        elif is_list(factory, name):
            filled[name] = _items(asker.text("connect_list", name=name))
        else:
            filled[name] = plain(asker.text("connect_text", name=name))
    if missing:
        raise BadOptions(f"channel options for {platform}: {_told(missing, secrets)}")
    return filled, typed


def kept_options(options: Mapping[str, Any]) -> set[str]:
    """Those whose secrets were typed in."""
    return {name for name, value in options.items() if value == KEPT}


def elsewhere(options: Mapping[str, Any], secrets: Collection[str]) -> list[str]:
    """The secrets that stand where the options point to."""
    return sorted(
        name for name in secrets if name in options and options[name] != KEPT and refers(options[name])
    )


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.replace("，", ",").split(",") if item.strip()]


def _told(missing: Collection[str], secrets: Collection[str]) -> str:
    told = [f"{name}: missing" for name in missing]
    hidden = [name for name in missing if name in secrets]
    if hidden:
        told.append(
            f"give {hidden[0]}=env:NAME or {hidden[0]}=file:PATH, or run this on a terminal to type it in"
        )
    return "; ".join(told)
