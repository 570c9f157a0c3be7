"""`eval`: measures retrieval on documents and questions of one's own."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from bot.cli.errors import Misuse
from bot.cli.shell import Shell, print_json, shell_of
from knowledge.evaluate import (
    SEEDS,
    AnswersReport,
    RetrievalReport,
    evaluate_answers,
    evaluate_retrieval,
)
from knowledge.evaluate_data import DatasetError, read_datasets
from knowledge.evaluate_figures import Separation
from knowledge.evaluate_run import Mode, OnStep, Phase, library_maker

app = typer.Typer(help="Measure retrieval on documents and questions of your own.", add_completion=False)

_MODES: Mapping[str, Mode] = {mode: mode for mode in get_args(Mode)}

Folders = Annotated[
    list[Path],
    typer.Argument(
        metavar="DIR...", help="Folders with corpus.jsonl and queries.jsonl; several make one mixed corpus."
    ),
]
ModeOption = Annotated[str, typer.Option("--mode", metavar="sparse|dense|both", help="What searches.")]
Embedder = Annotated[str, typer.Option(help="Name or path of the model for dense search.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Ask at most so many questions of each folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="The figures as JSON.")]


@app.command()
def retrieval(
    context: typer.Context,
    folders: Folders,
    *,
    mode: ModeOption = "sparse",
    embedder: Embedder = "",
    limit: Limit = None,
    as_json: AsJson = False,
) -> None:
    """Whether the right document is found, and at what cost.

    corpus.jsonl holds {id, title, text} a line, queries.jsonl {id, text, doc_id, answers, answerable}.
    """
    shell = shell_of(context)
    shell.log()
    with _refused(), _progress(shell) as on_step:
        make = library_maker(_mode(mode), embedder)
        report = evaluate_retrieval(read_datasets(folders), make=make, limit=limit, on_step=on_step)
    if as_json:
        print_json({"mode": mode, "embedder": embedder, **rounded(asdict(report))})
    else:
        _tell_retrieval(shell, report)


@app.command()
def answers(
    context: typer.Context,
    folders: Folders,
    *,
    mode: ModeOption = "sparse",
    embedder: Embedder = "",
    limit: Limit = None,
    seeds: Annotated[
        int, typer.Option(min=0, max=100, help="How many times half of the documents is left out.")
    ] = SEEDS,
    as_json: AsJson = False,
) -> None:
    """Whether the quote holds the answer, and whether it is known when the documents hold none."""
    shell = shell_of(context)
    shell.log()
    with _refused(), _progress(shell) as on_step:
        make = library_maker(_mode(mode), embedder)
        report = evaluate_answers(
            read_datasets(folders),
            make=make,
            limit=limit,
            seeds=seeds,
            on_step=on_step,
        )
    if as_json:
        print_json({"mode": mode, "embedder": embedder, **rounded(asdict(report))})
    else:
        _tell_answers(shell, report)


@contextmanager
def _refused() -> Iterator[None]:
    try:
        yield
    except DatasetError as error:
        raise Misuse(str(error)) from error


def _mode(text: str) -> Mode:
    if text not in _MODES:
        raise Misuse(f"--mode {text!r} is not known; use sparse, dense or both")
    return _MODES[text]


@contextmanager
def _progress(shell: Shell) -> Iterator[OnStep | None]:
    """A progress bar on stderr; None where nobody would see it."""
    if not shell.err.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=shell.err, transient=True) as bar:
        task = bar.add_task("", total=None)

        def show(phase: Phase, done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, description=shell.say(f"eval_{phase}"))

        yield show


def rounded(value: Any) -> Any:
    """`value` with every float in it to four places."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, Mapping):
        return {name: rounded(part) for name, part in value.items()}
    return value


def _tell_retrieval(shell: Shell, report: RetrievalReport) -> None:
    rows = [
        (name, found.questions, *_shares(found.r1, found.r3, found.r10, found.mrr10, found.ndcg10))
        for name, found in report.datasets.items()
    ]
    shell.table(
        (
            "eval_dataset",
            "eval_questions",
            "eval_r1",
            "eval_r3",
            "eval_r10",
            "eval_mrr10",
            "eval_ndcg10",
        ),
        rows,
    )
    shell.tell(
        "eval_cost",
        documents=report.documents,
        passages=report.passages,
        build=f"{report.build_s:.1f}",
        speed=f"{report.queries_per_s:.0f}",
        p50=f"{report.p50_ms:.1f}",
        memory="?" if report.memory_mb is None else f"{report.memory_mb:.0f}",
    )


def _tell_answers(shell: Shell, report: AnswersReport) -> None:
    shell.tell("eval_quotes")
    shell.table(
        ("eval_dataset", "eval_questions", "eval_quote1", "eval_quote2", "eval_found1", "eval_found2"),
        [
            (name, found.questions, *_shares(found.quote1, found.quote2, found.found1, found.found2))
            for name, found in report.quotes.items()
        ],
    )
    _tell_separation(shell, "eval_in_documents", report.in_documents, seeds=report.seeds)
    _tell_separation(shell, "eval_adversarial", report.adversarial)


def _tell_separation(shell: Shell, key: str, found: Mapping[str, Separation], **values: object) -> None:
    if not found:
        return
    typer.echo()
    shell.tell(key, **values)
    shell.table(
        ("eval_dataset", "eval_auc", "eval_at_1pct", "eval_at_5pct"),
        [(name, *_shares(one.auc, one.at_1pct, one.at_5pct)) for name, one in found.items()],
    )


def _shares(*values: float) -> Sequence[str]:
    return [f"{value:.3f}" for value in values]
