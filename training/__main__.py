"""`python -m training`, which `rejoinder train` starts as a process of its own."""

import importlib.util
import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer.exceptions import TyperException

from bot import logs
from bot.plain import plain
from bot.settings import Settings, SettingsError, load, resolve
from bot.store.ledger import Ledger, LedgerError, connect
from bot.store.migrate import upgrade
from bot.store.nights import Listed, NightError
from training.errors import TrainingError
from training.words import say

NEEDED = ("torch", "transformers", "peft", "trl", "accelerate", "datasets", "safetensors")
MISUSE, FAILED = 2, 1

app = typer.Typer(
    name="train",
    help="The night: learn from the verdicts, prove it, promote it or refuse it.",
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Ended(TyperException):
    """Ends the command with one line on stderr."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit_code = code


@dataclass(frozen=True, slots=True)
class Call:
    """What the options before the command say."""

    file: Path | None
    data_dir: Path | None
    language: str | None

    @property
    def settings(self) -> "Settings":
        """Raises SettingsError."""
        changes: dict[str, Any] = {}
        if self.data_dir is not None:
            changes["data_dir"] = self.data_dir
        if self.language is not None:
            changes["language"] = self.language
        return load(self.file).model_copy(update=changes)


@app.callback()
def root(
    context: typer.Context,
    settings: Annotated[
        Path | None,
        typer.Option("--settings", "-c", help="Settings file; default: rejoinder.toml, if there is one."),
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where the state is kept; default: data.")] = None,
    lang: Annotated[str | None, typer.Option(metavar="en|zh", help="Language of messages.")] = None,
) -> None:
    """The night: learn from the verdicts, prove it, promote it or refuse it."""
    context.obj = Call(settings, data_dir, lang)


AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]


@app.command()
def nightly(
    context: typer.Context,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Everything but the promotion.")] = False,
    channel: Annotated[str | None, typer.Option(help="The voice of one channel only.")] = None,
    by_cron: Annotated[
        str,
        typer.Option(metavar="TIME", help="Do nothing if a night runs, or began since then.", hidden=True),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Snapshot, fine-tuning, reward model, PPO, evaluation, promotion; or go on with what was stopped."""
    call: Call = context.obj
    settings = call.settings
    logs.configure(settings.log, level=None if by_cron else "warning")
    require_packages()
    from bot.store import nights  # noqa: PLC0415
    from training.nightly import House, run  # noqa: PLC0415

    with open_ledger(settings) as ledger:
        if by_cron and ledger.read(nights.begun_since, datetime.fromisoformat(by_cron)):
            return
        try:
            done = run(House(settings, ledger, dry=dry_run), channel)
        except nights.NightRuns:
            if by_cron:
                return
            raise
        listed = [ledger.read(nights.get, night.id or 0) for night in done]
    if as_json:
        print_json([as_told(one, settings) for one in listed])
    else:
        for one in listed:
            tell(one, settings)
    if any(one.night.status == "failed" for one in listed):
        raise typer.Exit(FAILED)


@app.command()
def status(context: typer.Context, as_json: AsJson = False) -> None:
    """The night that runs or waits, or the last one."""
    from bot.store import nights  # noqa: PLC0415

    settings = context.obj.settings
    with open_ledger(settings) as ledger:
        current = ledger.read(nights.current)
        found = ledger.read(nights.get, current.id or 0) if current is not None else ledger.read(nights.last)
    if as_json:
        print_json(as_told(found, settings) if found is not None else None)
    elif found is None:
        typer.echo(say("none", settings.language))
    else:
        tell(found, settings)


@app.command("list")
def list_nights(
    context: typer.Context,
    number: Annotated[int, typer.Option("-n", min=1, max=1000, help="How many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """The last nights, newest first."""
    from bot.store import nights  # noqa: PLC0415

    settings = context.obj.settings
    with open_ledger(settings) as ledger:
        found = ledger.read(nights.page, limit=number)
    if as_json:
        print_json([as_told(one, settings) for one in found])
    elif found:
        table_of(found, settings.language)
    else:
        typer.echo(say("none", settings.language))


@app.command(hidden=True)
def wake(context: typer.Context) -> None:
    """Wake the model servers that a night put to sleep and, being killed, could not wake."""
    from training.server_sleep import wake as wake_up  # noqa: PLC0415

    settings = context.obj.settings
    logs.configure(settings.log, level="warning")
    woken = wake_up(settings.data_dir / "nights", key=resolve(settings.generator.api_key))
    if woken:
        typer.echo(say("woken", settings.language, servers=", ".join(woken)))


@contextmanager
def open_ledger(settings: "Settings") -> "Iterator[Ledger]":
    """Raises LedgerError, SettingsError."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    ledger = connect(settings.database_url)
    try:
        upgrade(ledger)
        yield ledger
    finally:
        ledger.close()


def require_packages() -> None:
    """Raises Ended."""
    for name in NEEDED:
        if importlib.util.find_spec(name) is None:
            raise Ended(
                f"training needs packages that are not installed ({name}): pip install 'rejoinder[train]'",
                MISUSE,
            )


def report_of(one: "Listed", settings: "Settings") -> Path | None:
    file = settings.data_dir / one.night.folder / "evaluation" / "report.html"
    return file if file.exists() else None


def as_told(one: "Listed", settings: "Settings") -> dict[str, Any]:
    """A night for programs."""
    report = report_of(one, settings)
    told = one.night.model_dump(exclude={"turn", "lease_owner", "channel_id", "status"})
    return {
        **told,
        "status": one.night.status,
        "channel": one.channel,
        "report": str(report) if report is not None else None,
    }


def tell(one: "Listed", settings: "Settings") -> None:
    night, language = one.night, settings.language
    key = str(night.status)
    if night.turn is not None and night.lease_until is not None and night.lease_until > datetime.now(UTC):
        key = "runs"
    elif night.turn is not None:
        key = "waits"
    why = night.error or say("no_step", language)
    since = f"{night.began_at:%Y-%m-%d %H:%M} UTC"
    line = say(key, language, id=night.id, voice=night.voice, step=night.step, why=why, since=since)
    typer.echo(plain(line, one_line=True))
    for refusal in night.refusals:
        typer.echo(plain(f"- {refusal['guard']}: {refusal['detail']}", one_line=True))
    if (report := report_of(one, settings)) is not None:
        typer.echo(say("report", language, file=report))


def table_of(found: "list[Listed]", language: str) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("night", "began", "channel", "status", "step", "voice", "why"):
        table.add_column(say(f"h_{heading}", language), overflow="fold")
    for one in found:
        night = one.night
        why = night.error or ", ".join(str(refusal["guard"]) for refusal in night.refusals)
        channel = one.channel if one.channel is not None else say("all_channels", language)
        cells = (
            night.id, f"{night.began_at:%Y-%m-%d %H:%M}", channel, say(f"status_{night.status}", language),
            night.step, night.voice or "", why,
        )  # fmt: skip
        table.add_row(*(Text(plain(str(cell), one_line=True)) for cell in cells))
    Console(highlight=False, markup=False, emoji=False).print(table)


def print_json(value: object) -> None:
    typer.echo(json.dumps(value, ensure_ascii=True, default=_to_json))


def _to_json(value: object) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)


def _known_errors() -> tuple[type[Exception], ...]:
    from bot.generator import GeneratorError  # noqa: PLC0415
    from bot.store.channels import NoSuchChannel  # noqa: PLC0415
    from bot.store.voices import ChangeRefused  # noqa: PLC0415
    from bot.voices.files import BadVoice  # noqa: PLC0415

    return (
        TrainingError,
        NightError,
        LedgerError,
        GeneratorError,
        NoSuchChannel,
        ChangeRefused,
        BadVoice,
        OSError,
    )


def main(arguments: list[str] | None = None) -> int:
    """Exit code: 0; 1 where a night failed or cannot be had; 2 for bad usage or settings; 130 for Ctrl-C, 143 for a
    term signal, after either of which the next start goes on.
    """
    got: list[int] = []
    signal.signal(signal.SIGTERM, _interrupts(got))
    command: Any = typer.main.get_command(app)
    try:
        code = command.main(arguments, prog_name="rejoinder train", standalone_mode=False)
    except TyperException as error:
        return _fail(error.format_message(), int(getattr(error, "exit_code", FAILED)))
    except SettingsError as error:
        return _fail(str(error), MISUSE)
    except (KeyboardInterrupt, typer.Abort):
        return 128 + (signal.SIGTERM if got else signal.SIGINT)
    except _known_errors() as error:
        return _fail(str(error), FAILED)
    return code if isinstance(code, int) else 0


def _interrupts(got: list[int]) -> Callable[[int, Any], None]:
    def stop(number: int, frame: Any) -> None:
        got.append(number)
        raise KeyboardInterrupt

    return stop


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"error: {' '.join(plain(message).split())}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
