"""`review`: the comments that wait for a person, and what the person decides."""

import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from bot.bootstrap import open_ledger, utc_now
from bot.checks.findings import message_in
from bot.cli.errors import Misuse
from bot.cli.evidence import print_pictures, print_steps
from bot.cli.shell import Shell, login, print_json, shell_of
from bot.cli.translation import translate_all, translation_language
from bot.details import explain_detail
from bot.models import Comment, Draft, State
from bot.plain import excerpt, plain
from bot.reasons import explain
from bot.settings import Language
from bot.store import cases, queue, verdicts
from bot.store.cases import Case, Item, NoSuchComment
from bot.store.deciding import Sign, VerdictRefused
from bot.store.ledger import Ledger
from bot.store.queue import Filters
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
_COMMENT_KEYS = (
    "id", "platform_id", "author_name", "text", "url", "language", "is_own",
    "created_at", "updated_at", "state", "reason", "detail", "attempts", "translations",
)  # fmt: skip
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]
Translate = Annotated[
    str | None, typer.Option(metavar="en|zh", help="With a translation by the model; it is kept.")
]


@app.command("list")
def list_comments(
    context: typer.Context,
    *,
    state: Annotated[list[str] | None, typer.Option(help="Which states; default: review.")] = None,
    channel: Annotated[str | None, typer.Option(help="One channel only.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    translate: Translate = None,
    as_json: AsJson = False,
) -> None:
    """What waits for a person, oldest first."""
    shell = shell_of(context)
    states = _states(state)
    language = translation_language(shell, translate)
    with open_ledger(shell.settings) as ledger:
        filters = Filters(states=tuple(states), channel=channel)
        items = ledger.read(queue.queue, filters, limit=limit).items
        ok = translate_all(shell, ledger, [item.comment for item in items], language)
    if as_json:
        print_json([item_json(item) for item in items])
    elif items:
        rows = [_row(item, shell, language) for item in items]
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
def approve(context: typer.Context, comment_ids: Ids, by: By = None) -> None:
    """Send the drafts as they stand."""

    def act(ledger: Ledger, comment_id: int, who: str) -> None:
        ledger.write(verdicts.approve, comment_id, sign=Sign(who), now=utc_now())

    _decide(context, comment_ids, by, act, "review_approved")


@app.command()
def edit(
    context: typer.Context,
    comment_id: Id,
    *,
    text: Annotated[str | None, typer.Option(help="The reply to send.")] = None,
    file: Annotated[Path | None, typer.Option(help="File that holds the reply.")] = None,
    by: By = None,
) -> None:
    """Send another text; also answers what was skipped or has failed. Without a text, opens $EDITOR on the draft."""
    if text is not None and file is not None:
        raise Misuse("give --text or --file, not both")
    given = _read_text(file) if file is not None else text

    def act(ledger: Ledger, number: int, who: str) -> None:
        reply = given if given is not None else _edited(ledger, number)
        ledger.write(verdicts.edit, number, text=reply, sign=Sign(who), now=utc_now())

    _decide(context, [comment_id], by, act, "review_edited")


@app.command()
def reject(
    context: typer.Context,
    comment_id: Id,
    *,
    reason: Annotated[str, typer.Option(help="What is wrong with the draft.")],
    by: By = None,
) -> None:
    """The draft is wrong: don't send it."""

    def act(ledger: Ledger, number: int, who: str) -> None:
        ledger.write(verdicts.reject, number, reason=reason, sign=Sign(who), now=utc_now())

    _decide(context, [comment_id], by, act, "review_rejected")


@app.command()
def skip(context: typer.Context, comment_ids: Ids, by: By = None) -> None:
    """Leave comments unanswered."""

    def act(ledger: Ledger, comment_id: int, who: str) -> None:
        ledger.write(verdicts.skip, comment_id, sign=Sign(who), now=utc_now())

    _decide(context, comment_ids, by, act, "review_skipped")


@app.command()
def retry(context: typer.Context, comment_ids: Ids, by: By = None) -> None:
    """Try again what has failed."""

    def act(ledger: Ledger, comment_id: int, who: str) -> None:
        ledger.write(verdicts.retry, comment_id, sign=Sign(who), now=utc_now())

    _decide(context, comment_ids, by, act, "review_retried")


@app.command()
def sent(context: typer.Context, comment_ids: Ids, by: By = None) -> None:
    """The reply stands on the platform: you saw it there, or posted it yourself."""

    def act(ledger: Ledger, comment_id: int, who: str) -> None:
        ledger.write(verdicts.confirm_sent, comment_id, sign=Sign(who), now=utc_now())

    _decide(context, comment_ids, by, act, "review_sent")


def _decide(
    context: typer.Context,
    comment_ids: Iterable[int],
    by: str | None,
    act: Callable[[Ledger, int, str], None],
    message: str,
) -> None:
    """Each comment by itself: one that refuses the verdict doesn't hold up the others."""
    shell, who, refused = shell_of(context), by if by is not None else login(), False
    with open_ledger(shell.settings) as ledger:
        for comment_id in dict.fromkeys(comment_ids):
            try:
                act(ledger, comment_id, who)
            except (NoSuchComment, VerdictRefused) as error:
                typer.echo(f"error: {plain(str(error))}", err=True)
                refused = True
            else:
                shell.tell(message, id=comment_id)
    if refused:
        raise typer.Exit(1)


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misuse(f"{file} cannot be read: {error}") from error


def _edited(ledger: Ledger, comment_id: int) -> str:
    item = ledger.read(cases.case, comment_id).item
    editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with tempfile.TemporaryDirectory(prefix="rejoinder-edit-") as folder:
        file = Path(folder) / f"reply-{comment_id}.txt"
        file.write_text(item.draft.text if item.draft is not None else "", encoding="utf-8")
        try:
            code = subprocess.run([*editor, str(file)], check=False).returncode  # noqa: S603  (the user's own editor)
        except OSError as error:
            raise Misuse(f"the editor {editor[0]!r} cannot be started; set EDITOR, or give --text") from error
        if code != 0:
            raise VerdictRefused(f"comment {comment_id}: the editor ended with {code}; nothing was changed")
        return _read_text(file)


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
