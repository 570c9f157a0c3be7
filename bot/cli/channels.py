"""`channels`: one account on one platform each."""

import asyncio
import shlex
from contextlib import nullcontext
from typing import Annotated, Any, Literal

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn

from adapters.registry import available
from bot import connecting
from bot.backfill import backfill as read_back
from bot.bootstrap import make_keyring, open_ledger, utc_now
from bot.building.persona import make_personas
from bot.cli import accounts
from bot.cli.asking import Asker, named
from bot.cli.authorizing import Way
from bot.cli.channel_options import checked_rules, options_of, read_options, with_labels
from bot.cli.channel_plan import budget_json, show_plan
from bot.cli.errors import Misuse
from bot.cli.shell import Shell, caller, parse_since, print_json, shell_of
from bot.connecting import log_in
from bot.models import Channel
from bot.settings import ChannelRulesSettings
from bot.store import channel_acts, channels

app = typer.Typer(help="Add, list, pause, resume and backfill channels.", add_completion=False)

Name = Annotated[str, typer.Argument(help="Name of the channel.")]
Send = Annotated[
    list[str] | None,
    typer.Option(
        help="Kind of comment answered without a person: question, request, praise, complaint, other."
    ),
]
MinSupport = Annotated[
    float | None, typer.Option(help="Least probability (0 to 1) that the documents answer, for sending.")
]
MinGap = Annotated[float | None, typer.Option(help="Seconds between two replies.")]
MaxPerHour = Annotated[int | None, typer.Option(help="Replies an hour; 0 sends nothing.")]
Tags = Annotated[
    list[str] | None, typer.Option("--tag", help="Answer only from documents with this tag; repeat it.")
]
SendTools = Annotated[
    bool | None,
    typer.Option(
        "--send-tools/--review-tools", help="Whether replies that rest on a tool's result need no person."
    ),
]
PostTags = Annotated[
    list[str] | None,
    typer.Option("--post-tag", metavar="POST=TAG", help="The same for one post; POST= takes it back."),
]

Hours = Annotated[
    list[str] | None,
    typer.Option(
        metavar="DAYS=SPANS",
        help="When replies go out without a person: mon-fri=09:00-12:00,13:00-18:00; repeat it for other days.",
    ),
]
TimeZone = Annotated[
    str | None, typer.Option(metavar="ZONE", help="Whose clock --hours goes by, such as Asia/Shanghai.")
]
PersonaName = Annotated[
    str | None,
    typer.Option("--persona", metavar="NAME", help="Who answers: a persona of the settings, or a preset."),
]


@app.command("list")
def list_channels(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False
) -> None:
    """The channels, what they may send, and what is wrong with them."""
    shell = shell_of(context)
    with open_ledger(shell.settings) as ledger:
        found = ledger.read(channels.every)
        budgets = [budget_json(ledger, channel, shell.settings.service) for channel in found if as_json]
    if as_json:
        print_json(
            [
                {**channel_json(channel), "budget": budget}
                for channel, budget in zip(found, budgets, strict=True)
            ]
        )
    elif found:
        rows = [_row(channel, shell) for channel in found]
        shell.table(("name", "platform", "account", "sends", "documents", "state", "error"), rows)
        for channel in found:
            if channel.to_connect:
                shell.warn("connect_again", name=shlex.quote(channel.name))
    else:
        shell.warn("no_channels")


@app.command()
def platforms(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False
) -> None:
    """The platforms that adapters are installed for, with their options."""
    shell = shell_of(context)
    found = {name: options_of(factory) for name, factory in available().items()}
    if as_json:
        print_json(found)
        return
    rows = [
        (name if not number else "", option["name"], shell.say(option["kind"]), option["default"])
        for name, options in found.items()
        for number, option in enumerate(options)
    ]
    shell.table(("platform", "option", "needed", "default"), rows)


@app.command()
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the channel, or the platform to be led through it.")],
    *,
    platform: Annotated[str | None, typer.Option(help="See 'channels platforms'.")] = None,
    option: accounts.Option = None,
    since: Annotated[str | None, typer.Option(help="Answer what was written since; default: now.")] = None,
    send: Send = None,
    min_support: MinSupport = None,
    min_gap_s: MinGap = None,
    max_per_hour: MaxPerHour = None,
    tag: Tags = None,
    post_tag: PostTags = None,
    persona: PersonaName = None,
    send_tools: SendTools = None,
    hours: Hours = None,
    time_zone: TimeZone = None,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Log in once to see that it works.")
    ] = True,
    browser: accounts.Browser = True,
    device: accounts.Device = False,
    port: accounts.Port = 0,
    redirect_url: accounts.RedirectUrl = "",
    wait: accounts.Wait = 300.0,
) -> None:
    """Add a channel; on a terminal, what is missing is asked for. Nothing is sent without a person unless --send
    opens it.
    """
    shell, now = shell_of(context), utc_now()
    asker = Asker(shell)
    name, platform = named(asker, name, platform)
    if not 1 <= len(name) <= 60 or not name.isprintable() or name != name.strip():
        raise Misuse(f"{name!r} is no good name for a channel; use 1 to 60 printable characters")
    start = parse_since(since, now) if since is not None else None
    options = read_options(platform, option or [])
    rules = checked_rules(
        {},
        send,
        min_support,
        min_gap_s,
        max_per_hour,
        tags=tag,
        post_tags=post_tag,
        persona=persona,
        personas=make_personas(shell.settings),
        send_tools=send_tools,
        hours=hours,
        time_zone=time_zone,
    )
    shell.log()
    keyring = make_keyring(shell.settings)
    # Before anybody consents: some tokens are handed out once.
    keyring.read()
    with open_ledger(shell.settings) as ledger:
        ledger.read(channels.refuse_taken, name)
        walk = accounts.Walk(shell, asker, Way(browser, device, port, redirect_url, wait))
        draft = accounts.draft_of(walk, platform, options, consent=check)
        begins = start or now
        found = asyncio.run(log_in(shell.settings, draft, since=begins)) if check else None
        ledger.write(
            connecting.add,
            caller(),
            keyring,
            draft,
            found,
            name=name,
            rules=rules,
            now=now,
            answer_since=start,
        )
    if found is not None:
        accounts.tell_found(shell, found, begins)
    shell.tell("channel_added", name=name)
    shell.tell("channel_sends" if send else "channel_reviews", kinds=", ".join(send or []), name=name)


app.command("connect")(accounts.reconnect)
app.command("rotate-key")(accounts.rotate_key)


@app.command()
def pause(context: typer.Context, name: Name) -> None:
    """Stop polling and sending."""
    _pause(context, name, paused=True)


@app.command()
def resume(context: typer.Context, name: Name) -> None:
    """Poll and send again, at once; forgets the last error."""
    _pause(context, name, paused=False)


@app.command()
def shadow(
    context: typer.Context,
    name: Name,
    state: Annotated[Literal["on", "off"], typer.Argument(help="on: nothing is sent; off: it may be again.")],
) -> None:
    """Draft and decide everything, but send nothing: what would be sent waits for a person."""
    shell = shell_of(context)
    with open_ledger(shell.settings) as ledger:
        held = ledger.write(channel_acts.set_shadow, caller(), name, on=state == "on", now=utc_now())
    shell.tell("shadow_on" if state == "on" else "shadow_off", name=name, number=held)


@app.command()
def rules(
    context: typer.Context,
    name: Name,
    *,
    send: Send = None,
    review_all: Annotated[bool, typer.Option("--review-all", help="Send nothing without a person.")] = False,
    min_support: MinSupport = None,
    min_gap_s: MinGap = None,
    max_per_hour: MaxPerHour = None,
    tag: Tags = None,
    any_tag: Annotated[bool, typer.Option("--any-tag", help="Answer from every document again.")] = False,
    post_tag: PostTags = None,
    persona: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Who answers: a persona of the settings, or a preset; '' takes it back."
        ),
    ] = None,
    send_tools: SendTools = None,
    hours: Hours = None,
    always_open: Annotated[
        bool, typer.Option("--always-open", help="Replies may go out at any time again.")
    ] = False,
    time_zone: TimeZone = None,
    delay_s: Annotated[
        tuple[float, float] | None,
        typer.Option(metavar="FROM TO", help="Seconds that a reply waits at random; 0 0: not at all."),
    ] = None,
    one_reply_s: Annotated[
        float | None, typer.Option(help="Seconds with one reply for each person in a thread.")
    ] = None,
    loop_replies: Annotated[
        int | None, typer.Option(help="Replies to one person in a thread before a person decides; 0: never.")
    ] = None,
    loop_s: Annotated[float | None, typer.Option(help="Seconds in which these are counted.")] = None,
    bot: Annotated[
        list[str] | None,
        typer.Option(help="Account that is never answered, by name or id; '' takes all back."),
    ] = None,
    stop_after: Annotated[
        int | None, typer.Option(help="Bad replies in a row after which the channel stops; 0: never.")
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LANGUAGE=TEXT", help="What ends each reply: en='(AI-assisted reply)'; en= takes it back."
        ),
    ] = None,
) -> None:
    """Show what a channel may do by itself, or change what is given."""
    if review_all and send:
        raise Misuse("give --send or --review-all, not both")
    if any_tag and tag:
        raise Misuse("give --tag or --any-tag, not both")
    if always_open and hours:
        raise Misuse("give --hours or --always-open, not both")
    shell = shell_of(context)
    wanted = [] if review_all else send
    tags = [] if any_tag else tag
    with open_ledger(shell.settings) as ledger:
        channel = ledger.read(channels.named, name)
        changed = checked_rules(
            channel.rules,
            wanted,
            min_support,
            min_gap_s,
            max_per_hour,
            tags=tags,
            post_tags=post_tag,
            persona=persona,
            personas=make_personas(shell.settings),
            send_tools=send_tools,
            hours=[] if always_open else hours,
            time_zone=time_zone,
            manners={
                "delay_s": delay_s,
                "one_reply_s": one_reply_s,
                "loop_replies": loop_replies,
                "loop_s": loop_s,
                "bots": None if bot is None else [one for one in bot if one.strip()],
                "stop_after": stop_after,
                "label": None if label is None else with_labels(channel.rules.get("label", {}), label),
            },
        )
        if changed != channel.rules:
            ledger.write(channel_acts.set_rules, caller(), name, changed, now=utc_now())
    print_json(ChannelRulesSettings.model_validate(changed).model_dump())


@app.command()
def plan(
    context: typer.Context,
    name: Name,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """When the replies that are ready go out, and how much of the platform's budget is used."""
    shell = shell_of(context)
    with open_ledger(shell.settings) as ledger:
        show_plan(shell, ledger, name, utc_now(), as_json=as_json)


@app.command()
def backfill(
    context: typer.Context,
    name: Name,
    *,
    since: Annotated[str, typer.Option(help="A date, a time, or how long ago: 2026-03-01, 24h, 7d, 2w.")],
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Read now, or leave it to the service.")
    ] = True,
) -> None:
    """Read older comments and have them answered.

    Reads here and now, also beside a running service; drafts and replies are made by the service ('rejoinder run').
    """
    shell = shell_of(context)
    moment = parse_since(since, utc_now())
    shell.log()
    with open_ledger(shell.settings) as ledger:
        ledger.write(channels.rewind, name, since=moment, now=utc_now())
        if not wait:
            shell.tell("backfill_marked", name=name)
            return
        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False))
        shown = (
            Progress(*columns, console=shell.err, transient=True) if shell.err.is_terminal else nullcontext()
        )
        with shown as bar:
            task = bar.add_task("", total=None) if bar is not None else None

            def show(number: int) -> None:
                if bar is not None and task is not None:
                    bar.update(task, description=shell.say("backfill_progress", new=number))

            new = asyncio.run(read_back(shell.settings, ledger, name, show))
    shell.tell("backfill_done", name=name, new=new)


def _pause(context: typer.Context, name: str, *, paused: bool) -> None:
    shell = shell_of(context)
    with open_ledger(shell.settings) as ledger:
        ledger.write(channel_acts.pause, caller(), name, paused=paused, now=utc_now())
    shell.tell("channel_paused" if paused else "channel_resumed", name=name)


def channel_json(channel: Channel) -> dict[str, Any]:
    """A channel without its inner workings; secrets stand in it as references only."""
    shown = {
        "name",
        "platform",
        "options",
        "account_id",
        "account_name",
        "paused",
        "shadow",
        "created_at",
        "answer_since",
        "can",
        "connected_at",
        "to_connect",
    }
    health = {"last_poll_at", "last_error", "error_since", "failures"}
    rules = ChannelRulesSettings.model_validate(channel.rules).model_dump()
    return {**channel.model_dump(include=shown | health), "rules": rules}


def _row(channel: Channel, shell: Shell) -> tuple[str, ...]:
    rules = ChannelRulesSettings.model_validate(channel.rules)
    sends = ", ".join(rules.send)
    return (
        channel.name,
        channel.platform,
        channel.account_name or "",
        sends if sends else shell.say("sends_nothing"),
        _limits(rules, shell),
        shell.say(_state(channel)),
        channel.last_error or "",
    )


def _state(channel: Channel) -> str:
    """The word for what keeps a channel from sending, the weightiest first."""
    if channel.to_connect:
        return "to_connect"
    return "paused" if channel.paused else "in_shadow" if channel.shadow else "active"


def _limits(rules: ChannelRulesSettings, shell: Shell) -> str:
    """The tags that a channel is limited to, and how many posts have tags of their own."""
    tags = ", ".join(rules.tags) if rules.tags else shell.say("all_documents")
    return tags + (shell.say("posts_apart", number=len(rules.post_tags)) if rules.post_tags else "")
