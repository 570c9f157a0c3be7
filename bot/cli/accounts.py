"""The parts of `channels` about accounts: connecting one, and the key that its credentials are sealed with."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

import typer
from sqlmodel import Session

from adapters.base import AdapterFactory
from adapters.connecting import Connect, connect_of
from adapters.registry import check_options
from bot import vault
from bot.bootstrap import make_keyring, open_ledger, utc_now
from bot.cli.asking import Asker, elsewhere, fill, introduce, kept_options
from bot.cli.authorizing import Way, authorize
from bot.cli.channel_options import factory_of, read_options
from bot.cli.channel_plan import share_of
from bot.cli.messages import MESSAGES
from bot.cli.shell import Shell, caller, shell_of
from bot.connecting import Draft, Found, connect, log_in
from bot.connections import secret_fields, with_secrets
from bot.keyring import Keyring, Unreadable
from bot.models import Channel
from bot.oauth.client import NotConnected, client_of
from bot.planning import affordable, reply_cost
from bot.references import KEPT
from bot.store import channel_acts, channels, credentials
from bot.store.credentials import Kept, Kind
from bot.store.ledger import Ledger
from bot.vault import LedgerVaults

GRANTED: Final = ("access_token", "refresh_token")
"""Options that consent makes superfluous."""
TURN_S: Final = 10.0
"""Enough to keep the new credentials."""

Option = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=VALUE",
        help="Secrets as KEY=env:NAME or KEY=file:PATH, or left out and typed in on a terminal.",
    ),
]
Browser = Annotated[
    bool, typer.Option("--browser/--no-browser", help="Open a browser, or print the address only.")
]
Device = Annotated[
    bool, typer.Option("--device", help="For a machine without a browser: type a code in elsewhere.")
]
Port = Annotated[
    int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1 that the browser comes back to; 0: any.")
]
RedirectUrl = Annotated[
    str,
    typer.Option(metavar="URL", help="An address that the platform knows; where it leads is pasted here."),
]
Wait = Annotated[float, typer.Option(min=1, help="Seconds to wait for the consent.")]


def reconnect(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the channel.")],
    *,
    option: Option = None,
    browser: Browser = True,
    device: Device = False,
    port: Port = 0,
    redirect_url: RedirectUrl = "",
    wait: Wait = 300.0,
) -> None:
    """Connect a channel's account again, when its credentials are no longer taken; the channel then goes on."""
    shell = shell_of(context)
    walk = Walk(shell, Asker(shell), Way(browser, device, port, redirect_url, wait))
    shell.log()
    with open_ledger(shell.settings) as ledger:
        channel = ledger.read(channels.named, name)
        given, keyring = read_options(channel.platform, option or []), make_keyring(shell.settings)
        keyring.read()
        draft = _draft_again(walk, ledger, keyring, channel, given)
        found = asyncio.run(log_in(shell.settings, draft))
        after = asyncio.run(_keep_again(ledger, keyring, channel, draft, found))
    tell_found(shell, found)
    shell.tell("connect_stays_paused" if after.paused else "connect_goes_on", name=name)


def rotate_key(context: typer.Context) -> None:
    """Seal all credentials with a new key, or with the first of REJOINDER_KEY. Safe beside a running service."""
    shell = shell_of(context)
    keyring = make_keyring(shell.settings)
    with open_ledger(shell.settings) as ledger:
        number = len(ledger.read(credentials.every))
        if not number:
            shell.tell("key_nothing")
            return
        closed = ledger.write(_rotate, keyring)
        ledger.write(vault.settle, keyring)
    for row in closed:
        shell.warn("key_closed", channel=row.channel, name=row.name.partition(":")[2])
    said = "key_rotated_variable" if keyring.from_environment else "key_rotated_file"
    shell.tell(said, number=number - len(closed), where=keyring.where)
    if closed:
        raise typer.Exit(1)


def _rotate(session: Session, keyring: Keyring) -> list[Kept]:
    channel_acts.rotate_key(session, caller(), now=utc_now())
    return vault.rotate(session, keyring)


@dataclass(frozen=True, slots=True)
class Walk:
    """One walk through what an account needs."""

    shell: Shell
    asker: Asker
    way: Way


def draft_of(walk: Walk, platform: str, options: Mapping[str, Any], *, consent: bool = True) -> Draft:
    """What a new channel is made of, with what the person says and grants. Raises BadOptions, SettingsError,
    NotConnected, AdapterError.
    """
    factory = factory_of(platform)
    needs = connect_of(platform, factory)
    introduce(walk.asker, walk.shell, needs)
    consents = consent and needs.oauth is not None and not set(GRANTED) & options.keys()
    filled, typed = fill(walk.asker, platform, factory, options, wanted(factory, needs, consents=consents))
    _check(platform, factory, filled, typed, granted=needs if consents else None)
    if not consents:
        return Draft(platform, filled, typed)
    return _consented(walk, Draft(platform, filled, typed), factory, needs)


def wanted(factory: AdapterFactory, needs: Connect, *, consents: bool) -> set[str]:
    """The options that a person has to give. Pure."""
    fields = factory.Options.model_fields
    names = {name for name, field in fields.items() if field.is_required()} | set(needs.asks)
    if needs.oauth is not None and consents:
        names |= {needs.oauth.client_id, needs.oauth.client_secret}
        names -= {*GRANTED, *needs.oauth.gives}
    return names & fields.keys()


def tell_found(shell: Shell, found: Found, since: datetime | None = None) -> None:
    """Who the account is, what it may do, and what that means."""
    shell.tell("channel_account", name=found.account.name, id=found.account.id)
    can = found.account.can
    able, unable = (
        [_ability(shell, name) for name, yes in can.items() if yes is want] for want in (True, False)
    )
    if able:
        shell.tell("connect_can", able=", ".join(able))
    if unable:
        shell.warn("connect_cannot", unable=", ".join(unable))
    if found.capabilities.writes == "assist":
        shell.tell("connect_assist")
    quota = found.capabilities.quota
    if quota is not None and quota.reply_units:
        most = affordable(quota, 0, utc_now(), share_of(shell.settings.service)).a_day
        shell.tell("connect_units", units=f"{quota.units:,}", reply=reply_cost(quota), most=f"{most:,}")
    if since is not None:
        shell.tell("connect_from", moment=f"{since:%Y-%m-%d %H:%M} UTC")


def _ability(shell: Shell, name: str) -> str:
    return shell.say(f"can_{name}") if f"can_{name}" in MESSAGES else name


def _check(
    platform: str,
    factory: AdapterFactory,
    options: Mapping[str, Any],
    typed: Mapping[str, str],
    *,
    granted: Connect | None,
) -> None:
    """`granted`: whose consent is still to come, and with it some options. Raises BadOptions, SettingsError."""
    whole = with_secrets(platform, options, typed)
    if granted is not None and granted.oauth is not None:
        coming = {*granted.oauth.gives, *GRANTED} & factory.Options.model_fields.keys()
        needed = {name for name in coming if factory.Options.model_fields[name].is_required()}
        whole |= dict.fromkeys(needed - whole.keys(), "granted")
    check_options(platform, factory, whole)


def _consented(walk: Walk, draft: Draft, factory: AdapterFactory, needs: Connect) -> Draft:
    """With what the account's owner grants."""
    if needs.oauth is None:
        return draft
    fields = factory.Options.model_fields
    defaults = {name: field.get_default() for name, field in fields.items() if not field.is_required()}
    whole = defaults | with_secrets(draft.platform, draft.options, draft.typed)
    granted = asyncio.run(authorize(walk.shell, walk.asker, client_of(needs.oauth, whole), walk.way))
    needed = {
        name: granted.tokens.get(name, "")
        for name in GRANTED
        if name in fields and fields[name].is_required()
    }
    if absent := [name for name, token in needed.items() if not token]:
        raise NotConnected(f"the platform handed out no {absent[0]}, so nothing was kept; try again")
    options: dict[str, Any] = {
        **{name: value for name, value in draft.options.items() if name not in GRANTED},
        **{name: value for name, value in granted.fields.items() if name in fields},
    }
    options |= dict.fromkeys(needed, KEPT)
    typed = {name: value for name, value in draft.typed.items() if name not in GRANTED} | needed
    _check(draft.platform, factory, options, typed, granted=None)
    return Draft(draft.platform, options, typed, granted.tokens)


def _draft_again(
    walk: Walk, ledger: Ledger, keyring: Keyring, channel: Channel, given: Mapping[str, Any]
) -> Draft:
    """The channel with other credentials: what was typed in is asked for again, or the owner consents again."""
    factory = factory_of(channel.platform)
    needs = connect_of(channel.platform, factory)
    introduce(walk.asker, walk.shell, needs)
    options = {**channel.options, **given}
    consents = needs.oauth is not None and not set(GRANTED) & given.keys()
    known = _still_known(ledger, keyring, channel, options) if consents else {}
    asked = wanted(factory, needs, consents=consents) | kept_options(options)
    asked -= known.keys() | (set(GRANTED) if consents else set())
    filled, typed = fill(walk.asker, channel.platform, factory, options, asked)
    draft = Draft(channel.platform, filled, {**known, **typed})
    if consents:
        return _consented(walk, draft, factory, needs)
    if names := elsewhere(filled, secret_fields(factory)):
        walk.shell.warn("connect_elsewhere", names=", ".join(names))
    _check(channel.platform, factory, filled, draft.typed, granted=None)
    return draft


def _still_known(
    ledger: Ledger, keyring: Keyring, channel: Channel, options: Mapping[str, Any]
) -> dict[str, str]:
    """The secrets of the application, which consent does not change; none where the key is lost."""
    try:
        kept = ledger.read(vault.unsealed, keyring, channel.id or 0, Kind.OPTION)
    except Unreadable:
        return {}
    return {name: kept[name] for name in kept_options(options) - set(GRANTED) if name in kept}


async def _keep_again(
    ledger: Ledger, keyring: Keyring, channel: Channel, draft: Draft, found: Found
) -> Channel:
    vaults = LedgerVaults(ledger, keyring, utc_now)
    async with vaults.turn(channel, TURN_S):
        return await ledger.awrite(connect, caller(), keyring, draft, found, name=channel.name, now=utc_now())
