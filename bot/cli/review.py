"""`review`: the comments that wait for a person, and what the person decides."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final, cast, get_args

import typer

from bot.bootstrap import open_ledger, utc_now
from bot.checks.findings import message_in
from bot.cli.desk_editor import read_text, write_in_editor
from bot.cli.errors import Misuse
from bot.cli.evidence import print_pictures, print_steps
from bot.cli.shell import Shell, login, parse_since, print_json, shell_of
from bot.cli.translation import translate_all, translation_language
from bot.details import explain_detail
from bot.intents import Intent
from bot.models import Comment, Draft, State
from bot.plain import excerpt, plain
from bot.reasons import Reason, explain
from bot.review import Act, Wish, decide_here
from bot.settings import Language
from bot.store import cases, channels, queue
from bot.store.cases import Case, Item, NoSuchComment
from bot.store.deciding import Sign, VerdictRefused
from bot.store.ledger import Ledger
from bot.store.queue import Filters, Sort
from bot.web.words import state_word

app = typer.Typer(
    help="Decide about the comments that wait for a person.", no_args_is_help=False, add_completion=False
)

Ids = Annotated[
    list[int],
    typer.Argument(
        min=1, max=2**63 - 1, metavar="ID...", help="Numbers of comments, as 'review list' shows them."
    ),
]
Id = Annotated[
    int,
    typer.Argument(
        min=1, max=2**63 - 1, metavar="ID", help="Number of the comment, as 'review list' shows it."
    ),
]
By = Annotated[str | None, typer.Option(help="Who decides; default: the login name.")]
INTENTS: Final = get_args(Intent)
_DONE: Final[dict[Act, str]] = {
    "approve": "review_approved",
    "edit": "review_edited",
    "reject": "review_rejected",
    "skip": "review_skipped",
    "undo": "review_undone",
    "redraft": "review_redraft",
    "retry": "review_retried",
    "confirm_sent": "review_sent",
}
_COMMENT_KEYS = (
    "id", "platform_id", "author_name", "text", "url", "language", "is_own",
    "created_at", "updated_at", "state", "reason", "detail", "version", "attempts", "similar",
    "translations",
)  # fmt: skip
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]
Translate = Annotated[
    str | None, typer.Option(metavar="en|zh", help="With a translation by the model; it is kept.")
]


@app.callback(invoke_without_command=True)
def desk(
    context: typer.Context,
    by: Annotated[
        str | None, typer.Option(help="Who decides in the terminal desk; default: the login name.")
    ] = None,
) -> None:
    """Decide about the comments that wait for a person; without a command, in the terminal, with keys."""
    if context.invoked_subcommand is not None:
        if by is not None:
            raise Misuse(
                f"give --by after the command: rejoinder review {context.invoked_subcommand} … --by {by}"
            )
        return
    if os.name != "posix":
        raise Misuse("the review desk does not run in this system's terminal; use the page, or 'review list'")
    from bot.cli.desk import open_desk  # noqa: PLC0415  (terminals of other systems don't have what it needs)

    open_desk(shell_of(context), by if by is not None else login())


@app.command("list")
def list_comments(
    context: typer.Context,
    *,
    state: Annotated[list[str] | None, typer.Option(help="Which states; default: review.")] = None,
    channel: Annotated[str | None, typer.Option(help="One channel only.")] = None,
    language: Annotated[
        str | None, typer.Option(help="Comments in this language only, such as en, zh.")
    ] = None,
    intent: Annotated[str | None, typer.Option(help="question, praise, complaint, request or other.")] = None,
    reason: Annotated[str | None, typer.Option(help="One reason only, as --json shows it.")] = None,
    search: Annotated[
        str, typer.Option(help="Words that comment, author, post or draft must hold; #12 is comment 12.")
    ] = "",
    older_than: Annotated[
        str | None, typer.Option(help="In its state since before then: a date, or 24h, 7d.")
    ] = None,
    sort: Annotated[
        str, typer.Option(metavar="oldest|newest|value", help="value: what most ask.")
    ] = "oldest",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    translate: Translate = None,
    as_json: AsJson = False,
) -> None:
    """What waits for a person, oldest first."""
    shell = shell_of(context)
    filters = Filters(
        states=tuple(_states(state)),
        channel=channel,
        language=language,
        intent=_known("--intent", intent, INTENTS),
        reason=_known("--reason", reason, [known.value for known in Reason]),
        search=search,
        until=parse_since(older_than, utc_now(), "--older-than") if older_than is not None else None,
    )
    order = cast("Sort", _known("--sort", sort, get_args(Sort)))
    shown_in = translation_language(shell, translate)
    with open_ledger(shell.settings) as ledger:
        if channel is not None:
            ledger.read(channels.named, channel)
        items = ledger.read(queue.queue, filters, sort=order, limit=limit).items
        ok = translate_all(shell, ledger, [item.comment for item in items], shown_in)
    if as_json:
        print_json([item_json(item) for item in items])
    elif items:
        rows = [_row(item, shell, shown_in) for item in items]
        shell.table(("id", "channel", "state", "comment", "reason", "draft"), rows)
    else:
        shell.tell("review_none")
    if not ok:
        raise typer.Exit(1)


@app.command()
def show(
    context: typer.Context, comment_id: Id, *, translate: Translate = None, as_json: AsJson = False
) -> None:
    """One comment with its thread, drafts, passages and history."""
    shell = shell_of(context)
    language = translation_language(shell, translate)
    with open_ledger(shell.settings) as ledger:
        case = ledger.read(cases.case, comment_id)
        ok = translate_all(shell, ledger, case.thread, language)
    if as_json:
        print_json(case_json(case))
    else:
        _print_case(shell, case, language)
    if not ok:
        raise typer.Exit(1)


@app.command()
def approve(
    context: typer.Context,
    comment_ids: Ids,
    *,
    candidate: Annotated[int, typer.Option(min=1, help="Which of the drafts.")] = 1,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Send the drafts as they stand. 'undo' takes it back for review.undo_s seconds."""
    wishes = [Wish("approve", number, candidate=candidate - 1) for number in comment_ids]
    _decide(context, wishes, by, as_json=as_json)


@app.command()
def edit(
    context: typer.Context,
    comment_id: Id,
    *,
    text: Annotated[str | None, typer.Option(help="The reply to send.")] = None,
    file: Annotated[Path | None, typer.Option(help="File that holds the reply.")] = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Send another text; also answers what was skipped or has failed. Without a text, opens $EDITOR on the draft."""
    if text is not None and file is not None:
        raise Misuse("give --text or --file, not both")
    given = read_text(file) if file is not None else text
    _decide(context, [Wish("edit", comment_id, text=given or "")], by, as_json=as_json, ask=given is None)


@app.command()
def reject(
    context: typer.Context,
    comment_id: Id,
    *,
    reason: Annotated[str, typer.Option(help="What is wrong with the draft.")],
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """The draft is wrong: don't send it."""
    _decide(context, [Wish("reject", comment_id, text=reason)], by, as_json=as_json)


@app.command()
def skip(context: typer.Context, comment_ids: Ids, by: By = None, as_json: AsJson = False) -> None:
    """Leave comments unanswered."""
    _decide(context, [Wish("skip", number) for number in comment_ids], by, as_json=as_json)


@app.command()
def undo(context: typer.Context, comment_ids: Ids, by: By = None, as_json: AsJson = False) -> None:
    """Take back the last verdict, as long as its reply has not begun to go out."""
    _decide(context, [Wish("undo", number) for number in comment_ids], by, as_json=as_json)


@app.command()
def redraft(
    context: typer.Context,
    comment_id: Id,
    *,
    hint: Annotated[str, typer.Option(help="What the next draft is to do better.")] = "",
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Have another draft written; it comes back for review, and is not sent by itself."""
    _decide(context, [Wish("redraft", comment_id, text=hint)], by, as_json=as_json)


@app.command()
def retry(context: typer.Context, comment_ids: Ids, by: By = None, as_json: AsJson = False) -> None:
    """Try again what has failed."""
    _decide(context, [Wish("retry", number) for number in comment_ids], by, as_json=as_json)


@app.command()
def sent(context: typer.Context, comment_ids: Ids, by: By = None, as_json: AsJson = False) -> None:
    """The reply stands on the platform: you saw it there, or posted it yourself."""
    _decide(context, [Wish("confirm_sent", number) for number in comment_ids], by, as_json=as_json)


def _decide(
    context: typer.Context, wishes: Iterable[Wish], by: str | None, *, as_json: bool, ask: bool = False
) -> None:
    """Each comment by itself: one that refuses the verdict doesn't hold up the others. `ask` opens the editor."""
    shell, who, told = shell_of(context), by if by is not None else login(), []
    with open_ledger(shell.settings) as ledger:
        for wish in dict.fromkeys(wishes):
            entry: dict[str, Any] = {"id": wish.comment_id, "act": wish.act, "done": True}
            try:
                _carry_out(ledger, wish, who, shell.settings.review.undo_s, ask=ask)
            except NoSuchComment as error:
                entry |= {"done": False, "why": "gone", "error": str(error)}
            except VerdictRefused as error:
                entry |= {"done": False, "why": error.why, "error": str(error)}
            told.append(entry | _present(ledger, wish.comment_id))
            if not entry["done"]:
                typer.echo(f"error: {plain(entry['error'])}", err=True)
            elif not as_json:
                shell.tell(_DONE[wish.act], id=wish.comment_id)
    if as_json:
        print_json(told)
    if not all(entry["done"] for entry in told):
        raise typer.Exit(1)


def _carry_out(ledger: Ledger, wish: Wish, who: str, undo_s: float, *, ask: bool) -> None:
    sign = Sign(who)
    if ask:
        item = ledger.read(cases.case, wish.comment_id).item
        text = write_in_editor(wish.comment_id, item.draft.text if item.draft is not None else "")
        wish, sign = replace(wish, text=text), replace(sign, version=item.comment.version)
    decide_here(ledger, wish, sign, now=utc_now(), undo_s=undo_s)


def _present(ledger: Ledger, comment_id: int) -> dict[str, Any]:
    """Where the comment is now; nothing where there is none."""
    found = ledger.read(cases.items, [comment_id])
    return {"state": found[0].comment.state, "version": found[0].comment.version} if found else {}


def _known(option: str, given: str | None, known: Sequence[str]) -> str | None:
    if given is not None and given not in known:
        raise Misuse(f"{option} {given!r} is not known; use {', '.join(known)}")
    return given


def _states(given: list[str] | None) -> list[State]:
    known = {state.value: state for state in State}
    for name in given or []:
        if name not in known:
            raise Misuse(f"--state {name!r} is not known; use {', '.join(known)}")
    return [known[name] for name in given] if given else [State.REVIEW]


def _row(item: Item, shell: Shell, language: Language | None) -> tuple[object, ...]:
    draft = excerpt(item.draft.text, 160) if item.draft is not None else ""
    comment = item.comment
    word = state_word(State(comment.state), shell.language)
    reason = explain(comment.reason, shell.language)
    text = excerpt(comment.text, 160)
    translation = comment.translations.get(language or "")
    if translation is not None:
        text += f"\n{shell.say('translation')} {excerpt(translation, 160)}"
    return comment.id, item.channel.name, word, text, reason, draft


def _print_case(shell: Shell, case: Case, language: Language | None) -> None:
    item, comment = case.item, case.item.comment
    word = state_word(State(comment.state), shell.language)
    told = explain_detail(comment.reason, comment.detail, shell.language)
    detail = f" ({told})" if told else ""
    typer.echo(plain(f"#{comment.id} {item.channel.name} · {item.post.title} · {comment.url}"))
    typer.echo(plain(f"{word}: {explain(comment.reason, shell.language)}{detail}\n"))
    for turn in case.thread:
        mark = ">" if turn.id == comment.id else " "
        typer.echo(plain(f"{mark} {turn.author_name} ({turn.created_at:%Y-%m-%d %H:%M} UTC)"))
        typer.echo(_indented(turn.text))
        if language is not None and language in turn.translations:
            typer.echo(f"  {shell.say('translation')}\n{_indented(turn.translations[language])}")
    if item.draft is not None:
        _print_draft(shell, item.draft)
    if item.reply is not None:
        typer.echo(f"\n{shell.say('reply')} ({plain(item.reply.approved_by)})\n{_indented(item.reply.text)}")
    typer.echo()
    for event in case.history:
        why = explain(event.reason, shell.language) if event.reason else ""
        typer.echo(
            plain(f"{event.at:%Y-%m-%d %H:%M:%S} {event.actor}: {event.to_state} {why}", one_line=True)
        )


def _print_draft(shell: Shell, draft: Draft) -> None:
    typer.echo(f"\n{shell.say('draft')} ({plain(draft.model)})\n{_indented(draft.text)}")
    for finding in draft.findings:
        typer.echo(plain(f"! {message_in(finding, shell.language)}", one_line=True))
    print_steps(shell, draft.steps)
    print_pictures(shell, draft.pictures)
    for number, passage in enumerate(draft.passages):
        mark = "*" if number in draft.citations else " "
        typer.echo(plain(f"{mark}[{number + 1}] {passage['title']} · {passage['source']}", one_line=True))
        typer.echo(_indented(str(passage["text"])))


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in plain(text).splitlines())


def item_json(item: Item) -> dict[str, Any]:
    """One comment with its draft in force and its reply."""
    return {
        **comment_json(item.comment),
        "channel": item.channel.name,
        "post": {"title": item.post.title, "url": item.post.url},
        "draft": item.draft.text if item.draft is not None else None,
        "reply": item.reply.text if item.reply is not None else None,
    }


def comment_json(comment: Comment) -> dict[str, Any]:
    return {name: getattr(comment, name) for name in _COMMENT_KEYS}


def case_json(case: Case) -> dict[str, Any]:
    return {
        **item_json(case.item),
        "thread": [comment_json(comment) for comment in case.thread],
        "drafts": [draft.model_dump(exclude={"comment_id"}) for draft in case.drafts],
        "verdicts": [verdict.model_dump(exclude={"comment_id"}) for verdict in case.verdicts],
        "history": [event.model_dump(exclude={"comment_id"}) for event in case.history],
    }
