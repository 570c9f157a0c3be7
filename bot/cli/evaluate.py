"""`eval`: measures retrieval on documents and questions of one's own."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from bot.cli.errors import Misuse
from bot.cli.progress import bars_of
from bot.cli.shell import Shell, print_json, shell_of
from bot.retrieval import make_embedder
from bot.settings import KnowledgeSettings
from knowledge.calibration import load, save
from knowledge.evaluate import (
    SEEDS,
    AnswersReport,
    RetrievalReport,
    evaluate_answers,
    evaluate_retrieval,
)
from knowledge.evaluate_data import DatasetError, read_datasets
from knowledge.evaluate_figures import Separation
from knowledge.evaluate_run import MakeLibrary, Mode, library_maker
from knowledge.learning import calibrate as learn

if TYPE_CHECKING:
    from knowledge.embedder import Embedder as KnownEmbedder

app = typer.Typer(help="Measure retrieval on documents and questions of your own.", add_completion=False)

_MODES: Mapping[str, Mode] = {mode: mode for mode in get_args(Mode)}

Folders = Annotated[
    list[Path],
    typer.Argument(
        metavar="DIR...", help="Folders with corpus.jsonl and queries.jsonl; several make one mixed corpus."
    ),
]
ModeOption = Annotated[
    str,
    typer.Option(
        "--mode",
        metavar="sparse|dense|both",
        help="What searches; both where there is an embedder, else sparse.",
    ),
]
Embedder = Annotated[
    str, typer.Option(help="Name or folder of the model for dense search, in place of the settings' own.")
]
EmbedderUrl = Annotated[
    str, typer.Option(help="Server that embeds with that model, such as http://127.0.0.1:8001/v1.")
]
Limit = Annotated[int | None, typer.Option(min=1, help="Ask at most so many questions of each folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="The figures as JSON.")]


@app.command()
def retrieval(
    context: typer.Context,
    folders: Folders,
    *,
    mode: ModeOption = "",
    embedder: Embedder = "",
    embedder_url: EmbedderUrl = "",
    limit: Limit = None,
    as_json: AsJson = False,
) -> None:
    """Whether the right document is found, and at what cost.

    corpus.jsonl holds {id, title, text} a line, queries.jsonl {id, text, doc_id, answers, answerable}.
    """
    shell = shell_of(context)
    shell.log()
    searched = _searched(shell.settings.knowledge, mode, embedder, embedder_url)
    with _refused(), _making(searched) as making, bars_of(shell) as bars:
        report = evaluate_retrieval(read_datasets(folders), make=making.make, limit=limit, on_step=bars.step)
    if as_json:
        print_json({**searched.json(), **rounded(asdict(report))})
    else:
        _tell_retrieval(shell, report)


@app.command()
def answers(
    context: typer.Context,
    folders: Folders,
    *,
    mode: ModeOption = "",
    embedder: Embedder = "",
    embedder_url: EmbedderUrl = "",
    limit: Limit = None,
    seeds: Annotated[
        int, typer.Option(min=0, max=100, help="How many times half of the documents is left out.")
    ] = SEEDS,
    as_json: AsJson = False,
) -> None:
    """Whether the quote holds the answer, and whether it is known when the documents hold none."""
    shell = shell_of(context)
    shell.log()
    searched = _searched(shell.settings.knowledge, mode, embedder, embedder_url)
    with _refused(), _making(searched) as making, bars_of(shell) as bars:
        report = evaluate_answers(
            read_datasets(folders),
            make=making.make,
            limit=limit,
            seeds=seeds,
            on_step=bars.step,
        )
    if as_json:
        print_json({**searched.json(), **rounded(asdict(report))})
    else:
        _tell_answers(shell, report)


@app.command()
def calibrate(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder with corpus.jsonl and queries.jsonl.")
    ],
    *,
    mode: ModeOption = "",
    embedder: Embedder = "",
    embedder_url: EmbedderUrl = "",
    as_json: AsJson = False,
) -> None:
    """Learn from questions of your own how far support may be trusted, and keep that in the library.

    For another embedder than the one that Rejoinder knows, support counts words alone until this is done.
    """
    shell = shell_of(context)
    shell.log()
    searched = _searched(shell.settings.knowledge, mode, embedder, embedder_url)
    library = shell.settings.data_dir / "knowledge"
    with _refused(), _making(searched) as making, bars_of(shell) as bars:
        [dataset] = read_datasets([folder])
        learned = learn(load(library), dataset, making.make, making.signature(), bars.step)
    path = save(library, learned.calibration)
    figures = {"language": learned.language, "questions": learned.questions, "auc": round(learned.auc, 4)}
    if as_json:
        print_json({**searched.json(), **figures, "file": str(path)})
    else:
        shell.tell("eval_calibrated", **figures, file=path)


@dataclass(frozen=True, slots=True)
class Searched:
    """What is measured: how it searches, and with which embedder."""

    mode: Mode
    settings: KnowledgeSettings

    def json(self) -> dict[str, str]:
        return {"mode": self.mode, "embedder": "" if self.mode == "sparse" else self.settings.embedder}


def _searched(settings: KnowledgeSettings, mode: str, embedder: str, url: str) -> Searched:
    """Raises Misuse for options that do not go together."""
    if embedder:
        # What the settings say of languages and keys is said of their own embedder.
        settings = KnowledgeSettings(embedder=embedder, embedder_url=url)
    elif url:
        raise Misuse("--embedder-url needs --embedder, the name of the model there")
    chosen = _mode(mode or ("both" if settings.embedder else "sparse"))
    if embedder and chosen == "sparse":
        raise Misuse("--mode sparse searches without an embedder; leave one of the two out")
    return Searched(chosen, settings)


@dataclass(frozen=True, slots=True)
class Making:
    """What makes the library that is measured, and its embedder."""

    make: MakeLibrary
    embedder: "KnownEmbedder | None"

    def signature(self) -> tuple[float, ...] | None:
        """By which the embedder is known; None without one. Raises ModelError."""
        if self.embedder is None:
            return None
        from knowledge.dense import signature_of  # noqa: PLC0415  (only in the extra)

        return signature_of(self.embedder)


@contextmanager
def _making(searched: Searched) -> Iterator[Making]:
    """Raises ModelError, SettingsError, DatasetError."""
    embedder = make_embedder(searched.settings) if searched.mode != "sparse" else None
    try:
        yield Making(library_maker(searched.mode, embedder), embedder)
    finally:
        if embedder is not None:
            embedder.close()


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
