"""Progress of long work, as bars on a terminal's stderr."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from bot.cli.shell import Shell
from bot.plain import excerpt
from knowledge.evaluate_run import Phase

_NAME_CHARS = 60


class Bars:
    """One bar for each phase of the work. Its methods may be called from any thread."""

    def __init__(self, shell: Shell, progress: Progress) -> None:
        self._shell, self._progress = shell, progress
        self._tasks: dict[str, TaskID] = {}

    def reading(self, source: str, done: int, total: int) -> None:
        """A `knowledge.ingest.Progress`."""
        self._show("reading", done, total, excerpt(Path(source).name or source, _NAME_CHARS))

    def embedding(self, done: int, total: int) -> None:
        """A `knowledge.ingest.Embedding`."""
        self._show("embedding", done, total, self._shell.say("ingest_embedding"))

    def step(self, phase: Phase, done: int, total: int) -> None:
        """A `knowledge.evaluate_run.OnStep`."""
        self._show(phase, done, total, self._shell.say(f"eval_{phase}"))

    def trial(self, done: int, total: int) -> None:
        """Comments that both voices have answered."""
        self._show("trial", done, total, self._shell.say("trial_progress"))

    def exporting(self, done: int, total: int) -> None:
        """A `bot.trl.OnStep`."""
        self._show("export", done, total, self._shell.say("export_step"))

    def _show(self, phase: str, done: int, total: int, text: str) -> None:
        if phase not in self._tasks:
            self._tasks[phase] = self._progress.add_task("")
        self._progress.update(self._tasks[phase], completed=done, total=total, description=text)


@contextmanager
def bars_of(shell: Shell) -> Iterator[Bars]:
    """Bars that are gone at the end; they are not drawn where nobody would see them."""
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    hidden = not shell.err.is_terminal
    with Progress(*columns, console=shell.err, transient=True, disable=hidden) as progress:
        yield Bars(shell, progress)
